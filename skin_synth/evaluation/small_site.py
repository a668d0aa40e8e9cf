"""`small-site`: does a generator help a site with few own images?"""

from __future__ import annotations

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache, default_cache
from skin_synth.evaluation.external import ExternalTest
from skin_synth.evaluation.report.small_site import write_small_site_report
from skin_synth.evaluation.report.writer import REPORT_JSON
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.networks import make_classifier
from skin_synth.evaluation.utility.classifiers.training import AUGMENTATION, Trainer
from skin_synth.evaluation.utility.recipes import Source, one_hot, pool_of
from skin_synth.evaluation.utility.small_site import (
    CONTROLS,
    OWN,
    SmallSiteOptions,
    SmallSiteStudy,
)
from skin_synth.evaluation.utility.small_site_results import (
    SmallSiteResults,
    TrainingOfArms,
    small_site_results,
)
from skin_synth.evaluation.utility.study import load_study_splits
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from tfrecords_tools.atomic import check_apart, new_directory

MEASURED_STEPS, MEASURED_IMAGES = 6, 64
"""A dry run times these numbers, after the same numbers for warming up."""


@dataclasses.dataclass(frozen=True)
class SmallSiteForecast:
    """The cost of the study with an empty cache.

    Attributes:
        trainings: number of trainings.
        steps: largest number of steps of all trainings together.
        batch_size: images in a step.
        synthetic: images to generate.
        seconds: total time, from the speed of a few steps and images.
    """

    trainings: int
    steps: int
    batch_size: int
    synthetic: int
    seconds: float

    def lines(self) -> list[str]:
        """Returns the forecast in words."""
        return [
            f"synthetic images {self.synthetic:,}",
            f"trainings        {self.trainings:,}",
            f"steps            at most {self.steps:,} of {self.batch_size} images",
            f"time             {self.seconds / 3600:.1f} h",
        ]


def study_small_site(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    options: SmallSiteOptions | None = None,
    *,
    policy: str,
    external: Sequence[ExternalTest] = (),
    cache: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> SmallSiteResults:
    """Studies small sites in a data set; writes report.json and report.html.

    The own images of the sites come from the validation split. The test split judges. Each training
    is kept in the cache, so that the same call resumes after a stop.

    Args:
        generator: trained on the training split of the data set.
        data_dir: the data set, with train, validation and test splits.
        out_dir: new directory for the report; it appears complete or not at all.
        options: of the study; None: the defaults.
        policy: dtype policy of Keras for the trainings.
        external: further test sets; each has separate figures and a verdict.
        cache: directory of finished trainings; None: `OUT.cache` next to the report.
        overwrite: whether to replace `out_dir` if it is a report.

    Raises:
        InputError: another data set, a missing split, too few validation images, missing weights,
            or `out_dir` exists or overlaps with an input.
    """
    options = options or SmallSiteOptions()
    read = {**inputs_of(generator, data_dir), "the weights": options.weights}
    check_apart(out_dir, read, may_lie_in={RUN})
    kept = Cache(default_cache(out_dir) if cache is None else cache)
    with new_directory(out_dir, overwrite=overwrite, marker=REPORT_JSON) as directory:
        study = _study(generator, data_dir, options, policy, kept, external)
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
        notes = tuple(sentence for each in external for sentence in each.sentences())
        results = dataclasses.replace(results, warnings=(*results.warnings, *notes))
        write_small_site_report(directory, results)
    return results


def forecast(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: SmallSiteOptions | None = None,
    *,
    policy: str,
) -> SmallSiteForecast:
    """Measures a few steps and images, and estimates the cost of the study; writes nothing.

    Raises:
        InputError: see `study_small_site`.
    """
    options = options or SmallSiteOptions()
    study = _study(generator, data_dir, options, policy, Cache(None), ())
    synthetic = options.pool * len(generator.class_names)
    seconds = options.most_steps * _seconds_per_step(study)
    seconds += synthetic * _seconds_per_image(generator)
    trainings = options.trainings + options.seeds
    return SmallSiteForecast(trainings, options.most_steps, options.batch_size, synthetic, seconds)


def _study(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: SmallSiteOptions,
    policy: str,
    cache: Cache,
    external: Sequence[ExternalTest],
) -> SmallSiteStudy:
    check_same_data(generator, data_dir)  # only its held-out images are new to the generator
    train, validation, test = load_study_splits(data_dir)
    test = _without_known_groups(test, train, validation)
    classifier = make_classifier(options.classifier, options.weights)
    side, classes = train.images.shape[1], len(train.class_names)
    trainer = Trainer(classifier, side, classes, batch_size=options.batch_size, policy=policy)
    return SmallSiteStudy(
        train,
        validation,
        test,
        functools.partial(generator.generate, truncation=1.0),
        generator.origin.checkpoint_hash,
        options,
        ArmTraining(trainer, options.steps, cache),
        {each.name: each.images for each in external},
    )


def _without_known_groups(test: LabelledImages, *splits: LabelledImages) -> LabelledImages:
    known = {group for split in splits for group in split.groups}
    return test.subset(np.array([group not in known for group in test.groups], bool))


def _seconds_per_step(study: SmallSiteStudy) -> float:
    images, trainer = study.validation, study.training.trainer
    targets = one_hot(images.labels, len(images.class_names))
    source = Source("measured", lambda: (images.images, targets))
    pool = pool_of(CONTROLS[0].phases[0], {OWN: source})
    state = trainer.fresh(0)

    def steps() -> None:
        chosen = range(MEASURED_STEPS)
        trainer.train(state, pool, CONTROLS[0].method, seed=0, steps=chosen, total=MEASURED_STEPS)

    return _timed(steps) / MEASURED_STEPS


def _seconds_per_image(generator: ImageGenerator) -> float:
    labels = np.arange(MEASURED_IMAGES) % len(generator.class_names)
    return _timed(lambda: generator.generate(labels, labels)) / MEASURED_IMAGES


def _timed(work: Callable[[], object]) -> float:
    work()  # compiles
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
