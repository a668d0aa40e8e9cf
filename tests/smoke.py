"""All steps at the smallest size, in one process, with the installed packages.

`make smoke` runs it in an environment of each Python version; it needs no pytest.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import skin_synth
from skin_synth import cli
from skin_synth.evaluation.metrics import tfgan
from skin_synth.evaluation.metrics.frechet import frechet_distance
from skin_synth.evaluation.metrics.kernel_distance import kernel_distance
from skin_synth.phantoms import write_folder
from tfrecords_tools import cli as data_cli

NAME = "derm-64-ham10000"
WIDTHS = ("--set", "generator_widths=16x16x8x8", "--set", "discriminator_widths=8x8x16")
SMALL = (*WIDTHS, "--set", "batch_size=8", "--set", "validation_images=0", "--images", "32")


def run(program, *words):
    words = [str(word) for word in words]
    if program.main_with(words) != 0:
        sys.exit(f"smoke: failed: {' '.join(words)}")


def main():
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        source = ("--pretrained", NAME, "--label", "mel", "--count", 4)
        run(cli, "generate", *source, "--out", out / "images")
        images = skin_synth.load_pretrained(NAME).generate([4] * 24, range(24))
        write_folder(out / "phantoms", counts=12, size=32, seed=0)
        table = ("--labels", out / "phantoms" / "labels.csv", "--id_column", "image_id")
        columns = ("--label_column", "label", "--group_column", "group", "--name", "phantoms")
        data = out / "data"
        run(data_cli, "build", out / "phantoms", "--out", data, *table, *columns, "--size", 32)
        run(data_cli, "verify", data)
        run(cli, "train", "--data", data, "--run", out / "run", "--preset", "derm-32", *SMALL)
        run(cli, "export", "--run", out / "run", "--out", out / "model")
        loaded = skin_synth.load_exported(out / "model")
        assert loaded.generate([0], [1]).shape == (1, 32, 32, 3)
        rows = images.reshape(24, -1)[:, ::997].astype(np.float64)
        assert tfgan.available()
        assert frechet_distance(rows, rows + 1) > 0
        assert np.isfinite(kernel_distance(rows, rows + 1))


if __name__ == "__main__":
    main()
