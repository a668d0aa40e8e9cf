"""A small server that stands in for TF Serving, on the loopback interface only.

It loads a SavedModel as the C++ loader does, by tag and signature into a session without Python
code of the model, and applies the rules of TF Serving that a client can meet: names and types of
inputs, one number of rows, the largest batch, codes of errors, the REST form of requests. It is not
TF Serving: docs/serving.md says how to try the real one.
"""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MODEL, VERSION = "skin", 1
MAX_BATCH_SIZE = 64
MESSAGE_LIMIT = 2**31 - 1
"""Bytes of a request: what tensorflow_model_server sets; gRPC's own limit is 4 MiB."""
HTTP_CODES = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "UNAVAILABLE": 503}


class Refused(Exception):
    """A request that gets an error code instead of an answer."""

    def __init__(self, message: str, code: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.code = code


class Model:
    """A SavedModel in a session.

    Attributes:
        unavailable: the next requests that are refused as if the queue were full.
        requests: received so far.
    """

    def __init__(self, version):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(version))
        self.signatures = meta.signature_def
        self.lock = threading.Lock()
        self.unavailable = self.requests = 0

    def dtype(self, signature, name):
        return tf.as_dtype(self.signatures[signature].inputs[name].dtype)

    def predict(self, name, signature, inputs):
        with self.lock:
            self.requests += 1
            if self.unavailable:
                self.unavailable -= 1
                raise Refused("the queue is full", "UNAVAILABLE")
        if name != MODEL:
            raise Refused(f"Servable not found for request: Latest({name})", "NOT_FOUND")
        if signature not in self.signatures:
            raise Refused(f"Serving signature key {signature!r} not found.")
        self._check(signature, inputs)
        return self.run(signature, inputs)

    def run(self, signature, inputs):
        definition = self.signatures[signature]
        feeds = {definition.inputs[key].name: value for key, value in inputs.items()}
        fetches = {key: output.name for key, output in definition.outputs.items()}
        try:
            return self.session.run(fetches, feeds)
        except (tf.errors.InvalidArgumentError, ValueError) as error:  # the session checks shapes
            raise Refused(getattr(error, "message", str(error))) from error

    def _check(self, signature, inputs):
        if missing := sorted(set(self.signatures[signature].inputs) - set(inputs)):
            raise Refused(f"input size does not match signature: {missing}")
        for key, value in inputs.items():
            expected = self.dtype(signature, key)
            found = tf.string if value.dtype == object else tf.as_dtype(value.dtype)
            if found != expected:
                raise Refused(f"{key} expected type: {expected.name}, got: {found.name}")
            if value.ndim == 0:
                raise Refused("inputs must have at least one dimension")
        rows = {len(value) for value in inputs.values()}
        if len(rows) > 1:
            raise Refused("inputs must have equal 0th-dimension size")
        if (size := max(rows)) > MAX_BATCH_SIZE:
            raise Refused(f"Task size {size} is larger than maximum batch size {MAX_BATCH_SIZE}")


class GrpcService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self.model = model

    def Predict(self, request, context):
        try:
            inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            spec = request.model_spec
            outputs = self.model.predict(spec.name, spec.signature_name, inputs)
        except Refused as refusal:
            context.abort(grpc.StatusCode[refusal.code], str(refusal))
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = VERSION
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


def http_handler(model):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
            signature = body["signature_name"]
            inputs = {
                key: np.array(values, model.dtype(signature, key).as_numpy_dtype)
                for key, values in body["inputs"].items()
            }
            try:
                outputs = model.predict(name.split("/")[0], signature, inputs)
                named = {key: encoded(key, value) for key, value in outputs.items()}
                self._answer(200, {"outputs": named if len(named) > 1 else named["image"]})
            except Refused as refusal:
                self._answer(HTTP_CODES[refusal.code], {"error": str(refusal)})

        def _answer(self, status, content):
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def encoded(key, value):
    if key.endswith("_bytes"):
        return [{"b64": base64.b64encode(one).decode()} for one in value]
    return value.tolist()


class StandIn:
    """gRPC and REST in front of one model; use as a context manager."""

    def __init__(self, version, *, message_limit=MESSAGE_LIMIT):
        self.model = Model(version)
        self.message_limit = message_limit

    def __enter__(self):
        options = [("grpc.max_receive_message_length", self.message_limit)]
        self.grpc = grpc.server(ThreadPoolExecutor(8), options=options)
        add = prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server
        add(GrpcService(self.model), self.grpc)
        self.grpc_address = f"127.0.0.1:{self.grpc.add_insecure_port('127.0.0.1:0')}"
        self.grpc.start()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), http_handler(self.model))
        self.rest_address = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(10)
        self.grpc.stop(1).wait(10)
        self.model.session.close()
