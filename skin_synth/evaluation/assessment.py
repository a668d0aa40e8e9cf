"""`evaluate`: one run against held-out real images, from features to report."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.evaluation import features as extractors
from skin_synth.evaluation import fidelity, memorization, provenance
from skin_synth.evaluation.classifier import (
    Classifier,
    confusion,
    faithfulness,
    train_classifier,
)
from skin_synth.evaluation.features import Extractor
from skin_synth.evaluation.findings import summary, warnings
from skin_synth.evaluation.material import Material, Paints, gather
from skin_synth.evaluation.report import SCHEMA_VERSION, Pictures, Report, write_report
from tfrecords_tools.atomic import new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress
from tfrecords_tools.reader import fingerprint, read_info

STAGES = 6


def evaluate(
    run: Paints,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    features: str = "classifier",
    weights: str | os.PathLike[str] | None = None,
    seed: int = 0,
    steps: int | None = None,
    overwrite: bool = False,
) -> Report:
    """Compares images that a run paints with held-out real ones; writes report.json and .html.

    Args:
        run: what paints.
        data_dir: the data set that it was trained on, with a test split.
        out_dir: new directory of the report, complete or not there.
        features: what images are compared by: classifier, mobilenet or inception.
        weights: weights file of mobilenet or inception.
        seed: of the synthetic images, the floor and the classifiers.
        steps: training steps of each classifier; None: as many as the training split needs.
        overwrite: replace `out_dir` where it exists.

    Returns:
        What report.json holds, with the path of the directory.

    Raises:
        InputError: another data set, unknown features, missing weights, or `out_dir` exists.
    """
    _check_features(features, weights)
    with new_directory(out_dir, overwrite=overwrite) as directory:
        _check_data(run, data_dir)
        given = _given_extractor(features, weights)
        with Progress(total=STAGES, unit="stages", description="evaluate") as progress:
            material = gather(run, data_dir, seed=seed)
            progress.update()
            extractor = given or extractors.of_classifier(
                train_classifier(material.train, seed=2 * seed, steps=steps)
            )
            progress.update()
            judge = train_classifier(material.train, seed=2 * seed + 1, steps=steps)
            progress.update()
            results: dict[str, Any] = {
                "schema_version": SCHEMA_VERSION,
                **provenance.describe(run, data_dir, extractor, seed=seed),
                "images": _counts(material),
                "fidelity": compare_features(extractor, material),
            }
            progress.update()
            results["faithfulness"] = judge_classes(judge, material)
            results["copies"], nearest = find_copies(material)
            progress.update()
            results["warnings"] = warnings(results)
            results["summary"] = summary(results)
            pictures = Pictures(
                material.test, material.synthetic, material.asked, material.train.images, *nearest
            )
            write_report(directory, results, pictures)
            progress.update()
    return Report(results, Path(out_dir))


def compare_features(extractor: Extractor, material: Material) -> dict[str, Any]:
    """Distances of the whole set and of each class, each beside its floor.

    Args:
        extractor: what images are compared by.
        material: the images.
    """
    matched = material.matched()
    test, floor = extractor(material.test.images), extractor(material.floor.images)
    synthetic, asked = extractor(material.synthetic[matched]), material.asked[matched]

    def distances(label: int | None) -> dict[str, Any]:
        def of(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
            return features if label is None else features[labels == label]

        real = of(test, material.test.labels)
        fake, other = of(synthetic, asked), of(floor, material.floor.labels)
        return {
            "n": len(real),
            "n_floor": len(other),
            "frechet": _distance(fidelity.frechet_distance, real, fake),
            "frechet_floor": _distance(fidelity.frechet_distance, real, other),
            "kernel": _distance(fidelity.kernel_distance, real, fake),
            "kernel_floor": _distance(fidelity.kernel_distance, real, other),
        }

    return {
        "frechet_name": extractor.distance_name,
        "kernel_name": extractor.distance_name.replace("FID", "KID").replace("FD", "KID"),
        "kernel": fidelity.KERNEL,
        "whole": distances(None),
        "classes": {name: distances(i) for i, name in enumerate(material.test.class_names)},
    }


def judge_classes(judge: Classifier, material: Material) -> dict[str, Any]:
    """Class faithfulness of the synthetic images beside accuracy on held-out real ones.

    Args:
        judge: trained on the real training images, with another seed than the extractor.
        material: the images.
    """
    classes = len(judge.class_names)

    def judged(images: np.ndarray, asked: np.ndarray) -> dict[str, Any]:
        matrix = confusion(asked, judge.predict(images).argmax(axis=1), classes)
        mean, shares = faithfulness(matrix)
        return {
            "n": len(images),
            "mean": mean,
            "classes": dict(zip(judge.class_names, shares, strict=True)),
            "confusion": matrix.tolist(),
        }

    return {
        "judge": {
            "sha256": judge.weights_hash,
            "seed": judge.seed,
            "steps": judge.steps,
        },
        "synthetic": judged(material.synthetic, material.asked),
        "real": judged(material.test.images, material.test.labels),
    }


def find_copies(material: Material) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray]]:
    """Distances to the nearest training image, and for each synthetic image which it is.

    Args:
        material: the images.

    Returns:
        Figures; index int64[n] into the training images and distance float32[n].
    """
    index, distance = memorization.nearest(material.synthetic, material.train.images)
    _, held_out = memorization.nearest(material.test.images, material.train.images)
    figures = {
        "metric": memorization.METRIC,
        "n": len(distance),
        "n_held_out": len(held_out),
        **dataclasses.asdict(memorization.compare(distance, held_out)),
    }
    return figures, (index, distance)


def _distance(function: Any, real: np.ndarray, fake: np.ndarray) -> float | None:
    return function(real, fake) if min(len(real), len(fake)) >= 2 else None


def _counts(material: Material) -> dict[str, Any]:
    in_two = set(material.test.groups) & set(material.train.groups)
    return {
        "train": material.train.class_counts.tolist(),
        "test": material.test.class_counts.tolist(),
        "floor": material.floor.class_counts.tolist(),
        "floor_held_out": material.floor_held_out,
        "synthetic": np.bincount(material.asked, minlength=len(material.test.class_names)).tolist(),
        "groups_in_train_and_test": len(in_two),
    }


def _check_features(features: str, weights: str | os.PathLike[str] | None) -> None:
    if features not in extractors.NAMES:
        raise InputError(f"unknown features {features!r}; there are {', '.join(extractors.NAMES)}")
    if features == "classifier" and weights is not None:
        raise InputError(
            f"features 'classifier' are trained here and take no weights, got {weights}: drop "
            "--weights, or choose --features mobilenet or inception"
        )


def _given_extractor(features: str, weights: str | os.PathLike[str] | None) -> Extractor | None:
    """The extractor that comes with its weights; None where it is trained here."""
    if features == "mobilenet":
        return extractors.mobilenet(weights)
    return extractors.inception(weights) if features == "inception" else None


def _check_data(run: Paints, data_dir: str | os.PathLike[str]) -> None:
    info, found = read_info(data_dir), fingerprint(data_dir)
    if found != run.data_fingerprint:
        raise InputError(
            f"run {run.run_id} was trained on data set {run.data_name!r} with fingerprint "
            f"{run.data_fingerprint[:12]}, {data_dir} is {info.name!r} with {found[:12]}: give the "
            "data set that the run was trained on"
        )
