"""A killed balance or export leaves nothing half-written, and resumes."""

from __future__ import annotations

import shutil
import signal
import time

import numpy as np
import pytest

from tests.files import contents
from tests.killing import Driver
from tests.skin_synth.synthesis.conftest import STEPS
from tfrecords_tools import verify

KILLS = pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.slow)])
WORK = """
import sys
import tensorflow, tensorflow_datasets
from skin_synth.saved_model.export import export
from skin_synth.synthesis import BalanceOptions, balance
from skin_synth.training.runs import load_run

def work(words):
    run = load_run(sys.argv[1])
    print("loaded", flush=True)
    if words == ["export"]:
        export(run, sys.argv[4])
    else:
        options = BalanceOptions(target=18, steps=int(sys.argv[5]), seed=3)
        balance(run, sys.argv[2], sys.argv[3], options)
"""


def run(driver, what, seconds=None):
    """Seconds from the start of the work to its end, or to its kill."""
    child = driver.start(what)
    driver.until("loaded")
    started = time.monotonic()
    if seconds is None:
        assert driver.exit_code() == 0, driver.errors.read_text()
        return time.monotonic() - started
    driver.has_line(seconds)
    assert driver.kill(child) in (0, -signal.SIGKILL), driver.errors.read_text()
    return seconds


@pytest.fixture(scope="module")
def driver(tiny_run, phantom_data, tmp_path_factory):
    root = tmp_path_factory.mktemp("kills")
    places = (tiny_run.directory, phantom_data, root / "balanced", root / "model")
    with Driver(WORK, *places, STEPS, errors=root.parent / "stderr") as started:
        yield started, root


@KILLS
def test_a_killed_balance_goes_on(kills, driver):
    driver, root = driver
    out = root / "balanced"
    seconds = run(driver, "balance")
    whole = contents(out)
    shutil.rmtree(out)
    random = np.random.default_rng(0)
    killed = 0
    for _ in range(kills):
        run(driver, "balance", random.uniform(0, seconds / 2))
        if out.exists():
            assert contents(out) == whole
            shutil.rmtree(out)
        else:
            killed += 1
    assert killed
    run(driver, "balance")
    assert contents(out) == whole
    assert verify(out).problems == ()
    assert not [path.name for path in root.iterdir() if path.name.startswith(".")]
    shutil.rmtree(out)


@KILLS
def test_a_killed_export_leaves_no_version(kills, driver, tiny_run):
    import tensorflow as tf

    driver, root = driver
    model = root / "model"
    seconds = run(driver, "export")
    random = np.random.default_rng(1)
    for _ in range(kills):
        run(driver, "export", random.uniform(0, seconds))
        for version in model.iterdir():
            if not version.name.startswith("."):
                assert (version / "origin.json").is_file(), "the last file but one is missing"
                assert (version / "model_card.md").is_file()
    run(driver, "export")
    last = max(int(path.name) for path in model.iterdir() if path.name.isdecimal())
    images = tf.saved_model.load(str(model / str(last))).signatures["generate"](
        label_id=tf.constant([1], tf.int64),
        seed=tf.constant([5], tf.int64),
        truncation=tf.ones([1]),
    )["image"]
    np.testing.assert_array_equal(images, tiny_run.generate([1], [5]))
