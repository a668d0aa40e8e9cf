"""The look at the table of classes and splits: what would mislead is named, or refused."""

from __future__ import annotations

from collections import Counter

import pytest

from tfrecords_tools.build_steps.duplicates import PLACEHOLDER
from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.build_steps.splits import DEFAULT_SPLITS, check_shares
from tfrecords_tools.build_steps.table_findings import (
    ClassTable,
    class_table,
    refuse_traps,
    table_findings,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.schema import SPLITS
from tfrecords_tools.sources import Finding, ImageRecord, Rejection

SHARES = check_shares(DEFAULT_SPLITS)


def table(counts: dict[str, tuple[int, ...]], splits=SPLITS, **fields) -> ClassTable:
    """Of the numbers of images by class, in the order of `splits`; default shares."""
    by_class = {label: dict(zip(splits, of, strict=True)) for label, of in counts.items()}
    empty = {"groups": {}, "lost": {}, "shares": SHARES, "joined": {}}
    return ClassTable(by_class, **(empty | fields))


def found(of: ClassTable) -> dict[str, Finding]:
    return {finding.kind: finding for finding in table_findings(of)}


def traps(of: ClassTable) -> set[str]:
    return {finding.kind for finding in table_findings(of) if finding.trap}


def test_a_sound_table_has_nothing_to_say():
    assert table_findings(table({"mel": (70, 15, 15), "nv": (7, 2, 1)})) == ()


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"mel": (97, 2, 1), "nv": (7, 2, 1)}, "class mel (97 of 100 in train, asked 70%) far"),
        ({"mel": (3, 1, 6), "nv": (5, 5, 0)}, "classes mel (6 of 10 in test, asked 15%), nv (5"),
    ],
)
def test_far_from_its_share(counts, text):
    finding = found(table(counts))["far_from_share"]
    assert text in finding.text
    assert not finding.trap


@pytest.mark.parametrize(
    ("single", "others", "trap"), [(24, 0, True), (10, 9, True), (10, 10, False), (9, 1, False)]
)
def test_ids_are_no_classes(single, others, trap):
    of_one = {f"I{number}": (1, 0, 0) for number in range(single)}
    of_more = {f"c{number}": (7, 2, 1) for number in range(others)}
    finding = found(table(of_one | of_more)).get("single_images")
    assert (finding is not None and finding.trap) == trap
    if finding:
        assert finding.text.startswith(f"{single} of {single + others} classes have one image")


@pytest.mark.parametrize("counts", [(1, 1, 0), (2, 1, 1), (6, 2, 2), (62, 19, 19)])
def test_near_enough_to_its_share(counts):
    assert "far_from_share" not in found(table({"mel": counts, "nv": (70, 15, 15)}))


def test_given_splits_have_no_shares_to_miss():
    assert found(table({"mel": (10, 0, 90), "nv": (1, 1, 1)}, shares=None)) == {}


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"images": (0, 0, 10), "mel": (12, 4, 0)}, "class images without .* in train, but in tes"),
        ({"a": (0, 1, 0), "b": (0, 0, 1), "c": (5, 1, 1)}, "classes a, b .* in test and validati"),
    ],
)
def test_class_without_training_images_is_a_trap(counts, text):
    finding = found(table(counts, shares=None))["class_without_training"]
    assert finding.trap
    with pytest.raises(InputError, match=f"mislead: {text}.*--accept_findings"):
        refuse_traps([Finding("other", "no trap"), finding])


def test_classes_of_synthetic_images_only_are_no_trap():
    """The table counts real images."""
    of = table({"df": (0, 0, 0), "mel": (70, 15, 15)})
    assert set(found(of)) == {"synthetic_only"}
    assert found(of)["synthetic_only"].text.startswith("class df with synthetic images only")
    assert traps(table({"df": (0, 0, 0), "mel": (0, 0, 0)})) == set()


def test_a_set_for_tests_alone_needs_no_training_images():
    assert traps(table({"mel": (10,), "nv": (20,)}, splits=("test",), shares=None)) == set()


def test_class_in_training_only():
    of = table({"mel": (2, 0, 0), "nv": (70, 15, 15)})
    assert found(of)["class_in_one_split"].text.startswith("class mel in train only")
    assert traps(of) == set()
    # There is no other split.
    alone = table({"mel": (2,), "nv": (9,)}, splits=("train",), shares=None)
    assert found(alone) == {}


def test_groups_that_leave_a_split_empty_are_a_trap():
    groups = {"MSK": Counter(mel=60, nv=60)}
    of = table({"mel": (60, 0, 0), "nv": (60, 0, 0)}, groups=groups)
    assert traps(of) == {"empty_split", "giant_group"}
    text = found(of)["empty_split"].text
    assert "for split validation and test" in text
    assert "largest group: MSK, 120 images" in text


def test_too_few_images_for_three_splits_are_no_trap():
    assert traps(table({"mel": (2, 0, 0), "nv": (1, 0, 0)})) == set()


@pytest.mark.parametrize(
    ("joined", "why"),
    [({}, "may mean that the group is unknown"), ({"a": "63", "b": "63"}, "3 groups were joined")],
)
def test_a_group_of_most_images_is_a_trap(joined, why):
    groups = {"63": Counter(mel=60, nv=41), "1": Counter(nv=99)}
    of = table({"mel": (60, 0, 0), "nv": (100, 20, 20)}, groups=groups, joined=joined)
    finding = found(of)["giant_group"]
    assert finding.trap
    assert "group '63' has 101 of all 200 images" in finding.text
    assert why in finding.text


def test_largest_group_of_all_and_of_a_class():
    groups = {"P0": Counter(mel=51, nv=1), "P1": Counter(nv=10), "P2": Counter(mel=49, nv=1)}
    of = table({"mel": (70, 15, 15), "nv": (70, 15, 15)}, groups=groups)
    assert found(of)["largest_group"].text == "largest group: P0, 52 of 200 images"
    assert found(of)["group_of_class"].text == (
        "class mel (51 of 100 in P0) with most images in one group"
    )
    assert of.largest_group == ("P0", 52)


def test_joined_groups():
    of = table({"mel": (7, 2, 1), "nv": (7, 2, 1)}, joined={"b": "a", "c": "a", "y": "x"})
    assert found(of)["joined_groups"].text == (
        "3 groups were joined to others that share an image with them; a is 3 groups now"
    )


def test_lost_images_by_class_with_the_largest_share_first():
    of = table({"mel": (7, 2, 1), "nv": (70, 15, 15)}, lost={"df": 4, "mel": 5, "nv": 6})
    assert found(of)["lost_images"].text == (
        "rejected images by class: df 4 (100%), mel 5 (33%), nv 6 (6%)"
    )


def image(number: int, label: str, group: str = "") -> ImageRecord:
    name = f"{number}.png"
    return ImageRecord(name, name, label, group or name, has_group=bool(group))


def test_table_of_a_plan():
    records = [
        *(image(0, "mel", "A"), image(1, "mel", "B"), image(2, "nv", "A"), image(3, "nv")),
        *(image(4, "nv"), image(5, "df", "C")),
    ]
    plan = Plan(("mel", "nv"), {"train": (0, 1), "test": (2, 3)}, {"B": "A"})
    rejections = [
        Rejection("4.png", "truncated", ""),
        Rejection("5.png", PLACEHOLDER, ""),
        Rejection("notes.txt", "not_an_image", ""),
    ]
    of = class_table(records, plan, None, rejections)
    assert vars(of) == {
        "counts": {"mel": {"train": 2, "test": 0}, "nv": {"train": 0, "test": 2}},
        "groups": {"A": Counter(mel=2, nv=1)},
        "lost": {"df": 1, "nv": 1},
        "shares": None,
        "joined": {"B": "A"},
        "placeholders": 1,
    }
    assert found(of)[PLACEHOLDER].text.startswith("1 images are left out")
    # A requested split without images also has a column.
    asked = class_table(records, plan, SHARES)
    assert asked.counts["mel"] == {"train": 2, "validation": 0, "test": 0}


def test_traps_come_first():
    groups = {"P": Counter(nv=120)}
    kinds = [
        f.trap for f in table_findings(table({"mel": (3, 0, 0), "nv": (120, 0, 0)}, groups=groups))
    ]
    assert kinds == sorted(kinds, reverse=True)
    assert any(kinds)


def test_nothing_to_refuse():
    refuse_traps([Finding("x", "y")])
