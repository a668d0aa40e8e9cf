"""The messages without TensorFlow are those of TensorFlow and TF Serving, byte for byte."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from skin_synth.serving.messages import (
    DTYPES,
    array_of,
    dtype_of,
    messages,
    predict_request,
    shape_of,
    tensors,
)

ARRAYS = {
    "float32": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "uint8": np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3),
    "int64": np.array([-(2**63), 0, 2**63 - 1]),
    "string": np.array([b"a", b"\x00\xff", b""], object),
}


def test_types_have_the_numbers_of_tensorflow():
    for dtype, (number, _) in DTYPES.items():
        assert tf.as_dtype(number) == (tf.string if dtype.hasobject else tf.as_dtype(dtype))


def test_a_server_reads_the_request():
    inputs = {name: values for name, values in ARRAYS.items() if name != "uint8"}
    inputs["label"] = np.array(["mel", "naïve"], object)
    sent = predict_request("skin", 3, "generate", inputs).SerializeToString()
    found = predict_pb2.PredictRequest.FromString(sent)
    assert (found.model_spec.name, found.model_spec.version.value) == ("skin", 3)
    assert found.model_spec.signature_name == "generate"
    assert set(found.inputs) == set(inputs)
    for name, values in inputs.items():
        expected = [text.encode() for text in values] if name == "label" else values
        np.testing.assert_array_equal(tf.make_ndarray(found.inputs[name]), expected)
    without = predict_request("skin", None, "generate", inputs).SerializeToString()
    assert not predict_pb2.PredictRequest.FromString(without).model_spec.HasField("version")


@pytest.mark.parametrize("name", ARRAYS)
def test_answers_are_those_of_tensorflow(name):
    response = predict_pb2.PredictResponse()
    response.model_spec.version.value = 7
    response.outputs["all"].CopyFrom(tf.make_tensor_proto(ARRAYS[name]))
    listed = response.outputs["listed"]  # one value after the other instead of bytes
    listed.CopyFrom(tf.make_tensor_proto(ARRAYS[name]))
    field = DTYPES[ARRAYS[name].dtype][1]
    if not getattr(listed, field):
        listed.ClearField("tensor_content")
        getattr(listed, field).extend(ARRAYS[name].ravel().tolist())
    found = messages().response.FromString(response.SerializeToString())
    assert found.model_spec.version.value == 7
    for tensor in tensors(found).values():
        assert shape_of(tensor) == ARRAYS[name].shape
        assert dtype_of(tensor) == ARRAYS[name].dtype
        np.testing.assert_array_equal(array_of(tensor), ARRAYS[name])


@pytest.mark.parametrize(
    ("fields", "values"),
    [
        ({"int_val": [5]}, [5, 5, 5]),  # the last one goes on
        ({"int_val": [5, 6]}, [5, 6, 6]),
        ({"int_val": [5, 6, 7, 8]}, None),
        ({}, None),
        ({"int_val": [300]}, None),
        ({"tensor_content": b"\x01\x02\x03"}, [1, 2, 3]),
        ({"tensor_content": b"\x01\x02"}, None),
    ],
)
def test_short_long_and_wrong_values(fields, values):
    response = messages().response()
    tensor = response.outputs.add(key="image").value
    tensor.dtype = 4
    tensor.tensor_shape.dim.add(size=3)
    for name, content in fields.items():
        if isinstance(content, bytes):
            setattr(tensor, name, content)
        else:
            getattr(tensor, name).extend(content)
    if values is None:
        with pytest.raises((ValueError, OverflowError)):
            array_of(tensor)
    else:
        np.testing.assert_array_equal(array_of(tensor), np.array(values, np.uint8))
