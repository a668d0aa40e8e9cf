"""The run directory: one place for configuration, checkpoints, previews and logs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skin_synth.models.gan import ConditionalGAN
from skin_synth.sealing import seal
from skin_synth.training.checkpoints import (
    BEST_FILE,
    DAMAGED_PREFIX,
    DEFAULT_KEEP,
    BestCheckpoint,
    damage,
    note_best,
    read_best,
)
from skin_synth.training.health import TrainingDiverged, check_weights
from skin_synth.training.run_config import RunConfig
from skin_synth.weights_file import save_weights
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import read_json
from tfrecords_tools.locks import SOFT_SUFFIX, locked

CONFIG = "config.json"
CHECKPOINTS = "checkpoints"
LOCK = "lock"
LARGEST_CONFIG = 2**20
"""Most bytes of a configuration; thousands of classes take less."""
MOST_OF_AN_ERROR = 200
"""Characters of an error of Keras or HDF5 that a message repeats."""
_LOG = logging.getLogger("skin_synth")


class RunDirectory:
    """Paths and files of a run.

    Attributes:
        previews: folder of preview grids.
        logs: folder of TensorBoard's logs.
        validation: folder of the files of validation.
        index: record index of the training split.
        curve: CSV of the validation curve.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.previews = self.path / "previews"
        self.logs = self.path / "logs"
        self.best_file = self.path / CHECKPOINTS / BEST_FILE
        self.validation = self.path / "validation"
        self.index = self.path / "index-train.npz"
        self.curve = self.path / "validation.csv"
        self.curve_picture = self.path / "validation.png"

    def exists(self) -> bool:
        """Returns whether a run was started here."""
        return (self.path / CONFIG).exists()

    def create(self, config: RunConfig) -> None:
        """Makes the directory and freezes the configuration in it.

        Raises:
            InputError: the path holds something else.
        """
        self._check_place()
        # The configuration comes first, because a directory without it does not count as a run.
        with new_file(self.path / CONFIG) as file:
            file.write_text(json.dumps(config.to_json() | {"run_id": config.run_id}, indent=2))
        for folder in (self.best_file.parent, self.previews, self.logs):
            folder.mkdir(exist_ok=True)

    def _check_place(self) -> None:
        if not self.path.exists():
            return
        # A start that was killed, or had no disk space for its configuration, leaves these.
        leftovers = (LOCK, f"{LOCK}{SOFT_SUFFIX}", f".tmp-*.{CONFIG}")
        if not self.path.is_dir() or any(
            not any(map(path.match, leftovers)) for path in self.path.iterdir()
        ):
            raise InputError(
                f"{self.path} exists and is not a run directory (it has no {CONFIG}); "
                "choose another --run"
            )

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Keeps other processes from training here while the block runs; they may read.

        Raises:
            InputError: another process trains here, or the path holds something else than a run.
        """
        if not self.exists():
            self._check_place()
            self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path / LOCK, str(self.path)):
            yield

    def config(self) -> RunConfig:
        """Reads the frozen configuration.

        Raises:
            InputError: there is no run, or its config.json cannot be read.
        """
        if not self.exists():
            raise InputError(
                f"{self.path} is not a run directory (it has no {CONFIG}); "
                "give the --run of a `skin-synth train`"
            )
        path = self.path / CONFIG
        repair = "restore it, or start a new run"
        fields = read_json(path, dict[str, Any], repair=repair, limit=LARGEST_CONFIG)
        try:
            if not fields.get("run_id"):
                raise InputError("it has no run_id")
            return RunConfig.from_json(fields)
        except InputError as error:
            raise InputError(f"{path} cannot be read: {error}") from error

    def checkpoints(self) -> list[Path]:
        """Lists all complete checkpoints except the best, oldest first."""
        return sorted((self.path / CHECKPOINTS).glob("images-*.weights.h5"))

    def images_seen(self) -> int:
        """Returns how many images the newest checkpoint has seen, by its name; 0 if unknown."""
        numbers = [path.name.split(".")[0].removeprefix("images-") for path in self.checkpoints()]
        return max((int(number) for number in numbers if number.isdecimal()), default=0)

    def save(self, gan: ConditionalGAN, keep: int = DEFAULT_KEEP) -> Path:
        """Writes a checkpoint, complete or not at all, and removes all but the newest `keep`.

        Raises:
            OSError: it could not be written; the older ones stay.
            TrainingDiverged: a weight is not finite; the older ones stay.
        """
        path = self.path / CHECKPOINTS / checkpoint_name(gan.images_seen)
        with new_file(path) as file:
            _write_state(gan, file)
            seal(file)
        for old in self.checkpoints()[:-keep]:
            old.unlink()
        return path

    def restore(self, gan: ConditionalGAN, *, set_aside: bool) -> None:
        """Loads the newest good checkpoint into a compiled `gan`, if there are any.

        It warns of each damaged or foreign one that it passes over. With `set_aside` it renames
        those, because they would count as the newest. Use this only in the process that trains
        here.

        Raises:
            InputError: there are checkpoints, and none is good.
        """
        while found := self.checkpoints():
            passed: list[Path] = []
            try:
                for path in reversed(found):
                    if (reason := damage(path) or misfit(gan, path)) is None:
                        break
                    passed.append(path)
                    _LOG.warning(
                        f"warning: {path} is damaged ({reason}): taking the checkpoint before it"
                    )
                else:
                    raise InputError(
                        f"all checkpoints in {found[-1].parent} are damaged, the oldest: {reason}: "
                        f"{self._way_out()}start a new --run"
                    )
            except FileNotFoundError:
                if set_aside:
                    raise
                continue  # the process that trains here has just removed or renamed one
            if set_aside:
                for damaged in passed:
                    damaged.rename(damaged.with_name(f"{DAMAGED_PREFIX}{damaged.name}"))
            return

    def _way_out(self) -> str:
        with contextlib.suppress(InputError):
            if (best := self.best()) is not None:
                # With its true number of images, because with a higher one it would stay after
                # newer checkpoints.
                name = checkpoint_name(best.images_seen)
                return f"remove them and copy {BEST_FILE} to {name} to go on from the best one, or "
        return ""

    def best(self) -> BestCheckpoint | None:
        """Reads the record of the best checkpoint; None before the first validation.

        Raises:
            InputError: its file is damaged.
        """
        return read_best(self.best_file)

    def save_best(self, gan: ConditionalGAN, mean_kid: float) -> bool:
        """Saves `gan` as the best checkpoint if it is the best so far; returns whether it is."""
        best = self.best()
        if best is not None and not mean_kid < best.mean_kid:
            return False
        with new_file(self.best_file) as file:
            _write_state(gan, file)
            note_best(file, images_seen=gan.images_seen, mean_kid=mean_kid)
            seal(file)
        return True


def checkpoint_name(images_seen: int) -> str:
    """Names the file of the checkpoint after this many images."""
    return f"images-{images_seen:012d}.weights.h5"


def misfit(gan: ConditionalGAN, path: Path) -> str | None:
    """Loads a checkpoint into a compiled GAN, and says why it is not one of its run; None if it is.

    Raises:
        FileNotFoundError: the file is gone.
    """
    try:
        gan.load_weights(path)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:MOST_OF_AN_ERROR]
        return f"{reason}{_about_locking(error)}"
    if gan.images_seen < 0:
        return f"it counts {gan.images_seen:,} images"
    if checkpoint_name(gan.images_seen) != path.name and path.name != BEST_FILE:
        return f"it holds the state after {gan.images_seen:,} images"
    try:
        check_weights(gan)
    except TrainingDiverged:
        return "a weight in it is not finite"
    return None


def _about_locking(error: Exception) -> str:
    """Names the way out where HDF5 cannot lock a file, as on some network file systems."""
    if "lock" not in str(error):
        return ""
    return "; set HDF5_USE_FILE_LOCKING=FALSE in the environment"


def _write_state(gan: ConditionalGAN, file: Path) -> None:
    check_weights(gan)
    save_weights(gan, gan.state, file)
