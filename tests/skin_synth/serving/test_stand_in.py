"""Mixed requests over real gRPC: malformed ones are refused with the reason, the others answered.

The server is a stand-in (see stand_in.py); names, stubs, bytes and the model are the real ones.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from skin_synth.saved_model.warmup import WARMUP
from tests.skin_synth.serving.stand_in import ALLOWED_SIZES, MAX_BATCH_SIZE, MODEL, StandIn

REQUESTS = int(os.environ.get("SKIN_SYNTH_REQUESTS", "400"))
"""Mixed ones; 10,000 by the environment, for they take their time."""
WINDOW = 100
"""Requests in memory at a time."""
CALLERS = 8
"""Requests under way at a time."""
PATIENCE = 60
LARGEST_GROWTH = 32 * 2**20
"""Bytes by which memory may grow over the second half of the requests."""
ENOUGH_FOR_MEMORY = 4_000
"""Requests from which on growth is more than that of warming up."""


@contextlib.contextmanager
def stub_of(address):
    limit = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(address, options=limit) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture(scope="module")
def stub(server):
    with stub_of(server.grpc_address) as stub:
        yield stub


@pytest.fixture(scope="module")
def joining(served_version):
    with StandIn(served_version, joining=True) as server:
        yield server


def request(signature, **inputs):
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = MODEL
    asked.model_spec.signature_name = signature
    for name, values in inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return asked


SEED = np.array([1], np.int64)
MALFORMED = {
    "unknown label": (
        lambda dim: request("serving_default", label=[b"mole"], seed=SEED),
        "unknown label: known are",
    ),
    "id out of range": (
        lambda dim: request(
            "generate", label_id=SEED * 99, seed=SEED, truncation=np.ones(1, np.float32)
        ),
        "unknown label: known are",
    ),
    "wrong dtype": (
        lambda dim: request("serving_default", label=[b"star"], seed=np.array([1], np.int32)),
        "expected type: int64, got: int32",
    ),
    "wrong rank": (
        lambda dim: request("serving_default", label=[[b"star"]], seed=SEED),
        "",
    ),
    "scalar": (
        lambda dim: request("serving_default", label=b"star", seed=np.int64(1)),
        "at least one dimension",
    ),
    "empty batch": (
        lambda dim: request(
            "serving_default", label=np.zeros(0, object), seed=np.zeros(0, np.int64)
        ),
        "at least one row",
    ),
    "unequal rows": (
        lambda dim: request("serving_default", label=[b"star"] * 2, seed=SEED),
        "equal 0th-dimension",
    ),
    "too many rows": (
        lambda dim: request(
            "serving_default",
            label=[b"star"] * (MAX_BATCH_SIZE + 1),
            seed=np.zeros(MAX_BATCH_SIZE + 1, np.int64),
        ),
        f"Task size {MAX_BATCH_SIZE + 1} is larger than",
    ),
    # Five MiB, where gRPC's own limit is four: TF Serving reads it.
    "large message": (
        lambda dim: request(
            "serving_default", label=[b"star" * 16] * 65536, seed=np.zeros(65536, np.int64)
        ),
        "Task size 65536 is larger than",
    ),
    "long label": (
        lambda dim: request("serving_default", label=[b"x" * (5 * 2**20)], seed=SEED),
        "unknown label: known are",
    ),
    "missing input": (
        lambda dim: request("serving_default", label=[b"star"]),
        "does not match signature",
    ),
    "NaN latent": (
        lambda dim: request(
            "from_latent", latent=np.full((1, dim), np.nan, np.float32), label_id=SEED
        ),
        "latent must be finite",
    ),
    "latent of another width": (
        lambda dim: request("from_latent", latent=np.zeros((1, 3), np.float32), label_id=SEED),
        "",
    ),
    "unknown signature": (lambda dim: request("paint", seed=SEED), "not found"),
}

REFUSED_ALONE = [
    "wrong dtype",
    "scalar",
    "empty batch",
    "unequal rows",
    "too many rows",
    "large message",
    "missing input",
    "unknown signature",
]
"""Told apart before requests are joined; the others make a batch fail."""


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_requests_get_invalid_argument(kind, stub, tiny_run):
    make, told = MALFORMED[kind]
    asked = make(tiny_run.gan.latent_dim)
    with pytest.raises(grpc.RpcError) as refusal:
        stub.Predict(asked, timeout=PATIENCE)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, refusal.value.details()
    assert told in refusal.value.details()


def test_a_server_with_a_smaller_limit_refuses_a_message_unread(served_version):
    with (
        StandIn(served_version, message_limit=4 * 2**20) as server,
        stub_of(server.grpc_address) as stub,
        pytest.raises(grpc.RpcError) as refusal,
    ):
        stub.Predict(MALFORMED["large message"][0](0), timeout=PATIENCE)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


class Asked(NamedTuple):
    """A request, and what must come back: the images, or the kind of what is wrong."""

    request: predict_pb2.PredictRequest
    images: np.ndarray | None
    kind: str


@pytest.fixture(scope="module")
def pool(tiny_run):
    """Labels, seeds, latents and the library's images that well-formed requests ask for."""
    rng = np.random.default_rng(0)
    ids = np.arange(140) % len(tiny_run.class_names)
    seeds = rng.integers(-(2**63), 2**63 - 1, len(ids))
    latents = tiny_run.gan.sampler.latents(tf.constant(seeds)).numpy()
    return ids, seeds, latents, tiny_run.generate(ids, seeds)


def mixed(count, pool, tiny_run, kinds):
    """Requests of all signatures with one to three rows; one in ten is malformed, kind by kind."""
    ids, seeds, latents, images = pool
    names = np.array([name.encode() for name in tiny_run.class_names], object)
    rng = np.random.default_rng(1)
    for number in range(count):
        rows = rng.integers(0, len(ids), rng.integers(1, 4))
        if number % 10 == 3:
            kind = kinds[number // 10 % len(kinds)]
            yield Asked(MALFORMED[kind][0](latents.shape[1]), None, kind)
            continue
        inputs = {
            "serving_default": {"label": names[ids[rows]], "seed": seeds[rows]},
            "generate": {
                "label_id": ids[rows],
                "seed": seeds[rows],
                "truncation": np.ones(len(rows), np.float32),
            },
            "from_latent": {"latent": latents[rows], "label_id": ids[rows]},
        }
        signature = list(inputs)[number % 3]
        yield Asked(request(signature, **inputs[signature]), images[rows], signature)


def outcome(stub, asked):
    """Status of an answer, which must be what the request deserves."""
    call = stub.Predict.future(asked.request, timeout=PATIENCE)
    told = f"{asked.kind}: {call.code()} {call.details()}"
    if asked.images is None:
        assert call.code() is grpc.StatusCode.INVALID_ARGUMENT, told
        assert MALFORMED[asked.kind][1] in call.details(), told
        return call.code().name
    assert call.code() is grpc.StatusCode.OK, told
    outputs = call.result().outputs
    if asked.kind == "serving_default":
        expected = [tf.io.encode_png(image).numpy() for image in asked.images]
        assert list(outputs["image_bytes"].string_val) == expected
    else:
        np.testing.assert_array_equal(tf.make_ndarray(outputs["image"]), asked.images)
    return call.code().name


def memory():
    """Resident bytes of this process, which is client and server at once."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free but kept by the allocator is no growth
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def sent(server, requests):
    """How many requests had which outcome; many under way at a time, and few in memory."""
    found = Counter()
    with stub_of(server.grpc_address) as stub, ThreadPoolExecutor(CALLERS) as callers:
        while window := list(itertools.islice(requests, WINDOW)):
            found.update(callers.map(lambda asked: outcome(stub, asked), window))
    return found


def test_mixed_requests_get_the_bytes_of_the_library(server, pool, tiny_run, capsys):
    requests = mixed(REQUESTS, pool, tiny_run, list(MALFORMED))
    started = time.monotonic()
    found = sent(server, itertools.islice(requests, REQUESTS // 2))
    half = memory()
    found += sent(server, requests)
    end, seconds = memory(), time.monotonic() - started
    bad = REQUESTS // 10
    assert found == {"OK": REQUESTS - bad, "INVALID_ARGUMENT": bad}
    with capsys.disabled():
        if "SKIN_SYNTH_REQUESTS" in os.environ:
            print(
                f"\n{REQUESTS:,} requests in {seconds:.0f} s: {dict(found)}; "
                f"{half / 2**20:.0f} MiB after half of them, {end / 2**20:.0f} MiB in the end"
            )
    if REQUESTS >= ENOUGH_FOR_MEMORY:
        assert end - half < LARGEST_GROWTH


def test_joined_requests_get_the_bytes_of_the_library(joining, pool, tiny_run):
    requests = mixed(300, pool, tiny_run, REFUSED_ALONE)
    joining.model.batches.clear()
    assert sent(joining, requests) == {"OK": 270, "INVALID_ARGUMENT": 30}
    batches = [rows for rows in joining.model.batches if rows]
    assert set(batches) <= set(ALLOWED_SIZES)
    assert len(batches) < 200, "requests were not joined"  # of 270 that are well-formed


def test_a_bad_row_takes_those_along_that_it_is_joined_with(joining, pool, tiny_run):
    good = next(mixed(1, pool, tiny_run, []))
    bad = MALFORMED["unknown label"][0](0)
    ends = set()
    with stub_of(joining.grpc_address) as stub:
        for _ in range(20):
            calls = [stub.Predict.future(each, timeout=PATIENCE) for each in (good.request, bad)]
            assert calls[1].code() is grpc.StatusCode.INVALID_ARGUMENT
            ends.add(calls[0].code())
            if calls[0].code() is grpc.StatusCode.INVALID_ARGUMENT:
                assert "unknown label: known are" in calls[0].details()
        assert grpc.StatusCode.INVALID_ARGUMENT in ends, "they were never joined"
        assert outcome(stub, good) == "OK"


def test_the_warm_up_file_replays_over_grpc(stub, served_version):
    count = 0
    for serialized in tf.data.TFRecordDataset(str(served_version / WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(serialized.numpy())
        asked = log.predict_log.request
        asked.model_spec.name = MODEL
        assert stub.Predict(asked, timeout=PATIENCE).outputs
        count += 1
    assert count == 6
