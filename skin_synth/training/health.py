"""Whether training is sick: losses or weights not finite, steps that loss scaling skips."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras
import tensorflow as tf

from skin_synth.models.gan import ConditionalGAN
from tfrecords_tools.errors import InputError

TERMS = ("real_logit", "fake_logit", "penalty", "discriminator_loss", "generator_loss")
"""Of `skin_synth.models.gan.METRICS`, causes before what they spoil."""


class SickError(InputError):
    """Training cannot go on from its present weights; the message says why and what to try."""


def check_terms(gan: ConditionalGAN, means: Mapping[str, float], step: int) -> None:
    """Checks the figures of a step.

    Args:
        gan: that did the step.
        means: by the names of `TERMS`, over this step and some before it that were finite.
        step: its number, from 1.

    Raises:
        SickError: one is not finite.
    """
    for term in TERMS:
        if not math.isfinite(means.get(term, 0.0)):
            raise SickError(f"step {step:,}: {term} is {means[term]}: {remedy(gan, term)}")


def finite_weights(gan: ConditionalGAN) -> tf.Tensor:
    """Whether each weight, average and moment is finite: bool[n], in the order of `gan.state`."""
    return tf.stack([tf.reduce_all(tf.math.is_finite(v.value)) for v in _weights(gan)])


def check_weights(gan: ConditionalGAN, finite: tf.Tensor | None = None) -> None:
    """Checks all weights, averages and moments.

    Args:
        gan: whose.
        finite: what `finite_weights` says of it, where it has been asked already.

    Raises:
        SickError: one is not finite.
    """
    if not _weights(gan):
        return
    finite = finite_weights(gan) if finite is None else finite
    for variable, good in zip(_weights(gan), finite.numpy(), strict=True):
        if not good:
            step = int(gan.steps.numpy())
            raise SickError(
                f"step {step:,}: weight {variable.path} is not finite: {remedy(gan, 'weight')}"
            )


def _weights(gan: ConditionalGAN) -> list[keras.Variable]:
    return [v for v in gan.state if tf.as_dtype(v.dtype).is_floating]


def check_skips(gan: ConditionalGAN, skipped: Mapping[str, int], steps: int) -> None:
    """Checks that loss scaling has found a scale.

    Args:
        gan: that did the steps.
        skipped: by network, of the last `steps` steps.
        steps: in a row.

    Raises:
        SickError: a network made none of them.
    """
    for network, count in skipped.items():
        if count >= steps:
            raise SickError(
                f"step {int(gan.steps.numpy()):,}: the last {steps:,} steps of the {network} were "
                f"all skipped, their gradients were not finite at any loss scale: "
                f"{remedy(gan, 'gradient')}"
            )


def remedy(gan: ConditionalGAN, term: str) -> str:
    """What to try next: words for after a colon."""
    again = "the same command would meet it again; start a new --run with"
    if gan.policy != "float32":
        return f"{again} --policy float32"
    field = "gamma" if term == "penalty" else "learning_rate"
    now = getattr(gan.preset, field)
    return f"{again} another --seed, or --set {field}={now.start / 2:g}:{now.end / 2:g}"


def skipped_steps(gan: ConditionalGAN) -> dict[str, int]:
    """Steps of a run that loss scaling has skipped, by network; empty without loss scaling.

    An optimizer counts the steps that it made, the GAN all: a resumed run knows, too.
    """
    return {
        network: int(gan.steps.numpy()) - int(optimizer.iterations.numpy())
        for network, optimizer in _scaled(gan).items()
    }


def loss_scales(gan: ConditionalGAN) -> dict[str, float]:
    """Factor of each loss, by network; empty without loss scaling."""
    return {
        network: float(optimizer.dynamic_scale.numpy())
        for network, optimizer in _scaled(gan).items()
    }


def _scaled(gan: ConditionalGAN) -> dict[str, keras.optimizers.LossScaleOptimizer]:
    optimizers = {"discriminator": gan.discriminator_optimizer, "generator": gan.optimizer}
    return {
        network: optimizer
        for network, optimizer in optimizers.items()
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    }
