"""build_report.json and rejected.csv."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import json
from collections import Counter
from pathlib import Path

import pytest

from tfrecords_tools.build_steps.first_pass import ImageFacts
from tfrecords_tools.build_steps.kept_splits import KeptSplits
from tfrecords_tools.build_steps.near_duplicates import NearDuplicate, NearDuplicates
from tfrecords_tools.build_steps.plan import Plan, Planner
from tfrecords_tools.build_steps.report import BuildOutcome, build_report, rejected_csv
from tfrecords_tools.build_steps.table_findings import ClassTable
from tfrecords_tools.csv_writing import csv_bytes
from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import Finding, ImageRecord, Rejection
from tfrecords_tools.sources.listing import make_source

REJECTIONS = (Rejection("a", "empty", ""), Rejection("b", "damaged", "x"))
IMAGES = (("1", "mel", "g1"), ("2", "nv", "g9"), ("3", "nv", "g3"))


def report(*, images=IMAGES, members=None, class_names=("mel", "nv"), **changes) -> bytes:
    """Of images of (id, label, group); by default two of train, one of test."""
    records = [ImageRecord(f"{i}.png", i, label, group) for i, label, group in images]
    source = make_source(Path("images"), records, ())
    facts = ImageFacts(len(records))
    facts.re_encoded[:2] = facts.with_profile[1:2] = facts.synthetic[:1] = True
    facts.num_bytes[:], facts.num_encoded[:] = 10, 30
    facts.identifying["place"][:2] = True
    near = NearDuplicates((NearDuplicate(0, 2, "none", 0.99),), cut_short=False)
    outcome = {
        "plan": Plan(class_names, members or {"train": (0, 1), "test": (2,)}, {"g9": "g1"}),
        "rejections": REJECTIONS,
        "lost_classes": ("df",),
        "near_duplicates": near,
        "without_group": 5,
        "table": ClassTable({}, {"g1": Counter(mel=12), "g3": Counter(nv=2)}, {"mel": 3}, None, {}),
        "findings": (Finding("x", "something"),),
    }
    options = BuildOptions(name="x", size=64, labels="some/table.csv", workers=3)
    planner = Planner(source, None, 0, KeptSplits())
    return build_report(options, planner, facts, BuildOutcome(**(outcome | changes)))


def test_counts():
    found = json.loads(report())
    versions = found.pop("versions")
    assert versions["numpy"] == importlib.metadata.version("numpy")
    options = found.pop("options")
    assert (options["labels"], options["size"], options["seed"]) == ("table.csv", 64, 0)
    assert options["splits"] == "as the source gives them"
    assert not {"workers", "runner", "name", "metadata"} & set(options)
    assert found == {
        "schema_version": 2,
        "name": "x",
        "input_fingerprint": "0" * 64,
        "images": 3,
        "classes": {
            "mel": {"train": 1, "validation": 0, "test": 0},
            "nv": {"train": 1, "validation": 0, "test": 1},
        },
        "lost_classes": ["df"],
        "groups": {"train": 1, "validation": 0, "test": 1},
        "images_without_group": 5,
        "rejected": 2,
        "rejected_by_reason": {"damaged": 1, "empty": 1},
        "joined_groups": {"g9": "g1"},
        "largest_group": {"g1": 12},
        "lost_by_class": {"mel": 3},
        "findings": [{"kind": "x", "text": "something", "trap": False}],
        "near_duplicates": 1,
        "near_duplicates_cut_short": False,
        "re_encoded": 2,
        "re_encoded_bytes": {"files": 20, "images": 60},
        "synthetic": 1,
        "identifying_metadata": {"name_or_text": 0, "place": 2, "serial_number": 0},
        "colour_profiles_ignored": 1,
    }


def test_order_does_not_matter():
    assert report(rejections=REJECTIONS[::-1]) == report()
    assert report(members={"test": (2,), "train": (1, 0)}) == report()
    assert rejected_csv(REJECTIONS) == rejected_csv(REJECTIONS[::-1])


def test_report_is_readable_text():
    text = report(images=[("1", "nævus", "g")], members={"train": (0,)}, class_names=("nævus",))
    assert '"nævus"' in text.decode()
    assert text.endswith(b"}\n")


def test_search_that_was_cut_short():
    found = json.loads(report(near_duplicates=NearDuplicates((), cut_short=True)))
    assert (found["near_duplicates"], found["near_duplicates_cut_short"]) == (0, True)


def parsed(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_rejections():
    quoted = Rejection('a "b", c.png', "damaged", "line\nbreak")
    rejections = [quoted, Rejection("ü.png", "empty", "")]
    assert parsed(rejected_csv(rejections)) == [
        ["file", "reason", "detail"],
        ['a "b", c.png', "damaged", "line\nbreak"],
        ["ü.png", "empty", ""],
    ]
    assert rejected_csv([]) == b"file,reason,detail\n"


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\r\nb", "a\nb", 'a "b", c', " a ", "", "ü"])
def test_cells_of_any_csv_come_back(cell):
    rows = [["x", "y"], [cell, "1"], ["next", "2"]]
    assert parsed(csv_bytes(rows[0], [(cell, 1), ("next", 2)])) == rows


def test_csv_of_what_is_no_text():
    assert csv_bytes(("x", "y"), [(None, 0.5), ("\udce9", -1)]) == b"x,y\n,0.5\n\\udce9,-1\n"
    assert parsed(csv_bytes(("x\ry",), iter([]))) == [["x\ry"]]
