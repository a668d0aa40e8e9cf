"""The Keras network of an exported generator, for a training that goes on from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skin_synth.models.networks import Generator
from skin_synth.presets import PRESETS, Preset, preset_of_side
from skin_synth.pretrained.loading import Pretrained
from tfrecords_tools.errors import InputError

OTHER_NETWORKS = "the generator has other networks than those of this release"


def preset_of(pretrained: Pretrained) -> Preset:
    """Returns the preset of a generator, with its lengths and widths.

    The SavedModel has only the averaged generator. So the discriminator, the loss and the schedules
    are those of the preset, without the overrides of the run.

    Raises:
        InputError: this release has no preset of its size, or its weights are of other networks.
    """
    origin, found = pretrained.origin, _lengths(_weights(pretrained))
    named = PRESETS.get(origin.preset_name)
    preset = named if named and named.image_size == origin.image_size else None
    return dataclasses.replace(
        preset or preset_of_side(origin.image_size),
        latent_dim=found.latent,
        embedding_dim=found.embedding,
        mapping_layers=found.mapping_layers,
        generator_widths=found.widths,
    )


def network_of(pretrained: Pretrained) -> Generator:
    """Returns the averaged generator as a Keras network in float32.

    Raises:
        InputError: its weights are of other networks.
    """
    weights = _weights(pretrained)
    found = _lengths(weights)
    network = Generator(
        widths=found.widths,
        latent_dim=found.latent,
        embedding_dim=found.embedding,
        mapping_layers=found.mapping_layers,
        num_classes=len(pretrained.class_names),
        dtype="float32",
        name="ema_generator",
    )
    if [each.shape for each in weights] != [each.shape for each in network.weights]:
        raise InputError(OTHER_NETWORKS)
    network.set_weights(weights)
    return network


class _Lengths(NamedTuple):
    latent: int
    embedding: int
    mapping_layers: int
    widths: tuple[int, ...]


def _weights(pretrained: Pretrained) -> list[np.ndarray]:
    model: Any = pretrained.model  # TensorFlow declares no attributes of a loaded object
    return [variable.numpy() for variable in model.variables_of_generator]


def _lengths(weights: Sequence[np.ndarray]) -> _Lengths:
    """Reads lengths and widths from the shapes of the weights, which are in a fixed order.

    The class embedding comes first, then kernel and bias of each mapping layer, the first dense
    kernel, the normalisations, and the kernels of the convolutions; that of the image is the last.
    """
    try:
        shapes = [weight.shape for weight in weights]
        (_, embedding), (condition, _) = shapes[:2]
        mapping = 0
        while shapes[1 + 2 * mapping : 3 + 2 * mapping] == [(condition, condition), (condition,)]:
            mapping += 1
        first = shapes[1 + 2 * mapping]
        kernels = [shape for shape in shapes if len(shape) == 4]
        widths = (first[1] // 16, *(kernel[-1] for kernel in kernels[:-1]))
        return _Lengths(condition - embedding, embedding, mapping, widths)
    except (ValueError, IndexError) as error:
        raise InputError(OTHER_NETWORKS) from error
