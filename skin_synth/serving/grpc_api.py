"""Sends requests to the gRPC API of TF Serving; needs grpcio and protobuf, but no TensorFlow."""

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
from skin_synth.serving.messages import (
    METHOD,
    array_of,
    dtype_of,
    messages,
    predict_request,
    shape_of,
    tensors,
)
from skin_synth.serving.transports import row_count
from tfrecords_tools.text import escaped


class Grpc:
    """The gRPC API of TF Serving."""

    def __init__(
        self,
        address: str | Address,
        model: str,
        version: int | None,
        timeout: float,
        access: Access = Access(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Opens a channel to host:8500; see `Client` for the other arguments.

        Raises:
            InputError: there is no grpcio or no protobuf.
        """
        kinds = messages()
        place = as_address(address)
        self.address = str(place)
        self.model = model
        self.version = version
        self.timeout = timeout
        self.channel = _channel(place, access)
        self._call = self.channel.unary_unary(
            METHOD,
            request_serializer=kinds.request.SerializeToString,
            response_deserializer=kinds.response.FromString,
        )

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature; see `Transport`."""
        import grpc

        request = predict_request(self.model, self.version, signature, inputs)
        try:
            response = self._call(request, timeout=self.timeout)
        except grpc.RpcError as error:
            code = error.code().name if error.code() else "UNKNOWN"
            if code == "DEADLINE_EXCEEDED":
                raise late(self.address, self.timeout) from error
            raise failure(self.address, code, str(error.details())) from error
        except ValueError as error:  # of a closed channel
            raise ServingError(f"{self.address}: {error}", "UNREACHABLE") from error
        rows, received = row_count(inputs), tensors(response)
        arrays = {
            name: _from_tensor(name, received[name], rows)
            for name in OUTPUTS[signature]
            if name in received
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
    check_shape(name, shape_of(tensor), rows)
    try:
        check_type(name, dtype_of(tensor))
        return array_of(tensor)
    except (ValueError, OverflowError) as error:
        raise wrong_answer(f"{name} cannot be read ({escaped(str(error))[:200]})") from error
