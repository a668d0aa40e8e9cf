"""The finished comparison with two baseline GANs and with PyTorch (docs/study)."""
