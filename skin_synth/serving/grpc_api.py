"""Sends requests to the gRPC API of TF Serving, by the stubs of tensorflow-serving-api."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from skin_synth.serving.address import Access, Address, as_address
from skin_synth.serving.answers import (
    LARGEST_ANSWER,
    OUTPUTS,
    Answer,
    check_shape,
    check_type,
    checked,
    wrong_answer,
)
from skin_synth.serving.errors import ServingError, failure, late
from skin_synth.serving.transports import row_count
from tfrecords_tools.text import escaped


class Grpc:
    """The gRPC API of TF Serving, by the stubs of tensorflow-serving-api."""

    def __init__(
        self,
        address: str | Address,
        model: str,
        version: int | None,
        timeout: float,
        access: Access = Access(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Opens a channel to host:8500; see `Client` for the other arguments."""
        from tensorflow_serving.apis import prediction_service_pb2_grpc

        place = as_address(address)
        self.address = str(place)
        self.model = model
        self.version = version
        self.timeout = timeout
        self.channel = _channel(place, access)
        self.stub = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature; see `Transport`."""
        import grpc  # type: ignore[import-untyped]
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.model
        request.model_spec.signature_name = signature
        if self.version is not None:
            request.model_spec.version.value = self.version
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        try:
            response = self.stub.Predict(request, timeout=self.timeout)
        except grpc.RpcError as error:
            code = error.code().name if error.code() else "UNKNOWN"
            if code == "DEADLINE_EXCEEDED":
                raise late(self.address, self.timeout) from error
            raise failure(self.address, code, str(error.details())) from error
        except ValueError as error:  # of a closed channel
            raise ServingError(f"{self.address}: {error}", "UNREACHABLE") from error
        rows = row_count(inputs)
        arrays = {
            name: _from_tensor(name, response.outputs[name], rows)
            for name in OUTPUTS[signature]
            if name in response.outputs
        }
        version = str(response.model_spec.version.value or "")
        return Answer(checked(arrays, signature, rows), version)

    def close(self) -> None:
        """Closes the channel."""
        self.channel.close()


def _channel(place: Address, access: Access) -> Any:
    import grpc

    options = [
        ("grpc.max_receive_message_length", LARGEST_ANSWER),
        ("grpc.max_send_message_length", LARGEST_ANSWER),
        ("grpc.enable_retries", 0),  # only `with_retries` counts attempts
    ]
    # With its scheme, because gRPC takes host names such as unix for schemes.
    target = f"dns:///{place.netloc}"
    if not access.tls:
        return grpc.insecure_channel(target, options=options)
    roots = None
    if access.ca_file is not None:
        with open(access.ca_file, "rb") as file:
            roots = file.read()
    credentials = grpc.ssl_channel_credentials(roots)
    calls = [] if access.token is None else [grpc.access_token_call_credentials(access.token)]
    if access.call_credentials is not None:
        calls.append(access.call_credentials)
    if calls:
        credentials = grpc.composite_channel_credentials(credentials, *calls)
    return grpc.secure_channel(target, credentials, options=options)


def _from_tensor(name: str, tensor: Any, rows: int) -> np.ndarray:
    """Converts an output of gRPC; shape and type first, because one value may fill any shape."""
    import tensorflow as tf

    check_shape(name, tuple(side.size for side in tensor.tensor_shape.dim), rows)
    try:
        check_type(name, tf.as_dtype(tensor.dtype).as_numpy_dtype)
        return tf.make_ndarray(tensor)
    except ServingError:
        raise
    except Exception as error:  # NumPy and TensorFlow raise many types
        raise wrong_answer(f"{name} cannot be read ({escaped(str(error))[:200]})") from error
