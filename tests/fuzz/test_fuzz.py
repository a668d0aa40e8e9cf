"""No file that the product reads gives a traceback, a hang, much memory or a silent wrong use.

A few mutants of each kind here; `python -m tests.fuzz` runs 2,000 of each (docs/security.md).
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import tensor_bundle_pb2

from tests.fuzz import runner
from tests.fuzz.__main__ import MUTANTS, run_door, table
from tests.fuzz.doors import DOORS
from tests.fuzz.mutations import STRUCTURED, mutate, write_bundle
from tests.fuzz.runner import (
    CRASH,
    FAULTS,
    HANG,
    MEMORY,
    OTHER,
    REFUSED,
    SAME,
    SILENT,
    TRACEBACK,
    Door,
    canonical,
    summary,
    try_mutant,
)
from tfrecords_tools.errors import InputError

SLOW_DOORS = {
    *("saved_model.pb", "variables.index", "variables.data", "assets/labels.txt"),
    *("build_report.json", "checkpoint.weights.h5", "best.weights.h5", "filter.npz"),
    *("classifier.weights.h5", "config.json, forged", "features.keras", "features.weights.h5"),
    "mobilenet.weights.h5",
}
"""They load networks, or read a whole data set for each mutant."""
FEW = 12


@pytest.mark.filterwarnings("ignore")  # Pillow warns of odd files that it reads
@pytest.mark.parametrize("name", [name for name in DOORS if name not in SLOW_DOORS])
def test_a_few_mutants(name, tmp_path):
    door = DOORS[name](tmp_path)
    whole, expected = door.file.read_bytes(), canonical(door.use())
    found = [
        try_mutant(door, number, mutate(whole, number, door.structure), expected)
        for number in range(FEW)
    ]
    assert [each for each in found if each.kind in FAULTS] == []
    door.file.write_bytes(whole)
    assert canonical(door.use()) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", DOORS)
def test_all_mutants(name, tmp_path):
    found = list(run_door(name, tmp_path, range(MUTANTS)))
    assert [each for each in found if each.kind in FAULTS] == []


@pytest.mark.parametrize("structure", ["", *STRUCTURED])
def test_a_mutant_is_another_content_and_a_function_of_its_number(structure, tmp_path):
    content = {
        "": b"some bytes",
        "json": b'{"a": [1, {"b": "c"}], "d": null}',
        "csv": b"a,b\n1,2\n",
    }.get(structure)
    if structure == "npz":
        np.savez(tmp_path / "x.npz", a=np.arange(6), b=np.ones((2, 2)))
        content = (tmp_path / "x.npz").read_bytes()
    if structure == "bundle":
        entry = tensor_bundle_pb2.BundleEntryProto(dtype=types_pb2.DT_FLOAT, size=8)
        entry.shape.dim.add(size=2)
        header = tensor_bundle_pb2.BundleHeaderProto(num_shards=1)
        named = {b"": header, b"a": entry, b"b": entry}
        content = write_bundle({key: each.SerializeToString() for key, each in named.items()})
    if structure == "png":
        content = DOORS["synthetic.png"](tmp_path).file.read_bytes()
    mutants = [mutate(content, number, structure) for number in range(60)]
    assert mutants == [mutate(content, number, structure) for number in range(60)]
    assert len({*mutants}) > 30
    assert sum(mutant == content for mutant in mutants) < 10


def faulty(file: Path) -> Door:
    """A door with a fault of each kind, by the first byte."""

    def use() -> bytes:
        content = file.read_bytes()
        match content[:1]:
            case b"r":
                raise InputError("refused")
            case b"l":
                raise OSError("two\nlines")  # the text of an InputError is always one line
            case b"t":
                return content[99]
            case b"h":
                time.sleep(60)
            case b"b":
                busy_until = time.process_time() + 1.2
                while time.process_time() < busy_until:
                    pass
            case b"c":
                os._exit(1)
            case b"m":
                np.ones(2**26, np.uint8)
            case b"o":
                return b"other"
            case b"s":
                return b"silent"
        return b"sound"

    return Door(file, use, (InputError, OSError), lambda result: result == b"other")


def test_each_fault_is_found_and_the_run_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "HANG_SECONDS", 1.0)
    monkeypatch.setattr(runner, "MEMORY_BOUND", 2**25)
    (tmp_path / "x").write_bytes(b"-")
    kinds = {
        b"-": SAME, b"r": REFUSED, b"l": TRACEBACK, b"t": TRACEBACK, b"h": HANG, b"b": HANG,
        b"c": CRASH, b"m": MEMORY, b"o": OTHER, b"s": SILENT,
    }  # fmt: skip
    codes = list(kinds)
    found = list(
        runner.run(
            lambda: faulty(tmp_path / "x"), lambda _, number: codes[number], range(len(codes))
        )
    )
    assert [each.kind for each in found] == list(kinds.values())
    assert [each.number for each in found] == list(range(len(codes)))
    figures = summary(found)
    assert (figures["mutants"], figures["traceback"], figures["refused"]) == (10, 2, 1)
    assert figures["largest_megabytes"] >= 60
    assert "| x | 10 | 1 | 1 | 1 | 2 | 1 | 2 | 1 | 1 |" in table({"x": figures})
