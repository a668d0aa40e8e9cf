"""What the doors share: a small data set, a run of a tiny preset, and pictures."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from PIL import Image

from tfrecords_tools.errors import InputError

SIDE = 32
CLASSES = ("disc", "ring", "tree")
REFUSALS = (InputError,)


def make_images(number: int) -> np.ndarray:
    """Smooth pictures: uint8[n, SIDE, SIDE, 3]."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (number, 4, 4, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((SIDE, SIDE))) for each in small])


def data_set(root: Path) -> Path:
    """A data set of three classes, with its build report."""
    from tfrecords_tools import build

    if not (root / "data").exists():
        photos = root / "photos"
        for row, image in enumerate(make_images(24)):
            file = photos / CLASSES[row % 3] / f"{row:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
        build(photos, root / "data", name="small", size=SIDE, workers=1)
    return root / "data"


def run_config(root: Path):
    from skin_synth.presets import Preset
    from skin_synth.training.run_config import DataIdentity, RunConfig

    widths = {"generator_widths": (4, 4, 4, 4), "discriminator_widths": (4, 4, 4)}
    preset = Preset(
        name="tiny", image_size=SIDE, latent_dim=4, embedding_dim=4, batch_size=4, **widths
    )
    data = DataIdentity(
        directory=str(root / "data"),
        name="small",
        fingerprint="f" * 64,
        class_names=CLASSES,
        class_counts=(5, 6, 7),
    )
    return RunConfig(preset=preset, seed=0, policy="float32", data=data)


def run_directory(root: Path):
    """A run directory without training."""
    from skin_synth.training.run_directory import RunDirectory

    directory = RunDirectory(root / "run")
    if not directory.exists():
        directory.create(run_config(root))
    return directory


@functools.cache
def tiny_gan(root: Path):
    from skin_synth.training.runs import new_gan

    return new_gan(run_config(root))


def is_text(value: object) -> bool:
    return isinstance(value, str) and value.encode() is not None


def model_origin():
    from skin_synth.saved_model.origin import Origin

    return Origin(
        run_id="0" * 12,
        data_name="small",
        data_fingerprint="f" * 64,
        checkpoint_hash="c" * 64,
        images_seen=7,
        preset_name="tiny",
        image_size=SIDE,
        software="none",
    )
