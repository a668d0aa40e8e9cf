"""`small-site`: does a generator help a site with few own images?"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence

from skin_synth.evaluation.cache import Cache, default_cache
from skin_synth.evaluation.external import ExternalSite, ExternalTest
from skin_synth.evaluation.report.small_site import write_small_site_report
from skin_synth.evaluation.report.writer import REPORT_JSON
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.training import AUGMENTATION, make_trainer
from skin_synth.evaluation.utility.forecast import Forecast, measure_speed
from skin_synth.evaluation.utility.small_site import (
    AdaptGenerator,
    SmallSiteOptions,
    SmallSiteStudy,
)
from skin_synth.evaluation.utility.small_site_comparison import small_site_results
from skin_synth.evaluation.utility.small_site_results import SmallSiteResults, TrainingOfArms
from skin_synth.evaluation.utility.study import (
    checked_external,
    left_out,
    load_study_splits,
    usable_test,
)
from skin_synth.generator import (
    RUN,
    ImageGenerator,
    check_same_data,
    inputs_of,
    on_ancestors,
)
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError


def study_small_site(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    options: SmallSiteOptions | None = None,
    *,
    policy: str,
    site: ExternalSite | None = None,
    adapt: AdaptGenerator | None = None,
    external: Sequence[ExternalTest] = (),
    cache: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> SmallSiteResults:
    """Studies small sites in a data set; writes report.json and report.html.

    The own images of the sites come from the validation split of the data set, or of `site`. Its
    test split judges. Each training is kept in the cache, so that the same call resumes after a
    stop.

    Args:
        generator: trained on the training split of the data set.
        data_dir: the data set, with train, validation and test splits.
        out_dir: new directory for the report; it appears complete or not at all.
        options: of the study; None: the defaults.
        policy: dtype policy of Keras for the trainings.
        site: another population, instead of the validation and test split of the data set.
        adapt: adapts the generator, with `adapt_images`.
        external: further test sets; each has separate figures and a verdict.
        cache: directory of finished trainings; None: `OUT.cache` next to the report.
        overwrite: whether to replace `out_dir` if it is a report.

    Raises:
        InputError: another data set, a missing split, too few validation images, missing weights,
            or `out_dir` exists or overlaps with an input.
    """
    options = options or SmallSiteOptions()
    if options.adapt_images and adapt is None:
        raise InputError(f"adapt_images is {options.adapt_images}, but no `adapt` was given")
    read = {**inputs_of(generator, data_dir), "the weights": options.weights}
    check_apart(out_dir, read, may_lie_in={RUN})
    kept = Cache(default_cache(out_dir) if cache is None else cache)
    with new_directory(out_dir, overwrite=overwrite, marker=REPORT_JSON) as directory:
        study, left = _study(generator, data_dir, options, policy, kept, site, external, adapt)
        trainer = study.training.trainer
        results = small_site_results(
            study,
            study.trainings(),
            study.synthetic_alone(),
            training=TrainingOfArms(
                classifier=trainer.classifier.name,
                parameters=trainer.network.count_params(),
                weights_hash=trainer.classifier.weights_hash,
                learning_rate=trainer.classifier.learning_rate,
                batch_size=trainer.batch_size,
                policy=policy,
                augmentation=AUGMENTATION,
            ),
        )
        of_site = () if site is None else (f"validation split of {site.name}",)
        notes = [left_out(left, *of_site)] if left else []
        notes += [] if site else on_ancestors(generator)
        notes += site.sentences() if site else []
        notes += [sentence for each in external for sentence in each.sentences()]
        results = dataclasses.replace(
            results, site=site.name if site else "", warnings=(*results.warnings, *notes)
        )
        write_small_site_report(directory, results)
    return results


def forecast(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: SmallSiteOptions | None = None,
    *,
    policy: str,
    site: ExternalSite | None = None,
) -> Forecast:
    """Measures a few steps and images, and estimates the cost of the study; writes nothing.

    Raises:
        InputError: see `study_small_site`.
    """
    options = options or SmallSiteOptions()
    study, _ = _study(generator, data_dir, options, policy, Cache(None), site, ())
    speed = measure_speed(study.training.trainer, study.validation, generator)
    synthetic = options.pool * len(generator.class_names)
    trainings = options.trainings + options.seeds
    predicted = trainings * (len(study.validation) + len(study.test))
    seconds = options.most_steps * speed.step + synthetic * speed.synthetic
    seconds += predicted * speed.prediction
    steps, batch = options.most_steps, options.batch_size
    return Forecast(trainings, steps, batch, synthetic, seconds / 3600)


def _study(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: SmallSiteOptions,
    policy: str,
    cache: Cache,
    site: ExternalSite | None,
    external: Sequence[ExternalTest],
    adapt: AdaptGenerator | None = None,
) -> tuple[SmallSiteStudy, int]:
    """Returns the study, and the number of test images that it leaves out."""
    check_same_data(generator, data_dir)  # only its held-out images are new to the generator
    train, validation, test = load_study_splits(data_dir, cache)
    if site is not None:
        validation, test = site.own.images, site.test.images
    trainer = make_trainer(
        options.classifier,
        train,
        weights=options.weights,
        batch_size=options.batch_size,
        policy=policy,
    )
    kept = usable_test(train, validation, test, other_site=site is not None)
    study = SmallSiteStudy(
        train,
        validation,
        kept,
        functools.partial(generator.generate, truncation=1.0),
        generator.origin.checkpoint_hash,
        options,
        ArmTraining(trainer, options.steps, cache),
        checked_external(train, {each.name: each.images for each in external}),
        adapt,
    )
    return study, len(test) - len(kept)
