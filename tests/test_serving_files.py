"""The files for docker: they parse, fit each other, and the health check tells ready from not."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_status_pb2

HERE = Path(__file__).parents[1] / "examples" / "serve"
COMPOSE = yaml.safe_load((HERE / "compose.yaml").read_text())
SERVICE = COMPOSE["services"]["skin"]


def test_compose_names_files_that_exist_and_mounts_what_its_flags_read():
    mounted = {}
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source, target, mode = volume.rsplit(":", 2)
            assert mode == "ro"
            mounted[target] = source
            assert source.startswith("${MODEL:?") or (HERE / source).is_file()
    flags = dict(flag.removeprefix("--").split("=") for flag in SERVICE["command"])
    assert flags.pop("enable_batching") == "true"
    assert set(flags) == {"batching_parameters_file", "monitoring_config_file"}
    assert set(flags.values()) | {f"/models/{SERVICE['environment']['MODEL_NAME']}"} <= set(mounted)
    assert SERVICE["healthcheck"]["test"] == ["CMD", "/healthy.sh"]
    assert "/healthy.sh" in mounted


def test_all_ports_are_open_on_this_machine_only():
    ports = [port for service in COMPOSE["services"].values() for port in service["ports"]]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_script_compose_and_dockerfile_start_the_same_server():
    script, docker = ((HERE / name).read_text() for name in ("serve.sh", "Dockerfile"))
    images = re.findall(r"tensorflow/serving:([\d.]+)", script + docker + SERVICE["image"])
    assert images == ["2.20.0"] * 3
    assert json.loads(re.search(r"^CMD (.*)$", docker, re.MULTILINE)[1]) == SERVICE["command"]
    assert all(flag in script for flag in SERVICE["command"])
    copied = re.search(r"COPY --from=serve (.*) /\n", docker)[1].split()
    assert all((HERE / name).is_file() for name in copied)
    assert {f"/{name}" for name in copied} >= {"/batching.txt", "/monitoring.txt", "/healthy.sh"}


def test_the_figures_are_where_prometheus_looks():
    # The proto of this file is in no Python package; the form is that of TF Serving's guide.
    text = "".join(re.sub("#.*", "", (HERE / "monitoring.txt").read_text()).split())
    path = re.fullmatch(r'prometheus_config{enable:truepath:"(/\S+)"}', text)[1]
    [scraped] = yaml.safe_load((HERE / "prometheus.yml").read_text())["scrape_configs"]
    assert scraped["metrics_path"] == path
    assert scraped["static_configs"] == [{"targets": ["skin:8501"]}]


@pytest.mark.parametrize(
    ("state", "code"), [("AVAILABLE", 0), ("LOADING", 1), ("UNLOADING", 1), (None, 1)]
)
def test_the_health_check(state, code):
    answer = get_model_status_pb2.GetModelStatusResponse()
    if state:
        answer.model_version_status.add(version=1, state=state)
    body = json_format.MessageToJson(answer, preserving_proto_field_name=True)
    assert not state or f'"state": "{state}"' in body

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path == "/v1/models/skin"
            self.send_response(200 if state else 404)
            self.end_headers()
            self.wfile.write(body.encode() if state else b'{"error": "Could not find AVAILABLE"}')

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {**os.environ, "REST_PORT": str(server.server_port)}
        done = subprocess.run([HERE / "healthy.sh"], env=environment, timeout=30, check=False)
        server.shutdown()
    assert done.returncode == code


def test_a_server_that_is_not_there_is_not_healthy():
    done = subprocess.run(
        [HERE / "healthy.sh"],
        env={**os.environ, "REST_PORT": "1"},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
