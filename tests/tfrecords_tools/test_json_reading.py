"""The door for JSON: text, numbers and types, each with one clear line."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import Part, parse_json, read_json, typed


@dataclasses.dataclass(frozen=True)
class Inner:
    start: float
    end: float | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str
    count: int
    widths: tuple[int, ...]
    ramp: Inner
    shares: dict[str, float]
    on: bool = False


@dataclasses.dataclass(frozen=True)
class Some(Part):
    name: str


GOOD = {"name": "a", "count": 3, "widths": [1, 2], "ramp": {"start": 1}, "shares": {"x": 0.5}}


def test_values_keep_their_types():
    found = typed(GOOD, Outer)
    assert found == Outer("a", 3, (1, 2), Inner(1), {"x": 0.5})
    assert type(found.ramp.start) is int  # so that a hash of the values stays the same
    assert typed(GOOD, Some) == Some("a")
    assert typed([1, None, "x"], tuple[int | str | None, ...]) == (1, None, "x")
    assert typed(GOOD, dict[str, Any]) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 3.0}, "count must be a whole number, got 3.0"),
        ({"count": True}, "count must be a whole number, got true"),
        ({"count": "3"}, 'count must be a whole number, got "3"'),
        ({"count": 10**30}, "got a number of more than 64 bits"),
        ({"on": 1}, "on must be true or false, got 1"),
        ({"name": None}, "name must be a text, got null"),
        ({"widths": [1, [2]]}, r"widths\[1\] must be a whole number, got a list of 1"),
        ({"widths": {"0": 1}}, "widths must be a list, got an object of 1"),
        ({"ramp": []}, "ramp must be an object, got a list of 0"),
        ({"ramp": {"start": 1, "stop": 2}}, "ramp has unknown fields: stop"),
        ({"ramp": {}}, "ramp has missing fields: start"),
        ({"shares": {"x\n": "y" * 99}}, r"shares.x\\x0a must be a number, got \"y{59}\.\.\."),
        ({"ramp": {"start": 1, "end": "x"}}, "end must be a number"),
    ],
)
def test_another_type_is_named_with_its_place(change, message):
    with pytest.raises(InputError, match=message) as refusal:
        typed({**GOOD, **change}, Outer)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"[1] 2", "no JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b"[NaN]", "NaN is no number"),
        (b"[-Infinity]", "-Infinity is no number"),
        (b"[1e999]", "1e999 is too large"),
        (b"1" * 5_000, "no JSON"),
        (b'"\xff"', "not UTF-8"),
        (b'\xef\xbb\xbf"a"', "no JSON"),
        ('"a"'.encode("utf-16"), "not UTF-8"),
        (rb'"\ud800"', "not UTF-8"),
        (rb'{"\uDFFF": 1}', "not UTF-8"),
        (b'{"a": 1, "b": 2, "a": 3}', '"a" occurs twice'),
    ],
)
def test_text_that_is_no_plain_json_is_refused(content, message):
    with pytest.raises(InputError, match=message):
        parse_json(content)


def test_pairs_of_surrogates_are_characters():
    assert parse_json(rb'"\ud83d\ude00"') == "😀"


def test_a_file_is_read_or_named_with_its_repair(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(InputError, match=r"x\.json cannot be read .No such file.*: make it again"):
        read_json(path, Some, repair="make it again")
    path.write_text('{"name": "a", "more": 1}')
    assert read_json(path, Some, repair="make it again") == Some("a")
    path.write_text('{"name": 1}')
    with pytest.raises(InputError, match=r"x.json cannot be read \(name must be a text.*: make it"):
        read_json(path, Some, repair="make it again")
    path.write_bytes(b" " * 2_000)
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        read_json(path, Some, repair="make it again", limit=1_000)
