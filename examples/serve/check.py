"""Starts tensorflow_model_server in docker, asks it both ways, and checks the answers.

Takes about a minute the first time, to fetch the image of TF Serving. Without docker it says so and
ends with 0: nothing was checked.

    python examples/serve/check.py runs/ham/model
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.serving import Client, ServingError
from tfrecords_tools.errors import InputError

REST, GRPC = 18501, 18500
NAME = f"skin-serving-check-{os.getpid()}"
PATIENCE = 300
SEEDS = np.arange(5)


def main(model_dir: str) -> int:
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    newest = max((path for path in Path(model_dir).iterdir() if path.name.isdigit()), key=number)
    names = (newest / "assets" / "labels.txt").read_text("utf-8").splitlines()
    ids = SEEDS % len(names)
    local = tf.saved_model.load(str(newest)).signatures["generate"]
    expected = local(
        label_id=tf.constant(ids, tf.int64),
        seed=tf.constant(SEEDS, tf.int64),
        truncation=tf.ones([len(ids)]),
    )["image"].numpy()
    environment = os.environ | {"NAME": NAME, "REST_PORT": str(REST), "GRPC_PORT": str(GRPC)}
    script = Path(__file__).with_name("serve.sh")
    server = subprocess.Popen([script, model_dir], env=environment)
    try:
        for address in (f"http://127.0.0.1:{REST}", f"127.0.0.1:{GRPC}"):
            check(address, [names[label] for label in ids], expected, server)
    finally:
        subprocess.run(["docker", "stop", NAME], capture_output=True, check=False)
        server.wait(60)
    return 0


def number(version: Path) -> int:
    return int(version.name)


def why_not() -> str:
    """Returns why docker cannot be used; empty if it can."""
    if shutil.which("docker") is None:
        return "there is no docker"
    told = subprocess.run(["docker", "info"], capture_output=True, text=True, check=False)
    if told.returncode:
        return f"docker does not work here: {told.stderr.strip().splitlines()[-1]}"
    return ""


def check(
    address: str, labels: list[str], expected: np.ndarray, server: subprocess.Popen[bytes]
) -> None:
    """The images of the SavedModel, at most one grey level apart, and a refusal that says why."""
    with Client(address, model="skin", retries=0) as client:
        images = when_ready(client, labels, server)
        apart = int(np.abs(images.astype(int) - expected.astype(int)).max())
        if apart > 1:
            raise SystemExit(f"{address}: images are {apart} grey levels apart")
        try:
            client.images(["no such class"], [1])
        except InputError as refusal:
            if "unknown label" not in str(refusal):
                raise
        else:
            raise SystemExit(f"{address}: an unknown label was not refused")
    print(f"{address}: {len(images)} images, at most {apart} grey levels apart; refusals say why")


def when_ready(client: Client, labels: list[str], server: subprocess.Popen[bytes]) -> np.ndarray:
    """The first answer; the server loads the model, and docker may fetch its image, before."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return client.images(labels, SEEDS)
        except (ServingError, InputError):
            if server.poll() is not None:
                raise SystemExit("the container ended, nothing was checked; see above") from None
            if time.monotonic() > end:
                raise
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
