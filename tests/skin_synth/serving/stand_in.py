"""A small server that stands in for TF Serving, on the loopback interface only.

It loads a SavedModel as the C++ loader does, by tag and signature into a session without Python
code of the model, and applies the rules of TF Serving that a client can meet: names and types of
inputs, one number of rows, the largest batch, rows of several requests joined and filled up to an
allowed size, codes of errors, the REST form of requests. It is not TF Serving: docs/serving.md says
how to try the real one.
"""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MODEL, VERSION = "skin", 1
MAX_BATCH_SIZE = 64
ALLOWED_SIZES = (16, 32, 64)
"""Of batches, those of examples/serve/batching.txt."""
BATCH_TIMEOUT = 0.1
"""Seconds that a batch waits for more: longer than a busy machine takes from call to call."""
MESSAGE_LIMIT = 2**31 - 1
"""Bytes of a request: what tensorflow_model_server sets; gRPC's own limit is 4 MiB."""
CLOSED = object()
"""Ends a queue."""
HTTP_CODES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "UNAVAILABLE": 503,
}


class Refused(Exception):
    """A request that gets an error code in place of an answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Model:
    """A SavedModel in a session; answers one request at a time, as one with a batch of its own."""

    def __init__(self, version):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self.session, ["serve"], str(version))
        self.signatures = meta.signature_def
        self.lock = threading.Lock()
        self.unavailable = 0
        """So many requests to come are told to try again."""
        self.requests = 0
        self.batches = []
        """Rows of each run of the session."""

    def close(self):
        self.session.close()

    def predict(self, name, signature, inputs):
        with self.lock:
            self.requests += 1
            if self.unavailable:
                self.unavailable -= 1
                raise Refused("UNAVAILABLE", "the queue is full")
        if name != MODEL:
            raise Refused("NOT_FOUND", f"Servable not found for request: Latest({name})")
        if signature not in self.signatures:
            raise Refused("INVALID_ARGUMENT", f"Serving signature key {signature!r} not found.")
        definition = self.signatures[signature]
        self._check(definition, inputs)
        return self.answer(signature, inputs)

    def answer(self, signature, inputs):
        return self.run(signature, inputs)

    def run(self, signature, inputs):
        definition = self.signatures[signature]
        self.batches.append(len(next(iter(inputs.values()))))
        feeds = {definition.inputs[key].name: value for key, value in inputs.items()}
        fetches = {key: output.name for key, output in definition.outputs.items()}
        try:
            return self.session.run(fetches, feeds)
        except tf.errors.OpError as error:
            code = "INVALID_ARGUMENT" if error.error_code == 3 else "INTERNAL"
            raise Refused(code, error.message) from error
        except ValueError as error:  # the session's own check of shapes, in Python
            raise Refused("INVALID_ARGUMENT", str(error)) from error

    def _check(self, definition, inputs):
        if missing := sorted(set(definition.inputs) - set(inputs)):
            raise Refused("INVALID_ARGUMENT", f"input size does not match signature: {missing}")
        for key, value in inputs.items():
            if key not in definition.inputs:
                raise Refused("INVALID_ARGUMENT", f"input tensor alias not found: {key}")
            expected = tf.as_dtype(definition.inputs[key].dtype)
            found = tf.string if value.dtype == object else tf.as_dtype(value.dtype)
            if found != expected:
                raise Refused(
                    "INVALID_ARGUMENT",
                    f"{key} expected type: {expected.name}, got: {found.name}",
                )
            if value.ndim == 0:
                raise Refused("INVALID_ARGUMENT", "inputs must have at least one dimension")
        rows = {len(value) for value in inputs.values()}
        if len(rows) > 1:
            raise Refused("INVALID_ARGUMENT", "inputs must have equal 0th-dimension size")
        if max(rows) > MAX_BATCH_SIZE:
            raise Refused(
                "INVALID_ARGUMENT",
                f"Task size {max(rows)} is larger than maximum input batch size {MAX_BATCH_SIZE}",
            )


class JoiningModel(Model):
    """Joins requests of one signature into a batch, as TF Serving does with --enable_batching.

    A batch takes requests in turn, for `BATCH_TIMEOUT` or until the next one has no room, is filled
    up to an allowed size with its last request's first row, and succeeds or fails as a whole.
    """

    def __init__(self, version):
        super().__init__(version)
        self.queues = {signature: queue.Queue() for signature in self.signatures}
        self.threads = [
            threading.Thread(target=self._serve, args=item, daemon=True)
            for item in self.queues.items()
        ]
        for thread in self.threads:
            thread.start()

    def close(self):
        for waiting in self.queues.values():
            waiting.put(CLOSED)
        for thread in self.threads:
            thread.join(10)
        super().close()

    def answer(self, signature, inputs):
        count = len(next(iter(inputs.values())))
        if not count:  # nothing to join, and no row to fill up with: the graph says what is wrong
            return self.run(signature, inputs)
        future = Future()
        self.queues[signature].put((inputs, count, future))
        return future.result()

    def _serve(self, signature, waiting):
        left = None
        while (first := left or waiting.get()) is not CLOSED:
            batch, left = self._collect(first, waiting)
            try:
                answers = self._joined(signature, batch)
            except Exception as error:
                for *_, future in batch:
                    future.set_exception(error)
            else:
                for (*_, future), answer in zip(batch, answers, strict=True):
                    future.set_result(answer)

    def _collect(self, first, waiting):
        """A batch, and what came next and had no room in it."""
        batch, rows, end = [first], first[1], time.monotonic() + BATCH_TIMEOUT
        while rows < MAX_BATCH_SIZE:
            try:
                task = waiting.get(timeout=max(end - time.monotonic(), 0))
            except queue.Empty:
                break
            if task is CLOSED or rows + task[1] > MAX_BATCH_SIZE:
                return batch, task
            batch.append(task)
            rows += task[1]
        return batch, None

    def _joined(self, signature, batch):
        """Answers of the requests of a batch, in order."""
        ends = np.cumsum([count for _, count, _ in batch])
        size = next(allowed for allowed in ALLOWED_SIZES if allowed >= ends[-1])
        rows = {}
        for key in batch[0][0]:
            parts = [inputs[key] for inputs, *_ in batch]
            if len({part.shape[1:] for part in parts}) > 1:
                raise Refused(
                    "FAILED_PRECONDITION",
                    f"Tensors with name {key!r} from different tasks have different shapes",
                )
            rows[key] = np.concatenate([*parts, *[parts[-1][:1]] * (size - ends[-1])])
        outputs = self.run(signature, rows)
        parts = {key: np.split(value, ends)[:-1] for key, value in outputs.items()}
        return [dict(zip(parts, each, strict=True)) for each in zip(*parts.values(), strict=True)]


class GrpcService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The gRPC half."""

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
        response.model_spec.name = MODEL
        response.model_spec.version.value = VERSION
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


def http_handler(model):
    """The REST half: a handler class."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                name, verb = self.path.removeprefix("/v1/models/").split(":")
                if verb != "predict":
                    raise Refused("NOT_FOUND", "Malformed request")
                self._answer(200, {"outputs": self._predict(name.split("/")[0], json.loads(body))})
            except Refused as refusal:
                self._answer(HTTP_CODES.get(refusal.code, 500), {"error": str(refusal)})

        def _predict(self, name, request):
            signature = request.get("signature_name", "serving_default")
            definition = model.signatures.get(signature)
            inputs = {}
            for key, values in request["inputs"].items():
                tensor = definition.inputs.get(key) if definition else None
                dtype = tf.as_dtype(tensor.dtype).as_numpy_dtype if tensor else object
                try:
                    # Texts of JSON are UTF-8.
                    array = np.array(values, object if dtype is object else None)
                    if dtype is not object and array.dtype.kind in "OUS":
                        raise ValueError(f"JSON Value: {values!r} Type: String is not expected")
                    if np.issubdtype(dtype, np.integer) and array.dtype.kind == "f" and array.size:
                        raise ValueError("JSON Value is a float, not an integer")
                    inputs[key] = array.astype(dtype)
                except ValueError as error:
                    raise Refused("INVALID_ARGUMENT", str(error)) from error
            outputs = model.predict(name, signature, inputs)
            named = {key: encoded(key, value) for key, value in outputs.items()}
            return named if len(named) > 1 else next(iter(named.values()))

        def _answer(self, status, content):
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
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
    """Both halves in front of one model; use as a context manager.

    Args:
        version: of the SavedModel.
        joining: whether requests are joined, as with --enable_batching.
        message_limit: bytes of a request.
    """

    def __init__(self, version, *, joining=False, message_limit=MESSAGE_LIMIT):
        self.model = (JoiningModel if joining else Model)(version)
        self.message_limit = message_limit

    def __enter__(self):
        self.grpc = grpc.server(
            ThreadPoolExecutor(8),
            options=[("grpc.max_receive_message_length", self.message_limit)],
        )
        service = GrpcService(self.model)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, self.grpc)
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
        self.model.close()
