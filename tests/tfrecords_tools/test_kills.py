"""A build that is killed at any moment leaves nothing half-written and nothing in the way."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.files import contents
from tests.tfrecords_tools.images.test_perceptual_hash import picture
from tfrecords_tools import build, read_info, verify
from tfrecords_tools.errors import InputError

KILLS = 30
LATE_KILLS = 12
"""So many of them come once all images are read."""
LATE_FILES = (
    "x-test.tfrecord-00000-of-00001",
    "features.json",
    "build_report.json",
    "contact_sheets",
)
PATIENCE = 60
DRIVER = """
import os, sys
import tensorflow, tensorflow_datasets
from tfrecords_tools import builder

# A child for each line; the library of linear algebra is told to make no thread before.
assert len(os.listdir("/proc/self/task")) == 1
print("ready", flush=True)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        builder.build(sys.argv[1], sys.argv[2], name="x", size=48, workers=2, overwrite=True)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Imports once, for that takes longer than the builds."""


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """Enough for a build of about a second; a copy and a broken file make it take two passes."""
    root = tmp_path_factory.mktemp("kills") / "images"
    for label in ("mel", "nv"):
        (root / label).mkdir(parents=True)
        for number in range(90):
            image = picture(number + 500 * (label == "nv"), (320, 240))
            image.save(root / label / f"{number}.png", compress_level=1)
    picture(7, (320, 240)).save(root / "mel" / "copy.png")
    (root / "mel" / "broken.png").write_bytes(b"")
    return root


class Builder:
    """Builds in children of a process that has imported everything."""

    def __init__(self, images: Path, out: Path) -> None:
        self.out = out
        self.driver = subprocess.Popen(
            [sys.executable, "-c", DRIVER, images, out],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        assert self.line() == "ready"

    def line(self) -> str:
        """The next line of the driver, which must not hang."""
        assert select.select([self.driver.stdout], [], [], PATIENCE)[0], "the build hangs"
        return self.driver.stdout.readline().decode().strip()

    def run(self, moment: float | str | None = None) -> int:
        """One build, killed after so many seconds or once it has written a file; its exit code."""
        self.driver.stdin.write(b"\n")
        child = int(self.line())
        if isinstance(moment, str):
            self._wait_for(moment, child)
        elif moment is not None:
            time.sleep(moment)
        if moment is not None:
            with contextlib.suppress(ProcessLookupError):  # it was done already
                os.kill(child, signal.SIGKILL)
        return int(self.line())

    def _wait_for(self, file: str, child: int) -> None:
        temporary = self.out.with_name(f".tmp-{child}.new.{self.out.name}")
        started = time.monotonic()
        # The child may be done before this process gets a turn.
        while not select.select([self.driver.stdout], [], [], 0.001)[0]:
            if (temporary / file).exists():
                return
            assert time.monotonic() - started < PATIENCE, f"{file} never came"


def test_30_kills(images, tmp_path):
    build(images, tmp_path / "undisturbed", name="x", size=48)
    build(images, tmp_path / "older", name="x", size=16)
    whole, older = contents(tmp_path / "undisturbed"), contents(tmp_path / "older")
    place = tmp_path / "place"
    place.mkdir()
    out = place / "out"
    builder = Builder(images, out)
    try:
        durations = []
        for _ in range(2):
            started = time.monotonic()
            assert builder.run() == 0
            durations.append(time.monotonic() - started)
        assert contents(out) == whole
        random = np.random.default_rng(0)
        # The end of a build is short: some of the kills wait for it.
        late = [LATE_FILES[number % len(LATE_FILES)] for number in range(LATE_KILLS)]
        early = random.uniform(0, min(durations), KILLS - LATE_KILLS).tolist()
        met, codes = Counter(), Counter()
        for number, moment in enumerate(random.permutation(np.array([*early, *late], object))):
            # Half of the builds find an older data set in their place.
            shutil.rmtree(out, ignore_errors=True)
            if number % 2:
                shutil.copytree(tmp_path / "older", out)
            codes[builder.run(moment)] += 1
            met["debris"] += any(path.name.startswith(".tmp-") for path in place.iterdir())
            if not out.exists():
                met["nothing"] += 1
                with pytest.raises(InputError, match="is not there"):
                    read_info(out)
                continue
            found = contents(out)
            met["new" if found == whole else "old"] += 1
            assert found in ([whole, older] if number % 2 else [whole]), moment
            assert verify(out).problems == ()
        assert builder.run() == 0
    finally:
        builder.driver.kill()
        builder.driver.communicate()
    assert contents(out) == whole
    assert [path.name for path in place.iterdir()] == ["out"]
    assert set(codes) <= {0, -signal.SIGKILL}, "a build failed"
    assert codes[-signal.SIGKILL] > KILLS / 2, codes
    assert met["debris"] > KILLS / 3, met
    assert min(met["nothing"], met["old"]) > 3, met
