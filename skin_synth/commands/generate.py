"""`skin-synth generate`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show
from tfrecords_tools.errors import InputError


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser)
    parser.add_argument(
        "--label",
        required=True,
        metavar="NAME|all",
        help="class of the images; all: every class, each in a folder with its name",
    )
    parser.add_argument(
        "--count",
        required=True,
        type=flags.positive_int,
        metavar="N",
        help="number of images of each class",
    )
    flags.add_out(parser, "new folder for the PNG files and manifest.csv")
    flags.add_seed(parser, "the first image of a class; the next images count up from it")
    parser.add_argument(
        "--truncation",
        type=flags.positive_float,
        default=1.0,
        metavar="T",
        help="factor of the latent; below 1: more typical, less varied (default: %(default)s)",
    )
    flags.add_training_names(parser)
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="data set in which to find each image's nearest training image "
        "(default: the one that the run was trained on; none with --pretrained)",
    )
    parser.add_argument(
        "--format",
        choices=("png", "tfrecord"),
        default="png",
        help="png: a file for each image; tfrecord: a data set directory (default: %(default)s)",
    )
    parser.add_argument(
        "--shard",
        type=flags.part,
        dest="part",
        metavar="I/N",
        help="with --format tfrecord: only part I of N, for jobs that `skin-synth merge` joins "
        "(default: all images)",
    )


def run(options: argparse.Namespace) -> None:
    from skin_synth.synthesis import GenerationOptions, Shard, generate_images, generate_records
    from skin_synth.synthesis.generation import labels_of

    if options.format == "png" and options.part is not None:
        raise InputError("--shard needs --format tfrecord: PNGs are written in one folder")
    generator = flags.load_generator(options)
    shard = None if options.part is None else Shard(*options.part)
    chosen = flags.options_of(GenerationOptions, options, shard=shard)
    places = {"data": options.data, "overwrite": options.overwrite}
    if options.format == "tfrecord":
        images = generate_records(generator, options.out, chosen, **places).describe()
    else:
        generate_images(generator, options.out, chosen, **places)
        labels = labels_of(generator, chosen)
        each = " each" if len(labels) > 1 else ""
        images = f"{options.count:,} images{each} of {', '.join(labels)}"
    show(f"{options.out}: {images}, provenance in manifest.csv")
