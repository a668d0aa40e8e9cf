"""Changes figures deep inside of frozen results."""

from __future__ import annotations

import dataclasses


def changed(value, path, **fields):
    """A copy whose part at a dotted path of fields and keys has other fields."""
    head, _, rest = path.partition(".")
    if not head:
        return dataclasses.replace(value, **fields)
    part = value[head] if isinstance(value, dict) else getattr(value, head)
    return put(value, head, changed(part, rest, **fields))


def put(value, path, part):
    """A copy with another part at a dotted path."""
    head, _, rest = path.partition(".")
    if rest:
        part = put(value[head] if isinstance(value, dict) else getattr(value, head), rest, part)
    if isinstance(value, dict):
        return {**value, head: part}
    return dataclasses.replace(value, **{head: part})
