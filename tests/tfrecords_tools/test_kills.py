"""A build that is killed at any moment leaves nothing half-written and nothing in the way."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.files import contents
from tests.images import picture
from tests.killing import Driver
from tfrecords_tools import build, read_info, verify
from tfrecords_tools.errors import InputError

LATE_FILES = (
    "x-test.tfrecord-00000-of-00001",
    "features.json",
    "build_report.json",
    "contact_sheets",
)
WORK = """
import os, sys
import tensorflow, tensorflow_datasets
from tfrecords_tools import builder

# OPENBLAS_NUM_THREADS keeps the process at one thread before the fork. That of jemalloc, which
# pandas brings, expects forks.
names = [open(f"/proc/self/task/{task}/comm").read() for task in os.listdir("/proc/self/task")]
assert len([name for name in names if "jemalloc" not in name]) == 1, names

def work(words):
    builder.build(sys.argv[1], sys.argv[2], name="x", size=48, workers=2, overwrite=True)
"""


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


def run(driver: Driver, out: Path, moment: float | str | None = None) -> int:
    """One build, killed after this many seconds or once it has written a file; its exit code."""
    child = driver.start()
    if moment is None:
        return driver.exit_code()
    if isinstance(moment, str):
        driver.wait_for(out.with_name(f".tmp-{child}.new.{out.name}") / moment)
    else:
        time.sleep(moment)
    return driver.kill(child)


@pytest.mark.parametrize("kills", [10, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_build_is_whole_or_not_there(kills, images, tmp_path):
    build(images, tmp_path / "undisturbed", name="x", size=48)
    build(images, tmp_path / "older", name="x", size=16)
    whole, older = contents(tmp_path / "undisturbed"), contents(tmp_path / "older")
    place = tmp_path / "place"
    place.mkdir()
    out = place / "out"
    with Driver(WORK, images, out, errors=tmp_path / "stderr") as driver:
        durations = []
        for _ in range(2):
            started = time.monotonic()
            assert run(driver, out) == 0
            durations.append(time.monotonic() - started)
        assert contents(out) == whole
        random = np.random.default_rng(0)
        # The end of a build is short: two kills of five wait until all images are read.
        late = [LATE_FILES[number % len(LATE_FILES)] for number in range(kills * 2 // 5)]
        early = random.uniform(0, min(durations), kills - len(late)).tolist()
        met, codes = Counter(), Counter()
        for number, moment in enumerate(random.permutation(np.array([*early, *late], object))):
            # Half of the builds find an older data set in their place.
            shutil.rmtree(out, ignore_errors=True)
            if number % 2:
                shutil.copytree(tmp_path / "older", out)
            codes[run(driver, out, moment)] += 1
            met["debris"] += any(path.name.startswith(".tmp-") for path in place.iterdir())
            if not out.exists():
                met["nothing"] += 1
                with pytest.raises(InputError, match="does not exist"):
                    read_info(out)
                continue
            found = contents(out)
            met["new" if found == whole else "old"] += 1
            assert found in ([whole, older] if number % 2 else [whole]), moment
            assert verify(out).problems == ()
        assert run(driver, out) == 0
    assert contents(out) == whole
    assert [path.name for path in place.iterdir()] == ["out"]
    assert set(codes) <= {0, -signal.SIGKILL}, "a build failed"
    assert codes[-signal.SIGKILL] > kills / 2, codes
    assert met["debris"] > kills / 3, met
    assert min(met["nothing"], met["old"]) > kills / 10, met
