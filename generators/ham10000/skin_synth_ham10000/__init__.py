"""Generators of skin images that were trained on HAM10000, for `skin_synth.load_pretrained`.

Not for commercial use: CC BY-NC 4.0, like the images of HAM10000.
"""
