"""`skin-synth generate`."""

from __future__ import annotations

import argparse

from skin_synth.commands.flags import (
    add_generator,
    add_out,
    add_seed,
    load_generator,
    options_of,
    positive_float,
    positive_int,
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declares the flags."""
    add_generator(parser)
    parser.add_argument("--label", required=True, metavar="NAME", help="the class to paint")
    parser.add_argument(
        "--count", required=True, type=positive_int, metavar="N", help="how many images"
    )
    add_out(parser, "new folder for the PNG files and manifest.csv")
    add_seed(parser, "the first image; the next ones count up")
    parser.add_argument(
        "--truncation",
        type=positive_float,
        default=1.0,
        metavar="T",
        help="factor of the latent; below 1 trades variety for typicality (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data set to look for each image's nearest training image in "
        "(default: the one that the run was trained on; none with --pretrained)",
    )


def run(options: argparse.Namespace) -> None:
    """Paints the images."""
    from skin_synth.synthesis import GenerationOptions, generate_images

    generate_images(
        load_generator(options),
        options.out,
        options_of(GenerationOptions, options),
        data=options.data,
        overwrite=options.overwrite,
    )
    print(f"{options.out}: {options.count:,} images of {options.label}, provenance in manifest.csv")
