"""Writes report.json for programs, report.html for people, and image grids and plots."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.drawing import left_out_if_it_fails
from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.copies import HELD_OUT
from skin_synth.evaluation.metrics.drift import AppearanceFigures
from skin_synth.evaluation.report import charts, utility_charts
from skin_synth.evaluation.report.charts import Chart, Mark
from skin_synth.evaluation.report.formatting import (
    figure,
    percent,
    probability,
    signed,
    third,
    thousandth,
)
from skin_synth.evaluation.report.page import image_uri, render_page
from skin_synth.evaluation.results import EvaluationResults, Verdict, to_json
from skin_synth.evaluation.verdict.remedies import remedy
from skin_synth.image_grid import image_grid

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
SHOWN_OF_A_CLASS = 10
SHOWN_PAIRS = 12
"""Number of nearest pairs of a synthetic and a training image to show."""
SHOWN_EXTREMES = 12
"""Number of synthetic images with the highest and with the lowest realism to show."""
WHOLE_SET = "whole set"


class Report(dict[str, Any]):
    """report.json as a dictionary (see `docs/evaluation.md`), and its `results` and directory."""

    def __init__(self, results: EvaluationResults, path: Path) -> None:
        super().__init__(to_json(results))
        self.results, self.path = results, path


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """The arrays that a report shows.

    Attributes:
        real: held-out real images.
        synthetic: uint8[n, side, side, 3].
        requested_labels: int64[n], label of each synthetic image.
        train: uint8[m, side, side, 3].
        nearest: int64[n], index of each synthetic image's nearest training image.
        distance: float32[n], in grey levels.
        held_out_distance: float32[k], of held-out real images to their nearest training images.
        realism: float[n], realism score of each synthetic image.
        plots: PNG files by name; None if one could not be drawn.
    """

    real: LabelledImages
    synthetic: np.ndarray
    requested_labels: np.ndarray
    train: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    held_out_distance: np.ndarray
    realism: np.ndarray
    plots: Mapping[str, bytes | None]

    def rows(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first real and the first synthetic images of one class."""
        real = self.real.images[self.real.labels == label]
        synthetic = self.synthetic[self.requested_labels == label]
        return real[:SHOWN_OF_A_CLASS], synthetic[:SHOWN_OF_A_CLASS]

    def closest(self) -> np.ndarray:
        """Returns the indices of the synthetic images that are nearest to a training image."""
        return np.argsort(self.distance, kind="stable")[:SHOWN_PAIRS]

    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the indices of synthetic images with the highest and with the lowest realism."""
        order = np.argsort(-self.realism, kind="stable")
        few = min(SHOWN_EXTREMES, len(order) // 2)
        return order[:few], order[::-1][:few]


def write_report(directory: Path, results: EvaluationResults, pictures: Pictures) -> None:
    """Writes report.json, report.html, the grids real, synthetic, nearest, realism, and plots."""
    text = json.dumps(to_json(results), indent=2, allow_nan=False, ensure_ascii=False)
    (directory / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
    names = pictures.real.class_names
    real, synthetic = zip(*(pictures.rows(label) for label in range(len(names))), strict=True)
    closest = pictures.closest()
    pairs = [pictures.synthetic[closest], pictures.train[pictures.nearest[closest]]]
    extremes = [pictures.synthetic[rows] for rows in pictures.extremes()]
    for name, rows, labels in (
        ("real.png", real, names),
        ("synthetic.png", synthetic, names),
        ("nearest.png", pairs, ["synthetic", "nearest training image"]),
        ("realism.png", extremes, ["highest realism", "lowest realism"]),
    ):
        with left_out_if_it_fails(name):
            image_grid(rows, labels, directory / name)
    for name, png in pictures.plots.items():
        if png is not None:
            (directory / name).write_bytes(png)
    (directory / REPORT_HTML).write_text(render_html(results, pictures), encoding="utf-8")


def render_html(results: EvaluationResults, pictures: Pictures) -> str:
    """Returns one page that opens from disk and loads nothing from the network."""
    of_program = results.image_folder is not None
    filters: dict[str, Callable[..., str]] = {
        "figure": figure,
        "signed": signed,
        "thousandth": thousandth,
        "third": third,
        "percent": percent,
        "probability": probability,
        "count": "{:,}".format,
        "area": "{:.3f}".format,
        "hundredth": "{:.2f}".format,
        "tenth_percent": "{:.1%}".format,
        "strip": _strip,
        "remedy": functools.partial(remedy, of_program=of_program),
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    return render_page(
        REPORT_HTML,
        filters=filters,
        **vars(results),
        utility_rows=len(utility_charts.utility_rows(results.utility)) if results.utility else 0,
        other_sizes=[
            name or WHOLE_SET
            for name, row in results.fidelity.items()
            if not row.floor_of_same_size
        ],
        untested=_too_few(results.verdict),
        titles=charts.TITLES,
        columns=SHOWN_OF_A_CLASS,
        held_out_words=HELD_OUT,
        charts=_charts(results, pictures),
        names=pictures.real.class_names,
        pictures=pictures,
    )


def _too_few(verdict: Verdict) -> dict[str, list[str]]:
    """Returns what is untested because of the number of images alone."""
    left = {
        kind: [name for name in names if name not in verdict.unmeasured.get(kind, [])]
        for kind, names in verdict.untested.items()
    }
    return {kind: names for kind, names in left.items() if names}


def _charts(
    results: EvaluationResults, pictures: Pictures
) -> dict[str, Chart | list[Chart | None] | None]:
    fidelity, judged = results.fidelity, results.faithfulness
    ours, theirs = judged.synthetic, judged.real
    rows = [(name or WHOLE_SET, row) for name, row in fidelity.items()]
    copied, studied = results.copies.pixels.whole, results.utility
    kernel = [
        Mark(name, row.kernel, row.kernel_interval, row.kernel_floor, row.kernel_interval_floor)
        for name, row in rows
    ]
    shares = [
        Mark(name, share, ours.intervals[name], theirs.classes[name], theirs.intervals[name])
        for name, share in ours.classes.items()
    ]
    coverage = [
        Mark(name, row.coverage, None, row.coverage_floor if row.floor_of_same_size else None)
        for name, row in rows
    ]
    return dict(
        kernel=charts.dots(
            kernel,
            title=f"{fidelity.kernel_name} of each class, with the floor",
            axis=f"{fidelity.kernel_name}: filled synthetic, hollow floor; bars 95 % intervals",
        ),
        faithfulness=charts.dots(
            shares,
            title="Share assigned to the right class",
            axis="share assigned to the right class: filled synthetic, hollow real",
        ),
        coverage=charts.dots(
            coverage,
            title="Coverage of each class, with the floor",
            axis="coverage of real images: filled by synthetic, hollow by other real images",
        ),
        distances=charts.histograms(
            pictures.distance,
            pictures.held_out_distance,
            title="Distances to the nearest training image",
            axis="grey levels to the nearest training image: filled synthetic, line real",
            line=None if copied is None else copied.absolute.threshold,
        ),
        appearance=[_appearance_chart(results.appearance, measure) for measure in MEASURES],
        utility=utility_charts.utility_chart(studied) if studied else None,
        curves=[utility_charts.loss_curves(each) for each in studied.classifiers]
        if studied
        else [],
    )


def _appearance_chart(found: ByClass[AppearanceFigures], measure: str) -> Chart | None:
    """Draws medians and quartiles of one measure."""
    title, marks = str(charts.TITLES[measure]), []
    for name, part in found.items():
        ours, theirs = part.measures[measure].synthetic, part.measures[measure].real
        parts = (ours.median, ours.quartiles, theirs.median, theirs.quartiles)
        marks.append(Mark(name or WHOLE_SET, *parts))
    return charts.dots(marks, title=f"{title}, real and synthetic", axis=title, from_zero=False)


def _strip(images: Sequence[np.ndarray]) -> str:
    """Returns images side by side, as a data URI; the page enlarges it."""
    return image_uri(np.concatenate(list(images), axis=1))
