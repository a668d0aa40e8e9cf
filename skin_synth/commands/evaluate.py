"""`skin-synth evaluate`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show
from tfrecords_tools.errors import InputError


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser, images=True)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for report.json, report.html and image grids")
    parser.add_argument(
        "--features",
        default="classifier",
        metavar="NAME",
        help="features for the comparison: classifier (trained on the real training split, needs "
        "no download), mobilenet or inception (ImageNet weights, downloaded unless --weights is "
        "given), or a saved Keras model, FILE.keras (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="weights file of mobilenet or inception, and of --classifiers finetuned (default: "
        "they are downloaded); with --features inception it is that of inception only",
    )
    parser.add_argument(
        "--seeds",
        type=flags.positive_int,
        default=3,
        metavar="N",
        help="sets of synthetic images for the spread of the Fréchet distance "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="directory of intermediate results, for a resume (default: OUT.cache)",
    )
    parser.add_argument(
        "--utility",
        action="store_true",
        help="also train classifiers with and without the synthetic images and say whether they "
        "help; resumes from the cache (default: not measured)",
    )
    parser.add_argument(
        "--utility_seeds",
        type=flags.positive_int,
        metavar="N",
        help="with --utility: trainings of each compared arm, 2 or more; 8 for a publication "
        "(default: 5)",
    )
    parser.add_argument(
        "--utility_steps",
        type=flags.positive_int,
        metavar="N",
        help="with --utility: batches of 64 images in each training (default: 600)",
    )
    parser.add_argument(
        "--classifiers",
        type=flags.names,
        metavar="NAME,NAME",
        help="with --utility: resnet (from scratch), finetuned (MobileNet with ImageNet weights, "
        "downloaded unless --weights is given) or small; the first one gives the verdict (default: "
        "resnet)",
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="with --utility: only print trainings, steps and hours of the study; write nothing",
    )
    flags.add_external(parser)
    parser.add_argument("--ratios", type=_gone, help=argparse.SUPPRESS)
    parser.add_argument(
        "--privacy",
        action="store_true",
        help="also attack the generator: do its images give its training images away? Use this "
        "before you publish it (default: not measured)",
    )
    parser.add_argument(
        "--privacy_images",
        type=flags.positive_int,
        metavar="N",
        help="with --privacy: synthetic images of each class; with more, the attacks are stronger "
        "(default: 2000)",
    )
    flags.add_seed(parser, "the synthetic images and the classifier")


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation import EvaluationOptions, evaluate

    if options.dry_run and not options.utility:
        raise InputError("--dry_run is of the utility study: add --utility")
    if options.external and not options.utility:
        raise InputError("--external is of the utility study: add --utility")
    policy = flags.classifier_policy() if options.utility else "float32"
    chosen = flags.options_of(EvaluationOptions, options, policy=policy)
    generator = flags.load_generator(options)
    if options.dry_run:
        from skin_synth.evaluation.utility.cost import measure_cost

        show(*measure_cost(generator, options.data, chosen.of_utility()).lines())
        return
    evaluate(
        generator,
        options.data,
        options.out,
        chosen,
        external=flags.load_external_tests(options, generator),
        cache=options.cache,
        overwrite=options.overwrite,
    )
    show(f"{options.out}: open report.html in a browser")


def _gone(text: str) -> str:
    raise argparse.ArgumentTypeError(
        f"is gone, got {text!r}: the utility study now tries shares of 25 % and 50 %, synthetic "
        "images first, and filled classes, and chooses by validation; leave it out"
    )
