"""Sends requests to the REST API of TF Serving, by the standard library."""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from http.client import (
    HTTPConnection,
    HTTPException,
    HTTPMessage,
    HTTPResponse,
    HTTPSConnection,
    IncompleteRead,
)
from typing import Any, TypeVar

import numpy as np

from skin_synth.serving.address import Access, Address, as_address
from skin_synth.serving.answers import (
    IMAGE,
    OUTPUTS,
    Answer,
    checked,
    from_json,
    largest_answer,
    wrong_answer,
)
from skin_synth.serving.errors import (
    LONGEST_REASON,
    RetryableError,
    ServingError,
    failure,
    late,
    too_large,
)
from skin_synth.serving.transports import row_count
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import parse_json
from tfrecords_tools.text import escaped

BYTES_PER_LIST = 7
"""A list of pixels in JSON takes at least `[0,0,0]`; shorter ones would only take memory."""

Result = TypeVar("Result")


class Rest:
    """The REST API of TF Serving, in its columnar format."""

    def __init__(
        self,
        address: str | Address,
        model: str,
        version: int | None,
        timeout: float,
        access: Access = Access(),  # noqa: B008 (it is frozen)
    ) -> None:
        """Makes the URL from http://host:8501; see `Client` for the other arguments."""
        place = as_address(address)
        versions = "" if version is None else f"/versions/{version}"
        name = urllib.parse.quote(model, safe="")
        self.url = f"{place}/v1/models/{name}{versions}:predict"
        self.version = "" if version is None else str(version)
        self.timeout = timeout
        self.headers = {"Content-Type": "application/json"}
        if access.token is not None:
            self.headers["Authorization"] = f"Bearer {access.token}"
        # A proxy is another machine.
        self.proxies: dict[str, str] | None = {} if place.is_loopback else None
        self.context = None
        if place.scheme == "https":
            self.context = _tls_context(access)

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Answer:
        """Calls a signature; see `Transport`."""
        rows = row_count(inputs)
        lists = {name: values.tolist() for name, values in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": lists}).encode()
        content = self._post(body, largest_answer(rows))
        return Answer(self._outputs(content, signature, rows), self.version)

    def close(self) -> None:
        """Does nothing, because each request has its own connection."""

    def _post(self, body: bytes, limit: int) -> bytes:
        request = urllib.request.Request(self.url, body, self.headers)
        connections = _Connections(self.context)
        opener = _opener(connections, self.proxies)
        read = functools.partial(_read, opener, request, self.timeout, limit)
        try:
            content = _within(self.timeout, read, connections.abort)
        except (InputError, ServingError):
            raise
        except (urllib.error.URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise late(self.url, self.timeout) from error
            if isinstance(reason, ssl.SSLError):
                raise ServingError(f"{self.url}: TLS failed: {reason}", "UNREACHABLE") from error
            message = f"{self.url} cannot be reached: {escaped(str(reason))}"
            raise RetryableError(message, "UNREACHABLE") from error
        if len(content) > limit:
            raise too_large(self.url, limit)
        return content

    def _outputs(self, content: bytes, signature: str, rows: int) -> dict[str, np.ndarray]:
        try:
            brackets = content.count(b"[") + content.count(b"{")
            if brackets > len(content) // BYTES_PER_LIST + rows + 2:
                raise wrong_answer("it has more lists than its images need")
            outputs = parse_json(content)["outputs"]
            # TF Serving omits the name of a single output.
            named = outputs if isinstance(outputs, dict) else {IMAGE: outputs}
            wanted = {name: named[name] for name in OUTPUTS[signature] if name in named}
            arrays = {name: from_json(name, values) for name, values in wanted.items()}
            return checked(arrays, signature, rows)
        except ServingError as error:
            raise self._no_prediction(signature, content, str(error), error.code) from error
        except (ValueError, KeyError, TypeError) as error:
            raise self._no_prediction(signature, content, repr(error), "UNKNOWN") from error

    def _no_prediction(
        self, signature: str, content: bytes, reason: str, code: str
    ) -> ServingError:
        return ServingError(
            f"{self.url} answered {signature}, but not with a prediction ({reason}): "
            f"{content[:200]!r}; is TF Serving behind this address?",
            code,
        )


def _tls_context(access: Access) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=access.ca_file)
    except OSError as error:  # also SSLError
        raise InputError(f"ca_file {access.ca_file} holds no certificates: {error}") from error


class _Connections(urllib.request.AbstractHTTPHandler):
    """Opens connections, and can end them from another thread."""

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self.tls = context
        self.sockets: list[socket.socket] = []

    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(self._noted(HTTPConnection), request)

    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        kind = self._noted(HTTPSConnection)
        return self.do_open(kind, request, context=self.tls)

    def abort(self) -> None:
        """Ends all connections. A reader of one of them gets the end of the stream."""
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _noted(self, kind: type[HTTPConnection]) -> type[HTTPConnection]:
        sockets = self.sockets

        class Noted(kind):  # type: ignore[valid-type, misc]
            def connect(self) -> None:
                super().connect()
                sockets.append(self.sock)

        return Noted


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes an error of a redirect, because it could lead a request with its token anywhere."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: Any,
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        fp.close()
        reason = "it redirects, which is not followed: give the address that it leads to"
        raise urllib.error.HTTPError(req.full_url, code, reason, headers, None)


def _opener(
    connections: _Connections, proxies: dict[str, str] | None
) -> urllib.request.OpenerDirector:
    """Returns an opener for HTTP and HTTPS only; `build_opener` would also read files and FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        connections,
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _NoRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _read(
    opener: urllib.request.OpenerDirector,
    request: urllib.request.Request,
    timeout: float,
    limit: int,
) -> bytes:
    """Reads an answer, at most one byte more than `limit`; raises the error of its status."""
    try:
        with opener.open(request, timeout=timeout) as response:
            content = response.read(limit + 1)
            if len(content) <= limit and response.length:
                raise IncompleteRead(content, response.length)
            return content
    except urllib.error.HTTPError as error:
        reason = _reason(error)
        raise failure(request.full_url, str(error.code), reason, "HTTP status ") from error


def _within(seconds: float, work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Calls `work`; raises TimeoutError after `seconds`, whatever it waits for.

    The timeout of a socket is for one step only: a server that sends a byte now and then, and one
    whose name is slow to resolve, would take any time. So the work has a thread, which `stop` ends.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="skin-synth-client", daemon=True).start()
    try:
        return future.result(seconds)
    finally:
        stop()


def _reason(error: urllib.error.HTTPError) -> str:
    """Returns the reason in the body of an answer, or that of its status."""
    text = ""
    if error.fp is not None:
        with error.fp, contextlib.suppress(OSError, HTTPException, ValueError):
            text = error.fp.read(LONGEST_REASON).decode(errors="replace")
    try:
        return str(parse_json(text.encode())["error"])
    except (ValueError, KeyError, TypeError):
        return text.strip() or str(error.reason)
