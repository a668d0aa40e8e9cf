"""`skin-synth pretrained`; loads no TensorFlow."""

from __future__ import annotations

import argparse

from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declares nothing: the command has no flags."""


def run(options: argparse.Namespace) -> None:
    """Prints what is known of each generator."""
    from skin_synth.pretrained import descriptions

    for lines in descriptions():
        show(*lines)
