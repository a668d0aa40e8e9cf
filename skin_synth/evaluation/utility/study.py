"""Does training with synthetic images help a classifier on held-out real images?

Classifiers are trained on real images only (three classical ways), on real and synthetic images at
several ratios, and on synthetic images only. All have the same steps and hyper-parameters. They are
tested on real images of other lesions. `docs/evaluation.md` describes the protocol.
"""

from __future__ import annotations

import dataclasses
import functools
import os

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility import classifier_training as training
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import make_arms
from skin_synth.evaluation.utility.comparison import compare
from skin_synth.evaluation.utility.learners import CNN, GenerateImages, Study, linear_head
from skin_synth.evaluation.utility.options import (
    DEFAULT_SEEDS,
    LARGEST_DEFAULT_POOL,
    UtilityOptions,
    default_steps,
)
from skin_synth.evaluation.utility.results import ImageCounts, StudyProtocol, UtilityResults
from skin_synth.generator import ImageGenerator, check_same_data
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

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
    extractor: Extractor | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> UtilityResults:
    """Trains all arms and reports whether the synthetic images helped.

    Args:
        train: real images that the generator was trained on.
        validation: real images of other groups; they choose the best control.
        test: real images of other groups; they measure everything else. Images of groups that
            `train` or `validation` also hold are left out, counted and reported in a warning.
        generate: makes synthetic images.
        options: of the study.
        generator_id: names `generate` in the cache.
        extractor: frozen features for the second kind of classifier; None leaves it out.
        cache_dir: keeps predictions, so that a killed study goes on; None keeps nothing.

    Raises:
        InputError: classes or sizes that differ between the splits, a class without training,
            validation or test images, or synthetic images that do not fit.
    """
    kept = _usable_test(train, validation, test)
    protocol = study_protocol(options, train, extractor)
    arms, cache = make_arms(options.ratios), Cache(cache_dir)
    study = Study(train, validation, kept, generate, generator_id, extractor, protocol, arms, cache)
    compared = compare(study.predictions(), validation, kept, replicates=options.replicates)
    counts = _counts(train, validation, kept, left_out=len(test) - len(kept))
    return UtilityResults(
        protocol=protocol,
        images=counts,
        **vars(compared),
        warnings=tuple(_warnings(options.seeds, counts)),
    )


def study_run(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: UtilityOptions | None = None,
    *,
    features: str | Extractor | None = "classifier",
    weights: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> UtilityResults:
    """Calls `study_splits` for a run and the data set that it was trained on.

    Args:
        run: makes the synthetic images.
        data_dir: has train, validation and test splits.
        options: of the study; None: the defaults.
        features: of the linear head: classifier (trained on the real training images), mobilenet,
            inception, the file of a saved Keras model, or an extractor; None trains the CNN only.
        weights: weights file of mobilenet or inception.
        cache_dir: see `study_splits`.

    Raises:
        InputError: as `study_splits`; another data set, a missing split, features or weights.
    """
    check_same_data(run, data_dir)  # only its test images are new to the run
    splits = load_study_splits(data_dir)
    if isinstance(features, str):
        extractor = extractors.load_extractor(features, weights)
        features = extractor or extractors.of_classifier(train_classifier(splits[0]))
    return study_splits(
        *splits,
        functools.partial(run.generate, truncation=1.0),
        options or UtilityOptions(),
        generator_id=run.origin.checkpoint_hash,
        extractor=features,
        cache_dir=cache_dir,
    )


def load_study_splits(
    data_dir: str | os.PathLike[str],
) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Reads the train, validation and test split, and checks that a study can use them.

    Raises:
        InputError: a missing split, or splits that `study_splits` refuses.
    """
    if missing := {"train", "validation", "test"} - set(read_info(data_dir).splits):
        raise InputError(
            f"{data_dir} has no split {', '.join(sorted(missing))}: the utility study needs train, "
            "validation (to choose the best control) and test; build the data set with all three"
        )
    train, validation, test = (
        load_split(data_dir, split) for split in ("train", "validation", "test")
    )
    _usable_test(train, validation, test)
    return train, validation, test


def study_protocol(
    options: UtilityOptions, train: LabelledImages, extractor: Extractor | None
) -> StudyProtocol:
    """Completes the options by what follows from the training images and the features."""
    classifiers: list[dict[str, str | float]] = [
        {"name": CNN, "learning_rate": training.CNN_LEARNING_RATE}
    ]
    if extractor is not None:
        head: dict[str, str | float] = {
            "name": linear_head(extractor),
            "learning_rate": training.LINEAR_LEARNING_RATE,
            "dimension": extractor.dimension,
        }
        classifiers.append({**head, **extractor.provenance})
    comparisons = len(options.ratios) * len(classifiers)
    chosen = dataclasses.asdict(options) | {
        "steps": options.steps or default_steps(len(train), training.BATCH_SIZE),
        "pool": options.pool or min(int(train.class_counts.max()), LARGEST_DEFAULT_POOL),
    }
    return StudyProtocol(
        **chosen,
        batch_size=training.BATCH_SIZE,
        augmentation=training.AUGMENTATION,
        classifiers=tuple(classifiers),
        correction=f"Bonferroni, {comparisons} comparisons (ratios x classifiers)",
        specificity=metrics.SPECIFICITY,
        calibration_bins=metrics.CALIBRATION_BINS,
    )


def _usable_test(
    train: LabelledImages, validation: LabelledImages, test: LabelledImages
) -> LabelledImages:
    """Returns the test images of groups that took no part in training; checks that splits fit."""
    known = {*train.groups, *validation.groups}
    kept = test.subset(np.array([group not in known for group in test.groups], bool))
    for name, split in (("train", train), ("validation", validation), ("test", kept)):
        if split.class_names != train.class_names:
            raise InputError(
                f"{name} has classes {split.class_names}, train has {train.class_names}"
            )
        if split.images.shape[1:] != train.images.shape[1:]:
            raise InputError(
                f"images of {name} are {list(split.images.shape[1:])}, those of train are "
                f"{list(train.images.shape[1:])}"
            )
        empty = [split.class_names[label] for label in np.flatnonzero(split.class_counts == 0)]
        if empty:
            raise InputError(
                f"{name} has no images of {', '.join(empty)} in groups that no other split has: "
                "every class needs some in train, validation and test"
            )
    if len(train.class_names) < 2:
        raise InputError(f"needs two classes or more, got {train.class_names}")
    return kept


def _counts(
    train: LabelledImages, validation: LabelledImages, test: LabelledImages, *, left_out: int
) -> ImageCounts:
    pairs = set(zip(test.labels.tolist(), test.groups, strict=True))
    groups = np.bincount([label for label, _ in pairs], minlength=len(test.class_names))
    return ImageCounts(
        class_names=train.class_names,
        train=tuple(train.class_counts.tolist()),
        validation=tuple(validation.class_counts.tolist()),
        test=tuple(test.class_counts.tolist()),
        test_groups=tuple(groups.tolist()),
        left_out_of_test=left_out,
    )


def _warnings(seeds: int, images: ImageCounts) -> list[str]:
    found = []
    if images.left_out_of_test:
        found.append(
            f"{images.left_out_of_test} test images show lesions that are also in the training or "
            "validation split; they were left out. Build the data set with groups"
        )
    if seeds < DEFAULT_SEEDS:
        found.append(f"{seeds} seeds were trained; {DEFAULT_SEEDS} or more are usual")
    groups = dict(zip(images.class_names, images.test_groups, strict=True))
    if single := [name for name, count in groups.items() if count == 1]:
        found.append(
            f"one test lesion of {', '.join(single)}: how it varies is not in the intervals, which "
            "are too narrow, so that a verdict may be chance"
        )
    if few := [f"{name} {count}" for name, count in groups.items() if count < FEWEST_TEST_GROUPS]:
        found.append(
            f"few test lesions ({', '.join(few)}): intervals that depend on these classes are rough"
        )
    return found
