"""Servers that answer with something else than was requested: one error, in time, in little memory.

`localhost.pem` is a certificate of these tests for localhost, with its key.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import io
import json
import ssl
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from skin_synth.saved_model.origin import Origin
from skin_synth.serving import Access, Client, ServingError
from skin_synth.serving.answers import largest_answer
from tfrecords_tools.errors import InputError

PEM = Path(__file__).with_name("localhost.pem")


def png(side=8, mode="RGB", kind="PNG", **options):
    buffer = io.BytesIO()
    Image.new(mode, (side, side)).save(buffer, kind, **options)
    return buffer.getvalue()


def prediction(pngs, ids=None):
    files = [{"b64": base64.b64encode(each).decode()} for each in pngs]
    ids = [0] * len(pngs) if ids is None else ids
    return json.dumps({"outputs": {"label_id": ids, "image_bytes": files}}).encode()


@contextlib.contextmanager
def serving(handle, *, tls=False):
    """An HTTP server; `handle` gets each request's handler. Yields its address and requests."""
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, dict(self.headers)))
            self.rfile.read(int(self.headers["Content-Length"]))
            with contextlib.suppress(OSError):
                handle(self)

        do_GET = do_POST

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(PEM)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        scheme = "https" if tls else "http"
        yield f"{scheme}://localhost:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def says(body, status=200, **headers):
    def handle(handler):
        handler.send_response(status)
        for name, value in {"Content_Length": len(body), **headers}.items():
            handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(body)

    return handle


def ask(handle, count=1, **options):
    with serving(handle) as (address, _), Client(address, model="m", **options) as client:
        return client.images(["a"] * count, range(count))


@pytest.mark.parametrize("count", [1, 2, 4])
def test_another_number_of_images_is_refused(count):
    with pytest.raises(ServingError, match=rf"shape \({count},\), requested was \(3,\)"):
        ask(says(prediction([png()] * count)), 3)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (prediction([png(kind="JPEG")]), "first bytes are no PNG"),
        (prediction([b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n"]), "no PNG"),
        (prediction([png()[:40]]), "damaged PNG"),
        (prediction([b""]), "damaged PNG"),
        (prediction([png(2_000)]), "2000x2000 pixels"),
        (prediction([png(mode="L")]), "mode L"),
        (prediction([png(mode="I;16")]), "mode I;16"),
        (prediction([png()], [-1]), "label_id has -1"),
        (prediction([png()], [0.5]), "label_id has values"),
        (prediction([png()], [2**70]), "label_id has values"),
        (prediction([png()], [True]), "label_id has values"),
        (prediction([png()], ["0"]), "label_id has values"),
        (prediction([png()], [[0]]), r"shape \(1, 1\)"),
        (prediction([png()], 0), "label_id has the shape"),
        (b'{"outputs": {"label_id": [0], "image_bytes": ["x"]}}', "image_bytes has values"),
        (b'{"outputs": {"label_id": [0], "image_bytes": [{"b64": "!"}]}}', "image_bytes has val"),
        (b'{"outputs": {"label_id": [0], "image_bytes": [{"b64": 1}]}}', "image_bytes has values"),
        (b'{"outputs": {"label_id": [0], "image_bytes": null}}', "image_bytes has values"),
        (b'{"outputs": {"label_id": [0]}}', "output image_bytes is missing"),
        (b'{"outputs": [[1]]}' + b" " * 80, "output image_bytes is missing"),
        (b'{"outputs": ' + b" " * 900_000 + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply"),
        (b'{"outputs": NaN}', "NaN"),
        (b"[" + b"[]," * 100_000 + b"1]", "more lists"),
        (b"[" + b"{}," * 100_000 + b"1]", "more lists"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)  # fmt: skip
def test_an_answer_of_another_kind_is_one_error(answer, message):
    with pytest.raises(ServingError, match=message):
        ask(says(answer))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([[[[300, 0, 0]]]], "values from 0 to 300"),
        ([[[[-1, 0, 0]]]], "values from -1 to 0"),
        ([[[[0.5, 0.0, 0.0]]]], "float64 values"),
        ([[[[0, 0, 0], [0, 0, 0]]]], "shape"),
        ([[[[0, 0, 0, 0]]]], "shape"),
        ([[[[0, 0, 0], [0, 0]]]], "image has values"),
        ([], "float64 values"),
        ("x", "image has values"),
    ],
)
def test_pixels_of_another_kind_are_one_error(image, message):
    body = json.dumps({"outputs": image}).encode()
    with (
        serving(says(body)) as (address, _),
        Client(address, model="m") as client,
        pytest.raises(ServingError, match=message),
    ):
        client.generate([0], [0])


def test_images_of_unlike_sizes_are_refused():
    with pytest.raises(ServingError, match="16x16 pixels, expected was 8x8"):
        ask(says(prediction([png(8), png(16)])), 2)
    origin = Origin(
        run_id="", data_name="", data_fingerprint="", checkpoint_hash="", images_seen=0,
        preset_name="", image_size=32, software="",
    )  # fmt: skip
    with pytest.raises(ServingError, match="8x8 pixels, expected was 32x32"):
        ask(says(prediction([png(8)])), origin=origin)


def drip(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        time.sleep(0.02)


def drip_headers(handler):
    for _ in range(1000):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.02)


def drip_reason(handler):
    handler.send_response(500)
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b"x")
        time.sleep(0.02)


@pytest.mark.parametrize("handle", [drip, drip_headers, drip_reason])
def test_the_timeout_bounds_the_whole_attempt(handle):
    start = time.monotonic()
    with pytest.raises(ServingError, match=r"did not answer within 0\.3 s") as late:
        ask(handle, timeout=0.3)
    assert time.monotonic() - start < 5
    assert late.value.code == "DEADLINE_EXCEEDED"
    deadline = time.monotonic() + 5
    while any(thread.name == "skin-synth-client" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the attempt goes on"
        time.sleep(0.02)


def test_an_answer_without_end_is_cut_at_its_limit(monkeypatch):
    monkeypatch.setattr("skin_synth.serving.answers.BYTES_PER_ROW", 2**20)

    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b" " * 2**16)

    tracemalloc.start()
    with pytest.raises(ServingError, match="sent more than 2,097,152 bytes") as failure:
        ask(endless)
    assert failure.value.code == "RESOURCE_EXHAUSTED"
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_the_limit_leaves_room_for_any_sound_answer():
    pixels = json.dumps({"outputs": [[[[255] * 3] * 1024] * 1024]})
    assert len(pixels) < largest_answer(1) <= largest_answer(64) == 256 * 2**20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status):
    with serving(says(prediction([png()]))) as (elsewhere, seen):
        with pytest.raises(ServingError, match=f"{status}: it redirects, which is not followed"):
            ask(says(b"", status, Location=f"{elsewhere}/x"))
        assert seen == []


def test_reasons_of_a_server_cannot_steer_a_terminal():
    with pytest.raises(InputError) as refusal:
        ask(says(json.dumps({"error": "no\n\x1b[2J\u202e"}).encode(), 400))
    assert r"no\x0a\x1b[2J\u202e" in str(refusal.value)


def test_a_connection_that_is_cut_is_a_temporary_failure():
    with pytest.raises(ServingError, match=r"cannot be reached.*after 2 attempts"):
        ask(says(b"{}", Content_Length=10), retries=1, backoff=0.0)


def test_a_token_is_sent_to_this_machine_and_never_through_a_proxy(monkeypatch):
    with (
        serving(says(prediction([png()]))) as (address, seen),
        serving(says(b"", 500)) as (proxy, proxied),
        Client(address, model="m", access=Access(token="sesame")) as client,
    ):
        monkeypatch.setenv("http_proxy", proxy)
        assert client.images(["a"], [0]).shape == (1, 8, 8, 3)
    [(_, headers)] = seen
    assert headers["Authorization"] == "Bearer sesame"
    assert proxied == []


def test_rest_over_tls_checks_the_certificate():
    with serving(says(prediction([png()])), tls=True) as (address, seen):
        with Client(address, model="m", access=Access(ca_file=PEM, token="sesame")) as client:
            assert client.images(["a"], [0]).shape == (1, 8, 8, 3)
        assert seen[0][1]["Authorization"] == "Bearer sesame"
        with (
            Client(address, model="m", access=Access(token="sesame")) as client,
            pytest.raises(ServingError, match=r"TLS failed: .*CERTIFICATE_VERIFY_FAILED"),
        ):
            client.images(["a"], [0])
        assert len(seen) == 1


@contextlib.contextmanager
def grpc_serving(response, *, tls=False):
    """A gRPC server that gives every request this answer; yields address and metadata."""
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    seen = []

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            seen.append(dict(context.invocation_metadata()))
            return response

    server = grpc.server(ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    if tls:
        pem = PEM.read_bytes()
        credentials = grpc.ssl_server_credentials([(pem, pem[pem.index(b"-----BEGIN CERT") :])])
        port = server.add_secure_port("localhost:0", credentials)
    else:
        port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}", seen
    finally:
        server.stop(0).wait(10)


def predict_response(**tensors):
    from tensorflow_serving.apis import predict_pb2

    response = predict_pb2.PredictResponse()
    for name, (dtype, shape, fields) in tensors.items():
        tensor = response.outputs[name]
        tensor.dtype = dtype
        for side in shape:
            tensor.tensor_shape.dim.add().size = side
        for field, values in fields.items():
            getattr(tensor, field).extend(values)
    return response


UINT8, STRING, INT64, DOUBLE = 4, 7, 9, 2


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"image": (UINT8, (10**6, 512, 512, 3), {"int_val": [1]})}, "shape"),  # 786 GB
        ({"image": (UINT8, (1, 2**20, 2**20, 3), {"int_val": [1]})}, "shape"),
        ({"image": (DOUBLE, (1, 1024, 1024, 3), {"double_val": [1]})}, "type"),
        ({"image": (UINT8, (2, 8, 8, 3), {"int_val": [1]})}, "shape"),
        ({"image": (UINT8, (1, -1, 8, 3), {"int_val": [1]})}, "shape"),
        ({"image": (UINT8, (1, 8, 8, 3), {"int_val": [1, 2]})}, None),  # the last one repeated
        ({"image": (99, (1, 8, 8, 3), {})}, "cannot be read"),
        ({"other": (UINT8, (1,), {})}, "image is missing, it has nothing"),
    ],
)
def test_grpc_answers_of_another_kind_are_one_error(tensors, message):
    with (
        grpc_serving(predict_response(**tensors)) as (address, _),
        Client(address, model="m") as client,
    ):
        if message is None:
            assert client.generate([0], [0]).shape == (1, 8, 8, 3)
            return
        with pytest.raises(ServingError, match=message):
            client.generate([0], [0])


def test_grpc_checks_the_certificate_and_sends_credentials():
    answer = predict_response(image=(UINT8, (1, 8, 8, 3), {"int_val": [1]}))
    with grpc_serving(answer, tls=True) as (address, seen):
        access = Access(tls=True, ca_file=PEM, token="sesame")
        with Client(address, model="m", access=access) as client:
            np.testing.assert_array_equal(client.generate([0], [0]), 1)
        assert seen[0]["authorization"] == "Bearer sesame"
        with (
            Client(address, model="m", retries=0, access=Access(tls=True)) as client,
            pytest.raises(ServingError, match="UNAVAILABLE"),
        ):
            client.generate([0], [0])
        assert len(seen) == 1


def test_other_call_credentials_reach_the_server():
    import grpc

    plugin = Mock(side_effect=lambda context, done: done((("x-key", "open"),), None))
    credentials = grpc.metadata_call_credentials(plugin)
    answer = predict_response(image=(UINT8, (1, 8, 8, 3), {"int_val": [1]}))
    with grpc_serving(answer, tls=True) as (address, seen):
        access = Access(tls=True, ca_file=PEM, call_credentials=credentials)
        with Client(address, model="m", access=access) as client:
            client.generate([0], [0])
        assert seen[0]["x-key"] == "open"


def test_a_closed_client_is_one_error():
    client = Client("localhost:1", model="m")
    client.close()
    with pytest.raises(ServingError, match="closed channel"):
        client.generate([0], [0])


@pytest.mark.parametrize("labels", [[1], [b"a"], [None], ["\ud800"]])
def test_labels_that_are_no_text_are_never_sent(labels):
    with pytest.raises(InputError, match="labels must be class names"):
        Client("http://localhost:1", model="m").images(labels, [0])
