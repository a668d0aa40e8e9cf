"""Checks training for losses and weights that are not finite, and for skipped steps."""

from __future__ import annotations

import math
from collections.abc import Mapping

import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.models.gan import ConditionalGAN
from tfrecords_tools.errors import InputError

CHECKED_TERMS = ("real_logit", "fake_logit", "penalty", "discriminator_loss", "generator_loss")
"""Checked values of `skin_synth.models.gan.METRICS`, causes before their effects."""


class TrainingDiverged(InputError):
    """Training cannot continue from its weights; the message says why and what to try."""


def check_terms(gan: ConditionalGAN, means: Mapping[str, float], step: int) -> None:
    """Checks `CHECKED_TERMS` of a step, which counts from 1.

    `means` may be averages over this step and earlier finite steps.

    Raises:
        TrainingDiverged: one is not finite.
    """
    for term in CHECKED_TERMS:
        if not math.isfinite(means.get(term, 0.0)):
            raise TrainingDiverged(f"step {step:,}: {term} is {means[term]}: {remedy(gan, term)}")


def finite_weights(gan: ConditionalGAN) -> tf.Tensor:
    """Returns whether each weight, average and moment is finite: bool[n], as in `gan.state`."""
    return tf.stack([tf.reduce_all(tf.math.is_finite(v.value)) for v in _weights(gan)])


def check_weights(gan: ConditionalGAN, finite: tf.Tensor | None = None) -> None:
    """Checks all weights; `finite` is the result of `finite_weights`, if known.

    Raises:
        TrainingDiverged: one is not finite.
    """
    if not _weights(gan):
        return
    finite = finite_weights(gan) if finite is None else finite
    for variable, good in zip(_weights(gan), finite.numpy(), strict=True):
        if not good:
            step = int(gan.steps.numpy())
            raise TrainingDiverged(
                f"step {step:,}: weight {variable.path} is not finite: {remedy(gan, 'weight')}"
            )


def _weights(gan: ConditionalGAN) -> list[keras.Variable]:
    return [v for v in gan.state if tf.as_dtype(v.dtype).is_floating]


def check_skips(gan: ConditionalGAN, skipped: Mapping[str, int], steps: int) -> None:
    """Checks that loss scaling has found a scale.

    `skipped` is the number of skipped steps among the last `steps`, by network.

    Raises:
        TrainingDiverged: a network skipped all of them.
    """
    for network, count in skipped.items():
        if count >= steps:
            raise TrainingDiverged(
                f"step {int(gan.steps.numpy()):,}: the last {steps:,} steps of the {network} were "
                f"all skipped, their gradients were not finite at any loss scale: "
                f"{remedy(gan, 'gradient')}"
            )


def remedy(gan: ConditionalGAN, term: str) -> str:
    """Returns what to try next, for the end of a message."""
    again = "the same command would fail there again; start a new --run with"
    if gan.policy != "float32":
        return f"{again} --policy float32"
    field = "gamma" if term == "penalty" else "learning_rate"
    now = getattr(gan.preset, field)
    return f"{again} another --seed, or --set {field}={now.start / 2:g}:{now.end / 2:g}"


def skipped_steps(gan: ConditionalGAN) -> dict[str, int]:
    """Counts the steps of a run that loss scaling skipped, by network; empty without loss scaling.

    An optimizer counts the steps that it made, and the GAN counts all steps, so the result is also
    right in a resumed run.
    """
    steps = int(gan.steps.numpy())
    return {name: steps - int(each.iterations.numpy()) for name, each in _scaled(gan).items()}


def loss_scales(gan: ConditionalGAN) -> dict[str, float]:
    """Returns the factor of each loss, by network; empty without loss scaling."""
    return {name: float(each.dynamic_scale.numpy()) for name, each in _scaled(gan).items()}


def _scaled(gan: ConditionalGAN) -> dict[str, keras.optimizers.LossScaleOptimizer]:
    optimizers = {"discriminator": gan.discriminator_optimizer, "generator": gan.optimizer}
    return {
        network: optimizer
        for network, optimizer in optimizers.items()
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    }
