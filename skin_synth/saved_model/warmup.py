"""The requests that TF Serving replays before it reports a version as ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from skin_synth.saved_model.sampler import ROWS_PER_CHUNK

WARMUP_FILE = Path("assets.extra", "tf_serving_warmup_requests")


def write_warmup(directory: Path, class_names: Sequence[str], latent_dim: int) -> None:
    """Writes two requests of each signature: for one row, and for a row of each class.

    A request has at most `ROWS_PER_CHUNK` rows, because TF Serving with batching does not load a
    version whose warm-up has more rows than its `max_batch_size`. `directory` is the directory of
    the version.
    """
    path = directory / WARMUP_FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for count in (1, min(len(class_names), ROWS_PER_CHUNK)):
            for signature, inputs in _requests(class_names[:count], latent_dim).items():
                writer.write(_log(signature, inputs).SerializeToString(deterministic=True))


def _requests(class_names: Sequence[str], latent_dim: int) -> dict[str, Mapping[str, np.ndarray]]:
    count = len(class_names)
    ids = np.arange(count, dtype=np.int64)  # because serving refuses int32
    return {
        "serving_default": {"label": np.array(class_names, object), "seed": ids},
        "generate": {"label_id": ids, "seed": ids, "truncation": np.ones(count, np.float32)},
        "from_latent": {"latent": np.zeros((count, latent_dim), np.float32), "label_id": ids},
    }


def _log(signature: str, inputs: Mapping[str, np.ndarray]) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.signature_name = signature
    for name, values in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    log = prediction_log_pb2.PredictLog(request=request)
    return prediction_log_pb2.PredictionLog(predict_log=log)
