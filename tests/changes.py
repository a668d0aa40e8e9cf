"""Changes figures deep inside of frozen results."""

from __future__ import annotations

import dataclasses


def incomplete(kind, **fields):
    """Results without the fields that a test does not need."""
    return kind(**{**dict.fromkeys(field.name for field in dataclasses.fields(kind)), **fields})


def changed(value, path, **fields):
    """A copy whose part at a dotted path of fields and keys has other fields."""
    if not path:
        return dataclasses.replace(value, **fields)
    head, _, rest = path.partition(".")
    return put(value, head, changed(_part(value, head), rest, **fields))


def put(value, path, part):
    """A copy with another part at a dotted path."""
    head, _, rest = path.partition(".")
    new = {head: put(_part(value, head), rest, part) if rest else part}
    return value | new if isinstance(value, dict) else dataclasses.replace(value, **new)


def _part(value, name):
    return value[name] if isinstance(value, dict) else getattr(value, name)
