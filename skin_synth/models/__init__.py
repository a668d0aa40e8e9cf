"""The conditional GAN: networks, layers, losses, schedules, and the step that trains them.

`gan` holds the method on one screen; all else here is what it is made of.
"""
