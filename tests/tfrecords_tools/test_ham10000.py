"""All of HAM10000: nothing lost, nothing leaked, the requested shares."""

from __future__ import annotations

import csv
import hashlib
import itertools
import math
import os
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.images import seen
from tfrecords_tools import build, read, verify
from tfrecords_tools.build_steps.splits import DEFAULT_SPLITS
from tfrecords_tools.records.schema import SPLITS

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("HAM10000_DIR" not in os.environ, reason="HAM10000_DIR is not set"),
]
TWICE = {("ISIC_0024366", "ISIC_0029861"), ("ISIC_0024777", "ISIC_0029938")}
"""Pairs of one file each."""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The report of the build and its directory."""
    source, out = Path(os.environ["HAM10000_DIR"]), tmp_path_factory.mktemp("ham") / "data"
    report = build(
        source / "images",
        out,
        name="ham10000",
        labels=source / "metadata.csv",
        label_column="dx",
        group_column="lesion_id",
        extra_columns="age:float,sex,localization",
        size=32,
    )
    return report, out


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with (Path(os.environ["HAM10000_DIR"]) / "metadata.csv").open(newline="") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def records(built):
    """Records of each split, without their images."""
    return {split: list(read(built[1], split)) for split in SPLITS}


def test_every_image_is_accounted_for(built, rows, records):
    report, out = built
    kept = {record.image_id for members in records.values() for record in members}
    gone = {Path(rejection.file).stem: rejection for rejection in report.rejections}
    assert len(rows) == 10_015
    assert kept | set(gone) == {row["image_id"] for row in rows}
    assert len(kept) == 10_013
    assert not kept & set(gone)
    assert {
        (Path(r.detail.removeprefix("the same pixels as ")).stem, name) for name, r in gone.items()
    } == TWICE
    assert verify(out).problems == ()


def test_pixels_are_those_that_another_decoder_sees(records):
    folder = Path(os.environ["HAM10000_DIR"]) / "images"
    for record in itertools.chain.from_iterable(records.values()):
        if int(record.image_id.removeprefix("ISIC_")) % 50 == 0:
            original = tf.io.read_file(str(folder / f"{record.image_id}.jpg"))
            whole = tf.io.decode_jpeg(original, dct_method="INTEGER_ACCURATE")
            square = tf.image.resize_with_crop_or_pad(whole, *2 * [min(whole.shape[:2])])
            reference = tf.image.resize(square, (32, 32), "lanczos3", antialias=True).numpy()
            assert np.abs(seen(record.image) - reference.clip(0, 255)).mean() < 2


def test_no_lesion_is_in_two_splits(rows, records):
    lesion_of = {row["image_id"]: row["lesion_id"] for row in rows}
    splits_of = defaultdict(set)
    for split, members in records.items():
        for record in members:
            assert record.group == lesion_of[record.image_id]
            splits_of[record.group].add(split)
    assert len(splits_of) == 7_470
    assert all(len(splits) == 1 for splits in splits_of.values())


def test_shares_of_the_classes_are_within_one_lesion_of_the_target(records):
    sizes = defaultdict(Counter)
    counts = Counter()
    for split, members in records.items():
        for record in members:
            sizes[record.label][record.group] += 1
            counts[record.label, split] += 1
    for label, of_class in sizes.items():
        for split, share in DEFAULT_SPLITS.items():
            target = float(share) * of_class.total()
            assert abs(counts[label, split] - target) <= max(of_class.values()), (label, split)


def test_splits_are_those_of_the_generator_that_comes_with_the_package(records):
    """It was trained on them: in other splits, its training images would be test images."""
    split_of = {record.group: split for split, members in records.items() for record in members}
    text = repr(sorted(split_of.items())).encode()
    assert hashlib.sha256(text).hexdigest().startswith("cc288c3926cbf17f")


def test_columns_are_carried_along(rows, records):
    row_of = {row["image_id"]: row for row in rows}
    missing = 0
    for members in records.values():
        for record in members:
            row = row_of[record.image_id]
            assert record.extras["sex"] == row["sex"]
            assert record.extras["localization"] == row["localization"]
            missing += math.isnan(record.extras["age"])
            assert math.isnan(record.extras["age"]) or record.extras["age"] == float(row["age"])
    assert missing == sum(not row["age"] for row in rows) == 57


def test_one_lesion_under_two_names_is_reported(built):
    _, out = built
    with (out / "near_duplicates.csv").open(newline="") as table:
        pairs = {
            frozenset((row["image_id"], row["other_image_id"])) for row in csv.DictReader(table)
        }
    assert frozenset(("ISIC_0025226", "ISIC_0030074")) in pairs
    assert len(pairs) < 20
