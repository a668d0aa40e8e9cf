"""A build that is killed at any moment leaves nothing half-written and nothing in the way."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.tfrecords_tools.test_perceptual import picture
from tfrecords_tools import build, read_info, verify
from tfrecords_tools.errors import InputError

KILLS = 30
DRIVER = """
import os, sys
import tensorflow, tensorflow_datasets
from tfrecords_tools import builder

# A child for each line; it is forked before TensorFlow has started any thread.
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        builder.build(sys.argv[1], sys.argv[2], name="x", size=48, workers=2, overwrite=True)
        os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""
"""Imports once, for that takes longer than the builds."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Enough for a build of about a second; a copy and a broken file make it take two passes."""
    root = tmp_path_factory.mktemp("kills") / "images"
    for label in ("mel", "nv"):
        (root / label).mkdir(parents=True)
        for number in range(120):
            image = picture(number + 500 * (label == "nv"), (320, 240))
            image.save(root / label / f"{number}.png", compress_level=1)
    picture(7, (320, 240)).save(root / "mel" / "copy.png")
    (root / "mel" / "broken.png").write_bytes(b"")
    return root


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_30_kills(images, tmp_path):
    build(images, tmp_path / "undisturbed", name="x", size=48)
    whole = contents(tmp_path / "undisturbed")
    place = tmp_path / "place"
    place.mkdir()
    out = place / "out"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, images, out],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def run(seconds: float | None) -> float:
        """One build, killed after so many seconds; returns how long it lived."""
        driver.stdin.write("\n")
        driver.stdin.flush()
        child = int(driver.stdout.readline())
        start = time.monotonic()
        if seconds is not None:
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):  # it was done already
                os.kill(child, signal.SIGKILL)
        assert driver.stdout.readline() == "gone\n"
        return time.monotonic() - start

    try:
        full = run(None)
        assert contents(out) == whole
        random = np.random.default_rng(0)
        met = {"nothing": 0, "whole": 0, "debris": 0}
        for attempt in range(KILLS):
            if attempt % 3 == 0 and out.exists():  # also where nothing was there before
                out.rename(tmp_path / f"old{attempt}")
            run(random.uniform(0, full))
            met["debris"] += any(path.name.startswith(".tmp-") for path in place.iterdir())
            if out.exists():
                met["whole"] += 1
                assert contents(out) == whole
                assert verify(out).problems == ()
            else:
                met["nothing"] += 1
                with pytest.raises(InputError, match="is not there"):
                    read_info(out)
        run(None)
    finally:
        driver.communicate()
    assert contents(out) == whole
    assert [path.name for path in place.iterdir()] == ["out"]
    assert met["debris"] > KILLS / 3, met
    assert met["nothing"] > 3, met
    assert met["whole"] > 3, met
