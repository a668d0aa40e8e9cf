"""Copies across splits are found, whatever was done to them, and nothing else is."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from PIL import Image

from tests.encoding import encoded
from tests.images import moved, picture
from tfrecords_tools.build_steps import near_duplicates
from tfrecords_tools.build_steps.near_duplicates import (
    NearDuplicate,
    NearDuplicates,
    find_across_splits,
    look_alike_findings,
    near_duplicates_csv,
    small_grey,
)
from tfrecords_tools.images.perceptual_hash import SYMMETRIES, perceptual_hash


def found_among(pictures: list[Image.Image], members: dict[str, list[int]]) -> NearDuplicates:
    hashes = np.array([perceptual_hash(image) for image in pictures], np.uint64)
    return find_across_splits(members, hashes, lambda rows: [small_grey(pictures[r]) for r in rows])


def re_encoded(image: Image.Image, quality: int = 50) -> Image.Image:
    return Image.open(io.BytesIO(encoded(image, "JPEG", quality=quality)))


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_copy_in_another_split(symmetry):
    pictures = [picture(seed) for seed in range(12)]
    pictures.append(re_encoded(moved(pictures[3], symmetry).resize((60, 60))))
    found = found_among(pictures, {"train": list(range(12)), "test": [12]})
    assert not found.cut_short
    (pair,) = found.pairs
    assert (pair.row, pair.other) == (3, 12)
    assert pair.correlation > 0.98
    # The symmetry makes the other look like the first: the inverse of the move.
    inverse = {"quarter_turn_left": "quarter_turn_right", "quarter_turn_right": "quarter_turn_left"}
    assert pair.symmetry == inverse.get(symmetry, symmetry)


def test_different_images_are_none():
    random = np.random.default_rng(0)
    pictures = []
    for seed in range(60):
        noisy = np.asarray(picture(seed), float) + random.normal(0, 12, (96, 96, 3))
        pictures.append(Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)))
    found = found_among(pictures, {"train": list(range(40)), "test": list(range(40, 60))})
    assert found == NearDuplicates((), cut_short=False)


def test_small_grey_is_the_mean_of_what_it_covers():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96), np.uint8)
    small = small_grey(Image.fromarray(pixels).convert("RGB"))
    assert small.dtype == np.float32
    expected = pixels.reshape(32, 2, 32, 3).mean(axis=(1, 3))
    assert np.abs(small - expected).max() <= 1


def test_copies_within_a_split_are_no_leak():
    pictures = [picture(0), picture(0), picture(1)]
    assert found_among(pictures, {"train": [0, 1], "test": [2]}).pairs == ()


def test_every_two_splits_are_compared():
    pictures = [picture(0), picture(0), picture(0)]
    found = found_among(pictures, {"train": [0], "validation": [1], "test": [2]})
    assert {(pair.row, pair.other) for pair in found.pairs} == {(0, 1), (0, 2), (1, 2)}


def test_images_that_share_the_hash_alone_are_not_reported(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MIN_CORRELATION", 0.97)
    pictures = [picture(0), picture(1)]
    same = np.zeros(2, np.uint64)
    found = find_across_splits(
        {"train": [0], "test": [1]}, same, lambda rows: [small_grey(pictures[r]) for r in rows]
    )
    assert found.pairs == ()


@pytest.mark.parametrize("symmetry", ["none", "transpose"])
def test_best_of_several_symmetries_is_reported(symmetry):
    grey = small_grey(picture(4))
    almost = grey + grey.T + 0.2 * grey
    other = almost.T if symmetry == "transpose" else almost
    same = np.zeros(2, np.uint64)  # neither of the two symmetries changes this hash
    found = find_across_splits({"train": [0], "test": [1]}, same, lambda rows: [almost, other])
    assert np.corrcoef(almost.ravel(), almost.T.ravel())[0, 1] > 0.97
    assert [pair.symmetry for pair in found.pairs] == [symmetry]
    assert found.pairs[0].correlation == pytest.approx(1)


def test_most_alike_come_first():
    pictures = [picture(0), picture(1), re_encoded(picture(0), 20), picture(1)]
    found = found_among(pictures, {"train": [0, 1], "test": [2, 3]})
    assert [(pair.row, pair.other) for pair in found.pairs] == [(1, 3), (0, 2)]


def test_flat_images():
    grey, white, other = (Image.new("RGB", (40, 40), (v, v, v)) for v in (99, 255, 99))
    found = found_among([grey, white, other], {"train": [0, 1], "test": [2]})
    assert [(pair.row, pair.other) for pair in found.pairs] == [(0, 2)]


def test_search_is_cut_short(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_CANDIDATES", 5)
    found = found_among([picture(0)] * 8, {"train": [0, 1, 2, 3], "test": [4, 5, 6, 7]})
    assert found.cut_short
    assert 0 < len(found.pairs) <= 5


@pytest.mark.parametrize(
    ("pairs", "texts"),
    [
        ([], []),
        ([(0, 4)], []),  # one of two
        ([(0, 4), (1, 4), (0, 1), (6, 5)], []),  # one image, its class, and two held-out splits
        ([(0, 4), (5, 1)], ["class a (2 of 2 in test) with"]),
        ([(0, 6)], ["class b (1 of 1 in validation) with"]),
        ([(0, 4), (0, 5), (2, 6)], ["classes b (1 of 1 in validation), a (2 of 2 in test) with"]),
    ],
)
def test_classes_of_copies_are_named(pairs, texts):
    members = {"train": [0, 1, 2, 3], "validation": [6], "test": [4, 5]}
    near = NearDuplicates(tuple(NearDuplicate(*pair, "none", 1.0) for pair in pairs), False)
    found = [*look_alike_findings(near, members, [*"aabbaab"])]
    assert [finding.text[: len(text)] for finding, text in zip(found, texts, strict=True)] == texts
    assert not any(finding.trap for finding in found)


def test_csv():
    found = NearDuplicates((NearDuplicate(0, 2, "half_turn", 0.98765),), cut_short=False)
    text = near_duplicates_csv(found, ['a,"b"\r', "-", "c"], {0: "train", 2: "test"}).decode()
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["split", "image_id", "other_split", "other_image_id", "symmetry", "correlation"],
        ["train", 'a,"b"\r', "test", "c", "half_turn", "0.9877"],
    ]


def test_crowded_pair_of_splits_does_not_hide_another(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_CANDIDATES", 20)
    pictures = [picture(0)] * 16 + [picture(1), picture(1)]
    members = {"train": [*range(8), 16], "validation": list(range(8, 16)), "test": [17]}
    found = found_among(pictures, members)
    assert found.cut_short
    assert (16, 17) in {(pair.row, pair.other) for pair in found.pairs}


def test_what_one_pair_of_splits_leaves_is_for_the_others(monkeypatch):
    monkeypatch.setattr(near_duplicates, "MAX_CANDIDATES", 9)
    pictures = [picture(0)] * 6 + [picture(1)]
    found = found_among(pictures, {"train": [0, 1, 2], "validation": [3, 4, 5], "test": [6]})
    assert not found.cut_short
    assert len(found.pairs) == 9
