"""The messages of TF Serving's Predict call, without TensorFlow.

The package tensorflow-serving-api has them, too, but its modules import TensorFlow. Names and
numbers of the fields are those of `tensorflow_serving/apis/predict.proto`, `model.proto` and
`tensorflow/core/framework/tensor.proto`; fields that the client does not need are left out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tfrecords_tools.errors import InputError

METHOD = "/tensorflow.serving.PredictionService/Predict"
PACKAGE = "skin_synth.serving"
FIELDS = {
    "Dim": {"size": (1, "int64")},
    "Shape": {"dim": (2, "repeated Dim")},
    "Tensor": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "Shape"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "int_val": (7, "repeated int32"),
        "string_val": (8, "repeated bytes"),
        "int64_val": (10, "repeated int64"),
    },
    "Version": {"value": (1, "int64")},
    "ModelSpec": {
        "name": (1, "string"),
        "version": (2, "Version"),
        "signature_name": (3, "string"),
    },
    "Entry": {"key": (1, "string"), "value": (2, "Tensor")},
    "PredictRequest": {"model_spec": (1, "ModelSpec"), "inputs": (2, "repeated Entry")},
    "PredictResponse": {"outputs": (1, "repeated Entry"), "model_spec": (2, "ModelSpec")},
}
"""Number and type of each field, by message; a map is a list of entries."""
DTYPES: dict[np.dtype[Any], tuple[int, str]] = {
    np.dtype(np.float32): (1, "float_val"),
    np.dtype(np.uint8): (4, "int_val"),
    np.dtype(object): (7, "string_val"),
    np.dtype(np.int64): (9, "int64_val"),
}
"""TensorFlow's number of a NumPy type, and the field with its values; object is bytes."""


class Messages(NamedTuple):
    """The classes of the messages."""

    request: Any
    response: Any


@functools.cache
def messages() -> Messages:
    """Makes the classes.

    Raises:
        InputError: there is no protobuf or no grpcio.
    """
    try:
        import grpc  # noqa: F401
        from google.protobuf import (
            descriptor_pb2,
            descriptor_pool,
            message_factory,
        )
    except ImportError as error:
        raise InputError(
            f"gRPC needs grpcio and protobuf ({error}): install both, or give http://host:8501"
        ) from error
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{PACKAGE}.proto", package=PACKAGE, syntax="proto3"
    )
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, words) in fields.items():
            *repeated, kind = words.split()
            label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if kind in FIELDS:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                added.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return Messages(
        *(
            message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
            for name in ("PredictRequest", "PredictResponse")
        )
    )


def predict_request(
    model: str, version: int | None, signature: str, inputs: Mapping[str, np.ndarray]
) -> Any:
    """Returns a PredictRequest; `inputs` are float32, int64, or object with texts."""
    request = messages().request()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    for name, values in inputs.items():
        tensor = request.inputs.add(key=name).value
        tensor.dtype, field = DTYPES[values.dtype]
        for side in values.shape:
            tensor.tensor_shape.dim.add(size=side)
        if field == "string_val":
            tensor.string_val.extend(
                text.encode() if isinstance(text, str) else text for text in values.tolist()
            )
        else:
            tensor.tensor_content = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return request


def tensors(response: Any) -> dict[str, Any]:
    """Returns the tensors of a PredictResponse by name."""
    return {entry.key: entry.value for entry in response.outputs}


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Returns the shape that a tensor has, as its sender says."""
    return tuple(side.size for side in tensor.tensor_shape.dim)


def dtype_of(tensor: Any) -> np.dtype[Any]:
    """Returns the type of a tensor.

    Raises:
        ValueError: another type than those of `DTYPES`.
    """
    for dtype, (number, _) in DTYPES.items():
        if tensor.dtype == number:
            return dtype
    raise ValueError(f"its type has TensorFlow's number {tensor.dtype}")


def array_of(tensor: Any) -> np.ndarray:
    """Converts a tensor; a short list of values goes on with its last one, as in TensorFlow.

    Raises:
        ValueError, OverflowError: its values do not fit its shape or type.
    """
    shape, dtype = shape_of(tensor), dtype_of(tensor)
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, dtype.newbyteorder("<")).astype(dtype)
        return values.reshape(shape)
    listed = list(getattr(tensor, DTYPES[dtype][1]))
    array = np.empty(len(listed), dtype)
    array[:] = listed
    missing = int(np.prod(shape)) - len(listed)
    if listed and missing > 0:
        array = np.pad(array, (0, missing), "edge")
    return array.reshape(shape)
