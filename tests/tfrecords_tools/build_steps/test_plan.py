"""Plans: every row once, groups whole, given splits respected."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.build_steps.kept_splits import KeptSplits
from tfrecords_tools.build_steps.plan import Planner
from tfrecords_tools.build_steps.splits import check_shares
from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.listing import ImageRecord, Source, make_source

SHARES = check_shares({"train": "0.5", "validation": "0.25", "test": "0.25"})


def planner(
    images: list[tuple[str, str, str | None]],
    *,
    shares: dict[str, Fraction] | None = SHARES,
    kept: dict[str, str] | None = None,
) -> Planner:
    """For images of (label, group, split), called 000, 001, ..."""
    records = [
        ImageRecord(f"{i:03d}.png", f"{i:03d}", label, group, split)
        for i, (label, group, split) in enumerate(images)
    ]
    return Planner(make_source(Path("images"), records, []), shares, 0, KeptSplits(kept or {}))


@settings(deadline=None, derandomize=True)  # the same on a busy machine
@given(
    st.lists(
        st.tuples(st.sampled_from(["mel", "nv"]), st.sampled_from("abcdefgh")),
        min_size=2,
        max_size=40,
    ).filter(lambda images: len({label for label, _ in images}) == 2),
    st.data(),
)
def test_every_row_once_and_groups_whole(images, data):
    made = planner([(label, group, None) for label, group in images])
    joined = {"b": "a"} if data.draw(st.booleans()) else {}
    plan = made.plan(range(len(images)), joined)
    rows = [row for of_split in plan.members.values() for row in of_split]
    assert sorted(rows) == list(range(len(images)))
    splits_of = defaultdict(set)
    for split, of_split in plan.members.items():
        for row in of_split:
            splits_of[joined.get(images[row][1], images[row][1])].add(split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert plan == made.plan(range(len(images)), joined)


@settings(deadline=None, derandomize=True)  # the same on a busy machine
@given(st.permutations(range(30)), st.integers(0, 3))
def test_plan_depends_on_names_and_seed_alone(order, seed):
    records = [
        ImageRecord(f"{i:03d}.png", f"{i:03d}", "mel" if i % 3 else "nv", f"g{i // 2}")
        for i in range(30)
    ]

    def split_ids(order) -> dict[str, list[str]]:
        shuffled = tuple(records[i] for i in order)
        source = Source(Path("images"), shuffled, (), frozenset(("mel", "nv")))
        plan = Planner(source, SHARES, seed, KeptSplits()).plan(range(30), {})
        return {
            split: [shuffled[row].image_id for row in rows] for split, rows in plan.members.items()
        }

    assert split_ids(order) == split_ids(range(30))


def test_seed_changes_splits_and_orders():
    images = [("mel" if i % 2 else "nv", f"g{i}", None) for i in range(60)]
    one, other = (
        dataclasses.replace(planner(images), seed=seed).plan(range(60), {}) for seed in (0, 1)
    )
    assert set(one.members["test"]) != set(other.members["test"])


def test_split_without_rows_is_left_out():
    plan = planner([("nv", "a", None), ("mel", "b", None)]).plan(range(2), {})
    assert list(plan.members) == ["train"]
    assert plan.class_names == ("mel", "nv")


def test_order_within_a_split_is_that_of_a_hash():
    made = planner([("mel" if i % 2 else "nv", f"g{i}", None) for i in range(100)])
    train = list(made.plan(range(100), {}).members["train"])
    assert train != sorted(train)
    fewer = made.plan(range(90), {})
    kept = [row for row in train if row in fewer.members["train"]]
    assert kept == [row for row in fewer.members["train"] if row in kept]


def test_one_class_is_too_few():
    with pytest.raises(
        InputError, match=r"images has one class only, 'nv': two or more are needed, .*--labels"
    ):
        planner([("nv", "a", None), ("nv", "b", None)]).plan([0, 1], {})


def test_given_splits_are_kept():
    images = [("nv", "a", "test"), ("mel", "b", "train"), ("nv", "c", "train")]
    plan = planner(images, shares=None).plan(range(3), {})
    assert {split: set(rows) for split, rows in plan.members.items()} == {
        "train": {1, 2},
        "test": {0},
    }


def test_group_in_a_split_of_higher_precedence_leaks():
    images = [
        ("nv", "a", "train"),
        ("nv", "a", "validation"),
        ("mel", "a", "test"),
        ("mel", "b", "train"),
        ("mel", "c", "train"),
        ("mel", "d", "validation"),
    ]
    leaks = planner(images, shares=None).leaks(range(6), {"d": "c"})
    assert {row: (leak.file, leak.reason) for row, leak in leaks.items()} == {
        0: ("000.png", "leak"),
        1: ("001.png", "leak"),
        4: ("004.png", "leak"),
    }
    assert leaks[0].detail == "its group 'a' is also in split test"


def test_assigned_splits_do_not_leak():
    assert planner([("nv", "a", None), ("mel", "a", None)]).leaks(range(2), {}) == {}


def test_known_groups_keep_their_splits():
    images = [("mel" if i % 2 else "nv", f"g{i}", None) for i in range(20)]
    kept = {"g3": "test", "g4": "validation", "gone": "train"}
    plan = planner(images, kept=kept).plan(range(20), {})
    assert 3 in plan.members["test"]
    assert 4 in plan.members["validation"]
    joined = planner(images, kept=kept).plan(range(20), {"g5": "g3"})
    assert {3, 5} <= set(joined.members["test"])


def test_known_groups_of_two_splits_cannot_be_joined():
    images = [("mel", "a", None), ("nv", "b", None)]
    made = planner(images, kept={"a": "train", "b": "test"})
    with pytest.raises(InputError, match=r"group 'a' .* are one group now"):
        made.plan(range(2), {"b": "a"})


def test_seed_does_not_move_given_splits():
    images = [("mel" if i % 2 else "nv", f"g{i}", ("train", "test")[i % 4 > 1]) for i in range(40)]
    made = planner(images, shares=None)
    one, other = (dataclasses.replace(made, seed=seed).plan(range(40), {}) for seed in (0, 1))
    assert one.members != other.members
    assert {s: set(m) for s, m in one.members.items()} == {
        s: set(m) for s, m in other.members.items()
    }
