"""skin-synth-client: the client alone, from the same sources, where there is little else."""

from __future__ import annotations

import base64
import json
import re
import runpy
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

from skin_synth.image_grid import png_bytes
from tests.architecture.test_lazy_imports import without_libraries

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "client" / "setup.py"


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder that holds the package; its metadata are those of an installation."""
    folder = tmp_path_factory.mktemp("client")
    runpy.run_path(str(SETUP))["write_package"](folder)
    metadata = folder / "skin_synth_client-9.8.7.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: skin-synth-client\nVersion: 9.8.7\n")
    return folder


def test_the_package_is_small_and_names_no_other(package):
    files = sorted(package.rglob("*.py"))
    assert 20 < len(files) < 50
    assert sum(file.stat().st_size for file in files) < 200_000
    text = "".join(file.read_text("utf-8") for file in files)
    assert "    from skin_synth_client.tfrecords_tools." in text  # in functions, too
    assert not re.search(r"(?m)^\s*(from|import) (skin_synth|tfrecords_tools)\b", text)


def test_requirements_and_version_are_those_of_the_library():
    found = runpy.run_path(str(SETUP))["settings"]()
    assert [line.split(">")[0] for line in found["install_requires"]] == ["numpy", "pillow"]
    assert f"version = {found['version']}" in (ROOT / "setup.cfg").read_text()


class Handler(BaseHTTPRequestHandler):
    """Answers each request with one green image."""

    def do_POST(self):

        rows = len(
            json.loads(self.rfile.read(int(self.headers["Content-Length"])))["inputs"]["seed"]
        )
        png = base64.b64encode(png_bytes(np.full((8, 8, 3), (0, 200, 0), np.uint8))).decode()
        outputs = {"image_bytes": [{"b64": png}] * rows, "label_id": [0] * rows}
        body = json.dumps({"outputs": outputs}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_it_gets_images_with_numpy_and_pillow_only(package):
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code = f"""
import importlib.metadata
of = importlib.metadata.version

def version(name):  # skin-synth is not installed
    if name == "skin-synth":
        raise importlib.metadata.PackageNotFoundError(name)
    return of(name)

importlib.metadata.version = version
sys.path.insert(0, {str(package)!r})
from skin_synth_client import Access, Client, InputError, ServingError
with Client("http://127.0.0.1:{server.server_port}", model="skin") as client:
    print(client.images(["mel", "nv"], seeds=[1, 2]).mean((0, 1, 2)))
    png = client.pngs(["mel"], seeds=[1])[0]
print(b"skin-synth 9.8.7" in png and b"skin_synth:label" in png)
"""
        printed = without_libraries(code, "numpy", "PIL", "skin_synth_client", cwd=package)
        server.shutdown()
    first, second = printed.splitlines()
    assert first == "[  0. 200.   0.]"
    assert second == "True"
