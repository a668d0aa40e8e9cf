"""`skin-synth evaluate`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser, images=True)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for report.json, report.html and image grids")
    parser.add_argument(
        "--features",
        default="classifier",
        metavar="NAME",
        help="features for the comparison: classifier (trained on the real training split, needs "
        "no download), mobilenet (needs --weights), inception (ImageNet weights, downloaded "
        "unless --weights is given), or a saved Keras model, FILE.keras (default: %(default)s)",
    )
    parser.add_argument("--weights", metavar="FILE", help="weights file of mobilenet or inception")
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
        help="with --utility: trainings of each arm, 2 or more (default: 5)",
    )
    parser.add_argument(
        "--ratios",
        type=flags.ratio_list,
        metavar="R,R",
        help="with --utility: synthetic images for each real one (default: 0.25,1,4)",
    )
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

    evaluate(
        flags.load_generator(options),
        options.data,
        options.out,
        EvaluationOptions(
            features=options.features,
            weights=options.weights,
            seed=options.seed,
            seeds=options.seeds,
            utility=options.utility,
            utility_seeds=options.utility_seeds,
            ratios=options.ratios,
            privacy=options.privacy,
            privacy_images=options.privacy_images,
        ),
        cache=options.cache,
        overwrite=options.overwrite,
    )
    print(f"{options.out}: open report.html in a browser")
