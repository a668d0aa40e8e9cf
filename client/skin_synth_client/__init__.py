"""Requests images from a generator of Skin Synth behind TF Serving; needs NumPy and Pillow only."""

from skin_synth_client.skin_synth.serving.address import Access
from skin_synth_client.skin_synth.serving.client import Client
from skin_synth_client.skin_synth.serving.errors import ServingError
from skin_synth_client.tfrecords_tools.errors import InputError

__all__ = ["Access", "Client", "InputError", "ServingError"]
