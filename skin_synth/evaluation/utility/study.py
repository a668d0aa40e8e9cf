"""Does training with synthetic images help a classifier on held-out real images?

The classifiers learn from the same real images as the generator. They are tested on real images of
other lesions. `docs/evaluation.md` describes the protocol.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.look_alikes import load_joined
from skin_synth.evaluation.utility.arm_training import VALIDATION, ArmTraining
from skin_synth.evaluation.utility.classifiers.training import AUGMENTATION, Trainer, make_trainer
from skin_synth.evaluation.utility.comparison import SCREENING_SEEDS, SameDataStudy
from skin_synth.evaluation.utility.options import (
    DEFAULT_SEEDS,
    LARGEST_DEFAULT_POOL,
    UtilityOptions,
)
from skin_synth.evaluation.utility.planned import no_room
from skin_synth.evaluation.utility.recipes import GenerateImages
from skin_synth.evaluation.utility.results import (
    ClassifierInfo,
    ClassifierResult,
    ImageCounts,
    StudyProtocol,
    UtilityResults,
    UtilityVerdict,
)
from skin_synth.evaluation.utility.same_data import TEACHER_SEEDS, Sources
from skin_synth.generator import ImageGenerator, check_same_data
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import TEST, TRAIN

FEWEST_TEST_GROUPS = 20
"""With fewer test groups of a class, the class's part of an interval is itself uncertain."""


def study_splits(
    train: LabelledImages,
    validation: LabelledImages,
    test: LabelledImages,
    generate: GenerateImages,
    options: UtilityOptions,
    *,
    generator_id: str,
    cache_dir: str | os.PathLike[str] | None = None,
    external: Mapping[str, LabelledImages] | None = None,
) -> UtilityResults:
    """Trains all arms and reports whether the synthetic images helped.

    Args:
        train: real images that the generator was trained on.
        validation: real images of other groups; they select the use and the control.
        test: real images of other groups, for all figures. Images of groups that are also in
            `train` or `validation` are left out, counted and reported in a warning.
        generate: generates synthetic images.
        options: of the study.
        generator_id: identifies `generate` in the cache.
        cache_dir: keeps trainings, so that a killed study resumes; None: no cache.
        external: further test sets by name, each with a separate verdict.

    Raises:
        InputError: different classes or sizes of the splits, a class without training, validation
            or test images, or synthetic images of a wrong shape or type.
    """
    kept = usable_test(train, validation, test)
    tests = {TEST: kept} | checked_external(train, external or {})
    trainers = [utility_trainer(name, train, options) for name in options.classifiers]
    protocol = _protocol(options, train, trainers)
    results = []
    for trainer in trainers:
        training = ArmTraining(trainer, options.steps, Cache(cache_dir))
        sources = Sources(train, generate, generator_id, protocol.pool, training)
        study = SameDataStudy(sources, validation, tests, options.seeds, options.replicates)
        results.append(study.result())
    counts = _counts(results[0], train, validation, left_out=len(test) - len(kept))
    return UtilityResults(
        protocol=protocol,
        images=counts,
        classifiers=tuple(results),
        verdict=UtilityVerdict.of(results[0]),
        warnings=(*_without_room(results), *_warnings(options.seeds, counts)),
    )


def study_run(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: UtilityOptions | None = None,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    external: Mapping[str, LabelledImages] | None = None,
) -> UtilityResults:
    """Calls `study_splits` for a run and the data set that it was trained on.

    Args:
        run: generates the synthetic images.
        data_dir: data set with train, validation and test splits.
        options: of the study; None: the defaults.
        cache_dir: see `study_splits`.
        external: see `study_splits`.

    Raises:
        InputError: see `study_splits`; another data set, or a missing split.
    """
    check_same_data(run, data_dir)  # only its test images are new to the run
    return study_splits(
        *load_study_splits(data_dir, Cache(cache_dir)),
        functools.partial(run.generate, truncation=1.0),
        options or UtilityOptions(),
        generator_id=run.origin.checkpoint_hash,
        cache_dir=cache_dir,
        external=external,
    )


def load_study_splits(
    data_dir: str | os.PathLike[str], cache: Cache | None = None
) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Reads the train, validation and test splits, and checks that a study can use them.

    Images of one picture have one group, so that a study leaves copies of training images out of
    the test images.

    Raises:
        InputError: a missing split, or splits that `study_splits` refuses.
    """
    if missing := {"train", "validation", "test"} - set(read_info(data_dir).splits):
        raise InputError(
            f"{data_dir} has no split {', '.join(sorted(missing))}: the utility study needs train, "
            "validation (to choose the arms) and test; build the data set with all three"
        )
    splits = load_joined(data_dir, cache)
    train, validation, test = splits[TRAIN], splits[VALIDATION], splits[TEST]
    usable_test(train, validation, test)
    return train, validation, test


def utility_trainer(name: str, train: LabelledImages, options: UtilityOptions) -> Trainer:
    """Makes the trainer of one kind of classifier for the images of a study."""
    return make_trainer(
        name,
        train,
        weights=options.weights,
        batch_size=options.batch_size,
        policy=options.policy,
    )


def pool_size(options: UtilityOptions, train: LabelledImages) -> int:
    """Returns the number of synthetic images of each class for each seed."""
    return options.pool or min(int(train.class_counts.max()), LARGEST_DEFAULT_POOL)


def _protocol(
    options: UtilityOptions, train: LabelledImages, trainers: list[Trainer]
) -> StudyProtocol:
    return StudyProtocol(
        seeds=options.seeds,
        screening_seeds=SCREENING_SEEDS,
        teachers=len(TEACHER_SEEDS),
        classifiers=tuple(
            ClassifierInfo(
                each.classifier.name,
                each.network.count_params(),
                each.classifier.learning_rate,
                each.classifier.weights_hash,
            )
            for each in trainers
        ),
        steps=options.steps,
        batch_size=options.batch_size,
        pool=pool_size(options, train),
        policy=options.policy,
        replicates=options.replicates,
        augmentation=AUGMENTATION,
    )


def usable_test(
    train: LabelledImages,
    validation: LabelledImages,
    test: LabelledImages,
    *,
    other_site: bool = False,
) -> LabelledImages:
    """Returns the test images of groups that are not in training or validation.

    `other_site`: whether validation and test are of another data set than training. Then equal
    names of groups in training are chance.

    Raises:
        InputError: splits that do not fit each other, or a class without images in one of them.
    """
    known = {*validation.groups} if other_site else {*train.groups, *validation.groups}
    kept = test.subset(np.array([group not in known for group in test.groups], bool))
    for name, split in (("train", train), ("validation", validation), ("test", kept)):
        _check_fits(name, split, train)
        empty = [split.class_names[label] for label in np.flatnonzero(split.class_counts == 0)]
        if empty:
            raise InputError(
                f"{name} has no images of {', '.join(empty)} in groups that no other split has: "
                "every class needs some in train, validation and test"
            )
    if len(train.class_names) < 2:
        raise InputError(f"needs two classes or more, got {train.class_names}")
    return kept


def _check_fits(name: str, images: LabelledImages, train: LabelledImages) -> None:
    if images.class_names != train.class_names:
        raise InputError(f"{name} has classes {images.class_names}, train has {train.class_names}")
    if images.images.shape[1:] != train.images.shape[1:]:
        raise InputError(
            f"images of {name} are {list(images.images.shape[1:])}, those of train are "
            f"{list(train.images.shape[1:])}"
        )


def checked_external(
    train: LabelledImages, external: Mapping[str, LabelledImages]
) -> dict[str, LabelledImages]:
    """Returns further test sets by name.

    Raises:
        InputError: a reserved name, other classes or sizes, or too few classes or groups.
    """
    for name, images in external.items():
        if name in (TEST, VALIDATION):
            raise InputError(f"a further test set cannot be called {name!r}: give another name")
        _check_fits(name, images, train)
        if np.count_nonzero(images.class_counts) < 2 or len(set(images.groups)) < 2:
            raise InputError(f"{name} needs images of two classes and two lesions or more")
    return dict(external)


def left_out(number: int, splits: str = "training or validation split") -> str:
    """Returns the warning of test images that `usable_test` leaves out, as in these splits."""
    return (
        f"{number} test images show lesions that are also in the {splits}; they were left out. "
        "Build the data set with groups"
    )


def _counts(
    result: ClassifierResult,
    train: LabelledImages,
    validation: LabelledImages,
    *,
    left_out: int,
) -> ImageCounts:
    test = result.comparisons[0].test_set
    return ImageCounts(
        class_names=train.class_names,
        train=tuple(train.class_counts.tolist()),
        validation=tuple(validation.class_counts.tolist()),
        test=test.images,
        test_groups=test.groups,
        left_out_of_test=left_out,
    )


def _without_room(results: Sequence[ClassifierResult]) -> list[str]:
    """Names the tests in which no images could bring a gain."""
    return [
        f"{result.classifier}, {comparison.test_set.name}: real images alone reach a macro AUROC "
        f"of {control:.3f}, which leaves no room for a gain. No gain shown does not say that the "
        "images are of no use: ask with harder test images"
        for result in results
        for comparison in result.comparisons
        if no_room(control := comparison.arms[1].figures.macro_auroc.mean)
    ]


def _warnings(seeds: int, images: ImageCounts) -> list[str]:
    found = []
    if images.left_out_of_test:
        found.append(left_out(images.left_out_of_test))
    if seeds < DEFAULT_SEEDS:
        found.append(f"{seeds} seeds were trained; {DEFAULT_SEEDS} or more are usual")
    groups = dict(zip(images.class_names, images.test_groups, strict=True))
    if single := [name for name, count in groups.items() if count == 1]:
        found.append(
            f"one test lesion of {', '.join(single)}: its variation is not in the intervals, which "
            "are too narrow, so that a verdict may be chance"
        )
    if few := [f"{name} {count}" for name, count in groups.items() if count < FEWEST_TEST_GROUPS]:
        found.append(
            f"few test lesions ({', '.join(few)}): intervals that depend on these classes are rough"
        )
    return found
