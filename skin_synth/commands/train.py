"""`skin-synth train`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from skin_synth.presets import PRESETS
from skin_synth.training.options import TrainingOptions
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declares the flags; they have the names of the fields of `TrainingOptions`."""
    flags.add_data(parser)
    parser.add_argument(
        "--run",
        required=True,
        metavar="RUN",
        help="run directory, made if it does not exist; the same command again resumes",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        metavar="NAME",
        help=f"one of {', '.join(PRESETS)} (default: that of the run; if new, that of "
        "--init_from, or the one for the image size of the data set)",
    )
    flags.add_overrides(parser)
    parser.add_argument(
        "--images",
        type=flags.positive_int,
        metavar="N",
        help="train until the run has seen N images; the schedules of a new run, such as that of "
        "the learning rate, are as long (default: the whole schedule)",
    )
    parser.add_argument(
        "--minutes",
        type=flags.positive_float,
        metavar="M",
        help="train for M minutes, reading the data not counted; the schedules of a new run are as "
        "long as this machine can train in them (default: no limit)",
    )
    parser.add_argument(
        "--schedule_images",
        type=flags.positive_int,
        metavar="N",
        help="length of the schedules of a new run, if --images or --minutes is only a pause in a "
        "longer training (default: --images, or the preset's)",
    )
    parser.add_argument(
        "--schedule_minutes",
        type=flags.positive_float,
        metavar="M",
        help="the same in minutes of this machine, by the speed of a few steps "
        "(default: --minutes, or the preset's)",
    )
    parser.add_argument(
        "--seed",
        type=flags.seed_number,
        metavar="S",
        help="seed of weights, batches, latents and augmentation "
        "(default: that of the run; 0 if new)",
    )
    parser.add_argument(
        "--policy",
        metavar="NAME",
        help="float32, mixed_bfloat16 or mixed_float16 (default: that of the run; the fast one of "
        "this machine if new)",
    )
    parser.add_argument(
        "--init_from",
        metavar="RUN",
        help="start a new run from the last checkpoint of this one, or from a generator (its name, "
        "or the directory of an export): other classes, a wider preset or larger images "
        "(default: fresh weights)",
    )
    parser.add_argument(
        "--features",
        metavar="NAME",
        help="features of validation: classifier (trained on the real training split) "
        "or mobilenet (ImageNet weights, downloaded unless --weights is given) (default: those of "
        "the run; classifier if new)",
    )
    parser.add_argument(
        "--weights", metavar="FILE", help="weights file of mobilenet (default: that of the run)"
    )
    parser.add_argument(
        "--keep",
        type=flags.positive_int,
        default=TrainingOptions.keep,
        metavar="N",
        help="checkpoints to keep in addition to the best one (default: %(default)s)",
    )
    parser.add_argument(
        "--cache_limit",
        type=flags.mebibytes,
        metavar="MIB",
        help="stream the training images from the shards if they take more MiB decoded than this; "
        "changes no result (default: a quarter of the memory)",
    )
    parser.add_argument(
        "--devices",
        type=flags.device_count,
        default=1,
        metavar="N",
        help="share each batch between N devices of this machine, or all of them: a number or all; "
        "several machines by TF_CONFIG, see docs/training.md (default: %(default)s)",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help="record a few steps for TensorBoard's profiler, in RUN/logs (default: do not)",
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="only print time, memory, parameters and the smallest class; write nothing",
    )


def run(options: argparse.Namespace) -> None:
    """Trains, and prints how many images the run has seen."""
    from skin_synth.training import train
    from skin_synth.training.run_directory import RunDirectory

    chosen = flags.options_of(TrainingOptions, options)
    if not RunDirectory(options.run).exists():
        chosen = chosen.with_schedule_of_limits()
    trained = train(options.data, options.run, chosen)
    if trained is not None:
        origin = trained.origin
        show(f"{options.run}: run {origin.run_id} has seen {origin.images_seen:,} images")
