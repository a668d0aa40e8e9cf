"""`evaluate`: one run against held-out real images, from features to report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.evaluation.cache import Cache, cache_beside
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.classifier import cached_classifier
from skin_synth.evaluation.image_sets import ImageSets, generate_images, load_image_sets
from skin_synth.evaluation.measurements import Examination
from skin_synth.evaluation.report import provenance
from skin_synth.evaluation.report.plots import appearance_plot, forest_plot
from skin_synth.evaluation.report.summary import summary, warnings
from skin_synth.evaluation.report.writer import JSON, SCHEMA_VERSION, Pictures, Report, write_report
from skin_synth.evaluation.utility import study as usefulness
from skin_synth.evaluation.utility.options import DEFAULT_RATIOS, DEFAULT_SEEDS, UtilityOptions
from skin_synth.evaluation.verdict.verdict import judge_all
from skin_synth.generator import RUN, ImageGenerator, check_same_data, inputs_of
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress

STAGES = 9
SEEDS = 3
"""Sets of synthetic images over which the Fréchet distance is spread, by default."""


def evaluate(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    features: str = "classifier",
    weights: str | os.PathLike[str] | None = None,
    seed: int = 0,
    seeds: int = SEEDS,
    steps: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    utility: bool = False,
    utility_seeds: int | None = None,
    ratios: Sequence[float] | None = None,
    overwrite: bool = False,
) -> Report:
    """Compares images that a run paints with held-out real ones; writes report.json and .html.

    Every slow stage resumes from the cache: the same evaluation again takes seconds. The utility
    study takes longest by far: a training for each arm, classifier and seed.

    Args:
        run: what paints.
        data_dir: the data set that it was trained on, with a test split.
        out_dir: new directory of the report, complete or not there.
        features: what images are compared by: classifier, mobilenet, inception, or the file of a
            saved Keras model.
        weights: weights file of mobilenet or inception.
        seed: of the synthetic images, the real baseline and the classifiers, below 2**62.
        seeds: sets of synthetic images over which the Fréchet distance is spread, 1 or more.
        steps: training steps of each classifier; None: as many as the training split needs.
        cache: directory of intermediate results; None: `OUT.cache` beside the report.
        utility: whether classifiers are trained with and without the synthetic images, see
            `skin_synth.evaluation.utility.study`; the data set must have a validation split.
        utility_seeds: trainings of each arm, 2 or more; None: 5.
        ratios: synthetic images for each real one, a number for each arm; None: 0.25, 1 and 4.
        overwrite: replace `out_dir` where it is a report already.

    Returns:
        What report.json holds, with the path of the directory.

    Raises:
        InputError: another data set, unknown features, missing weights, options out of range or
            of a utility study that is not asked for, or `out_dir` exists, or is, holds or lies in
            what is read.
    """
    read = {**inputs_of(run, data_dir), "the weights": weights}
    check_apart(out_dir, read, may_lie_in={RUN})
    extractors.check_choice(features, weights)
    if seeds < 1:
        raise InputError(f"seeds must be 1 or more, got {seeds}")
    if not 0 <= seed < 2**62:
        # Extractor and judge have 2 * seed and the next, which TensorFlow takes up to 2**63 - 1.
        raise InputError(f"the seed of an evaluation must be from 0 to 2**62 - 1, got {seed}")
    if not utility and (utility_seeds is not None or ratios is not None):
        raise InputError("--utility_seeds and --ratios are of the utility study: add --utility")
    utility_options = UtilityOptions(
        DEFAULT_SEEDS if utility_seeds is None else utility_seeds,
        DEFAULT_RATIOS if ratios is None else tuple(ratios),
        steps,
    )
    kept = Cache(cache_beside(out_dir) if cache is None else cache)
    with new_directory(out_dir, overwrite=overwrite, marker=JSON) as directory:
        check_same_data(run, data_dir)
        if utility:
            usefulness.load_study_splits(data_dir)  # refuses what the study cannot use
        given = extractors.load_extractor(features, weights)
        with Progress(total=STAGES + utility, unit="stages", description="evaluate") as progress:
            sets = load_image_sets(run, data_dir, seed=seed, cache=kept)
            requested_labels = sets.requested_labels[sets.matched()]
            others = [
                generate_images(run, requested_labels, seed=seed, number=number, cache=kept)
                for number in range(1, seeds)
            ]
            progress.update()
            extractor = given or extractors.of_classifier(
                cached_classifier(sets.train, seed=2 * seed, steps=steps, cache=kept)
            )
            progress.update()
            judge = cached_classifier(sets.train, seed=2 * seed + 1, steps=steps, cache=kept)
            progress.update()
            exam = Examination(sets, extractor, judge, others, kept, seed)
            results: dict[str, Any] = {
                "schema_version": SCHEMA_VERSION,
                **provenance.describe(run, data_dir, extractor, seed=seed),
                "images": _counts(sets),
                "fidelity": exam.fidelity(),
            }
            progress.update()
            results |= exam.tests()
            progress.update()
            results["faithfulness"] = exam.faithfulness()
            progress.update()
            results["copies"] = exam.copies()
            progress.update()
            results["appearance"] = exam.appearance()
            progress.update()
            if utility:
                studied = usefulness.study_run(
                    run,
                    data_dir,
                    utility_options,
                    features=extractor,
                    cache_dir=None if kept.directory is None else kept.directory / "utility",
                )
                results["utility"] = dataclasses.asdict(studied)
                progress.update()
            results["warnings"] = warnings(results)
            results["verdict"] = judge_all(results)
            results["summary"] = summary(results)
            pictures = Pictures(
                real=sets.test,
                synthetic=sets.synthetic,
                requested_labels=sets.requested_labels,
                train=sets.train.images,
                nearest=exam.nearest.index[:, 0],
                distance=exam.nearest.distance[:, 0],
                held_out_distance=exam.held_out.distance[:, 0],
                realism=exam.realism(),
                plots=_plots(exam, results),
            )
            write_report(directory, results, pictures)
            progress.update()
    return Report(results, Path(out_dir))


def _plots(exam: Examination, results: dict[str, Any]) -> dict[str, bytes]:
    """Plots that lie beside the report, by file name."""
    real, _, synthetic = exam.appearances
    sets = exam.sets
    found = {
        "appearance.png": appearance_plot(
            real, sets.test.labels, synthetic, sets.requested_labels, exam.class_names
        )
    }
    if "utility" in results:
        found["utility.png"] = forest_plot(results["utility"])
    return found


def _counts(sets: ImageSets) -> dict[str, Any]:
    in_two = set(sets.test.groups) & set(sets.train.groups)
    return {
        "train": sets.train.class_counts.tolist(),
        "test": sets.test.class_counts.tolist(),
        "floor": sets.real_baseline.class_counts.tolist(),
        "floor_held_out": sets.real_baseline_held_out,
        "synthetic": np.bincount(
            sets.requested_labels, minlength=len(sets.test.class_names)
        ).tolist(),
        "groups_in_train_and_test": len(in_two),
    }
