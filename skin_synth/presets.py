"""Presets: named frozen dataclasses with all choices that define a run.

This module imports no TensorFlow, because the command line lists and checks presets.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import typed
from tfrecords_tools.text import exact_number

IMAGE_SIZES = tuple(4 * 2**stages for stages in range(1, 9))
LOSSES = ("non_saturating", "hinge", "relativistic")
POSITIVE_FIELDS = (
    *("ema_half_life", "ema_warm_up", "latent_dim", "embedding_dim"),
    *("schedule_images", "checkpoint_images", "preview_images"),
)


FLOAT32_BYTES = 4
MOST_CHANNELS = 8_192
"""Largest width, latent and embedding."""
MOST_MAPPING_LAYERS = 16
MOST_IMAGES = 10**12
"""Largest number of images of a batch, a schedule or an interval."""
DISCRIMINATOR_FEATURES = 256
"""Length of the features that the head of the discriminator reads."""


@dataclasses.dataclass(frozen=True)
class Ramp:
    """A value that moves along half a cosine, from `start` at image 0 to `end`.

    It reaches `end` after `Preset.schedule_images` images, and then stays there.
    """

    start: float
    end: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Preset:
    """The networks, loss and schedules of a run.

    Attributes:
        name: name on the command line.
        image_size: height and width of the images, in pixels; 4 times a power of two.
        generator_widths: channels at 4x4, 8x8, ... up to `image_size`.
        discriminator_widths: channels at `image_size`/2, ... down to 4x4.
        latent_dim: length of the latent vector.
        embedding_dim: length of the generator's class embedding.
        mapping_layers: dense layers that mix latent and class before they reach the images. They
            give more variety where classes have very different forms (docs/model.md).
        batch_size: images in a step.
        loss: one of `LOSSES`.
        gamma: weight of the gradient penalties (R1 on real, R2 on fake images).
        penalty_fake: whether fake images are also penalised (R2).
        penalty_share: share of each batch on which the penalties are estimated, in (0, 1].
        learning_rate: Adam's step size, for both networks.
        generator_warm_up: images that the generator waits for its discriminator, for a start from
            a generator alone: for the first half it does not learn, and for the second half its
            learning rate rises.
        beta_1: Adam's decay of the first moment, in [0, 1).
        beta_2: Adam's decay of the second moment, in [0, 1).
        ema_half_life: half-life of the averaged generator, in images.
        ema_warm_up: the half-life is at most this share of the images seen so far.
        augment_probability: probability of each augmentation of the discriminator's images.
        sampling_exponent: classes are drawn in proportion to (images in class) ** exponent:
            1 is the natural share, 0 the same share for every class.
        schedule_images: length of all ramps, in images.
        checkpoint_images: images between two checkpoints, about.
        preview_images: images between two preview grids, about.
        validation_images: images between two comparisons of synthetic images with the validation
            split, about; 0 for none. It changes no weights.

    Raises:
        InputError: a value is out of its range; the message names the field.
    """

    name: str
    image_size: int
    generator_widths: tuple[int, ...]
    discriminator_widths: tuple[int, ...]
    latent_dim: int = 64
    embedding_dim: int = 64
    mapping_layers: int = 0
    batch_size: int = 32
    loss: str = "non_saturating"
    gamma: Ramp = Ramp(0.2, 0.05)
    penalty_fake: bool = False
    penalty_share: float = 0.25
    learning_rate: Ramp = Ramp(4e-4, 1e-4)
    generator_warm_up: int = 0
    beta_1: float = 0.0
    beta_2: float = 0.99
    ema_half_life: float = 20_000.0
    ema_warm_up: float = 0.05
    augment_probability: Ramp = Ramp(0.3, 0.3)
    sampling_exponent: float = 0.5
    schedule_images: int = 1_000_000
    checkpoint_images: int = 10_000
    preview_images: int = 10_000
    validation_images: int = 50_000

    def __post_init__(self) -> None:
        stages = len(self.generator_widths)
        checks = {
            "image_size": self.image_size in IMAGE_SIZES,
            "generator_widths": self.image_size == 4 * 2 ** (stages - 1)
            and _channels(*self.generator_widths),
            "discriminator_widths": len(self.discriminator_widths) == stages - 1
            and _channels(*self.discriminator_widths),
            "loss": self.loss in LOSSES,
            "gamma": _within(self.gamma, 0),
            "penalty_share": 0 < self.penalty_share <= 1,
            "learning_rate": _within(self.learning_rate, 0) and self.learning_rate.start > 0,
            "generator_warm_up": 0 <= self.generator_warm_up <= MOST_IMAGES,
            "beta_1": 0 <= self.beta_1 < 1,
            "beta_2": 0 <= self.beta_2 < 1,
            "augment_probability": _within(self.augment_probability, 0, 1),
            "sampling_exponent": 0 <= self.sampling_exponent <= 1,
            "mapping_layers": 0 <= self.mapping_layers <= MOST_MAPPING_LAYERS,
            "batch_size": 1 < self.batch_size <= MOST_IMAGES,
            "validation_images": 0 <= self.validation_images <= MOST_IMAGES,
            **{field: 0 < getattr(self, field) <= MOST_IMAGES for field in POSITIVE_FIELDS},
            "latent_dim": _channels(self.latent_dim),
            "embedding_dim": _channels(self.embedding_dim),
        }
        for field, good in checks.items():
            if not good:
                raise InputError(
                    f"preset {self.name!r}: {field} = {getattr(self, field)!r} does not fit; "
                    f"see the description of Preset.{field}"
                )

    @property
    def penalty_rows(self) -> int:
        """Number of rows, the first of a batch, on which the penalties are estimated."""
        return max(1, round(self.penalty_share * self.batch_size))

    def training_bytes(self, classes: int) -> int:
        """Returns the memory of weights, their average and the optimisers' moments, about.

        It is known before memory is taken: the biases are not counted.
        """
        condition = self.latent_dim + self.embedding_dim
        widths, downs = self.generator_widths, (3, *self.discriminator_widths)
        generator = (
            classes * self.embedding_dim
            + self.mapping_layers * condition**2
            + 16 * widths[0] * condition
            + 2 * condition * sum(widths)
            + 9 * sum(map(math.prod, itertools.pairwise(widths)))
        )
        discriminator = (
            16 * sum(map(math.prod, itertools.pairwise(downs)))
            + (16 * downs[-1] + classes) * DISCRIMINATOR_FEATURES
        )
        return FLOAT32_BYTES * (4 * generator + 3 * discriminator)

    def to_json(self) -> dict[str, Any]:
        """Returns plain dicts, lists, numbers and strings."""
        fields = dataclasses.asdict(self)
        for later in ("mapping_layers", "generator_warm_up"):
            if not fields[later]:
                del fields[later]  # as in files of releases without it: same run_id
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Preset:
        """Returns the preset whose `to_json` gave `fields`.

        Raises:
            InputError: a field is missing, unknown or out of range.
        """
        return typed(fields, cls, "preset")


PRESET_FIELDS = tuple(each.name for each in dataclasses.fields(Preset) if each.name != "name")
"""The fields that `override` can set."""


def override(preset: Preset, overrides: Iterable[str]) -> Preset:
    """Returns a preset with other values of some fields.

    Each override is FIELD=VALUE, of any field except the name; a ramp is START:END or one number
    for both, widths are WIDTHxWIDTH.

    Raises:
        InputError: no such field, or a value that does not fit.
    """
    fields: dict[str, Any] = {}
    for assignment in overrides:
        field, _, text = assignment.partition("=")
        if field not in PRESET_FIELDS:
            raise InputError(
                f"{assignment!r}: a preset has no field {field!r}; it has "
                f"{', '.join(PRESET_FIELDS)}"
            )
        try:
            fields[field] = _read(text, getattr(preset, field))
        except (ValueError, SyntaxError) as error:
            raise InputError(
                f"{assignment!r}: {text!r} is not a value of {field}, which is "
                f"{getattr(preset, field)!r} in the preset (a ramp is START:END or one number, "
                "widths are WIDTHxWIDTH)"
            ) from error
    return dataclasses.replace(preset, **fields)


def differing(preset: Preset, other: Preset) -> list[str]:
    """Returns FIELD=VALUE of each field that differs in another preset, as `override` reads it."""
    return [
        f"{field.name}={_written(getattr(preset, field.name))}"
        for field in dataclasses.fields(preset)
        if getattr(preset, field.name) != getattr(other, field.name)
    ]


def _written(value: Any) -> str:
    """Writes a value as `_read` reads it."""
    if isinstance(value, Ramp):
        ends = [value.start] if value.start == value.end else [value.start, value.end]
        return ":".join(map(exact_number, ends))
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _read(text: str, like: Any) -> Any:
    """Parses a text as a value of the type of `like`."""
    if isinstance(like, Ramp):
        start, _, end = text.partition(":")
        return Ramp(float(start), float(end or start))
    if isinstance(like, tuple):
        return tuple(int(width) for width in text.split("x"))
    if isinstance(like, str):
        return text
    value = ast.literal_eval(text)
    if isinstance(like, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(like):
        raise ValueError(text)
    return value


def _within(ramp: Ramp, least: float, most: float = float("inf")) -> bool:
    ends = (ramp.start, ramp.end)
    return all(map(math.isfinite, ends)) and least <= min(ends) <= max(ends) <= most


def _channels(*numbers: int) -> bool:
    return bool(numbers) and 0 < min(numbers) <= max(numbers) <= MOST_CHANNELS


def get_preset(name: str) -> Preset:
    """Returns the preset of a name.

    Raises:
        InputError: an unknown name; the message lists the known ones.
    """
    if name not in PRESETS:
        raise InputError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_of_side(side: int | None) -> Preset:
    """Returns the first preset that makes images of this side, in pixels.

    Raises:
        InputError: there is none, or the images have no common side (None).
    """
    for preset in PRESETS.values():
        if preset.image_size == side:
            return preset
    sizes = ", ".join(map(str, sorted({preset.image_size for preset in PRESETS.values()})))
    what = "that differ in size or are not square" if side is None else f"of {side} pixels"
    raise InputError(f"no preset makes images {what}: build the data set with --size {sizes}")


FOR_GPUS: dict[str, Any] = {
    "batch_size": 64,
    "ema_half_life": 100_000.0,
    "checkpoint_images": 100_000,
    "preview_images": 100_000,
    "validation_images": 250_000,
}
"""Of the presets for GPUs: the half-life is about 2.5 % of the schedule, and checkpoints, previews
and validations do not take longer than the steps between them."""

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="derm-32",
            image_size=32,
            generator_widths=(256, 128, 64, 32),
            discriminator_widths=(64, 128, 256),
            learning_rate=Ramp(8e-4, 1e-4),
        ),
        Preset(
            name="derm-64",
            image_size=64,
            generator_widths=(256, 128, 96, 48, 24),
            discriminator_widths=(48, 96, 192, 256),
        ),
        Preset(
            name="derm-128",
            image_size=128,
            generator_widths=(384, 256, 192, 96, 48, 24),
            discriminator_widths=(32, 64, 128, 256, 384),
            schedule_images=3_000_000,
        ),
        Preset(
            name="derm-256",
            image_size=256,
            generator_widths=(512, 384, 256, 128, 64, 32, 16),
            discriminator_widths=(16, 32, 64, 128, 256, 384),
            schedule_images=5_000_000,
        ),
        Preset(
            name="derm-64-gpu",
            image_size=64,
            generator_widths=(512, 512, 256, 128, 64),
            discriminator_widths=(128, 256, 512, 512),
            schedule_images=5_000_000,
            **FOR_GPUS,
        ),
        Preset(
            name="derm-128-gpu",
            image_size=128,
            generator_widths=(512, 512, 256, 128, 64, 32),
            discriminator_widths=(64, 128, 256, 512, 512),
            schedule_images=3_000_000,
            **FOR_GPUS,
        ),
        Preset(
            name="derm-256-gpu",
            image_size=256,
            generator_widths=(512, 512, 256, 128, 64, 32, 16),
            discriminator_widths=(32, 64, 128, 256, 512, 512),
            schedule_images=5_000_000,
            **FOR_GPUS,
        ),
    )
}
