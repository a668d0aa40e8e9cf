"""What was computed is kept whole or not at all, and never mixed up."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.utility_cache import Cache, content_hash, name_of
from tfrecords_tools.errors import InputError


class Counter:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"a": np.arange(3, dtype=np.float32), "b": np.array([[self.calls]])}


def test_arrays_are_computed_once(tmp_path):
    compute = Counter()
    cache = Cache(tmp_path / "new" / "cache")
    first = cache.arrays({"x": 1}, compute)
    again = Cache(tmp_path / "new" / "cache").arrays({"x": 1}, compute)
    assert compute.calls == 1
    for name in ("a", "b"):
        np.testing.assert_array_equal(first[name], again[name])
        assert first[name].dtype == again[name].dtype
    assert cache.arrays({"x": 2}, compute)["b"] == 2


def test_without_a_directory_nothing_is_kept():
    compute = Counter()
    Cache(None).arrays({}, compute)
    Cache(None).arrays({}, compute)
    assert compute.calls == 2


def test_a_kill_leaves_no_file(tmp_path, monkeypatch):
    def half(path, **arrays):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    cache = Cache(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", half)
        with pytest.raises(KeyboardInterrupt):
            cache.arrays({}, Counter())
    assert list(tmp_path.iterdir()) == []
    assert cache.arrays({}, Counter())["b"] == 1


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 cut short"])
def test_a_damaged_file_is_named(tmp_path, content):
    cache = Cache(tmp_path)
    cache.arrays({}, Counter())
    (path,) = tmp_path.iterdir()
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path.name} is damaged .*: remove it, it is made anew"):
        cache.arrays({}, Counter())


def test_names_follow_from_keys():
    assert name_of({"a": 1, "b": [1, 2]}) == name_of({"b": [1, 2], "a": 1})
    assert len({name_of(key) for key in ({"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1})}) == 4


def test_content_is_shape_dtype_and_bytes():
    zeros = np.zeros((2, 3), np.uint8)
    others = [
        zeros.reshape(3, 2),
        zeros.astype(np.int8),
        zeros + np.uint8(1),
        np.zeros((2, 4), np.uint8),
    ]
    assert content_hash(zeros) == content_hash(zeros.copy())
    assert content_hash(zeros.T) == content_hash(np.ascontiguousarray(zeros.T))
    assert len({content_hash(array) for array in [zeros, *others]}) == 5
    assert content_hash(zeros, zeros) != content_hash(zeros)
