"""Puts the weights of a GAN into one with other classes, wider stages or larger images.

A wider stage keeps its old channels; the new ones start fresh, and the weights that read them start
at zero (Chen, Goodfellow and Shlens 2016, Net2Net). The two networks have no path around a stage,
so a new outer stage must pass the image on. Six of its channels carry red, green and blue and their
negatives, and leaky(x) - leaky(-x) = (1 + slope) x restores the image from them. The weights that
read its other channels start at zero. So the discriminator starts exactly as the old one on the
image at half size, and the generator as the old one with its last convolution on enlarged features.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import layers
from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.layers import LEAKY_SLOPE, NORM_EPSILON, ModulatedNorm, leaky
from skin_synth.models.networks import Discriminator, Generator

CARRIER_CHANNELS = 6
CALIBRATION_IMAGES = 256
PICTURE_TO_CARRIERS = np.concatenate([np.eye(3), -np.eye(3)], axis=1)
"""float64[3, 6]."""


def inherit(gan: ConditionalGAN, old: ConditionalGAN) -> None:
    """Puts the weights of `old` into `gan`, into which it fits (see `warm_start.check_fits`)."""
    rows = _rows(gan.class_names, old.class_names)
    _inherit_generator(gan.generator, old.generator, rows)
    _inherit_generator(gan.ema_generator, old.ema_generator, rows)
    _inherit_discriminator(gan.discriminator, old.discriminator, rows)


def inherit_generator(gan: ConditionalGAN, old: Generator, class_names: Sequence[str]) -> None:
    """Puts the weights of an averaged generator into both generators; it comes without the rest."""
    rows = _rows(gan.class_names, class_names)
    _inherit_generator(gan.generator, old, rows)
    _inherit_generator(gan.ema_generator, old, rows)


def _rows(names: Sequence[str], old_names: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the labels of each class that both have, new and old."""
    return [(label, old_names.index(name)) for label, name in enumerate(names) if name in old_names]


def _inherit_generator(new: Generator, old: Generator, rows: list[tuple[int, int]]) -> None:
    _take_rows(new.embedding, old.embedding, rows)
    for dense, old_dense in zip(new.mapping, old.mapping, strict=True):
        dense.set_weights(old_dense.get_weights())
    condition = old.latent_dim + old.embedding_dim
    first, old_first = (g.first.kernel.numpy().reshape(condition, 16, -1) for g in (new, old))
    new.first.kernel.assign(_over(first, old_first).reshape(condition, -1))
    for norm, old_norm in zip(new.norms, old.norms, strict=False):
        _take_norm(norm, old_norm)
    for up, old_up in zip(new.ups, old.ups, strict=False):
        up.kernel.assign(_widened(up.kernel.numpy(), old_up.kernel.numpy()))
    to_rgb = _widened_to(old.to_rgb.kernel.numpy(), new.widths[len(old.widths) - 1])
    bias = old.to_rgb.bias.numpy()
    for stage in range(len(old.widths), len(new.widths)):
        _carry(new, stage, to_rgb, bias)
        to_rgb = np.zeros((3, 3, new.widths[stage], 3), np.float32)
        to_rgb[1, 1, :CARRIER_CHANNELS] = PICTURE_TO_CARRIERS.T / (1 + LEAKY_SLOPE)
        bias = np.zeros(3, np.float32)
    new.to_rgb.kernel.assign(to_rgb)
    new.to_rgb.bias.assign(bias)


def _carry(generator: Generator, stage: int, to_rgb: np.ndarray, bias: np.ndarray) -> None:
    """Lets the first channels of a stage carry the image that `to_rgb` would make before it."""
    kernel = generator.ups[stage - 1].kernel.numpy()
    kernel[..., :CARRIER_CHANNELS] = to_rgb @ PICTURE_TO_CARRIERS
    generator.ups[stage - 1].kernel.assign(kernel)
    mean, variance = _moments(generator, stage)
    norm = generator.norms[stage]
    norm.moving_mean.assign(mean)
    norm.moving_variance.assign(variance)
    # The modulation undoes the normalisation: (1 + scale) (x - mean) / deviation + shift = x +
    # bias.
    scale, shift = np.split(norm.affine.bias.numpy(), 2)
    scale[:CARRIER_CHANNELS] = np.sqrt(variance[:CARRIER_CHANNELS] + NORM_EPSILON) - 1
    shift[:CARRIER_CHANNELS] = mean[:CARRIER_CHANNELS] + bias @ PICTURE_TO_CARRIERS
    norm.affine.bias.assign(np.concatenate([scale, shift]))


def _moments(generator: Generator, stage: int) -> tuple[np.ndarray, np.ndarray]:
    """Computes mean and variance of each channel before the normalisation of a stage."""
    latents = tf.random.stateless_normal([CALIBRATION_IMAGES, generator.latent_dim], [0, stage])
    labels = tf.range(CALIBRATION_IMAGES) % generator.num_classes
    condition = generator.condition(latents, labels)
    x = tf.reshape(generator.first(condition), [-1, 4, 4, generator.widths[0]])
    x = leaky(generator.norms[0]((x, condition)))
    for up, norm in zip(generator.ups[: stage - 1], generator.norms[1:stage], strict=True):
        x = leaky(norm((up(x), condition)))
    x = tf.cast(generator.ups[stage - 1](x), tf.float32)
    mean, variance = tf.nn.moments(x, axes=[0, 1, 2])
    return mean.numpy(), variance.numpy()


def _inherit_discriminator(
    new: Discriminator, old: Discriminator, rows: list[tuple[int, int]]
) -> None:
    outer = len(new.widths) - len(old.widths)
    picture = np.eye(3)
    for down in new.downs[:outer]:
        kernel, bias = down.kernel.numpy(), down.bias.numpy()
        kernel[..., :CARRIER_CHANNELS] = 0.0
        kernel[1:3, 1:3, : len(picture), :CARRIER_CHANNELS] = picture @ PICTURE_TO_CARRIERS / 4
        bias[:CARRIER_CHANNELS] = 0.0
        down.kernel.assign(kernel)
        down.bias.assign(bias)
        picture = PICTURE_TO_CARRIERS.T / (1 + LEAKY_SLOPE)
    for number, old_down in enumerate(old.downs):
        down, kernel = new.downs[outer + number], old_down.kernel.numpy()
        if number == 0:
            kernel = np.einsum("ic,hwco->hwio", picture, kernel)
        down.kernel.assign(_widened(down.kernel.numpy(), kernel))
        down.bias.assign(_over(down.bias.numpy(), old_down.bias.numpy()))
    features = old.hidden.kernel.shape[-1]
    hidden = old.hidden.kernel.numpy().reshape(1, 16, -1, features)
    new.hidden.kernel.assign(_widened_to(hidden, new.widths[-1]).reshape(-1, features))
    new.hidden.bias.assign(old.hidden.bias.numpy())
    new.unconditional.set_weights(old.unconditional.get_weights())
    _take_rows(new.embedding, old.embedding, rows)


def _take_rows(new: layers.Embedding, old: layers.Embedding, rows: list[tuple[int, int]]) -> None:
    table, old_table = new.embeddings.numpy(), old.embeddings.numpy()
    for label, old_label in rows:
        table[label] = old_table[old_label]
    new.embeddings.assign(table)


def _take_norm(new: ModulatedNorm, old: ModulatedNorm) -> None:
    """Widens scale and shift separately; they are the two halves of one variable."""
    for name in ("kernel", "bias"):
        variables = getattr(new.affine, name), getattr(old.affine, name)
        halves = zip(*(np.split(v.numpy(), 2, axis=-1) for v in variables), strict=True)
        variables[0].assign(np.concatenate([_over(a, b) for a, b in halves], axis=-1))
    for name in ("moving_mean", "moving_variance"):
        moment = getattr(new, name)
        moment.assign(_over(moment.numpy(), getattr(old, name).numpy()))


def _over(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Returns `new` with `old` in the first places of its last axis."""
    return np.concatenate([old, new[..., old.shape[-1] :]], axis=-1)


def _widened(new: np.ndarray, old: np.ndarray) -> np.ndarray:
    """Returns a kernel [h, w, in, out]; its old outputs depend only on the old inputs."""
    inputs, outputs = old.shape[2:]
    result = new.copy()
    result[:, :, :, :outputs] = 0.0
    result[:, :, :inputs, :outputs] = old
    return result


def _widened_to(old: np.ndarray, inputs: int) -> np.ndarray:
    """Returns a kernel [h, w, in, out] that takes more inputs and ignores the new ones."""
    return np.pad(old, ((0, 0), (0, 0), (0, inputs - old.shape[2]), (0, 0)))
