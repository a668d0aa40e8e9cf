"""`skin-synth small-site`."""

from __future__ import annotations

import argparse

from skin_synth.commands import flags
from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    flags.add_generator(parser)
    flags.add_data(parser)
    flags.add_out(parser, "new directory for report.json and report.html")
    parser.add_argument(
        "--sizes",
        type=flags.size_list,
        default=(100, 300, 1000),
        metavar="N,N",
        help="numbers of own images of a site (default: 100,300,1000)",
    )
    parser.add_argument(
        "--draws",
        type=flags.positive_int,
        default=5,
        metavar="N",
        help="draws of the own images for each size, 2 or more (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds",
        type=flags.positive_int,
        default=2,
        metavar="N",
        help="trainings of each compared arm in each draw, 2 or more (default: %(default)s)",
    )
    flags.add_classifier_study(parser, pool=2000)
    parser.add_argument(
        "--steps",
        type=flags.positive_int,
        default=480,
        metavar="N",
        help="steps of each training (default: %(default)s)",
    )
    flags.add_adapt_images(parser, "the own images of each site")
    flags.add_site(parser)
    flags.add_external(parser)


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.small_site import forecast, study_small_site
    from skin_synth.evaluation.utility.small_site import SmallSiteOptions
    from skin_synth.training.adaptation import adaptation

    generator = flags.load_generator(options)
    chosen = flags.options_of(SmallSiteOptions, options)
    policy = flags.classifier_policy()
    adapt = adaptation(generator, options.cache, options.out, chosen.adapt_images)
    site, external = flags.load_site_and_tests(options, generator)
    if options.dry_run:
        found = forecast(generator, options.data, chosen, policy=policy, site=site)
        show(*found.lines())
        if chosen.adapt_images:
            number = len(chosen.sizes) * chosen.draws
            show(f"not included: {number} adaptations by {chosen.adapt_images:,} images each")
        return
    results = study_small_site(
        generator,
        options.data,
        options.out,
        chosen,
        policy=policy,
        site=site,
        adapt=adapt,
        external=external,
        cache=options.cache,
        overwrite=options.overwrite,
    )
    for test in results.tests:
        show(f"{test.name}: {test.sentence}")
    show(f"{options.out}: open report.html in a browser")
