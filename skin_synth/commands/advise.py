"""`skin-synth advise`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for the report and the classifier")
    parser.add_argument(
        "--classifier",
        choices=("resnet", "finetuned", "small"),
        default="resnet",
        help="resnet from scratch, finetuned MobileNet (needs --weights), or small, a quick "
        "network for tests (default: %(default)s)",
    )
    parser.add_argument("--weights", metavar="FILE", help="ImageNet weights of finetuned")
    parser.add_argument(
        "--keep_test",
        action="store_true",
        help="leave out the test split, so that you can test the classifier on it later (default: "
        "all splits are own images)",
    )
    parser.add_argument(
        "--folds",
        type=flags.positive_int,
        default=4,
        metavar="K",
        help="parts of the own images for cross-validation (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds",
        type=flags.positive_int,
        default=3,
        metavar="N",
        help="trainings of the two selected choices in each part, 2 or more (default: %(default)s)",
    )
    parser.add_argument(
        "--steps",
        type=flags.positive_int,
        metavar="N",
        help="steps of each training (default: 40 passes over the own images, 300 to 2,000 steps)",
    )
    parser.add_argument(
        "--batch_size",
        type=flags.positive_int,
        default=64,
        metavar="N",
        help="images in a step (default: %(default)s)",
    )
    parser.add_argument(
        "--pool",
        type=flags.positive_int,
        default=1000,
        metavar="N",
        help="synthetic images of each class (default: %(default)s)",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="directory of finished trainings, for a later start (default: OUT.cache)",
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="only print trainings, steps and time; write nothing",
    )
    flags.add_seed(parser, "the parts, the trainings and the synthetic images")


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.advisor import advise, forecast
    from skin_synth.evaluation.utility.advice_options import AdviceOptions

    generator = flags.load_generator(options)
    chosen = AdviceOptions(
        classifier=options.classifier,
        weights=options.weights,
        folds=options.folds,
        seeds=options.seeds,
        steps=options.steps,
        batch_size=options.batch_size,
        pool=options.pool,
        seed=options.seed,
        keep_test=options.keep_test,
    )
    if options.dry_run:
        print(
            "\n".join(
                forecast(generator, options.data, chosen, policy=flags.classifier_policy()).lines()
            )
        )
        return
    report = advise(
        generator,
        options.data,
        options.out,
        chosen,
        policy=flags.classifier_policy(),
        loader=_loader(options),
        cache=options.cache,
        overwrite=options.overwrite,
    )
    print(report.advice.sentence)
    print(f"{options.out}: open report.html in a browser; classifier.keras is trained as advised")


def _loader(options: argparse.Namespace) -> str:
    if options.pretrained is not None:
        return f"skin_synth.load_pretrained({options.pretrained!r})"
    return f"skin_synth.load_run({options.run!r}, {options.checkpoint!r})"
