"""build_report.json and rejected.csv."""

from __future__ import annotations

import csv
import io
import json

from tfrecords_tools.build_steps.near_duplicates import NearDuplicate, NearDuplicates
from tfrecords_tools.build_steps.report import build_report, rejected_csv
from tfrecords_tools.sources import Rejection


def report(**changes) -> bytes:
    fields = {
        "name": "x",
        "options": {"size": 64},
        "versions": {"numpy": "2.0"},
        "members": [("mel", "train", "g1"), ("nv", "train", "g2"), ("nv", "test", "g3")],
        "class_names": ["mel", "nv"],
        "lost_classes": ["df"],
        "rejections": [Rejection("a", "empty", ""), Rejection("b", "damaged", "x")],
        "joined_groups": {"g9": "g1"},
        "near_duplicates": NearDuplicates((NearDuplicate(0, 2, "none", 0.99),), cut_short=False),
        "re_encoded": 2,
        "profiles_ignored": 1,
        "without_group": 5,
        "input_fingerprint": "f00",
    }
    return build_report(**(fields | changes))


def test_counts():
    assert json.loads(report()) == {
        "schema_version": 2,
        "name": "x",
        "options": {"size": 64},
        "versions": {"numpy": "2.0"},
        "input_fingerprint": "f00",
        "images": 3,
        "classes": {
            "mel": {"train": 1, "validation": 0, "test": 0},
            "nv": {"train": 1, "validation": 0, "test": 1},
        },
        "lost_classes": ["df"],
        "groups": {"train": 2, "validation": 0, "test": 1},
        "images_without_group": 5,
        "rejected": 2,
        "rejected_by_reason": {"damaged": 1, "empty": 1},
        "joined_groups": {"g9": "g1"},
        "near_duplicates": 1,
        "near_duplicates_cut_short": False,
        "re_encoded": 2,
        "colour_profiles_ignored": 1,
    }


def test_order_of_rejections_does_not_matter():
    there = [Rejection("a", "empty", ""), Rejection("b", "damaged", "x")]
    assert report(rejections=there) == report(rejections=there[::-1])
    assert rejected_csv(there) == rejected_csv(there[::-1])


def test_names_that_csv_must_quote_come_back():
    rejections = [
        Rejection('a "b", c.png', "damaged", "line\nbreak"),
        Rejection("ü.png", "empty", ""),
    ]
    rows = list(csv.reader(io.StringIO(rejected_csv(rejections).decode(), newline="")))
    assert rows == [
        ["file", "reason", "detail"],
        ['a "b", c.png', "damaged", "line\nbreak"],
        ["ü.png", "empty", ""],
    ]


def test_no_rejection_gives_the_head_alone():
    assert rejected_csv([]) == b"file,reason,detail\n"


def test_order_of_the_images_does_not_matter():
    members = [("mel", "train", "g1"), ("nv", "train", "g2"), ("nv", "test", "g3")]
    assert report(members=members) == report(members=members[::-1])


def test_report_is_readable_text():
    told = report(class_names=["nævus"], members=[("nævus", "train", "g")]).decode()
    assert '"nævus"' in told
    assert told.endswith("}\n")


def test_groups_are_counted_once():
    members = [("mel", "train", "g"), ("nv", "train", "g"), ("nv", "test", "h")]
    assert json.loads(report(members=members))["groups"] == {"train": 1, "validation": 0, "test": 1}


def test_search_that_was_cut_short_is_told():
    near = NearDuplicates((), cut_short=True)
    found = json.loads(report(near_duplicates=near))
    assert (found["near_duplicates"], found["near_duplicates_cut_short"]) == (0, True)


def test_detail_with_bytes_that_are_no_text():
    assert b"a,damaged,\\udce9" in rejected_csv([Rejection("a", "damaged", "\udce9")])
