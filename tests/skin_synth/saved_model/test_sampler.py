"""The sampler: what a seed means, rows that depend on themselves only, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.networks import Generator
from skin_synth.saved_model.sampler import ROWS_PER_CHUNK, Sampler, to_uint8
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.metadata import marked_synthetic, of_png
from tfrecords_tools.images.png_file import take_apart

NAMES = ("akiec", "nävus", "vasc")


@pytest.fixture(scope="module")
def sampler():
    network = Generator(widths=(32, 16, 16), latent_dim=8, embedding_dim=4, num_classes=3, seed=1)
    return Sampler(network, NAMES)


def test_a_row_is_the_same_alone_and_in_any_batch(sampler):
    label_ids, seeds = np.arange(64) % 3, np.arange(64) * 7919
    batch = sampler.sample(label_ids, seeds)
    for rows in (slice(0, 1), slice(63, 64), slice(5, 8), slice(20, 20 + ROWS_PER_CHUNK + 1)):
        np.testing.assert_array_equal(sampler.sample(label_ids[rows], seeds[rows]), batch[rows])
    order = np.random.default_rng(0).permutation(64)
    moved = sampler.sample(label_ids[order], seeds[order], batch_size=3)
    np.testing.assert_array_equal(moved, batch[order])


def test_latents_are_standard_normal_and_keyed_by_the_seed_alone(sampler):
    latents = tf.function(sampler.latents)(tf.range(4000, dtype=tf.int64)).numpy()
    assert latents.shape == (4000, 8)
    assert latents.mean() == pytest.approx(0, abs=0.02)
    assert latents.std() == pytest.approx(1, abs=0.02)
    assert len(np.unique(latents[:, 0])) == 4000
    np.testing.assert_array_equal(sampler.latents(tf.constant([17], tf.int64))[0], latents[17])
    public = tf.random.stateless_normal([8], tf.constant([17, 0], tf.int64), alg="philox")
    np.testing.assert_array_equal(public, latents[17])


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63)])
def test_every_int64_is_a_seed(sampler, seed):
    assert sampler.sample([0], [seed]).shape == (1, 16, 16, 3)


def test_truncation_scales_the_latent(sampler):
    ids, seeds = tf.constant([1], tf.int64), tf.constant([3], tf.int64)
    expected = sampler.from_latent(0.5 * sampler.latents(seeds), ids)["image"]
    np.testing.assert_array_equal(sampler.sample([1], [3], truncation=0.5), expected)


def test_served_pngs_hold_the_sampled_pixels(sampler):
    served = sampler.serving_default(tf.constant(["vasc", "nävus"]), tf.constant([4, 4], tf.int64))
    np.testing.assert_array_equal(served["label_id"], [2, 1])
    pixels = [tf.io.decode_png(png) for png in served["image_bytes"]]
    np.testing.assert_array_equal(pixels, sampler.sample([2, 1], [4, 4]))
    for png, image in zip(served["image_bytes"].numpy(), pixels, strict=True):
        assert png == marked_synthetic(tf.io.encode_png(image).numpy())
        assert of_png(take_apart(png)).says_synthetic


def test_no_row_gives_no_image_in_python_and_is_refused_when_served(sampler):
    assert sampler.sample([], []).shape == (0, 16, 16, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one row"):
        sampler.serving_default(tf.constant([], tf.string), tf.constant([], tf.int64))


def test_floats_become_the_nearest_grey_level():
    values = tf.constant([[[[-2.0, -1.0, 0.0], [0.0041, 1.0, 3.0]]]])
    np.testing.assert_array_equal(to_uint8(values), [[[[0, 0, 128], [128, 255, 255]]]])


MANY_LABELS = ["x" * 100_000, "", *["vasc"] * 5, *["y"] * 50]


@pytest.mark.parametrize(
    ("labels", "quoted"), [(["Vasc"], "[Vasc]"), (MANY_LABELS, f"[{'x' * 64}  y...]")]
)
def test_unknown_labels_are_refused_with_the_known(sampler, labels, quoted):
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        sampler.serving_default(tf.constant(labels), tf.zeros([len(labels)], tf.int64))
    assert "akiec, " in str(error.value)
    assert f"vasc (label_id 0 to 2); got] {quoted}" in str(error.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [((3, 2, 3), r"\[3 2 3\]"), ((2, 2, 1), r"\[2 2 1\]"), ((0, 0, 1), r"\[0 0 1\]")],
)
def test_inputs_of_different_lengths_are_refused(sampler, rows, message):
    label_id, seed = (tf.zeros([count], tf.int64) for count in rows[:2])
    expected = "truncation must have at least one row and the same number of rows; got. " + message
    with pytest.raises(tf.errors.InvalidArgumentError, match=expected):
        sampler.generate(label_id, seed, tf.ones([rows[2]]))


def test_labels_and_latents_need_a_row_each(sampler):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"label, seed must .* \[1 2\]"):
        sampler.serving_default(tf.constant(["vasc"]), tf.zeros([2], tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"latent, label_id must .* \[17 1\]"):
        sampler.from_latent(tf.zeros([17, 8]), tf.zeros([1], tf.int64))


def test_a_file_of_labels_gives_the_same_table(sampler, tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("".join(f"{name}\n" for name in NAMES), encoding="utf-8")
    table = Sampler(sampler.generator, NAMES, labels_file=file).table
    labels = tf.constant([*NAMES, "", "nevus"])
    np.testing.assert_array_equal(table.lookup(labels), [0, 1, 2, -1, -1])
    np.testing.assert_array_equal(table.lookup(labels), sampler.table.lookup(labels))


@pytest.mark.parametrize(
    ("label_ids", "seeds", "options", "message"),
    [
        ([3], [0], {}, r"in \[0, 3\), got 3 to 3"),
        ([-1, 0], [0, 0], {}, r"got -1 to 0"),
        ([0, 1], [0], {}, r"shapes \(2,\) and \(1,\)"),
        ([[0]], [[0]], {}, r"two vectors"),
        ([0.5], [0], {}, r"label_ids must be whole numbers .* got float64"),
        ([0], [2**63], {}, r"seeds must fit int64, got 9223372036854775808"),
        ([0], [0], {"truncation": float("nan")}, "finite, got nan"),
        ([0], [0], {"batch_size": 0}, "at least 1, got 0"),
    ],
)
def test_wrong_rows_and_options_are_refused(sampler, label_ids, seeds, options, message):
    with pytest.raises(InputError, match=message):
        sampler.sample(label_ids, seeds, **options)


@pytest.mark.parametrize(
    ("names", "message"),
    [((), "got none"), (("nv", "nv"), "must differ"), (("a", "b\nc"), r"one line.*'b\\nc'")],
)
def test_names_that_cannot_be_served_are_refused(sampler, names, message):
    with pytest.raises(InputError, match=message):
        Sampler(sampler.generator, names)


def test_onnx_keeps_every_row(sampler):
    """ONNX divides whole numbers towards zero, so the number of chunks must not be negative."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs tf2onnx and onnxruntime")
    tf2onnx = pytest.importorskip("tf2onnx", reason="needs tf2onnx and onnxruntime")
    signature = [
        tf.TensorSpec([None, 8], tf.float32, name="latent"),
        tf.TensorSpec([None], tf.int64, name="label_id"),
    ]
    images = tf.function(
        lambda latent, label_id: sampler.from_latent(latent, label_id)["image"],
        input_signature=signature,
        autograph=False,
    )
    model, _ = tf2onnx.convert.from_function(images, input_signature=signature, opset=18)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for count in (1, 3, ROWS_PER_CHUNK, ROWS_PER_CHUNK + 1, 2 * ROWS_PER_CHUNK):
        latent = np.random.default_rng(count).normal(size=(count, 8)).astype(np.float32)
        inputs = {"latent": latent, "label_id": np.arange(count) % 3}
        (found,) = session.run(None, inputs)
        expected = images(tf.constant(latent), tf.constant(inputs["label_id"]))
        np.testing.assert_allclose(found.astype(int), expected.numpy().astype(int), atol=1)
