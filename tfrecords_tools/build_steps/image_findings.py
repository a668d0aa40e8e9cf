"""What the images of a build show that a person should know: synthetic ones, masks, names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tfrecords_tools.build_steps.first_pass import ImageFacts
from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.images.metadata import NAME, PLACE, SERIAL_NUMBER
from tfrecords_tools.options import PNG, BuildOptions
from tfrecords_tools.sources import Finding, ImageRecord, Rejection

TWO_COLOURS = "two_colours"
"""Reason to reject an image that looks like a mask among photographs."""
NOTABLE_GROWTH = 2
"""A data set whose encoded images are this many times as large as their files is worth a line."""


def reject_masks(records: Sequence[ImageRecord], facts: ImageFacts) -> dict[int, Rejection]:
    """Rejects images of two colours if there are others; by row. They are not good any more."""
    good = facts.hashes.good
    masks = np.flatnonzero(good & facts.two_colours)
    if len(masks) == np.count_nonzero(good):
        return {}
    good[masks] = False
    detail = "it has two colours, as a mask has, and other images have more"
    return {row: Rejection(records[row].file, TWO_COLOURS, detail) for row in masks.tolist()}


def reject_copies_of_synthetic(
    records: Sequence[ImageRecord], same: Sequence[Sequence[int]], synthetic: frozenset[int]
) -> dict[int, Rejection]:
    """Rejects images with the pixels of a synthetic one that do not say that they are synthetic.

    `same` are lists of rows with equal pixels. Returns the rejections by row.
    """
    rejections: dict[int, Rejection] = {}
    for rows in same:
        if said := sorted(synthetic.intersection(rows)):
            detail = f"the same pixels as {records[said[0]].file}, which is synthetic"
            silent = [row for row in rows if row not in synthetic]
            rejections |= {row: Rejection(records[row].file, "duplicate", detail) for row in silent}
    return rejections


@dataclasses.dataclass(frozen=True)
class ImageCounts:
    """Numbers of the images of a plan.

    Attributes:
        re_encoded: images that are encoded anew.
        files_bytes, images_bytes: bytes of the files of these, and of their images.
        with_profile: images with a colour profile, which is not applied.
        synthetic: images that say that they are synthetic.
        identifying: images whose files hold each of `metadata.IDENTIFYING`.
    """

    re_encoded: int
    files_bytes: int
    images_bytes: int
    with_profile: int
    synthetic: int
    identifying: Mapping[str, int]


def count_images(facts: ImageFacts, plan: Plan) -> ImageCounts:
    """Counts the facts of the images of a plan."""
    rows = np.concatenate([np.array(rows, np.int64) for rows in plan.members.values()])
    anew = rows[facts.re_encoded[rows]]
    return ImageCounts(
        re_encoded=len(anew),
        files_bytes=int(facts.num_bytes[anew].sum()),
        images_bytes=int(facts.num_encoded[anew].sum()),
        with_profile=int(facts.with_profile[rows].sum()),
        synthetic=int(facts.synthetic[rows].sum()),
        identifying={what: int(held[rows].sum()) for what, held in facts.identifying.items()},
    )


def image_findings(counts: ImageCounts, masks: int, options: BuildOptions) -> tuple[Finding, ...]:
    """Returns what a person should know about the images of a plan; `masks` were rejected."""
    texts = {
        "synthetic_images": _synthetic(counts),
        TWO_COLOURS: f"{masks:,} images of two colours are left out: they look like masks",
        "identifying_metadata": _identifying(counts, options),
        "larger_images": _growth(counts, options),
    }
    if not masks:
        del texts[TWO_COLOURS]
    return tuple(Finding(kind, text) for kind, text in texts.items() if text)


def _synthetic(counts: ImageCounts) -> str:
    if not counts.synthetic:
        return ""
    return (
        f"{counts.synthetic:,} images say in their metadata that they are synthetic: they have "
        "origin synthetic and are in the training split only"
    )


def _identifying(counts: ImageCounts, options: BuildOptions) -> str:
    found = counts.identifying
    if not any(found.values()):
        return ""
    fate = "kept by --keep_metadata" if options.keep_metadata else "not in the data set"
    return (
        f"metadata of files hold a name or free text ({found[NAME]:,} files), a place "
        f"({found[PLACE]:,}), a serial number ({found[SERIAL_NUMBER]:,}): {fate}"
    )


def _growth(counts: ImageCounts, options: BuildOptions) -> str:
    before, after = counts.files_bytes, counts.images_bytes
    if options.side is not None or after < NOTABLE_GROWTH * before or not before:
        return ""
    advice = ": --encoding jpeg keeps them small" if options.encoding == PNG else ""
    return (
        f"{counts.re_encoded:,} images could not keep their bytes, such as turned ones: the files "
        f"have {before / 2**20:,.1f} MiB, their images in the data set {after / 2**20:,.1f} MiB"
        f"{advice}"
    )
