"""The run directory: one place for configuration, checkpoints, previews and logs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.networks import Generator
from skin_synth.saved_model.origin import Origin
from skin_synth.training.checkpoints import (
    BEST_FILE,
    DAMAGED,
    KEPT,
    LAST,
    BestCheckpoint,
    check_choice,
    damage,
    note_best,
    read_best,
    reserve,
    seal,
)
from skin_synth.training.health import check_weights
from skin_synth.training.run_config import RunConfig
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.locks import locked

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
PREVIEWS = "previews"
LOGS = "logs"
VALIDATION = "validation"
INDEX = "index-train.npz"
LOCK = "lock"
HDF5_OVERHEAD = 1_024
"""Bytes that a variable takes in a checkpoint beside its values; about half of that is used."""


class RunDirectory:
    """Paths and files of a run; knows nothing of networks."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.previews = self.path / PREVIEWS
        self.logs = self.path / LOGS
        self.best_file = self.path / CHECKPOINTS / BEST_FILE
        self.validation = self.path / VALIDATION
        self.index = self.path / INDEX
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
        self._check_place()
        # Before all else: a directory without it is taken for something else than a run.
        with new_file(self.path / CONFIG) as file:
            file.write_text(json.dumps(config.to_json() | {"run_id": config.run_id}, indent=2))
        for folder in (CHECKPOINTS, PREVIEWS, LOGS):
            (self.path / folder).mkdir(exist_ok=True)

    def _check_place(self) -> None:
        if not self.path.exists():
            return
        # What a start leaves that was killed, or had no room for its configuration.
        begun = (f"{LOCK}*", f".tmp-*.{CONFIG}")
        if not self.path.is_dir() or any(
            not any(map(path.match, begun)) for path in self.path.iterdir()
        ):
            raise InputError(
                f"{self.path} exists and is not a run directory (it has no {CONFIG}); "
                "choose another --run"
            )

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Keeps other processes from training here while the block runs; reading goes on.

        Raises:
            InputError: another process trains here, or something else than a run is here.
        """
        if not self.exists():
            self._check_place()
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path / LOCK, str(self.path)):
            yield

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

    def save(self, gan: ConditionalGAN, keep: int = KEPT) -> Path:
        """Writes a checkpoint, complete or not at all, and drops all but the newest.

        Args:
            gan: as it is now.
            keep: checkpoints that stay, this one among them; at least 1.

        Raises:
            OSError: it could not be written; the older ones are as they were.
            SickError: a weight is not finite; the older ones are as they were.
        """
        path = self.path / CHECKPOINTS / checkpoint_name(gan.images_seen)
        with new_file(path) as file:
            _write_state(gan, file)
            seal(file)
        for old in self.checkpoints()[:-keep]:
            old.unlink()
        return path

    def restore(self, gan: ConditionalGAN, say: Callable[[str], None], *, set_aside: bool) -> None:
        """Puts the newest whole checkpoint into a compiled `gan`; none there leaves it alone.

        Args:
            gan: takes the weights.
            say: takes a line for each checkpoint that is damaged.
            set_aside: whether to rename damaged checkpoints, which would count as the newest: for
                the one process that trains and writes here.

        Raises:
            InputError: there are checkpoints, and all are damaged.
        """
        while found := self.checkpoints():
            try:
                good = self.newest_whole(found, say)
            except FileNotFoundError:
                if set_aside:
                    raise
                continue  # who writes here has just set one aside
            if set_aside:
                for damaged in found[found.index(good) + 1 :]:
                    damaged.rename(damaged.with_name(f"{DAMAGED}{damaged.name}"))
            gan.load_weights(good)
            return

    def newest_whole(self, found: list[Path], say: Callable[[str], None]) -> Path:
        """The newest of these checkpoints that is not damaged.

        Args:
            found: at least one, oldest first.
            say: takes a line for each one that is.

        Raises:
            InputError: all are damaged.
        """
        for path in reversed(found):
            if (wrong := damage(path)) is None:
                return path
            say(f"warning: {path} is damaged ({wrong}): taking the checkpoint before it")
        raise InputError(
            f"all checkpoints in {found[-1].parent} are damaged: {self._way_out()}start a new --run"
        )

    def _way_out(self) -> str:
        with contextlib.suppress(InputError):
            if (best := self.best()) is not None:
                # Under its own number: under a higher one it would outlive what follows it.
                name = checkpoint_name(best.images_seen)
                return f"remove them and copy {BEST_FILE} to {name} to go on from the best one, or "
        return ""

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
            _write_state(gan, file)
            note_best(file, images_seen=gan.images_seen, mean_kid=mean_kid)
            seal(file)
        return True


def checkpoint_name(images_seen: int) -> str:
    """File name of the checkpoint of so many images."""
    return f"images-{images_seen:012d}.weights.h5"


def _write_state(gan: ConditionalGAN, file: Path) -> None:
    check_weights(gan)
    size = sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in gan.state)
    reserve(file, size + HDF5_OVERHEAD * len(gan.state))
    gan.save_weights(file)


@dataclasses.dataclass(frozen=True)
class Run:
    """A trained run, ready to paint.

    Attributes:
        directory: the run directory.
        config: its frozen configuration.
        gan: the networks with the weights of the checkpoint that was asked for.
        origin: the run, the weights and the data set that it comes from.
    """

    directory: Path
    config: RunConfig
    gan: ConditionalGAN
    origin: Origin

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self.config.data.class_names

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.config.preset.image_size

    @property
    def data_dir(self) -> Path:
        """Where that data set was when the run was started."""
        return Path(self.config.data.directory)

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Training images in each class."""
        return self.config.data.class_counts

    @property
    def ema_generator(self) -> Generator:
        """The averaged generator, the one that paints."""
        return self.gan.ema_generator

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
    gan = new_gan(config)
    _load(gan, directory, checkpoint)
    return as_run(directory, config, gan)


def _load(gan: ConditionalGAN, directory: RunDirectory, checkpoint: str) -> None:
    """Loads a checkpoint, of a run that may be training: then files go while they are looked at."""
    while True:
        try:
            gan.load_weights(_checkpoint_file(directory, checkpoint, gan.preset.validation_images))
            return
        except FileNotFoundError:
            continue


def _checkpoint_file(directory: RunDirectory, checkpoint: str, interval: int) -> Path:
    if not (found := directory.checkpoints()):
        raise InputError(
            f"{directory.path} has no checkpoint yet: train it first (`skin-synth train`)"
        )
    if checkpoint == LAST:
        return directory.newest_whole(found, _warn)
    if (best := directory.best()) is None:
        every = f"about every {interval:,} images where the data set has a validation split"
        raise InputError(
            f"{directory.path} has no best checkpoint: one is kept at each validation, "
            f"{every if interval else 'and validation_images is 0 here'}; take the last one"
        )
    if wrong := damage(best.path):
        raise InputError(f"{best.path} is damaged ({wrong}): remove it, and take the last one")
    return best.path


def _warn(line: str) -> None:
    print(line, file=sys.stderr)


def new_gan(config: RunConfig) -> ConditionalGAN:
    """The compiled, untrained networks of a configuration."""
    gan = ConditionalGAN(
        config.preset, config.data.class_names, seed=config.seed, policy=config.policy
    )
    gan.compile()
    return gan


def as_run(directory: RunDirectory, config: RunConfig, gan: ConditionalGAN) -> Run:
    """The run whose networks are `gan`, as they are now."""
    origin = dataclasses.replace(
        gan.origin,
        run_id=config.run_id,
        data_name=config.data.name,
        data_fingerprint=config.data.fingerprint,
    )
    return Run(directory.path, config, gan, origin)
