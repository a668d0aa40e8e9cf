"""The cache: computes once, distinguishes inputs, survives kills and rubbish."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache, default_cache
from skin_synth.provenance import content_hash
from tfrecords_tools.errors import InputError


class Work:
    """Counts how often it is done."""

    def __init__(self):
        self.done = 0

    def __call__(self):
        self.done += 1
        return {"rows": np.arange(3) + self.done}


def test_computes_once_for_each_stage_and_each_key(tmp_path):
    cache, work = Cache(tmp_path / "deep" / "cache"), Work()
    first = cache.arrays("features", ("a", 1), work)
    again = Cache(tmp_path / "deep" / "cache").arrays("features", ("a", 1), work)
    np.testing.assert_array_equal(first["rows"], again["rows"])
    assert work.done == 1
    others = [("features", ("a", 2)), ("neighbours", ("a", 1)), ("features", ("a1",))]
    for stage, parts in others:
        cache.arrays(stage, parts, work)
    assert work.done == 4


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_what_cannot_be_read_is_computed_again_and_that_is_said(tmp_path, caplog, content):
    cache, work = Cache(tmp_path), Work()
    cache.arrays("features", ("a",), work)
    (entry,) = tmp_path.iterdir()
    entry.write_bytes(entry.read_bytes()[:-30] if content is None else content)
    found = cache.arrays("features", ("a",), work)
    assert work.done == 2
    np.testing.assert_array_equal(found["rows"], [2, 3, 4])
    assert f"{entry} cannot be read" in caplog.text
    cache.arrays("features", ("a",), work)
    assert work.done == 2


@pytest.mark.parametrize("names", [("rowsx",), ("other", "more"), ()])
def test_an_entry_with_other_arrays_is_computed_again(tmp_path, caplog, names):
    cache, work = Cache(tmp_path), Work()
    cache.arrays("features", ("a",), work)
    (entry,) = tmp_path.iterdir()
    np.savez(entry, **{name: np.arange(3) for name in names})
    found = cache.arrays("features", ("a",), work)
    np.testing.assert_array_equal(found["rows"], [2, 3, 4])
    assert set(found) == {"rows"}
    assert f"{entry} cannot be read (it has no array 'rows')" in caplog.text
    cache.arrays("features", ("a",), work)["rows"]
    assert work.done == 2
    with pytest.raises(KeyError, match="columns"):
        found["columns"]


def test_a_kill_leaves_no_file(tmp_path, monkeypatch):
    def half(path, **arrays):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    cache, work = Cache(tmp_path), Work()
    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", half)
        with pytest.raises(KeyboardInterrupt):
            cache.arrays("features", ("a",), work)
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(cache.arrays("features", ("a",), work)["rows"], [2, 3, 4])


def test_work_that_fails_leaves_nothing(tmp_path):
    def fail():
        raise RuntimeError("no features")

    with pytest.raises(RuntimeError, match="no features"):
        Cache(tmp_path / "cache").arrays("features", ("a",), fail)
    assert not (tmp_path / "cache").exists()


def test_without_a_directory_nothing_is_kept():
    cache, work = Cache(None), Work()
    cache.arrays("features", ("a",), work)
    cache.arrays("features", ("a",), work)
    assert work.done == 2


def test_hashes_tell_bytes_shapes_and_types_apart():
    array = np.arange(12, dtype=np.uint8)
    others = [array.reshape(3, 4), array.view(np.int8), array[::-1]]
    assert len({content_hash(array, array), *map(content_hash, (array, *others))}) == 5
    wide = np.arange(24, dtype=np.uint8).reshape(4, 6)[:, ::2]
    assert content_hash(wide) == content_hash(wide.copy())


def test_it_is_a_directory_next_to_the_report(tmp_path):
    assert default_cache("runs/ham/report").as_posix() == "runs/ham/report.cache"
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file: give a directory by --cache"):
        Cache(tmp_path / "file")
