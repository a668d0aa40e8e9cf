"""report.json for machines, report.html for people, and image grids and plots next to them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.metrics.drift import AppearanceFigures
from skin_synth.evaluation.report import charts
from skin_synth.evaluation.report.charts import Chart, Mark
from skin_synth.evaluation.report.formatting import figure, percent, probability, thousandth
from skin_synth.evaluation.report.page import image_uri, render_page
from skin_synth.evaluation.results import EvaluationResults, to_json
from skin_synth.evaluation.utility.results import ArmDifference, ArmResult, UtilityResults
from skin_synth.image_grid import image_grid

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
SHOWN_OF_A_CLASS = 10
SHOWN_PAIRS = 12
"""Nearest pairs of a synthetic and a training image."""
SHOWN_EXTREMES = 12
"""Synthetic images with the highest realism, and with the lowest."""
WHOLE_SET = "whole set"


class Report(dict[str, Any]):
    """report.json as a dictionary; `docs/evaluation.md` describes it.

    Attributes:
        results: the same as dataclasses.
        path: the directory of the report.
    """

    def __init__(self, results: EvaluationResults, path: Path) -> None:
        super().__init__(to_json(results))
        self.results = results
        self.path = path


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
        plots: PNG files by name.
    """

    real: LabelledImages
    synthetic: np.ndarray
    requested_labels: np.ndarray
    train: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    held_out_distance: np.ndarray
    realism: np.ndarray
    plots: Mapping[str, bytes]

    def rows(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the first real and the first synthetic images of one class."""
        real = self.real.images[self.real.labels == label]
        return real[:SHOWN_OF_A_CLASS], self.synthetic[self.requested_labels == label][
            :SHOWN_OF_A_CLASS
        ]

    def closest(self) -> np.ndarray:
        """Returns the indices of the synthetic images that are nearest to a training image."""
        return np.argsort(self.distance, kind="stable")[:SHOWN_PAIRS]

    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the indices of synthetic images with the highest and with the lowest realism."""
        order = np.argsort(-self.realism, kind="stable")
        few = min(SHOWN_EXTREMES, len(order) // 2)
        return order[:few], order[::-1][:few]


def write_report(directory: Path, results: EvaluationResults, pictures: Pictures) -> None:
    """Writes report.json, report.html, the grids real, synthetic, nearest, realism, and plots.

    Args:
        directory: an empty directory.
        results: all of them are finite.
        pictures: what is shown.
    """
    text = json.dumps(to_json(results), indent=2, allow_nan=False, ensure_ascii=False)
    (directory / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
    names = pictures.real.class_names
    real, synthetic = zip(*(pictures.rows(label) for label in range(len(names))), strict=True)
    image_grid(real, names, directory / "real.png")
    image_grid(synthetic, names, directory / "synthetic.png")
    closest = pictures.closest()
    pairs = [pictures.synthetic[closest], pictures.train[pictures.nearest[closest]]]
    image_grid(pairs, ["synthetic", "nearest training image"], directory / "nearest.png")
    extremes = [pictures.synthetic[rows] for rows in pictures.extremes()]
    image_grid(extremes, ["highest realism", "lowest realism"], directory / "realism.png")
    for name, png in pictures.plots.items():
        (directory / name).write_bytes(png)
    (directory / REPORT_HTML).write_text(render_html(results, pictures), encoding="utf-8")


def render_html(results: EvaluationResults, pictures: Pictures) -> str:
    """Returns one page that opens from disk and loads nothing from the network.

    Args:
        results: of the evaluation.
        pictures: what is shown.
    """
    names = pictures.real.class_names
    filters = {
        "figure": figure,
        "signed": "{:+.3f}".format,
        "thousandth": thousandth,
        "percent": percent,
        "probability": probability,
        "count": "{:,}".format,
    }
    return render_page(
        REPORT_HTML,
        filters=filters,
        **vars(results),
        utility_tables=_utility_tables(results.utility),
        titles=charts.TITLES,
        columns=SHOWN_OF_A_CLASS,
        charts=_charts(results, pictures),
        gallery=[
            {"name": name, "real": _strip(real), "synthetic": _strip(synthetic)}
            for name, (real, synthetic) in (
                (name, pictures.rows(label)) for label, name in enumerate(names)
            )
        ],
        pairs=[
            {
                "label": names[pictures.requested_labels[row]],
                "distance": float(pictures.distance[row]),
                "image": _strip(
                    np.stack([pictures.synthetic[row], pictures.train[pictures.nearest[row]]])
                ),
            }
            for row in pictures.closest()
        ],
        extremes=[
            [
                {
                    "label": names[pictures.requested_labels[row]],
                    "realism": float(pictures.realism[row]),
                    "image": _strip(pictures.synthetic[row][None]),
                }
                for row in rows
            ]
            for rows in pictures.extremes()
        ],
    )


class UtilityTable(NamedTuple):
    """The arms of one kind of classifier, with their differences to the best control."""

    classifier: str
    control: str
    rows: list[tuple[ArmResult, ArmDifference | None]]


def _utility_tables(found: UtilityResults | None) -> list[UtilityTable]:
    if found is None:
        return []
    differences = {(entry.classifier, entry.arm): entry for entry in found.differences}
    return [
        UtilityTable(
            classifier,
            control,
            [
                (arm, differences.get((classifier, arm.arm)))
                for arm in found.arms
                if arm.classifier == classifier
            ],
        )
        for classifier, control in found.best_control.items()
    ]


class Charts(NamedTuple):
    """The charts of the page, each next to its figures."""

    kernel: Chart
    faithfulness: Chart
    coverage: Chart
    distances: Chart
    appearance: Sequence[Chart]
    utility: Sequence[Chart]


def _charts(results: EvaluationResults, pictures: Pictures) -> Charts:
    fidelity, judged = results.fidelity, results.faithfulness
    rows = [(name or WHOLE_SET, row) for name, row in fidelity.items()]
    copied = results.copies.pixels.whole
    kernel = [
        Mark(name, row.kernel, row.kernel_interval, row.kernel_floor, row.kernel_interval_floor)
        for name, row in rows
    ]
    shares = [
        Mark(
            name,
            share,
            judged.synthetic.intervals[name],
            judged.real.classes[name],
            judged.real.intervals[name],
        )
        for name, share in judged.synthetic.classes.items()
    ]
    coverage = [Mark(name, row.coverage, None, row.coverage_floor) for name, row in rows]
    return Charts(
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
        utility=[]
        if results.utility is None
        else [
            charts.utility_chart(results.utility, classifier)
            for classifier in results.utility.best_control
        ],
    )


def _appearance_chart(found: ByClass[AppearanceFigures], measure: str) -> Chart:
    """Draws medians and quartiles of one measure."""
    title = charts.TITLES[measure]
    marks = []
    for name, part in found.items():
        drifted = part.measures[measure]
        ours, theirs = drifted.synthetic, drifted.real
        marks.append(
            Mark(name or WHOLE_SET, ours.median, ours.quartiles, theirs.median, theirs.quartiles)
        )
    return charts.dots(
        marks, title=f"{title}, real and synthetic", axis=str(title), from_zero=False
    )


class Strip(NamedTuple):
    """Images side by side, as a data URI; the page enlarges it."""

    source: str
    images: int


def _strip(images: np.ndarray) -> Strip | None:
    if not len(images):
        return None
    wide = np.concatenate(list(images), axis=1)
    return Strip(image_uri(wide), len(images))
