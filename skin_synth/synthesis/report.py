"""What a balance tells of its candidates: report, list, contact sheets, and a second opinion."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import Extractor, of_classifier
from skin_synth.evaluation.metrics import copies
from skin_synth.evaluation.metrics import nearest as memorization
from skin_synth.evaluation.metrics.manifold import nearest_rows
from skin_synth.provenance import Provenance
from skin_synth.synthesis.candidates import PATIENCE, START, Drawing
from skin_synth.synthesis.filters import REASONS, Gauge
from tfrecords_tools.build_steps.contact_sheets import (
    SHEET_IMAGES,
    THUMBNAIL_SIDE,
    Sheet,
    contact_sheet,
)
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.records.schema import CONTACT_SHEETS

BALANCE_REPORT = "balance_report.json"
CANDIDATES = "candidates.csv"
SCHEMA_VERSION = 2
COPIED_SHARE = 0.05
"""Share of images nearer than one in a hundred held-out ones from which the report warns."""


@dataclasses.dataclass(eq=False)
class Account:
    """What a balance has done so far.

    Attributes:
        settings: what it was asked, by what.
        counts: real training images of each class.
        wanted: synthetic images of each class that were asked for.
        gauge: the tests of the candidates; None where exact copies alone are dropped.
        drawings: of each class.
        rows: of the manifest.
        audit: the second opinion.
    """

    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    wanted: Mapping[str, int]
    gauge: Gauge | None = None
    drawings: list[Drawing] = dataclasses.field(default_factory=list)
    rows: list[Provenance] = dataclasses.field(default_factory=list)
    audit: Mapping[str, Any] | None = None


def audit(
    drawings: Sequence[Drawing],
    training: LabelledImages,
    held_out: LabelledImages,
    *,
    extractor: Extractor | None,
    seed: int,
    steps: int | None,
) -> dict[str, Any] | None:
    """Distances to the nearest training image in features that no filter has used.

    Args:
        drawings: with the images that were kept.
        training: real.
        held_out: real, of other lesions.
        extractor: the features; None: those of a classifier trained for it.
        seed: of that classifier.
        steps: of its training.

    Returns:
        Figures for the report; None where no image was kept.
    """
    kept = [drawing for drawing in drawings if drawing.kept]
    if not kept:
        return None
    if extractor is None:
        extractor = of_classifier(train_classifier(training, seed=seed, steps=steps))
    known = extractor(training.images)
    expected = nearest_rows(extractor(held_out.images), known)[1][:, 0]
    found = [nearest_rows(extractor(drawing.images), known) for drawing in kept]
    target, distance = (np.concatenate(each)[:, 0] for each in zip(*found, strict=True))
    return {
        "features": extractor.name,
        "provenance": dict(extractor.provenance),
        "images": len(distance),
        "held_out_images": len(expected),
        **_rounded(copies.compare(distance, expected, target)),
        "share_below_by_class": {
            training.class_names[drawing.label]: round(
                copies.compare(of_class[:, 0], expected, index[:, 0]).share_below, 4
            )
            for drawing, (index, of_class) in zip(kept, found, strict=True)
        },
    }


def report_json(account: Account) -> bytes:
    """The report: limits, what was drawn, kept and dropped, and why a class is short."""
    classes = {
        label: _of_class(label, account, drawing)
        for label, drawing in zip(account.counts, account.drawings, strict=True)
    }
    report = {
        "schema_version": SCHEMA_VERSION,
        **account.settings,
        "limits": _limits(account.gauge),
        "classes": classes,
        "audit": account.audit,
        "warnings": [*_short(classes), *_copied(account.audit)],
    }
    return (json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_warnings(directory: str | os.PathLike[str]) -> list[str]:
    """What the report of a balanced data set warns of."""
    report = json.loads((Path(directory) / BALANCE_REPORT).read_text("utf-8"))
    return list(report["warnings"])


def candidates_csv(drawings: Sequence[Drawing], training: LabelledImages) -> bytes:
    """Every candidate with what was measured of it, and what became of it."""
    columns = (
        "label",
        "seed",
        "outcome",
        "nearest_image_id",
        "nearest_distance",
        "class_probability",
        "realism",
    )
    rows = (row for drawing in drawings for row in _candidates(drawing, training))
    return csv_bytes(columns, rows)


def write_sheets(directory: Path, account: Account) -> None:
    """Writes a sheet of the first synthetic images of each class that has some."""
    folder = directory / CONTACT_SHEETS
    for (name, real), drawing in zip(account.counts.items(), account.drawings, strict=True):
        if not drawing.kept:
            continue
        images = drawing.images[:SHEET_IMAGES]
        title = f"{name}: the first {len(images)} of {drawing.kept:,} synthetic, {real:,} real"
        thumbnails = [
            np.asarray(
                Image.fromarray(image).resize(
                    (THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.BICUBIC
                )
            )
            for image in images
        ]
        sheet = Sheet(drawing.label, name, title, thumbnails)
        folder.mkdir(exist_ok=True)
        (folder / sheet.file).write_bytes(contact_sheet(sheet))


def _of_class(label: str, account: Account, drawing: Drawing) -> dict[str, Any]:
    outcomes = drawing.outcomes
    return {
        "real": account.counts[label],
        "wanted": drawing.wanted,
        "synthetic": drawing.kept,
        "short": drawing.wanted - drawing.kept,
        "drawn": outcomes.total(),
        "dropped": {reason: outcomes[reason] for reason in REASONS},
    }


def _limits(gauge: Gauge | None) -> dict[str, Any] | None:
    if gauge is None:
        return None
    return {
        "distance": round(gauge.distance, 4),
        "distance_metric": memorization.METRIC,
        "realism": round(gauge.realism, 4),
        "classifier": gauge.classifier.weights_hash,
        "held_out_real": gauge.real,
    }


def _short(classes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    told = []
    for label, counts in classes.items():
        if counts["short"]:
            dropped = sorted(counts["dropped"].items(), key=lambda item: -item[1])
            why = ", ".join(f"{count:,} {reason}" for reason, count in dropped if count)
            told.append(
                f"class {label} is {counts['short']:,} short of the {counts['wanted']:,} wanted: "
                f"of {counts['drawn']:,} candidates {counts['synthetic']:,} were fit ({why}); "
                f"a class is given up after {START} draws and {PATIENCE} for each image kept. "
                "Train longer, or ask for fewer"
            )
    return told


def _copied(audit: Mapping[str, Any] | None) -> list[str]:
    if audit is None or audit["share_below"] <= COPIED_SHARE:
        return []
    return [
        f"by {audit['features']} features, {audit['share_below']:.0%} of the synthetic images are "
        "nearer to a training image than all but one in a hundred held-out real ones: they may be "
        "copies, or merely typical. Look at the contact sheets before you train on them"
    ]


def _candidates(drawing: Drawing, training: LabelledImages) -> Iterator[tuple[object, ...]]:
    name = training.class_names[drawing.label]
    for chunk in drawing.chunks:
        for row, seed in enumerate(chunk.seeds):
            yield (
                name,
                int(seed),
                chunk.outcome[row],
                training.image_ids[chunk.nearest[row]],
                round(float(chunk.distance[row]), 4),
                _number(chunk.probability[row]),
                _number(chunk.realism[row]),
            )


def _number(value: float) -> str:
    """Four digits; nothing where it was not measured."""
    return "" if np.isnan(value) else f"{value:.4f}"


def _rounded(nearness: copies.Nearness) -> dict[str, float]:
    return {name: round(value, 4) for name, value in dataclasses.asdict(nearness).items()}
