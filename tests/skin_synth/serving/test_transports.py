"""Transports when something goes wrong: no server, no answer, a wrong answer."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest.mock import Mock
from urllib.parse import unquote

import numpy as np
import pytest

from skin_synth.serving.errors import RetryableError, ServingError
from skin_synth.serving.grpc_api import Grpc
from skin_synth.serving.rest import Rest
from skin_synth.serving.transports import with_retries
from tfrecords_tools.errors import InputError

INPUTS = {"label": np.array(["star"], object), "seed": np.array([1], np.int64)}


@contextmanager
def answering(content):
    """The address of a server that answers one connection with these bytes; None: not at all."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        listener.settimeout(10)

        def serve():
            connection, _ = listener.accept()
            if content is not None:
                connection.recv(65536)
                connection.sendall(content)
                connection.close()
            return connection

        served = pool.submit(serve)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        served.result(10).close()


def http(status, body):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_server_that_is_not_there_may_come_later():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(RetryableError, match="cannot be reached"):
        Rest(f"http://{address}", "skin", None, 5).predict("serving_default", INPUTS)
    transport = Grpc(address, "skin", None, 5)
    with pytest.raises(RetryableError, match="UNAVAILABLE"):
        transport.predict("serving_default", INPUTS)
    transport.close()


def test_a_server_that_does_not_answer_is_given_up_in_time():
    with answering(None) as address, pytest.raises(ServingError, match=r"within 0\.2 s") as late:
        Rest(f"http://{address}", "skin", None, 0.2).predict("serving_default", INPUTS)
    assert late.value.code == "DEADLINE_EXCEEDED"
    assert not isinstance(late.value, RetryableError)
    with answering(None) as address:
        transport = Grpc(address, "skin", None, 0.2)
        with pytest.raises(ServingError, match=r"within 0\.2 s|UNAVAILABLE"):
            transport.predict("serving_default", INPUTS)
        transport.close()


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (http("200 OK", "<html>hello</html>"), ServingError, "is TF Serving behind this address"),
        (http("200 OK", '{"predictions": []}'), ServingError, "KeyError"),
        (http("200 OK", '{"outputs": {"image_bytes": [1]}}'), ServingError, "not with a predict"),
        (http("503 Busy", '{"error": "loading"}'), RetryableError, "503: loading"),
        (http("502 Bad Gateway", "proxy"), RetryableError, "502: proxy"),
        (http("500 Oops", ""), ServingError, "500: Oops"),
        (http("400 Bad", '{"error": "unknown label"}'), InputError, "INVALID_ARGUMENT.*unknown"),
        (b"", RetryableError, "cannot be reached"),
    ],
)
def test_answers_of_rest(answer, kind, message):
    with answering(answer) as address, pytest.raises(kind, match=message) as failure:
        Rest(f"http://{address}", "skin", 3, 5).predict("serving_default", INPUTS)
    assert type(failure.value) is kind
    assert "/v1/models/skin/versions/3:predict" in str(failure.value)


@pytest.mark.parametrize("model", ["my model", "a/b", "a:b", "Pigmentmäler", "x\r\ny"])
def test_a_model_of_any_name_is_requested(model):
    refusal = http("404 Not Found", '{"error": "no such model"}')
    with answering(refusal) as address, pytest.raises(InputError, match="NOT_FOUND") as message:
        Rest(f"http://{address}", model, 3, 5).predict("serving_default", INPUTS)
    [path] = re.findall("/v1/models/([!-~]+)/versions/3:predict", str(message.value))
    assert unquote(path) == model
    assert not set("/: ") & set(path)


def test_waits_double_up_to_a_limit_after_temporary_failures_only():
    waits, busy = [], Mock(side_effect=RetryableError("busy", "UNAVAILABLE"))
    with pytest.raises(ServingError, match=r"busy \(after 7 attempts\)"):
        with_retries(busy, retries=6, backoff=0.5, sleep=waits.append)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert busy.call_count == 7
    broken = Mock(side_effect=ServingError("broken", "INTERNAL"))
    with pytest.raises(ServingError, match="broken"):
        with_retries(broken, retries=6, backoff=0.0)
    assert broken.call_count == 1
