"""Transports where something goes wrong: nobody there, nobody answers, nonsense for an answer."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import contextmanager
from urllib.parse import unquote

import numpy as np
import pytest

from skin_synth.serving.transports import (
    LONGEST_WAIT,
    Grpc,
    Rest,
    RetryableError,
    ServingError,
    with_retries,
)
from tfrecords_tools.errors import InputError

INPUTS = {"label": np.array(["star"], object), "seed": np.array([1], np.int64)}


@contextmanager
def answering(content):
    """An address whose server sends these bytes to whoever connects; nothing where None."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        held = []

        def serve():
            connection, _ = listener.accept()
            held.append(connection)
            if content is not None:
                connection.recv(65536)
                connection.sendall(content)
                connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)
        for connection in held:
            connection.close()


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def http(status, body):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_nobody_there_may_pass():
    address = free_address()
    with pytest.raises(RetryableError, match="cannot be reached"):
        Rest(f"http://{address}", "skin", None, 5).predict("serving_default", INPUTS)
    transport = Grpc(address, "skin", None, 5)
    with pytest.raises(RetryableError, match="UNAVAILABLE"):
        transport.predict("serving_default", INPUTS)
    transport.close()


def test_nobody_who_answers_is_given_up_in_time():
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
        (
            http("200 OK", '{"outputs": {"image_bytes": [1]}}'),
            ServingError,
            "not with a prediction",
        ),
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
def test_a_model_of_any_name_is_asked_for(model):
    refusal = http("404 Not Found", '{"error": "no such model"}')
    with answering(refusal) as address, pytest.raises(InputError, match="NOT_FOUND") as message:
        Rest(f"http://{address}", model, 3, 5).predict("serving_default", INPUTS)
    [path] = re.findall("/v1/models/([!-~]+)/versions/3:predict", str(message.value))
    assert unquote(path) == model
    assert not set("/: ") & set(path)


def test_waits_double_up_to_a_limit():
    waits, attempts = [], []

    def failing():
        attempts.append(1)
        raise RetryableError("busy", "UNAVAILABLE")

    with pytest.raises(ServingError, match=r"busy \(after 7 attempts\)"):
        with_retries(failing, retries=6, backoff=0.5, sleep=waits.append)
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, LONGEST_WAIT]
    assert len(attempts) == 7


def test_what_will_not_pass_is_tried_once():
    attempts = []

    def failing():
        attempts.append(1)
        raise ServingError("broken", "INTERNAL")

    with pytest.raises(ServingError, match="broken"):
        with_retries(failing, retries=6, backoff=0.0)
    assert len(attempts) == 1
