"""`skin-synth advise`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for the report and the classifier")
    flags.add_classifier_study(parser, pool=1000)
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
    flags.add_adapt_images(parser, "your images")
    flags.add_seed(parser, "the parts, the trainings and the synthetic images")


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.advisor import advise, forecast
    from skin_synth.evaluation.utility.advice_options import AdviceOptions
    from skin_synth.training.adaptation import adaptation

    generator = flags.load_generator(options)
    chosen = flags.options_of(AdviceOptions, options)
    policy = flags.classifier_policy()
    adapt = adaptation(generator, options.cache, options.out, chosen.adapt_images)
    if options.dry_run:
        show(*forecast(generator, options.data, chosen, policy=policy).lines())
        if number := chosen.most_adaptations:
            show(f"not included: up to {number} adaptations by {chosen.adapt_images:,} images each")
        return
    report = advise(
        generator,
        options.data,
        options.out,
        chosen,
        policy=policy,
        loader=_loader(options),
        adapt=adapt,
        adapting=_adapting(options),
        cache=options.cache,
        overwrite=options.overwrite,
    )
    show(report.advice.sentence)
    show(f"{options.out}: open report.html in a browser; classifier.keras is trained as advised")


def _adapting(options: argparse.Namespace) -> str:
    source = options.pretrained if options.run is None else options.run
    length = f"images={options.adapt_images}, schedule_images={options.adapt_images}"
    return f"train({options.data!r}, 'adapted', TrainingOptions(init_from={source!r}, {length}))"


def _loader(options: argparse.Namespace) -> str:
    if options.pretrained is not None:
        return f"skin_synth.load_pretrained({options.pretrained!r})"
    return f"skin_synth.load_run({options.run!r}, {options.checkpoint!r})"
