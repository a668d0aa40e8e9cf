"""Mixed requests over real gRPC: malformed ones are refused with the reason, the others answered.

The server is a stand-in (see stand_in.py); names, stubs, bytes and the model are the real ones.
"""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)

from skin_synth.serving.warmup import WARMUP
from tests.skin_synth.serving.stand_in import MAX_BATCH_SIZE, MODEL

REQUESTS = 120
PATIENCE = 60


@pytest.fixture(scope="module")
def stub(server):
    limit = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(server.grpc_address, options=limit) as channel:
        yield prediction_service_pb2_grpc.PredictionServiceStub(channel)


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
        "0 rows",
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
        f"at most {MAX_BATCH_SIZE}",
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


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_requests_get_invalid_argument(kind, stub, tiny_run):
    make, told = MALFORMED[kind]
    asked = make(tiny_run.gan.latent_dim)
    with pytest.raises(grpc.RpcError) as refusal:
        stub.Predict(asked, timeout=PATIENCE)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT, refusal.value.details()
    assert told in refusal.value.details()


def test_a_message_over_the_limit_is_refused_before_it_is_read(stub):
    label = [b"x" * (5 * 2**20)]
    with pytest.raises(grpc.RpcError) as refusal:
        stub.Predict(request("serving_default", label=label, seed=SEED), timeout=PATIENCE)
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_mixed_requests_get_the_bytes_of_the_library(stub, tiny_run):
    rng = np.random.default_rng(0)
    kinds = list(MALFORMED)
    pending = []
    for number in range(REQUESTS):
        if number % 10 == 3:
            asked = MALFORMED[kinds[number // 10 % len(kinds)]][0](tiny_run.gan.latent_dim)
            pending.append((None, None, stub.Predict.future(asked, timeout=PATIENCE)))
            continue
        ids = rng.integers(0, 7, rng.integers(1, 4))
        seeds = rng.integers(-(2**63), 2**63 - 1, len(ids))
        labels = [tiny_run.class_names[label].encode() for label in ids]
        asked = request("serving_default", label=labels, seed=seeds)
        pending.append((ids, seeds, stub.Predict.future(asked, timeout=PATIENCE)))
    good = [(ids, seeds, call) for ids, seeds, call in pending if ids is not None]
    expected = tiny_run.generate(
        np.concatenate([ids for ids, _, _ in good]), np.concatenate([s for _, s, _ in good])
    )
    pngs = [png for *_, call in good for png in call.result().outputs["image_bytes"].string_val]
    for png, image in zip(pngs, expected, strict=True):
        assert png == tf.io.encode_png(image).numpy()
    for ids, _, call in pending:
        if ids is None:
            assert call.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_the_warm_up_file_replays_over_grpc(stub, served_version):
    count = 0
    for serialized in tf.data.TFRecordDataset(str(served_version / WARMUP)):
        log = prediction_log_pb2.PredictionLog.FromString(serialized.numpy())
        asked = log.predict_log.request
        asked.model_spec.name = MODEL
        assert stub.Predict(asked, timeout=PATIENCE).outputs
        count += 1
    assert count == 6
