"""A headless Chromium that tests drive over its debugging protocol, as a user would: by clicks."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 20.0


class Page:
    """The one page of a browser."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0

    def send(self, method: str, **parameters: object) -> dict[str, Any]:
        """Sends a command of the protocol, and returns its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            found = json.loads(self._socket.recv())
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]

    def open(self, path: Path) -> None:
        """Opens a file, or loads it again, and waits until its scripts have run."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=path.as_uri())
        self.until(
            f"location.href == {json.dumps(path.as_uri())} && document.readyState == 'complete'"
        )

    def value(self, expression: str) -> Any:
        """Evaluates JavaScript."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str) -> None:
        """Waits until a JavaScript expression is true."""
        end = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < end, f"never true: {expression}"
            time.sleep(0.02)

    def click(self, selector: str) -> None:
        """Scrolls an element into view, and clicks into its middle."""
        x, y = self.value(
            f"(() => {{ const element = document.querySelector({json.dumps(selector)}); "
            "element.scrollIntoView({block: 'center'}); "
            "const box = element.getBoundingClientRect(); "
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str) -> None:
        """Presses a key and lets it go."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def type(self, text: str) -> None:
        """Types into the element that has the focus."""
        self.send("Input.insertText", text=text)

    def screenshot(self, file: Path, width: int, height: int, *, whole: bool = False) -> None:
        """Writes a PNG of the page in a window of this size."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        found = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Starts a browser whose profile and downloads are in a folder; skips a test without one."""
    websocket = pytest.importorskip("websocket", reason="needs websocket-client")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip(f"no browser among {', '.join(NAMES)}")
    flags = (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={folder / 'profile'}"),
        *("--remote-allow-origins=*", "about:blank"),
    )
    log = folder / "browser.log"
    with log.open("w") as file:
        process = subprocess.Popen([program, *flags], stdout=file, stderr=file)
    try:
        port = _port(log, process)
        with contextlib.closing(_connect(websocket, port)) as socket:
            page = Page(socket)
            page.send("Page.enable")
            page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
            yield page
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _port(log: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + PATIENCE
    while True:
        found = re.search(r"listening on ws://127\.0\.0\.1:(\d+)/", log.read_text(errors="replace"))
        if found:
            return int(found[1])
        if process.poll() is not None or time.monotonic() > end:
            pytest.skip(
                f"the browser does not start here: {log.read_text(errors='replace')[-300:]}"
            )
        time.sleep(0.02)


def _connect(websocket: Any, port: int) -> Any:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
        targets = json.loads(answer.read())
    address = next(each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page")
    return websocket.create_connection(address, timeout=PATIENCE)
