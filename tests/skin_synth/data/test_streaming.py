"""Streaming: the same batches as from memory, bit for bit; the limit decides and is reported."""

from __future__ import annotations

import dataclasses
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.data import streaming
from skin_synth.data.pipeline import LabelledImages, batches, load_split
from skin_synth.training.options import TrainingOptions
from skin_synth.training.trainer import train
from tests.logs import logged_to
from tests.skin_synth.rewriting import MISFITS, altered
from tests.training import assert_same_state
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint, read_info
from tfrecords_tools.records.record_index import index_records


def opened(data, file, *, limit):
    options = {"cache_limit": limit, "index_file": file, "fingerprint": fingerprint(data)}
    return streaming.open_split(data, "train", **options)


@pytest.fixture(scope="module")
def streamed(phantom_data, tmp_path_factory):
    split = opened(phantom_data, tmp_path_factory.mktemp("run") / "index.npz", limit=0)
    assert isinstance(split, streaming.StreamedImages)
    return split


def drawn(split, count=5, **options):
    endless = batches(split, batch_size=16, seed=5, exponent=0.5, **options)
    return [*endless.take(count).as_numpy_iterator()]


def test_streamed_batches_are_those_of_the_cache_bit_for_bit_from_any_step(streamed, phantom_data):
    cached = load_split(phantom_data, "train")
    for ours, theirs in zip(drawn(streamed), drawn(cached), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])
        assert (ours[0].dtype, ours[1].dtype) == (np.uint8, np.int32)
    np.testing.assert_array_equal(drawn(streamed)[3][0], drawn(streamed, 1, first_step=3)[0][0])


def test_rows_are_read_as_from_an_array_and_batches_have_static_shapes(streamed, phantom_data):
    cached = load_split(phantom_data, "train")
    rows = np.array([5, 0, 5, len(cached) - 1])
    assert streamed.images.shape == cached.images.shape
    assert len(streamed) == len(cached)
    np.testing.assert_array_equal(streamed.images[rows], cached.images[rows])
    np.testing.assert_array_equal(streamed.class_counts, cached.class_counts)
    images, labels = batches(streamed, batch_size=4, seed=0, exponent=1.0).element_spec
    assert images == tf.TensorSpec([4, 32, 32, 3], tf.uint8)
    assert labels == tf.TensorSpec([4], tf.int32)


def test_the_limit_decides_and_is_logged(phantom_data, tmp_path, caplog):
    caplog.set_level("INFO", "skin_synth")
    needed = 3 * 32 * 32 * read_info(phantom_data).splits["train"].num_records
    cached = opened(phantom_data, tmp_path / "i", limit=needed)
    other = opened(phantom_data, tmp_path / "i", limit=needed - 1)
    assert isinstance(cached, LabelledImages)
    assert isinstance(other, streaming.StreamedImages)
    assert "kept in memory" in caplog.messages[0]
    assert re.search("more than --cache_limit .*streamed from the shards", caplog.messages[1])


def test_the_default_limit_heeds_a_container(monkeypatch, tmp_path):
    limit = tmp_path / "limit"
    monkeypatch.setattr(streaming, "CGROUP_LIMITS", (limit, tmp_path / "none"))
    limit.write_text("max\n")
    whole = streaming.default_cache_limit()
    limit.write_text(f"{400 * 2**20}\n")
    assert streaming.default_cache_limit() == 100 * 2**20 < whole


@pytest.mark.usefixtures("eager_steps")
def test_a_streamed_run_is_the_cached_one_and_keeps_its_index(tiny_preset, phantom_data, tmp_path):
    options = TrainingOptions(preset=tiny_preset.name, images=3 * tiny_preset.batch_size)
    cached = train(phantom_data, tmp_path / "cached", options)
    options = dataclasses.replace(options, cache_limit=0)
    streamed = train(phantom_data, tmp_path / "streamed", options)
    assert (tmp_path / "streamed" / "index-train.npz").exists()
    assert not (tmp_path / "cached" / "index-train.npz").exists()
    assert_same_state(streamed, cached)


def test_a_kept_index_is_not_made_again(streamed, phantom_data, tmp_path, monkeypatch):
    file, mark = tmp_path / "index.npz", fingerprint(phantom_data)
    streaming.keep_index(load_split(phantom_data, "train"), file, mark)
    assert not file.exists()  # nothing is streamed there
    streaming.keep_index(streamed, file, mark)
    monkeypatch.delattr(streaming, "index_records")
    again = opened(phantom_data, file, limit=0)
    np.testing.assert_array_equal(drawn(again, 1)[0][0], drawn(streamed, 1)[0][0])


@pytest.mark.parametrize("damage", ["cut", "stale"])
def test_an_index_that_cannot_be_used_is_replaced(damage, streamed, phantom_data, tmp_path):
    file, mark = tmp_path / "index.npz", fingerprint(phantom_data)
    streaming.keep_index(streamed, file, "of another data set" if damage == "stale" else mark)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    split = opened(phantom_data, file, limit=0)
    assert not split.index_is_kept
    streaming.keep_index(split, file, mark)
    again = opened(phantom_data, file, limit=0)
    assert again.index_is_kept
    before = file.stat()
    streaming.keep_index(again, file, mark)
    assert file.stat().st_ino == before.st_ino, "the kept index was written again"


def test_a_label_of_no_class_is_named(phantom_data, tmp_path, monkeypatch):
    index = index_records(phantom_data, "train")
    wrong = dataclasses.replace(index, label=np.full(len(index), 7))
    monkeypatch.setattr(streaming, "index_records", lambda *_: wrong)
    with pytest.raises(InputError, match="record 0: its label is 7, of 7 classes"):
        opened(phantom_data, tmp_path / "index.npz", limit=0)


@pytest.mark.parametrize(("image", "message"), MISFITS)
def test_an_image_that_does_not_fit_is_named(image, message, phantom_data, tmp_path):
    split = opened(altered(phantom_data, tmp_path / "out", image=image), tmp_path / "i", limit=0)
    damaged = rf"shard .*: the record at byte {int(split.images.index.offset[2]):,} does not fit"
    said = rf"{damaged}: {message}.*build the data set again"
    with pytest.raises(InputError, match=said):
        split.images[np.array([0, 2, 1])]
    split.images[np.array([0, 1, 3])]
    with pytest.raises(InputError, match=said), streaming.reading_errors(split):
        drawn(split, count=40)


def test_an_error_of_something_else_stays_what_it_is(streamed):
    streamed.images[np.array([0, 1])]
    with pytest.raises(tf.errors.InvalidArgumentError), streaming.reading_errors(streamed):
        tf.reshape(tf.zeros(3), [2])


@pytest.mark.usefixtures("eager_steps")
def test_a_shard_that_vanishes_stops_training_plainly(tiny_preset, phantom_data, tmp_path):
    copy = shutil.copytree(phantom_data, tmp_path / "data")

    def remove(line):
        if "from image" in line:
            for shard in read_info(copy).splits["train"].shards:
                shard.unlink()

    options = TrainingOptions(preset=tiny_preset.name, images=500, cache_limit=0)
    message = r"shard .* cannot be read .*build the data set again"
    with logged_to(remove), pytest.raises(InputError, match=message):
        train(copy, tmp_path / "run", options)
