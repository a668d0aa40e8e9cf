"""Training that signals end or kill: where it goes on, and that nothing differs in the end."""

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

from skin_synth.training.runs import RunDirectory, load_run
from skin_synth.training.trainer import train
from tests.conftest import TINY
from tests.skin_synth.training.test_trainer import assert_same_state
from tfrecords_tools.errors import InputError

KILLS = int(os.environ.get("SKIN_SYNTH_KILLS", "4"))
"""20 and more by the environment, for they take their time."""
IMAGES = 400
PRESET = TINY | {"name": "stops-32", "checkpoint_images": 100, "validation_images": 0}
PATIENCE = 300
DRIVER = """
import dataclasses, os, sys
import tensorflow, tensorflow_datasets
from skin_synth import cli, training
from skin_synth.presets import PRESETS, get_preset

preset = dataclasses.replace(get_preset("derm-32"), **eval(sys.argv[1]))
PRESETS[preset.name] = preset
training.EPOCH_IMAGES = 100
print("ready")
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os._exit(cli.main_with(line.split()))
    print("child", child)
    print("exit", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Imports once. The children run the first operations, so that no thread is lost by the fork."""


class Driver:
    """Starts training in children, and ends them."""

    def __init__(self, errors):
        self.errors = errors
        with errors.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", DRIVER, repr(PRESET)],
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                bufsize=0,
                start_new_session=True,
            )
        self.until("ready")

    def until(self, word):
        """The next line that holds the word, its last word alone."""
        while True:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], "training hangs"
            line = self.process.stdout.readline().decode().strip()
            assert line or self.process.poll() is None, self.errors.read_text()
            if word in line.split():
                return line.split()[-1]
            if line.startswith("exit"):
                raise AssertionError(f"ended before {word!r}: {self.errors.read_text()}")

    def start(self, words):
        """Number of a child, once it trains."""
        self.process.stdin.write(f"train {words}\n".encode())
        return int(self.until("child"))

    def exit_code(self):
        return int(self.until("exit"))

    def over(self):
        return bool(select.select([self.process.stdout], [], [], 0)[0])


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    started = Driver(tmp_path_factory.mktemp("driver") / "stderr")
    yield started
    os.killpg(started.process.pid, signal.SIGKILL)  # a child of a failed test among them
    started.process.communicate()


@pytest.fixture(scope="module")
def words(phantom_data):
    return f"--data {phantom_data} --preset stops-32 --images {IMAGES} --run"


@pytest.fixture(scope="module")
def undisturbed(driver, words, tmp_path_factory):
    """A run in one go, and the seconds that it took."""
    run = tmp_path_factory.mktemp("undisturbed") / "run"
    started = time.monotonic()
    driver.start(f"{words} {run}")
    assert driver.exit_code() == 0
    return load_run(run), time.monotonic() - started


def wait_for_checkpoint(driver, run, count=1):
    """Until a checkpoint is being written."""
    folder, deadline = run / "checkpoints", time.monotonic() + PATIENCE
    seen: set[str] = set()
    while time.monotonic() < deadline and not driver.over():
        if folder.is_dir():
            seen |= {path.name for path in folder.iterdir() if path.name.startswith(".tmp-")}
        if len(seen) >= count:
            return
        time.sleep(0.0005)


def test_killed_at_random_moments_a_run_ends_with_the_same_weights(
    driver, words, undisturbed, tmp_path
):
    whole, seconds = undisturbed
    run = tmp_path / "run"
    random = np.random.default_rng(0)
    killed, number = 0, 0
    while killed < KILLS:
        if RunDirectory(run).exists() and load_images(run) >= IMAGES:
            assert_same_state(load_run(run), whole)
            run = tmp_path / f"run-{number}"
        number += 1
        child = driver.start(f"{words} {run}")
        driver.until("on")  # "RUN: POLICY, from image 0 on"
        if number % 2:
            wait_for_checkpoint(driver, run)
            time.sleep(random.uniform(0, 0.02))
        else:
            time.sleep(random.uniform(0, seconds))
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        code = driver.exit_code()
        assert code in (0, -signal.SIGKILL), driver.errors.read_text()
        killed += code != 0
    driver.start(f"{words} {run}")
    assert driver.exit_code() == 0
    assert_same_state(load_run(run), whole)
    assert not [path for path in (run / "checkpoints").iterdir() if path.name.startswith(".")]


def load_images(run):
    found = RunDirectory(run).checkpoints()
    return int(found[-1].name.split("-")[1].split(".")[0]) if found else 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_signal_ends_training_with_a_checkpoint_and_a_line(
    number, driver, words, undisturbed, tmp_path
):
    run = tmp_path / "run"
    child = driver.start(f"{words} {run}")
    driver.until("on")
    os.kill(child, number)
    assert driver.exit_code() == 128 + number
    said = driver.errors.read_text().strip().splitlines()[-1]
    whole, _ = undisturbed
    seen = load_run(run).origin.images_seen
    assert 0 < seen < IMAGES
    assert said == (
        f"skin-synth: stopped by {number.name} at {seen:,} images, checkpoint written; "
        "the same command again goes on from there"
    )
    driver.start(f"{words} {run}")
    assert driver.exit_code() == 0
    assert_same_state(load_run(run), whole)


def test_while_one_process_trains_another_may_read_and_not_train(
    driver, words, phantom_data, tmp_path
):
    run = tmp_path / "run"
    child = driver.start(f"{words.replace(str(IMAGES), '1000000')} {run}")
    driver.until("on")
    wait_for_checkpoint(driver, run, count=2)
    with pytest.raises(InputError, match=f"in use by process {child}"):
        train(phantom_data, run, images=IMAGES)
    images = load_run(run).generate([0], [1])
    assert images.shape == (1, 32, 32, 3)
    os.kill(child, signal.SIGKILL)
    assert driver.exit_code() == -signal.SIGKILL
    train(phantom_data, run, images=8)
