"""Mixed requests over real gRPC: malformed ones are refused with the reason, the others answered.

The server is a stand-in (see stand_in.py); names, stubs, bytes and the model are the real ones.
"""

from __future__ import annotations

import functools
import itertools
import os
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2, prediction_service_pb2_grpc

from skin_synth.saved_model.warmup import WARMUP_FILE
from skin_synth.serving.errors import ServingError
from skin_synth.serving.grpc_api import Grpc
from tests.skin_synth.serving.stand_in import MAX_BATCH_SIZE, MODEL, Refused, StandIn
from tfrecords_tools.images.metadata import marked_synthetic

REQUESTS = int(os.environ.get("SKIN_SYNTH_REQUESTS", "60"))
"""Mixed ones; the environment can ask for 10,000, which take longer."""
LARGEST_GROWTH_KIB = 32 * 2**10
"""Of the peak of memory over the second half of many requests."""
ENOUGH_FOR_MEMORY = 4_000
"""Requests from which on growth is more than that of warming up."""
PATIENCE = 60
ALLOWED_SIZES = (16, 32, 64)
"""Of joined batches, those of examples/serve/batching.txt."""


@pytest.fixture(scope="module")
def stub(server):
    limit = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.grpc_address, options=limit) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(signature, **inputs):
    spec = {"name": MODEL, "signature_name": signature}
    tensors = {name: tf.make_tensor_proto(values) for name, values in inputs.items()}
    return predict_pb2.PredictRequest(model_spec=spec, inputs=tensors)


def by_name(label, seed):
    return request("serving_default", label=label, seed=seed)


def seeds(count):
    return np.zeros(count, np.int64)


ONE = seeds(1)
NAN = np.full((1, 16), np.nan, np.float32)
LARGE = {"label": np.array([b"star" * 16] * 65536, object), "seed": seeds(65536)}
MALFORMED = {
    "unknown label": (by_name([b"mole"], ONE), "unknown label: known are"),
    "id out of range": (
        request("generate", label_id=ONE + 99, seed=ONE, truncation=np.ones(1, np.float32)),
        "unknown label: known are",
    ),
    "wrong dtype": (by_name([b"star"], np.ones(1, np.int32)), "type: int64, got: int32"),
    "wrong rank": (by_name([[b"star"]], ONE), ""),
    "scalar": (by_name(b"star", np.int64(1)), "at least one dimension"),
    "empty batch": (by_name(np.zeros(0, object), seeds(0)), "at least one row"),
    "unequal rows": (by_name([b"star"] * 2, ONE), "equal 0th-dimension"),
    "too many rows": (by_name([b"star"] * 65, seeds(65)), "Task size 65 is larger than"),
    # Five MiB, more than the four of gRPC's own limit: TF Serving reads it.
    "large message": (by_name(**LARGE), "Task size 65536 is larger than"),
    "long label": (by_name([b"x" * (5 * 2**20)], ONE), "unknown label: known are"),
    "missing input": (request("serving_default", label=[b"star"]), "does not match signature"),
    "NaN latent": (request("from_latent", latent=NAN, label_id=ONE), "latent must be finite"),
    "latent of another width": (request("from_latent", latent=NAN[:, :3], label_id=ONE), ""),
    "unknown signature": (request("paint", seed=ONE), "not found"),
}


@pytest.fixture(scope="module")
def pool(tiny_run):
    """Inputs of each signature for 140 images, and the library's images."""
    ids = np.arange(140) % len(tiny_run.class_names)
    drawn = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, len(ids))
    names = np.array([name.encode() for name in tiny_run.class_names], object)
    latents = tiny_run.gan.sampler.latents(tf.constant(drawn)).numpy()
    inputs = {
        "serving_default": {"label": names[ids], "seed": drawn},
        "generate": {"label_id": ids, "seed": drawn, "truncation": np.ones(len(ids), np.float32)},
        "from_latent": {"latent": latents, "label_id": ids},
    }
    return inputs, tiny_run.generate(ids, drawn)


def rows_of(inputs, rows):
    return {name: values[rows] for name, values in inputs.items()}


def mixed(count, pool):
    """Checks of requests with one to three rows; one in ten is malformed, kind by kind."""
    inputs, images = pool
    rng, kinds = np.random.default_rng(1), itertools.cycle(MALFORMED)
    for number, signature in zip(range(count), itertools.cycle(inputs), strict=False):
        if number % 10 == 3:
            yield functools.partial(check_refusal, next(kinds))
            continue
        rows = rng.integers(0, len(images), rng.integers(1, 4))
        made = request(signature, **rows_of(inputs[signature], rows))
        yield functools.partial(check, signature, made, images[rows])


def check_images(outputs, signature, images):
    if signature == "serving_default":
        expected = [marked_synthetic(tf.io.encode_png(image).numpy()) for image in images]
        assert list(outputs["image_bytes"]) == expected
    else:
        np.testing.assert_array_equal(outputs["image"], images)


def check(signature, made, images, stub):
    outputs = stub.Predict(made, timeout=PATIENCE).outputs
    check_images({key: tf.make_ndarray(value) for key, value in outputs.items()}, signature, images)


def check_refusal(kind, stub):
    made, reason = MALFORMED[kind]
    call = stub.Predict.future(made, timeout=PATIENCE)
    found = f"{kind}: {call.code()} {call.details()}"
    assert call.code() is grpc.StatusCode.INVALID_ARGUMENT, found
    assert reason in call.details(), found


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_requests_get_invalid_argument(kind, stub):
    check_refusal(kind, stub)


def test_mixed_requests_get_the_bytes_of_the_library(stub, pool):
    """Eight under way at a time, a hundred in memory."""
    requests, peaks = mixed(REQUESTS, pool), [0]
    with ThreadPoolExecutor(8) as callers:
        while window := list(itertools.islice(requests, 100)):
            list(callers.map(lambda check_one: check_one(stub), window))
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    if REQUESTS >= ENOUGH_FOR_MEMORY:
        assert peaks[-1] - peaks[len(peaks) // 2] < LARGEST_GROWTH_KIB


@pytest.mark.parametrize("signature", ["serving_default", "generate", "from_latent"])
def test_joined_requests_get_the_bytes_of_the_library(signature, server, pool):
    """TF Serving joins rows of several requests and fills the batch up with one of them."""
    inputs, images = pool
    for count, size in zip((7, 17, 64), ALLOWED_SIZES, strict=True):
        rows = np.minimum(np.arange(size), count - 1)
        outputs = server.model.run(signature, rows_of(inputs[signature], rows))
        check_images(rows_of(outputs, np.arange(count)), signature, images[:count])


def test_a_bad_row_fails_the_batch_that_it_is_joined_with(server, pool):
    inputs = rows_of(pool[0]["serving_default"], np.arange(16))
    inputs["label"][5] = b"mole"
    with pytest.raises(Refused, match="unknown label: known are"):
        server.model.run("serving_default", inputs)


def test_a_server_with_a_smaller_limit_refuses_a_message_unread(served_version):
    with StandIn(served_version, message_limit=4 * 2**20) as server:
        transport = Grpc(server.grpc_address, MODEL, None, PATIENCE)
        with pytest.raises(ServingError, match="RESOURCE_EXHAUSTED"):
            transport.predict("serving_default", LARGE)
        transport.close()


def test_the_warm_up_file_replays_over_grpc(stub, served_version):
    logs = [*tf.data.TFRecordDataset(str(served_version / WARMUP_FILE)).as_numpy_iterator()]
    assert len(logs) == 6
    for log in logs:
        made = prediction_log_pb2.PredictionLog.FromString(log).predict_log.request
        made.model_spec.name = MODEL
        assert stub.Predict(made, timeout=PATIENCE).outputs


def test_largest_batches_are_those_of_the_example():
    text = Path(__file__).parents[3].joinpath("examples", "serve", "batching.txt").read_text()
    assert f"max_batch_size {{ value: {MAX_BATCH_SIZE} }}" in text
    assert all(f"allowed_batch_sizes: {size}\n" in text for size in ALLOWED_SIZES)
