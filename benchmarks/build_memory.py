"""Peak memory of `tfrecords-tools build` for few images and for many.

Each build runs in a separate process; the system reports its peak resident memory at its end.

    python -m benchmarks.photographs --out runs/photographs --count 50000
    python -m benchmarks.build_memory --images runs/photographs --counts 2000 50000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD = "from tfrecords_tools.cli import main; main()"


def main() -> None:
    """Builds from the first images of a folder, and prints each peak and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--images", required=True, type=Path)
    parser.add_argument("--counts", type=int, nargs=2, default=(2000, 50_000))
    parser.add_argument("--size", default="64")
    options = parser.parse_args()
    files = sorted(options.images.rglob("*.jpg"), key=lambda path: path.name)
    peaks = []
    for count in options.counts:
        if len(files) < count:
            parser.error(f"{options.images} holds {len(files)} images, needs {count}")
        with tempfile.TemporaryDirectory(dir=options.images.parent) as scratch:
            for file in files[:count]:
                target = Path(scratch) / "images" / file.parent.name / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.hardlink_to(file)
            peaks.append(_peak(Path(scratch), options.size))
        print(f"{count:,} images: {peaks[-1] / 2**20:.0f} MiB at most", flush=True)
    print(f"ratio {peaks[1] / peaks[0]:.3f}")


def _peak(scratch: Path, size: str) -> int:
    """Peak resident memory of a build, in bytes."""
    words = ["build", str(scratch / "images"), "--out", str(scratch / "out"), "--name", "x"]
    process = subprocess.Popen([sys.executable, "-c", BUILD, *words, "--size", size])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the build failed: {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss * 1024


if __name__ == "__main__":
    main()
