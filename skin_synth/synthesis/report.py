"""The report of a balance: classes, limits, candidates, contact sheets, and an audit for copies."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.classifier import train_classifier
from skin_synth.evaluation.features.extractors import of_classifier
from skin_synth.evaluation.metrics import copies, nearest
from skin_synth.evaluation.metrics.manifold import nearest_rows
from skin_synth.synthesis.candidates import DRAWS_PER_KEPT_IMAGE, FREE_DRAWS, Candidates
from skin_synth.synthesis.filters import PAIRED_IMAGES, REASONS, CandidateFilter
from skin_synth.synthesis.options import BalanceOptions
from tfrecords_tools.build_steps import contact_sheets
from tfrecords_tools.csv_writing import spreadsheet_csv
from tfrecords_tools.json_reading import Part, read_json
from tfrecords_tools.records.schema import CONTACT_SHEETS

BALANCE_REPORT = "balance_report.json"
CANDIDATES_FILE = "candidates.csv"
CANDIDATE_COLUMNS = (
    "label",
    "seed",
    "outcome",
    "nearest_image_id",
    "nearest_distance",
    "class_probability",
    "realism",
)
BALANCE_SCHEMA_VERSION = 2
AUDITED_IMAGES = 2048
"""Images in memory at a time; extractors take a multiple of their batches as one array."""
COPIED_SHARE, COPIED_LEVEL = 0.05, 0.01
"""The report warns if a larger share of images is nearer than 99 of 100 real images of their class,
and chance explains it with a smaller probability."""


@dataclasses.dataclass(frozen=True)
class Audit:
    """Distances to the nearest training image in features that no filter has used.

    Attributes:
        features: name of the features.
        provenance: of the features.
        images: number of synthetic images.
        held_out_images: number of held-out real images.
        nearness: comparison of synthetic and held-out images.
        share_below_by_class: by class, the share of images that are nearer than the first
            percentile of real images of the same class.
        share_below_own_class: the same of all images, each compared with its class.
        p_value: the smallest of the classes, times their number: is their share chance?
    """

    features: str
    provenance: Mapping[str, object]
    images: int
    held_out_images: int
    nearness: copies.Nearness
    share_below_by_class: Mapping[str, float]
    share_below_own_class: float
    p_value: float

    def as_json(self) -> dict[str, object]:
        """Returns the fields, with those of `nearness` among them."""
        fields = dataclasses.asdict(self)
        nearness, by_class = fields.pop("nearness"), fields.pop("share_below_by_class")
        fields = {name: round(value, 4) for name, value in nearness.items()} | fields
        return {**fields, "share_below_by_class": by_class}

    @property
    def suspect(self) -> bool:
        """Whether more images are near than chance explains, and not only a few."""
        return self.share_below_own_class > COPIED_SHARE and self.p_value < COPIED_LEVEL

    def warning(self) -> str:
        """Returns a sentence about the share of images that may be copies."""
        return (
            f"by {self.features} features, {self.share_below_own_class:.0%} of the synthetic "
            "images are nearer to a training image than all but one in a hundred real ones of "
            "their class: they may be copies, or merely typical. Look at the contact sheets before "
            "you train on them"
        )


NOTHING_WANTED = (
    "no synthetic image was added: every class has as many real images as the target already, or "
    "the ratio allows none. Give a larger target or ratio"
)


@dataclasses.dataclass(frozen=True, eq=False)
class BalanceReport:
    """The facts of a balance.

    Attributes:
        settings: the run and the options.
        training: the real training images.
        candidate_filter: None if only exact copies were dropped.
        candidates: candidates of each class.
        audit: None without filter or without synthetic images.
    """

    settings: Mapping[str, object]
    training: LabelledImages
    candidate_filter: CandidateFilter | None
    candidates: Sequence[Candidates]
    audit: Audit | None

    def warnings(self) -> list[str]:
        """Sentences about classes that are short, about possible copies, and if nothing is new."""
        names = self.training.class_names
        found = [_short(names[each.label], each) for each in self.candidates if each.short]
        if not any(each.wanted for each in self.candidates):
            found.append(NOTHING_WANTED)
        if self.audit is not None and self.audit.suspect:
            found.append(self.audit.warning())
        return found

    def write(self, directory: Path) -> None:
        """Writes the report, the list of candidates and a contact sheet for each class."""
        (directory / BALANCE_REPORT).write_bytes(self.json())
        rows = (row for each in self.candidates for row in _rows(each, self.training))
        (directory / CANDIDATES_FILE).write_bytes(spreadsheet_csv(CANDIDATE_COLUMNS, rows))
        for each in self.candidates:
            if each.kept:
                _write_sheet(directory / CONTACT_SHEETS, each, self.training)

    def json(self) -> bytes:
        """Encodes the report."""
        report = {
            "schema_version": BALANCE_SCHEMA_VERSION,
            **self.settings,
            "limits": _limits(self.candidate_filter, self.training.class_names),
            "classes": {
                self.training.class_names[each.label]: {
                    "real": int(self.training.class_counts[each.label]),
                    "wanted": each.wanted,
                    "synthetic": each.kept,
                    "short": each.short,
                    "drawn": each.outcomes.total(),
                    "dropped": {reason: each.outcomes[reason] for reason in REASONS},
                }
                for each in self.candidates
            },
            "audit": None if self.audit is None else self.audit.as_json(),
            "warnings": self.warnings(),
        }
        return (json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def audit(
    candidates: Sequence[Candidates],
    training: LabelledImages,
    held_out: LabelledImages | None,
    options: BalanceOptions,
) -> Audit | None:
    """Makes the audit, by default with the features of a classifier of another seed.

    Returns None without held-out images (only a filter needs them), or if no image was kept.
    """
    kept = [each for each in candidates if each.kept]
    if held_out is None or not kept:
        return None
    extractor = options.audit_features
    if extractor is None:
        seed = 2 * options.seed + 1
        extractor = of_classifier(train_classifier(training, seed=seed, steps=options.steps))
    known = extractor(training.images)
    expected = nearest_rows(extractor(held_out.images), known)[1][:, 0]
    features = (
        np.concatenate([extractor(images) for images in each.blocks(AUDITED_IMAGES)])
        for each in kept
    )
    found = [nearest_rows(rows, known) for rows in features]
    target, distance = (np.concatenate(part)[:, 0] for part in zip(*found, strict=True))
    by_class = {
        training.class_names[each.label]: copies.compare(
            of_class[:, 0],
            _yardstick(each.label, expected, known, training, held_out, options.seed),
            index[:, 0],
        )
        for each, (index, of_class) in zip(kept, found, strict=True)
    }
    shares = {name: part.share_below for name, part in by_class.items()}
    numbers = [len(of_class) for _, of_class in found]
    return Audit(
        features=extractor.name,
        provenance=dict(extractor.provenance),
        images=len(distance),
        held_out_images=len(expected),
        nearness=copies.compare(distance, expected, target),
        share_below_by_class={name: round(share, 4) for name, share in shares.items()},
        share_below_own_class=round(float(np.average([*shares.values()], weights=numbers)), 4),
        p_value=min(1.0, len(by_class) * min(part.p_value for part in by_class.values())),
    )


def _yardstick(
    label: int,
    expected: np.ndarray,
    known: np.ndarray,
    training: LabelledImages,
    held_out: LabelledImages,
    seed: int,
) -> np.ndarray:
    """Returns distances of real images of a class, with training images if few are held out."""
    own = expected[held_out.labels == label]
    if len(own) < copies.FEW_HELD_OUT:
        rows = np.flatnonzero(training.labels == label)
        rows = np.random.default_rng(seed).permutation(rows)[:PAIRED_IMAGES]
        apart = [training.groups[row] for row in rows], training.groups
        among = nearest.feature_neighbours(known[rows][None], known, apart=apart).distance[:, 0]
        own = np.concatenate([own, among[np.isfinite(among)]])
    return own if len(own) else expected


def read_warnings(directory: str | os.PathLike[str]) -> list[str]:
    """Reads the warnings in the report of a balanced data set.

    Raises:
        InputError: there is no report, or it is damaged.
    """
    path = Path(directory) / BALANCE_REPORT
    return list(read_json(path, _Warnings, repair="balance the data set again").warnings)


@dataclasses.dataclass(frozen=True)
class _Warnings(Part):
    warnings: tuple[str, ...]


def _short(name: str, candidates: Candidates) -> str:
    outcomes = candidates.outcomes
    reasons = sorted(filter(outcomes.get, REASONS), key=lambda reason: -outcomes[reason])
    why = ", ".join(f"{outcomes[reason]:,} {reason}" for reason in reasons)
    return (
        f"class {name} is {candidates.short:,} short of the {candidates.wanted:,} wanted: "
        f"of {outcomes.total():,} candidates {candidates.kept:,} were kept (dropped: {why}); "
        f"a class is given up after {FREE_DRAWS} draws and {DRAWS_PER_KEPT_IMAGE} for each image "
        "kept. Train longer, or request fewer"
    )


def _write_sheet(folder: Path, candidates: Candidates, training: LabelledImages) -> None:
    name, real = training.class_names[candidates.label], training.class_counts[candidates.label]
    images = next(candidates.blocks(contact_sheets.SHEET_IMAGES))
    title = f"{name}: the first {len(images)} of {candidates.kept:,} synthetic, {real:,} real"
    size, bicubic = 2 * (contact_sheets.THUMBNAIL_SIDE,), Image.Resampling.BICUBIC
    thumbnails = [np.asarray(Image.fromarray(image).resize(size, bicubic)) for image in images]
    sheet = contact_sheets.Sheet(candidates.label, name, title, thumbnails)
    folder.mkdir(exist_ok=True)
    (folder / sheet.file).write_bytes(contact_sheets.contact_sheet(sheet))


def _limits(
    candidate_filter: CandidateFilter | None, class_names: Sequence[str]
) -> dict[str, object] | None:
    if candidate_filter is None:
        return None
    return {
        **_of_classes("distance", candidate_filter.distance, class_names),
        "distance_metric": nearest.PIXEL_METRIC,
        **_of_classes("realism", candidate_filter.realism, class_names),
        "classifier": candidate_filter.classifier.weights_hash,
        "held_out_real": candidate_filter.real,
    }


def _of_classes(
    name: str, limits: Sequence[float], class_names: Sequence[str]
) -> dict[str, object]:
    """Returns the limit of each class, and the lowest one."""
    by_class = {of: round(each, 4) for of, each in zip(class_names, limits, strict=True)}
    return {name: min(by_class.values()), f"{name}_by_class": by_class}


def _rows(candidates: Candidates, training: LabelledImages) -> Iterator[tuple[object, ...]]:
    name = training.class_names[candidates.label]
    for chunk in candidates.chunks:
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
    """Formats a number with four digits; empty if it was not measured."""
    return "" if np.isnan(value) else f"{value:.4f}"
