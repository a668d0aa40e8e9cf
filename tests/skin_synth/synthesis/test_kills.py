"""A balance and an export that are killed leave nothing half-written, and go on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.files import contents
from tests.skin_synth.synthesis.conftest import STEPS
from tfrecords_tools import verify

KILLS = int(os.environ.get("SKIN_SYNTH_KILLS", "5"))
"""Of each; 20 and more by the environment, for they take their time."""
PATIENCE = 300
DRIVER = """
import os, sys
import tensorflow, tensorflow_datasets
from skin_synth.training.runs import load_run
from skin_synth.serving import export
from skin_synth.synthesis import balance

print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        run = load_run(sys.argv[1])
        print("loaded", flush=True)
        if line.strip() == "export":
            export(run, sys.argv[4])
        else:
            balance(run, sys.argv[2], sys.argv[3], target=18, steps=int(sys.argv[5]), seed=3)
        print("done", flush=True)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("over", flush=True)
"""
"""Imports once. The children run the first operations, so that no thread is lost by the fork."""


class Driver:
    def __init__(self, *places):
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, *map(str, places), str(STEPS)],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self.line() == "ready"

    def line(self, patience=PATIENCE):
        if not select.select([self.process.stdout], [], [], patience)[0]:
            return ""
        return self.process.stdout.readline().decode().strip()

    def run(self, what, seconds=None):
        """Seconds from the start of the work to its end, or to its kill."""
        self.process.stdin.write(f"{what}\n".encode())
        lines = {self.line(), self.line()}
        child = int(next(line for line in lines if line.isdigit()))
        assert "loaded" in lines
        started = time.monotonic()
        ended = self.line(PATIENCE if seconds is None else seconds)
        took = time.monotonic() - started
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        assert ended in (("done",) if seconds is None else ("", "done"))
        while ended != "over":
            ended = self.line()
            assert ended in ("done", "over")
        return took


@pytest.fixture(scope="module")
def driver(tiny_run, phantom_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("kills")
    started = Driver(tiny_run.directory, phantom_data, root / "balanced", root / "model")
    yield started, root
    started.process.kill()
    started.process.communicate()


def test_a_killed_balance_goes_on(driver):
    driver, root = driver
    out = root / "balanced"
    seconds = driver.run("balance")
    whole = contents(out)
    out.rename(root / "undisturbed")
    random = np.random.default_rng(0)
    killed = 0
    for number in range(KILLS):
        driver.run("balance", random.uniform(0, seconds / 2))
        visible = [path.name for path in root.iterdir() if not path.name.startswith(".")]
        if "balanced" in visible:
            assert contents(out) == whole
            out.rename(root / f"undisturbed-{number}")
        else:
            killed += 1
    assert killed
    driver.run("balance")
    assert contents(out) == whole
    assert verify(out).problems == ()
    assert not [path.name for path in root.iterdir() if path.name.startswith(".")]


def test_a_killed_export_leaves_no_version(driver, tiny_run):
    import tensorflow as tf

    driver, root = driver
    model = root / "model"
    seconds = driver.run("export")
    random = np.random.default_rng(1)
    for _ in range(KILLS):
        driver.run("export", random.uniform(0, seconds))
        for version in model.iterdir():
            if not version.name.startswith("."):
                assert (version / "origin.json").is_file(), "the last file but one is missing"
                assert (version / "model_card.md").is_file()
    driver.run("export")
    last = max(
        (path for path in model.iterdir() if path.name.isdecimal()), key=lambda p: int(p.name)
    )
    images = tf.saved_model.load(str(last)).signatures["generate"](
        label_id=tf.constant([1], tf.int64),
        seed=tf.constant([5], tf.int64),
        truncation=tf.ones([1]),
    )["image"]
    np.testing.assert_array_equal(images, tiny_run.generate([1], [5]))
