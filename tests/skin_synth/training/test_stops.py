"""Training that a signal ends or kills resumes, and ends with the same weights."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import load_run
from skin_synth.training.trainer import train
from tests.conftest import TINY
from tests.killing import PATIENCE, Driver
from tests.training import assert_same_state
from tfrecords_tools.errors import InputError

IMAGES = 400
PRESET = TINY | {"name": "stops-32", "checkpoint_images": 100, "validation_images": 0}
WORK = """
import dataclasses, sys
import tensorflow, tensorflow_datasets
from skin_synth import cli
from skin_synth.presets import PRESETS, get_preset
from skin_synth.training import trainer

preset = dataclasses.replace(get_preset("derm-32"), **eval(sys.argv[1]))
PRESETS[preset.name] = preset
trainer.EPOCH_IMAGES = 100

def work(words):
    return cli.main_with(["train", *words])
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    errors = tmp_path_factory.mktemp("driver") / "stderr"
    with Driver(WORK, repr(PRESET), errors=errors) as started:
        yield started


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
    while time.monotonic() < deadline and not driver.has_line():
        if folder.is_dir():
            seen |= {path.name for path in folder.iterdir() if path.name.startswith(".tmp-")}
        if len(seen) >= count:
            return
        time.sleep(0.0005)


@pytest.mark.parametrize("kills", [4, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_moments_a_run_ends_with_the_same_weights(
    kills, driver, words, undisturbed, tmp_path
):
    whole, seconds = undisturbed
    run = tmp_path / "run"
    random = np.random.default_rng(0)
    killed, number = 0, 0
    while killed < kills:
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
        code = driver.kill(child)
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
        "the same command again resumes there"
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
        train(phantom_data, run, TrainingOptions(images=IMAGES))
    images = load_run(run).generate([0], [1])
    assert images.shape == (1, 32, 32, 3)
    assert driver.kill(child) == -signal.SIGKILL
    train(phantom_data, run, TrainingOptions(images=8))
