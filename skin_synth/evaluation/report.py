"""report.json for machines, report.html for people, and the image grids beside them."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from skin_synth.data import LabelledImages
from skin_synth.evaluation.findings import figure
from skin_synth.evaluation.grids import image_grid, png_bytes

SCHEMA_VERSION = 1
JSON, HTML = "report.json", "report.html"
COLUMNS = 10
"""Images of a class that are shown."""
PAIRS = 12
"""Nearest pairs that are shown."""


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
        asked: int64[n], label of each synthetic image.
        train: uint8[m, side, side, 3].
        nearest: int64[n], index of each synthetic image's nearest training image.
        distance: float32[n], in grey levels.
    """

    real: LabelledImages
    synthetic: np.ndarray
    asked: np.ndarray
    train: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray

    def rows(self, label: int) -> tuple[np.ndarray, np.ndarray]:
        """Some real and some synthetic images of one class."""
        real = self.real.images[self.real.labels == label]
        return real[:COLUMNS], self.synthetic[self.asked == label][:COLUMNS]

    def closest(self) -> np.ndarray:
        """Indices of the synthetic images that are nearest to a training image."""
        return np.argsort(self.distance, kind="stable")[:PAIRS]


def write_report(directory: Path, results: Mapping[str, Any], pictures: Pictures) -> None:
    """Writes report.json, report.html, real.png, synthetic.png and nearest.png.

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
    (directory / HTML).write_text(render_html(results, pictures), encoding="utf-8")


def render_html(results: Mapping[str, Any], pictures: Pictures) -> str:
    """One page that opens from disk and asks the network for nothing.

    Args:
        results: what report.json holds.
        pictures: what is shown.
    """
    names = pictures.real.class_names
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skin_synth.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "figure": figure,
        "thousandth": lambda value: figure(None if value is None else 1000 * value),
        "percent": _percent,
        "count": "{:,}".format,
    }
    return environment.get_template(HTML).render(
        **results,
        gallery=[
            {"name": name, "real": _strip(real), "synthetic": _strip(synthetic)}
            for name, (real, synthetic) in (
                (name, pictures.rows(label)) for label, name in enumerate(names)
            )
        ],
        pairs=[
            {
                "label": names[pictures.asked[row]],
                "distance": float(pictures.distance[row]),
                "image": _strip(
                    np.stack([pictures.synthetic[row], pictures.train[pictures.nearest[row]]])
                ),
            }
            for row in pictures.closest()
        ],
    )


def _strip(images: np.ndarray) -> dict[str, Any] | None:
    """Images side by side as a data URI; the page enlarges it."""
    if not len(images):
        return None
    wide = np.concatenate(list(images), axis=1)
    encoded = base64.b64encode(png_bytes(wide)).decode("ascii")
    return {"source": f"data:image/png;base64,{encoded}", "count": len(images)}


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
