"""`utility`: does training with the synthetic images help a classifier on held-out real ones?

Classifiers are trained on real images alone (three classical ways), on real and synthetic ones at
several ratios, and on synthetic ones alone, all for the same steps with the same hyper-parameters;
they are tested on real images of other lesions. `docs/evaluation.md` holds the protocol.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages, load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility.arms import make_arms
from skin_synth.evaluation.utility.classifier_training import BATCH_SIZE
from skin_synth.evaluation.utility.comparison import HeldOut, compare
from skin_synth.evaluation.utility.learners import REPLICATES, SEEDS, Paint, Protocol, Study
from skin_synth.generator import ImageGenerator, check_same_data
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

SCHEMA_VERSION = 1
RATIOS = (0.25, 1.0, 4.0)
PASSES = 15
FEWEST_STEPS, MOST_STEPS = 300, 2000
LARGEST_POOL = 1000
"""Synthetic images of a class that are painted for a seed, at most."""
FEW_GROUPS = 20
"""Below so many test groups of a class its part of an interval is itself uncertain."""


def default_steps(images: int) -> int:
    """Batches in which each of `images` is seen about 15 times, 300 to 2,000."""
    return min(max(PASSES * images // BATCH_SIZE, FEWEST_STEPS), MOST_STEPS)


def utility(
    train: LabelledImages,
    validation: LabelledImages,
    test: LabelledImages,
    paint: Paint,
    *,
    paint_id: str,
    extractor: Extractor | None = None,
    seeds: int = SEEDS,
    ratios: Sequence[float] = RATIOS,
    steps: int | None = None,
    pool: int | None = None,
    replicates: int = REPLICATES,
    cache_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Trains all arms and says whether the synthetic images helped.

    Args:
        train: real images; what the generator learnt from.
        validation: real images of other groups, by which the best control is chosen.
        test: real images of other groups, on which everything is measured. Images of groups that
            `train` or `validation` hold, too, are left out, counted and warned of.
        paint: paints synthetic images.
        paint_id: names `paint` in the cache: another painter needs another one.
        extractor: frozen features for the second kind of classifier; None leaves it out.
        seeds: trainings of each arm, 2 or more.
        ratios: synthetic images drawn for each real one.
        steps: batches of each training; None: see `default_steps`.
        pool: synthetic images of each class; None: as many as the largest class has, up to 1,000.
        replicates: of the bootstrap.
        cache_dir: keeps each trained arm's predictions, so that a killed study goes on; None
            keeps nothing.

    Returns:
        Plain values for JSON, see `docs/evaluation.md`: `schema_version`, `protocol`, `images`,
        `arms`, `best_control`, `differences`, `verdict`, `warnings`.

    Raises:
        InputError: options out of range, classes or sizes that differ between the splits, a class
            without training, validation or test images, or images painted that do not fit.
    """
    arms = make_arms(ratios)
    kept, dropped = _without_known_groups(test, {*train.groups, *validation.groups})
    _check_splits(train, validation, kept)
    largest = int(train.class_counts.max())
    protocol = Protocol(
        seeds=seeds,
        ratios=tuple(ratios),
        steps=default_steps(len(train)) if steps is None else steps,
        pool=min(largest, LARGEST_POOL) if pool is None else pool,
        replicates=replicates,
    )
    study = Study(
        train, validation, kept, paint, paint_id, extractor, protocol, arms, Cache(cache_dir)
    )
    compared = compare(
        study.predictions(),
        HeldOut(validation.labels, validation.groups, validation.class_names),
        HeldOut(kept.labels, kept.groups, kept.class_names),
        replicates=replicates,
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "protocol": study.describe(compared["verdict"]["comparisons"]),
        "images": _counts(train, validation, kept, dropped),
        **compared,
        "warnings": _warnings(protocol, kept, dropped),
    }


def study(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    *,
    seeds: int = SEEDS,
    ratios: Sequence[float] = RATIOS,
    features: str | Extractor | None = "classifier",
    weights: str | os.PathLike[str] | None = None,
    steps: int | None = None,
    pool: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """`utility` of a run's images on the splits of the data set that it was trained on.

    Args:
        run: what paints.
        data_dir: the data set, with train, validation and test splits.
        seeds: trainings of each arm, 2 or more.
        ratios: synthetic images drawn for each real one.
        features: of the linear head: classifier (trained on the real training images), mobilenet,
            inception, the file of a saved Keras model, or an extractor; None trains the CNN alone.
        weights: weights file of mobilenet or inception.
        steps: see `utility`.
        pool: see `utility`.
        cache_dir: see `utility`.

    Raises:
        InputError: as `utility`; another data set, a missing split, features or weights.
    """
    check_same_data(run, data_dir)  # only its test images are new to the run
    splits = check_request(data_dir, seeds=seeds, ratios=ratios)
    return utility(
        *splits,
        functools.partial(run.generate, truncation=1.0),
        paint_id=run.origin.checkpoint_hash,
        extractor=_extractor(features, weights, splits[0]),
        seeds=seeds,
        ratios=ratios,
        steps=steps,
        pool=pool,
        cache_dir=cache_dir,
    )


def check_request(
    data_dir: str | os.PathLike[str], *, seeds: int, ratios: Sequence[float]
) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
    """Refuses what `study` could not do, before anything is computed.

    Args:
        data_dir: the data set.
        seeds: see `study`.
        ratios: see `study`.

    Returns:
        The train, validation and test split.

    Raises:
        InputError: a missing split, a class without images of its own in one, or seeds or ratios
            out of range.
    """
    missing = {"train", "validation", "test"} - set(read_info(data_dir).splits)
    if missing:
        raise InputError(
            f"{data_dir} has no split {', '.join(sorted(missing))}: the utility study needs train, "
            "validation (to choose the best control) and test; build the data set with all three"
        )
    make_arms(ratios)
    Protocol(seeds=seeds, ratios=tuple(ratios), steps=1, pool=1)
    train, validation, test = (
        load_split(data_dir, split) for split in ("train", "validation", "test")
    )
    kept, _ = _without_known_groups(test, {*train.groups, *validation.groups})
    _check_splits(train, validation, kept)
    return train, validation, test


def _without_known_groups(test: LabelledImages, known: set[str]) -> tuple[LabelledImages, int]:
    """The test images of groups that took no part in training, and how many were left out."""
    new = np.array([group not in known for group in test.groups], bool)
    kept = LabelledImages(
        test.images[new],
        test.labels[new],
        tuple(name for name, keep in zip(test.image_ids, new, strict=True) if keep),
        tuple(name for name, keep in zip(test.groups, new, strict=True) if keep),
        test.class_names,
    )
    return kept, int((~new).sum())


def _check_splits(train: LabelledImages, validation: LabelledImages, test: LabelledImages) -> None:
    for name, split in (("train", train), ("validation", validation), ("test", test)):
        if split.class_names != train.class_names:
            raise InputError(
                f"{name} has classes {split.class_names}, train has {train.class_names}"
            )
        if split.images.shape[1:] != train.images.shape[1:]:
            raise InputError(
                f"images of {name} are {list(split.images.shape[1:])}, those of train are "
                f"{list(train.images.shape[1:])}"
            )
        empty = [n for n, c in zip(split.class_names, split.class_counts, strict=True) if not c]
        if empty:
            raise InputError(
                f"{name} has no images of {', '.join(empty)} in groups of its own: every class "
                "needs some in train, validation and test"
            )
    if len(train.class_names) < 2:
        raise InputError(f"needs two classes or more, got {train.class_names}")


def _counts(
    train: LabelledImages, validation: LabelledImages, test: LabelledImages, dropped: int
) -> dict[str, Any]:
    return {
        "class_names": list(train.class_names),
        "train": train.class_counts.tolist(),
        "validation": validation.class_counts.tolist(),
        "test": test.class_counts.tolist(),
        "test_groups": list(_groups_by_class(test).values()),
        "left_out_of_test": dropped,
    }


def _groups_by_class(split: LabelledImages) -> dict[str, int]:
    pairs = {(label, group) for label, group in zip(split.labels, split.groups, strict=True)}
    return {
        name: sum(int(label == number) for label, _ in pairs)
        for number, name in enumerate(split.class_names)
    }


def _warnings(protocol: Protocol, test: LabelledImages, dropped: int) -> list[str]:
    found = []
    if dropped:
        found.append(
            f"{dropped} test images show lesions that are in the training or validation split, "
            "too; they were left out. Build the data set with groups"
        )
    if protocol.seeds < SEEDS:
        found.append(f"{protocol.seeds} seeds were trained; {SEEDS} or more are usual")
    single = [name for name, n in _groups_by_class(test).items() if n == 1]
    if single:
        found.append(
            f"one test lesion of {', '.join(single)}: how it varies is not in the intervals, which "
            "are too narrow, so that a verdict may be chance"
        )
    few = {name: n for name, n in _groups_by_class(test).items() if n < FEW_GROUPS}
    if few:
        listed = ", ".join(f"{name} {count}" for name, count in few.items())
        found.append(f"few test lesions ({listed}): intervals that hang on these classes are rough")
    return found


def _extractor(
    features: str | Extractor | None,
    weights: str | os.PathLike[str] | None,
    train: LabelledImages,
) -> Extractor | None:
    if features is None or isinstance(features, Extractor):
        return features
    return extractors.given(features, weights) or extractors.of_classifier(train_classifier(train))
