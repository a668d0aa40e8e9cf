"""The run directory: one place for configuration, checkpoints, previews and logs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skin_synth.checkpoints import (
    BEST_FILE,
    LAST,
    BestCheckpoint,
    check_choice,
    note_best,
    read_best,
)
from skin_synth.gan import ConditionalGAN
from skin_synth.run_config import RunConfig
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
PREVIEWS = "previews"
LOGS = "logs"
VALIDATION = "validation"
KEPT_CHECKPOINTS = 2


class RunDirectory:
    """Paths and files of a run; knows nothing of networks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.previews = self.path / PREVIEWS
        self.logs = self.path / LOGS
        self.best_file = self.path / CHECKPOINTS / BEST_FILE
        self.validation = self.path / VALIDATION
        self.curve = self.path / f"{VALIDATION}.csv"
        self.curve_picture = self.path / f"{VALIDATION}.png"

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / CONFIG).exists()

    def create(self, config: RunConfig) -> None:
        """Makes the directory and freezes the configuration in it.

        Raises:
            InputError: something else is there.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise InputError(
                f"{self.path} exists and is not a run directory (it has no {CONFIG}); "
                "choose another --run"
            )
        for folder in (CHECKPOINTS, PREVIEWS, LOGS):
            (self.path / folder).mkdir(parents=True, exist_ok=True)
        with new_file(self.path / CONFIG) as file:
            file.write_text(json.dumps(config.to_json() | {"run_id": config.run_id}, indent=2))

    def config(self) -> RunConfig:
        """The frozen configuration.

        Raises:
            InputError: no run here, or its config.json cannot be read.
        """
        if not self.exists():
            raise InputError(
                f"{self.path} is not a run directory (it has no {CONFIG}); "
                "give the --run of a `skin-synth train`"
            )
        try:
            return RunConfig.from_json(json.loads((self.path / CONFIG).read_text()))
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path / CONFIG} cannot be read: {error}") from error

    def checkpoints(self) -> list[Path]:
        """All complete checkpoints, oldest first."""
        return sorted((self.path / CHECKPOINTS).glob("images-*.weights.h5"))

    def save(self, gan: ConditionalGAN) -> Path:
        """Writes a checkpoint, complete or not at all, and drops those older than the last two."""
        path = self.path / CHECKPOINTS / f"images-{gan.images_seen:012d}.weights.h5"
        with new_file(path) as file:
            gan.save_weights(file)
        for old in self.checkpoints()[:-KEPT_CHECKPOINTS]:
            old.unlink()
        return path

    def restore(self, gan: ConditionalGAN) -> None:
        """Puts the newest checkpoint into a compiled `gan`; leaves it alone where there is none."""
        if found := self.checkpoints():
            gan.load_weights(found[-1])

    def best(self) -> BestCheckpoint | None:
        """The checkpoint that validation found best; None before the first validation.

        Raises:
            InputError: its file is damaged.
        """
        return read_best(self.best_file)

    def save_best(self, gan: ConditionalGAN, mean_kid: float) -> bool:
        """Keeps `gan` as the best checkpoint if it is; tells whether it is.

        Args:
            gan: as it is now.
            mean_kid: mean over classes of its kernel distance.
        """
        best = self.best()
        if best is not None and not mean_kid < best.mean_kid:
            return False
        with new_file(self.best_file) as file:
            gan.save_weights(file)
            note_best(file, images_seen=gan.images_seen, mean_kid=mean_kid)
        return True


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run, ready to paint.

    Attributes:
        directory: the run directory.
        config: its frozen configuration.
        gan: the networks with the weights of the checkpoint that was asked for.
        checkpoint_hash: sha256 over the averaged generator's weights, 64 hexadecimal digits.
    """

    directory: Path
    config: RunConfig
    gan: ConditionalGAN
    checkpoint_hash: str

    @property
    def run_id(self) -> str:
        """See `RunConfig.run_id`."""
        return self.config.run_id

    @property
    def preset_name(self) -> str:
        """Name of the preset."""
        return self.config.preset.name

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self.config.data.class_names

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.config.preset.image_size

    @property
    def images_seen(self) -> int:
        """Real images drawn in training so far."""
        return self.gan.images_seen

    @property
    def data_name(self) -> str:
        """Name of the data set that the run was trained on."""
        return self.config.data.name

    @property
    def data_fingerprint(self) -> str:
        """Fingerprint of the data set that the run was trained on."""
        return self.config.data.fingerprint

    @property
    def data_dir(self) -> Path:
        """Where that data set was when the run was started."""
        return Path(self.config.data.directory)

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """See `ConditionalGAN.generate`."""
        return self.gan.generate(label_ids, seeds, truncation=truncation, batch_size=batch_size)


def load_run(path: str | os.PathLike[str], checkpoint: str = LAST) -> Run:
    """Loads a checkpoint of a run directory.

    Args:
        path: what `skin-synth train --run` made.
        checkpoint: "last", or "best": that with the lowest mean over classes of the kernel
            distance on the validation split.

    Raises:
        InputError: no run there, it has no such checkpoint yet, or `checkpoint` is neither.
    """
    check_choice(checkpoint)
    directory = RunDirectory(path)
    config = directory.config()
    file = _checkpoint_file(directory, checkpoint, config.preset.validation_images)
    gan = new_gan(config)
    gan.load_weights(file)
    return as_run(directory, config, gan)


def _checkpoint_file(directory: RunDirectory, checkpoint: str, interval: int) -> Path:
    if not (found := directory.checkpoints()):
        raise InputError(
            f"{directory.path} has no checkpoint yet: train it first (`skin-synth train`)"
        )
    if checkpoint == LAST:
        return found[-1]
    if (best := directory.best()) is None:
        raise InputError(
            f"{directory.path} has no best checkpoint: one is kept at each validation, about every "
            f"{interval:,} images where the data set has a validation split; take the last one"
        )
    return best.path


def new_gan(config: RunConfig) -> ConditionalGAN:
    """The compiled, untrained networks of a configuration."""
    gan = ConditionalGAN(
        config.preset, config.data.class_names, seed=config.seed, policy=config.policy
    )
    gan.compile()
    return gan


def as_run(directory: RunDirectory, config: RunConfig, gan: ConditionalGAN) -> Run:
    """The run whose networks are `gan`, as they are now."""
    return Run(directory.path, config, gan, weights_hash(gan.ema_generator.get_weights()))


def weights_hash(weights: Sequence[np.ndarray]) -> str:
    """Sha256 over shapes, dtypes and bytes of arrays, in order: 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
