"""A trained run, loaded from its directory and ready to generate images."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skin_synth.data.streaming import machine_memory
from skin_synth.data.synthetic import GeneratesBatches
from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.networks import Generator
from skin_synth.saved_model.origin import Origin
from skin_synth.training.checkpoints import LAST, check_choice, damage
from skin_synth.training.run_config import RunConfig
from skin_synth.training.run_directory import RunDirectory, misfit
from tfrecords_tools.errors import InputError


@dataclasses.dataclass(frozen=True)
class Run(GeneratesBatches):
    """A trained run, ready to generate images.

    Attributes:
        gan: the networks with the weights of the requested checkpoint.
    """

    directory: Path
    config: RunConfig
    gan: ConditionalGAN

    @property
    def origin(self) -> Origin:
        """The run, the data set and the present weights of the generator, which `fit` changes."""
        return dataclasses.replace(
            self.gan.origin,
            run_id=self.config.run_id,
            data_name=self.config.data.name,
            data_fingerprint=self.config.data.fingerprint,
        )

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
        """Directory of the data set when the run was started."""
        return Path(self.config.data.directory)

    @property
    def held_out_seen(self) -> int:
        """Validation and test images that a source of this run was trained on."""
        return 0 if self.config.init_from is None else self.config.init_from.held_out_seen

    @property
    def class_counts(self) -> tuple[int, ...]:
        """Training images in each class."""
        return self.config.data.class_counts

    @property
    def ema_generator(self) -> Generator:
        """The averaged generator, which makes the images."""
        return self.gan.ema_generator

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Generates one image per (label, seed); see `ConditionalGAN.generate`."""
        return self.gan.generate(label_ids, seeds, truncation=truncation, batch_size=batch_size)

    def discriminator_scores(self, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Returns the logits of real images; see `ConditionalGAN.discriminator_scores`."""
        return self.gan.discriminator_scores(images, labels)


def load_run(path: str | os.PathLike[str], checkpoint: str = LAST) -> Run:
    """Loads the "last" or the "best" checkpoint of a run directory (see `BestCheckpoint`).

    Raises:
        InputError: there is no run, it has no such checkpoint yet, or `checkpoint` is another word.
    """
    check_choice(checkpoint)
    directory = RunDirectory(path)
    config = directory.config()
    if not (found := directory.checkpoints()):
        raise InputError(f"{path} has no checkpoint yet: train it first (`skin-synth train`)")
    _check_size(directory, config, found)
    gan = new_gan(config)
    if checkpoint == LAST:
        directory.restore(gan, set_aside=False)
    else:
        _load_best(gan, directory)
    return Run(directory.path, config, gan)


def _load_best(gan: ConditionalGAN, directory: RunDirectory) -> None:
    if (best := directory.best()) is None:
        interval = gan.preset.validation_images
        every = f"about every {interval:,} images where the data set has a validation split"
        raise InputError(
            f"{directory.path} has no best checkpoint: one is kept at each validation, "
            f"{every if interval else 'and validation_images is 0 here'}; take the last one"
        )
    if reason := damage(best.path) or misfit(gan, best.path):
        raise InputError(f"{best.path} is damaged ({reason}): remove it, and take the last one")


def _check_size(directory: RunDirectory, config: RunConfig, files: Sequence[Path]) -> None:
    """Checks that a checkpoint is as large as its networks, before memory is taken for them."""
    needed = config.preset.training_bytes(len(config.data.class_names))
    sizes = {file: file.stat().st_size for file in files if file.exists()}
    if sizes and max(sizes.values()) < needed // 2:
        file = max(sizes, key=lambda each: sizes[each])
        raise InputError(
            f"{directory.path}: config.json describes networks of about {needed:,} bytes, "
            f"{file.name} has {sizes[file]:,}: one of the two is of another run; restore it"
        )


def new_gan(config: RunConfig) -> ConditionalGAN:
    """Makes the compiled, untrained networks of a configuration.

    Raises:
        InputError: they would take more than the memory of this machine.
    """
    needed, memory = config.preset.training_bytes(len(config.data.class_names)), machine_memory()
    if needed > memory:
        raise InputError(
            f"the networks of preset {config.preset.name} with {len(config.data.class_names):,} "
            f"classes take {needed / 2**30:,.1f} GiB to train, this machine has "
            f"{memory / 2**30:,.1f}: give smaller widths (--set generator_widths=...)"
        )
    gan = ConditionalGAN(
        config.preset, config.data.class_names, seed=config.seed, policy=config.policy
    )
    gan.compile()
    return gan
