"""The warm-up file: a row alone, a row of each class, and at most a chunk of them."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from skin_synth.saved_model.warmup import WARMUP_FILE, write_warmup


@pytest.mark.parametrize(("classes", "rows"), [(1, 1), (7, 7), (16, 16), (114, 16)])
def test_rows_are_those_of_the_classes_up_to_a_chunk(classes, rows, tmp_path):
    write_warmup(tmp_path, [f"class {number}" for number in range(classes)], 8)
    found = {}
    for serialized in tf.data.TFRecordDataset(str(tmp_path / WARMUP_FILE)):
        log = prediction_log_pb2.PredictionLog.FromString(serialized.numpy())
        request = log.predict_log.request
        counts = {len(tf.make_ndarray(value)) for value in request.inputs.values()}
        assert len(counts) == 1
        found.setdefault(request.model_spec.signature_name, []).extend(counts)
    assert found == {name: [1, rows] for name in ("serving_default", "generate", "from_latent")}
