"""Splits: whole groups, close to the shares in every class, the same everywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from tfrecords_tools.build_steps.splits import (
    DEFAULT_SPLITS,
    Fold,
    assign_splits,
    check_folds,
    check_shares,
    home_splits,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import SPLITS

SHARES = check_shares(DEFAULT_SPLITS)


def singles(label: str, count: int) -> list[tuple[str, str]]:
    """(group, label) of `count` images that are each a group."""
    return [(f"{label}{index}", label) for index in range(count)]


def test_shares_are_exact():
    assert check_shares(DEFAULT_SPLITS) == {
        "train": Fraction(7, 10),
        "validation": Fraction(3, 20),
        "test": Fraction(3, 20),
    }
    assert check_shares({"test": 0.1, "train": 0.9}) == {
        "train": Fraction(9, 10),
        "test": Fraction(1, 10),
    }
    assert check_shares({"train": "7/10", "test": "3/10"})["test"] == Fraction(3, 10)
    assert check_shares({"train": "1e0"}) == {"train": Fraction(1)}
    assert check_shares({"train": 1, "test": 0}) == {"train": Fraction(1)}


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"train": "0.7", "test": "0.2"}, "sum is 0.9"),
        ({"train": "0.7", "test": "0.4"}, "sum is 1.1"),
        ({"train": "0.6666666", "test": "0.3333333"}, "sum is 0.9999999"),
        ({"train": "1.5", "test": "-0.5"}, "must not be negative"),
        ({"training": "1"}, "names must be among train, validation, test"),
        ({}, "names must be among"),
        ({"train": "most"}, "decimal numbers"),
        ({"train": "1/0"}, "decimal numbers"),
        ({"train": "1e-999999999"}, "decimal numbers"),
        ({"train": "1e999999999"}, "decimal numbers"),
        ({"train": "9" * 100_000}, "decimal numbers"),
        ({"train": "1" * 5 + "/" + "9" * 100_000}, "decimal numbers"),
        ({"train": float("nan")}, "decimal numbers"),
    ],
)
def test_shares_that_cannot_be(shares, message):
    with pytest.raises(InputError, match=message):
        check_shares(shares)


def test_every_group_gets_one_split_and_every_class_its_shares():
    members = singles("nv", 2000) + singles("mel", 100) + singles("df", 20)
    splits = assign_splits(members, SHARES, seed=0)
    assert splits.keys() == {group for group, _ in members}
    for label, total in (("nv", 2000), ("mel", 100), ("df", 20)):
        counts = Counter(splits[group] for group, found in members if found == label)
        assert [counts[split] for split in SPLITS] == [share * total for share in SHARES.values()]


@pytest.mark.parametrize("seed", range(5))
def test_uneven_groups_stay_within_their_size_of_the_quota(seed):
    random = np.random.default_rng(seed)
    members = [
        (f"lesion{lesion}", label)
        for lesion in range(400)
        for label in [str(random.choice(["a", "b", "c"], p=[0.8, 0.15, 0.05]))]
        for _ in range(random.integers(1, 7))
    ]
    splits = assign_splits(members, SHARES, seed=seed)
    for label in "abc":
        counts = Counter(splits[group] for group, found in members if found == label)
        total = counts.total()
        for split, share in SHARES.items():
            assert counts[split] - share * total < 6
            assert share * total - counts[split] < 2 * 6


def test_order_of_the_images_does_not_matter():
    members = singles("nv", 50) + singles("mel", 9)
    assert assign_splits(members[::-1], SHARES, seed=3) == assign_splits(members, SHARES, seed=3)


def test_seed_matters():
    members = singles("nv", 50)
    assert assign_splits(members, SHARES, seed=0) != assign_splits(members, SHARES, seed=1)


def test_same_on_every_machine():
    splits = assign_splits(singles("nv", 200) + singles("mel", 31), SHARES, seed=7)
    text = ",".join(f"{group}:{splits[group]}" for group in sorted(splits))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "583472f7df7f0443"


def test_three_groups_are_enough_for_three_splits():
    members = [("big", "df")] * 40 + [("small", "df"), ("tiny", "df")]
    assert set(assign_splits(members, SHARES, seed=0).values()) == set(SPLITS)


def test_two_groups_are_not():
    assert assign_splits(singles("df", 1), SHARES, seed=0) == {"df0": "train"}


def test_a_group_of_several_labels_stays_whole():
    members = [*singles("nv", 40), ("mixed", "mel"), ("mixed", "nv"), ("mixed", "mel")]
    splits = assign_splits(members, SHARES, seed=0)
    # It counts for mel, where it is alone: for nv it might be anywhere.
    assert splits["mixed"] == "train"


def test_known_groups_stay_when_others_come():
    before = assign_splits(singles("nv", 60), SHARES, seed=0)
    after = assign_splits(singles("nv", 120), SHARES, seed=99, pinned=before)
    assert {group: after[group] for group in before} == before
    counts = Counter(after.values())
    assert [counts[split] for split in SPLITS] == [84, 18, 18]


def test_known_group_of_a_split_without_share():
    with pytest.raises(InputError, match=r"\['test'\], which have no share"):
        assign_splits(singles("nv", 3), check_shares({"train": 1}), seed=0, pinned={"nv0": "test"})


@pytest.mark.parametrize(
    ("given", "split"),
    [
        (("train",), "train"),
        (("train", "validation"), "validation"),
        (("validation", "train", "train"), "validation"),
        (("train", "test", "validation"), "test"),
        (("test", "train"), "test"),
    ],
)
def test_weightiest_of_given_splits(given, split):
    others = [("other", "train")]
    assert home_splits(others + [("group", name) for name in given] + others) == {
        "group": split,
        "other": "train",
    }


def test_no_given_splits():
    assert home_splits([]) == {}


def test_each_group_is_in_the_test_split_of_one_fold():
    members = singles("nv", 53) + singles("mel", 22) + [("big", "mel")] * 5
    rounds = [Fold(number, 5).assign(members, seed=0) for number in range(5)]
    for group in {group for group, _ in members}:
        found = Counter(splits[group] for splits in rounds)
        assert found == {"train": 3, "validation": 1, "test": 1}
    for number, splits in enumerate(rounds):
        counts = Counter(splits[group] for group, label in members if label == "nv")
        assert counts["test"] in (10, 11)
        following = rounds[(number + 1) % 5]
        validation = {group for group, split in splits.items() if split == "validation"}
        assert validation == {group for group, split in following.items() if split == "test"}
    assert Fold(0, 5).assign(members, seed=1) != rounds[0]


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 101, 10**9])
def test_number_of_folds(count):
    with pytest.raises(InputError, match=f"from 3 to 100, .* got {count}"):
        check_folds(count)
