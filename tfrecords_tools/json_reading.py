"""Reads JSON from outside: the one door for its text, its numbers and the types of its values.

A file is described by a type: a frozen dataclass, or a plain one such as `dict[str, int]`. A value
of another type, an unknown field or a missing one is an error that names the place in the file.
"""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from tfrecords_tools.bounded_reading import LARGEST_TEXT, read_bounded
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import escaped

Kind = TypeVar("Kind")
LARGEST_INTEGER = 2**63
SHOWN_CHARACTERS = 60
"""Most characters of a value in an error."""


class Part:
    """Base of a dataclass that describes some fields of an object; other fields are not read."""


def read_json(
    path: Path,
    kind: type[Kind],
    *,
    repair: str,
    fault: str = "cannot be read",
    limit: int = LARGEST_TEXT,
) -> Kind:
    """Reads a JSON file as a value of `kind`, see `typed`.

    Args:
        path: the file.
        kind: type of its value.
        repair: what the user can do if the file is damaged; ends the message.
        fault: the verb of the message.
        limit: most bytes of the file.

    Raises:
        InputError: the file cannot be read, is no such JSON, or does not fit `kind`.
    """
    try:
        return typed(parse_json(read_bounded(path, limit)), kind)
    except OSError as error:
        raise InputError(f"{path} {fault} ({error.strerror}): {repair}") from error
    except ValueError as error:
        raise InputError(f"{path} {fault} ({error}): {repair}") from error


def parse_json(content: bytes) -> Any:
    """Parses JSON in UTF-8, with finite numbers, no repeated fields and no half characters.

    Raises:
        InputError: it is no such JSON; the message says what is wrong.
    """
    try:
        value = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_unrepeated,
            parse_constant=_constant,
            parse_float=_finite,
        )
        if b"\\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()  # a surrogate has no bytes
    except InputError:
        raise
    except UnicodeError as error:
        raise InputError(f"its text is not UTF-8: {error}") from error
    except ValueError as error:
        raise InputError(f"it is no JSON: {error}") from error
    except RecursionError as error:
        raise InputError("its JSON is nested too deeply") from error
    return value


def typed(value: Any, kind: Any, place: str = "its content") -> Any:
    """Returns a parsed value as `kind`, with lists as tuples and objects as dataclasses.

    Args:
        value: result of `parse_json`.
        kind: bool, int (64 bits), float (finite; a whole number stays one), str, None, Any, unions,
            `list`, `tuple[X, ...]`, `dict[str, X]` and dataclasses of these. A dataclass that
            inherits from `Part` describes some fields only.
        place: name of the value in messages.

    Raises:
        InputError: the value does not fit; a dataclass may refuse its fields itself.
    """
    origin = typing.get_origin(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _dataclass(value, kind, place)
    if origin in (typing.Union, types.UnionType):
        return _one_of(value, typing.get_args(kind), place)
    if origin is tuple and isinstance(value, list):
        (item, _) = typing.get_args(kind)
        return tuple(typed(each, item, f"{place}[{i}]") for i, each in enumerate(value))
    if origin is dict and isinstance(value, dict):
        (_, item) = typing.get_args(kind)
        return {name: typed(each, item, f"{place}.{name}") for name, each in value.items()}
    if origin is None and _is_plain(value, kind):
        return value
    raise InputError(f"{escaped(place)} must be {_name(kind)}, got {_shown(value)}")


def _dataclass(value: Any, kind: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{escaped(place)} must be an object, got {_shown(value)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    unknown = [] if issubclass(kind, Part) else sorted(value.keys() - fields.keys())
    missing = [
        name
        for name, field in fields.items()
        if name not in value
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    for what, names in (("unknown", unknown), ("missing", missing)):
        if names:
            listed = escaped(", ".join(names))[:SHOWN_CHARACTERS]
            raise InputError(f"{escaped(place)} has {what} fields: {listed}")
    hints = typing.get_type_hints(kind)
    given = {name: typed(value[name], hints[name], name) for name in fields if name in value}
    return kind(**given)


def _one_of(value: Any, kinds: Iterable[Any], place: str) -> Any:
    kinds = list(kinds)
    if value is None and type(None) in kinds:
        return None
    kinds = [kind for kind in kinds if kind is not type(None)]
    for kind in kinds[:-1]:
        try:
            return typed(value, kind, place)
        except InputError:
            continue
    return typed(value, kinds[-1], place)


def _is_plain(value: Any, kind: Any) -> bool:
    if type(value) is int and kind in (int, float):
        return -LARGEST_INTEGER <= value < LARGEST_INTEGER
    return type(value) is kind


def _name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    origin = typing.get_origin(kind)
    if origin is tuple or kind is list:
        return "a list"
    if origin is dict or kind is dict:
        return "an object"
    return names.get(kind, str(kind))


def _shown(value: Any) -> str:
    """Returns the start of a value for a message."""
    if isinstance(value, Mapping | list | tuple):
        kind = "an object" if isinstance(value, Mapping) else "a list"
        return f"{kind} of {len(value):,}"
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        return "a number of more than 64 bits"
    text = escaped(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise InputError(f"the field {_shown(name)} occurs twice")
    return found


def _constant(text: str) -> float:
    raise InputError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InputError(f"the number {text[:SHOWN_CHARACTERS]} is too large")
    return number
