"""report.json for machines, report.html for people, and the image grids beside them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.report import charts
from skin_synth.evaluation.report.formatting import figure, percent, probability, thousandth
from skin_synth.evaluation.report.page import image_uri, render_page
from skin_synth.evaluation.report.plots import TITLES
from skin_synth.image_grid import image_grid

SCHEMA_VERSION = 6
JSON, HTML = "report.json", "report.html"
COLUMNS = 10
"""Images of a class that are shown."""
PAIRS = 12
"""Nearest pairs that are shown."""
EXTREMES = 12
"""Synthetic images that are shown for their highest and for their lowest realism."""
SMALL = 460
"""Width of a chart that shares its line with another."""


class Report(dict[str, Any]):
    """What report.json holds; `docs/evaluation.md` describes it.

    Attributes:
        path: the directory of the report.
    """

    def __init__(self, results: Mapping[str, Any], path: Path) -> None:
        super().__init__(results)
        self.path = path


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """What a report shows.

    Attributes:
        real: held-out real images.
        synthetic: uint8[n, side, side, 3].
        requested_labels: int64[n], label of each synthetic image.
        train: uint8[m, side, side, 3].
        nearest: int64[n], index of each synthetic image's nearest training image.
        distance: float32[n], in grey levels.
        held_out_distance: float32[k], of held-out real images to their nearest training images.
        realism: float[n], realism score of each synthetic image.
        plots: PNG files that lie beside the report, by name.
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
        """Some real and some synthetic images of one class."""
        real = self.real.images[self.real.labels == label]
        return real[:COLUMNS], self.synthetic[self.requested_labels == label][:COLUMNS]

    def closest(self) -> np.ndarray:
        """Indices of the synthetic images that are nearest to a training image."""
        return np.argsort(self.distance, kind="stable")[:PAIRS]

    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the synthetic images with the highest and with the lowest realism."""
        order = np.argsort(-self.realism, kind="stable")
        few = min(EXTREMES, len(order) // 2)
        return order[:few], order[::-1][:few]


def write_report(directory: Path, results: Mapping[str, Any], pictures: Pictures) -> None:
    """Writes report.json, report.html, the grids real, synthetic, nearest, realism, and plots.

    Args:
        directory: an empty directory.
        results: plain values; nothing that is not finite.
        pictures: what is shown.
    """
    text = json.dumps(results, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / JSON).write_text(text + "\n", encoding="utf-8")
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
    (directory / HTML).write_text(render_html(results, pictures), encoding="utf-8")


def render_html(results: Mapping[str, Any], pictures: Pictures) -> str:
    """One page that opens from disk and asks the network for nothing.

    Args:
        results: what report.json holds.
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
        HTML,
        filters=filters,
        **{"utility": None, **results},
        measures=TITLES,
        columns=COLUMNS,
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


def _charts(results: Mapping[str, Any], pictures: Pictures) -> dict[str, str]:
    """Pictures of figures, as SVG."""
    found = results["fidelity"]
    rows = [("whole set", found["whole"]), *found["classes"].items()]
    kernel = [
        charts.Mark(
            name,
            row["kernel"],
            row["kernel_interval"],
            row["kernel_floor"],
            row["kernel_interval_floor"],
        )
        for name, row in rows
    ]
    judged = results["faithfulness"]
    shares = [
        charts.Mark(
            name,
            judged["synthetic"]["classes"][name],
            judged["synthetic"]["intervals"][name],
            judged["real"]["classes"][name],
            judged["real"]["intervals"][name],
        )
        for name in judged["synthetic"]["classes"]
    ]
    coverage = [
        charts.Mark(name, row["coverage"], None, row["coverage_floor"]) for name, row in rows
    ]
    whole = results["copies"]["pixels"]["whole"]
    return {
        "kernel": charts.dots(
            kernel,
            title=f"{found['kernel_name']} of each class, with the floor",
            axis=f"{found['kernel_name']}: filled synthetic, hollow floor; bars 95 % intervals",
        ),
        "faithfulness": charts.dots(
            shares,
            title="Share assigned to the right class",
            axis="share assigned to the right class: filled synthetic, hollow real",
        ),
        "coverage": charts.dots(
            coverage,
            title="Coverage of each class, with the floor",
            axis="coverage of real images: filled by synthetic, hollow by other real images",
        ),
        "distances": charts.histograms(
            pictures.distance,
            pictures.held_out_distance,
            title="Distances to the nearest training image",
            axis="grey levels to the nearest training image: filled synthetic, line real",
            line=None if whole is None else whole["absolute"]["threshold"],
        ),
        "appearance": "".join(_appearance_charts(results["appearance"])),
        "utility": "".join(_utility_charts(results["utility"])) if "utility" in results else "",
    }


def _appearance_charts(found: Mapping[str, Any]) -> list[str]:
    """Medians and quartiles of each measure."""
    rows = [("whole set", found["whole"]), *found["classes"].items()]

    def mark(name: str, part: Mapping[str, Any]) -> charts.Mark:
        ours, theirs = part["synthetic"], part["real"]
        return charts.Mark(
            name, ours["median"], ours["quartiles"], theirs["median"], theirs["quartiles"]
        )

    return [
        charts.dots(
            [mark(name, part["measures"][measure]) for name, part in rows],
            title=f"{TITLES[measure]}, real and synthetic",
            axis=TITLES[measure],
            width=SMALL,
            from_zero=False,
        )
        for measure in MEASURES
    ]


def _utility_charts(found: Mapping[str, Any]) -> list[str]:
    """Differences to the best control, a picture for each kind of classifier."""
    return [
        charts.dots(
            [
                charts.Mark(
                    entry["arm"].removeprefix("real + "),
                    entry["metrics"]["macro_auroc"]["difference"],
                    [
                        entry["metrics"]["macro_auroc"]["corrected_low"],
                        entry["metrics"]["macro_auroc"]["corrected_high"],
                    ],
                )
                for entry in found["differences"]
                if entry["classifier"] == classifier
            ],
            title=f"Differences in macro AUROC, {classifier}",
            axis=f"{classifier}: difference in macro AUROC to {control}",
            width=SMALL,
        )
        for classifier, control in found["best_control"].items()
    ]


def _strip(images: np.ndarray) -> dict[str, Any] | None:
    """Images side by side as a data URI; the page enlarges it."""
    if not len(images):
        return None
    wide = np.concatenate(list(images), axis=1)
    return {"source": image_uri(wide), "count": len(images)}
