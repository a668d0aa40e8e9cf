"""How many candidates/s does `balance` generate and test, and does its memory grow with the target?

Takes a minute for 500 images on two cores. The data set is the one of the generator's training.

    python -m benchmarks.balance --generator MODELDIR --data DIR --images 500 --images 2000
    taskset -c 0 python -m benchmarks.balance ... --profile      # one core, and where its time goes
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import pstats
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from skin_synth import load_exported
from skin_synth.evaluation.look_alikes import load_real_images
from skin_synth.synthesis.candidates import CandidateGenerator, WorkDirectory
from skin_synth.synthesis.filters import make_filter
from skin_synth.synthesis.options import BalanceOptions

SHOWN_FUNCTIONS = 30


def main() -> None:
    """Measures each number of images."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--generator", required=True, help="directory of exported versions")
    parser.add_argument("--data", required=True, help="its data set")
    parser.add_argument("--label", default="mel", help="class to fill")
    parser.add_argument("--images", type=int, action="append", help="images to keep; several times")
    parser.add_argument("--steps", type=int, help="training steps of the filter's classifier")
    parser.add_argument("--profile", action="store_true", help="list the functions that take time")
    options = parser.parse_args()
    generator = load_exported(options.generator)
    real = load_real_images(options.data)
    held_out = real.validation if real.validation is not None else real.test
    if held_out is None:
        raise SystemExit(f"{options.data} has no held-out split")
    label = generator.class_names.index(options.label)
    candidate_filter = make_filter(real.train, held_out, seed=0, steps=options.steps)
    for number, images in enumerate(options.images or [500]):
        with tempfile.TemporaryDirectory() as folder:
            work = WorkDirectory(Path(folder) / "balanced")
            work.open({})
            candidates = CandidateGenerator(
                generator, real.train, candidate_filter, work, BalanceOptions()
            )
            if not number:  # the first calls trace graphs
                candidates.generate((label + 1) % len(generator.class_names), 32)
            _measure(candidates, label, images, profile=options.profile)


def _measure(candidates: CandidateGenerator, label: int, images: int, *, profile: bool) -> None:
    before, wall, cpu = _memory(), time.perf_counter(), time.process_time()
    with _profiled() if profile else contextlib.nullcontext():
        found = candidates.generate(label, images)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    drawn = found.outcomes.total()
    print(
        f"{found.kept:,} of {drawn:,} candidates kept: {drawn / wall:.0f} candidates/s, "
        f"{drawn / cpu:.0f} for each second of a core, memory grew by "
        f"{(_memory() - before) / 2**20:.0f} MiB"
    )


@contextlib.contextmanager
def _profiled() -> Iterator[None]:
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile).sort_stats("cumulative").print_stats(SHOWN_FUNCTIONS)


def _memory() -> int:
    """Bytes of memory of this process that no file holds (Linux)."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


if __name__ == "__main__":
    main()
