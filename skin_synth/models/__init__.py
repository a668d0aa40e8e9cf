"""The conditional GAN: networks, layers, losses, schedules, and the training step in `gan`."""
