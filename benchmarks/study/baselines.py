"""The baselines: two conditional GANs that a TensorFlow user would choose instead of ours.

Their choices were frozen before any comparison. Both generate images with an average of the
generator's weights (decay 0.999, warmed up as `tf.train.ExponentialMovingAverage(num_updates=...)`
does). Their sources do not have this average; it only helps them.

`ConditionalDCGAN`: keras.io's "Conditional GAN" (one-hot labels with the latent and as constant
maps with the image, leaky ReLU 0.2 in both networks, BCE, both halves of D's batch in one pass)
with the findings of Radford et al. 2016: transposed and strided 4x4 convolutions only, batch
normalisation in the generator, normal(0, 0.02) weights, Adam 2e-4 with beta1 0.5. Real labels are
smoothed to 0.9, one-sided (Salimans et al. 2016, section 3.4).

`SNGANProjection`: residual blocks, conditional batch normalisation and projection head of Miyato
and Koyama 2018 (figure 14 and section 4), spectral normalisation by one power iteration a step
(Miyato et al. 2018, algorithm 1), hinge loss, Adam 2e-4 with beta1 0 and beta2 0.9, Glorot weights
with gain sqrt(2) in the residual branches. D makes one step for each step of G, not five, because
at equal CPU time five would leave G a third of its steps.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.study.baseline_networks import (
    LATENT_DIM,
    DCDiscriminator,
    DCGenerator,
    SNDiscriminator,
    SNGenerator,
)
from skin_synth.models.hardware import choose_policy
from skin_synth.random_streams import Stream, key
from skin_synth.saved_model.sampler import Sampler
from tfrecords_tools.errors import InputError

EMA_DECAY = 0.999
REAL_LABEL = 0.9

DCGAN_WIDTHS = {32: (256, 128, 64), 64: (256, 128, 64, 32)}
"""Channels of the generator at 4x4, 8x8, ...; the discriminator mirrors them."""
SNGAN_GENERATOR_WIDTHS = {32: (192, 192, 96, 48), 64: (192, 192, 96, 48, 24)}
SNGAN_DISCRIMINATOR_WIDTHS = {32: (48, 96, 192, 192), 64: (24, 48, 96, 192, 192)}


def bce_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of float32[n] logits, real ones towards `REAL_LABEL`, fake towards 0."""
    entropy = tf.nn.sigmoid_cross_entropy_with_logits
    real_loss = entropy(labels=REAL_LABEL * tf.ones_like(real), logits=real)
    fake_loss = entropy(labels=tf.zeros_like(fake), logits=fake)
    return (tf.reduce_mean(real_loss) + tf.reduce_mean(fake_loss)) / 2


def bce_generator(fake: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of float32[n] logits of fake images towards 1."""
    return tf.reduce_mean(tf.nn.softplus(-fake))


def hinge_discriminator(real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
    """Mean of relu(1 - real) + relu(1 + fake), float32[n] logits (Miyato et al. 2018, eq. 16)."""
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


def hinge_generator(fake: tf.Tensor) -> tf.Tensor:
    """Mean of -fake, float32[n] logits (Miyato et al. 2018, eq. 17)."""
    return -tf.reduce_mean(fake)


class Baseline(keras.Model):
    """The common part of both: step, average, state and generation.

    It has the interface of `skin_synth.models.gan.ConditionalGAN`: batches of
    (uint8[n, size, size, 3], int[n]), `save_weights` and `load_weights` for all state, `generate`.
    Step t depends only on the weights, the batch and (seed, t).

    Attributes:
        generator: in training; `ema_generator`: its float32 average, which generates images.
        discriminator: the opponent.
        steps: int64[], steps done.
    """

    adam: dict[str, float]
    networks: tuple[Callable[..., keras.Model], Callable[..., keras.Model]]
    generator_widths: dict[int, tuple[int, ...]]
    discriminator_widths: dict[int, tuple[int, ...]]
    discriminator_loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    generator_loss: Callable[[tf.Tensor], tf.Tensor]

    def __init__(
        self,
        class_names: Sequence[str],
        *,
        image_size: int = 32,
        batch_size: int = 32,
        seed: int = 0,
        policy: str | None = None,
    ) -> None:
        """Builds the networks.

        Args:
            class_names: at least two classes.
            image_size: 32 or 64 pixels.
            batch_size: images in a step, for `images_seen`.
            seed: of weights and latents.
            policy: Keras dtype policy; by default the fast one of this machine.

        Raises:
            InputError: no widths are frozen for this image size.
        """
        super().__init__()
        if image_size not in self.generator_widths:
            raise InputError(f"baselines generate 32 or 64 pixels, got image_size {image_size}")
        self.class_names = tuple(class_names)
        self.image_size = image_size
        self.batch_size = batch_size
        self.seed = seed
        self.policy = choose_policy(policy)
        classes, (generator, discriminator) = len(class_names), self.networks
        widths = self.generator_widths[image_size]
        self.generator = generator(widths, classes, seed=seed, dtype=self.policy)
        self.ema_generator = generator(widths, classes, seed=seed, dtype="float32")
        self.ema_generator.trainable = False
        widths = self.discriminator_widths[image_size]
        self.discriminator = discriminator(
            widths, image_size, classes, seed=seed + 1, dtype=self.policy
        )
        self.steps = self.add_weight(
            shape=(), dtype="int64", initializer="zeros", trainable=False, name="steps"
        )
        names = ("discriminator_loss", "generator_loss", "real_logit", "fake_logit")
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        self.built = True

    @property
    def images_seen(self) -> int:
        """Real images drawn so far."""
        return int(self.steps.numpy()) * self.batch_size

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Running means of losses and logits."""
        return list(self.means.values())

    def compile(self, **options: Any) -> None:
        """Makes and builds the two Adam optimizers.

        Args:
            **options: of `keras.Model.compile`, except for optimizer and loss, which are ours.
        """
        self.discriminator_optimizer = keras.optimizers.Adam(**self.adam)
        self.discriminator_optimizer.build(self.discriminator.trainable_variables)
        optimizer = keras.optimizers.Adam(**self.adam)
        optimizer.build(self.generator.trainable_variables)
        options.setdefault("jit_compile", False)
        super().compile(optimizer=optimizer, **options)

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """One step of the discriminator, then one of the generator, then of the average."""
        images, labels, _ = keras.utils.unpack_x_y_sample_weight(batch)
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        fake = self.generator(
            (self._latents(labels, Stream.DISCRIMINATOR_LATENT), labels), training=True
        )
        with tf.GradientTape() as tape:
            both = tf.concat([real, fake], 0), tf.concat([labels, labels], 0)
            real_logits, fake_logits = tf.split(self.discriminator(both, training=True), 2)
            loss = self.discriminator_loss(real_logits, fake_logits)
        _descend(self.discriminator_optimizer, self.discriminator, tape, loss)

        with tf.GradientTape() as tape:
            latents = self._latents(labels, Stream.GENERATOR_LATENT)
            fake = self.generator((latents, labels), training=True)
            generator_loss = self.generator_loss(self.discriminator((fake, labels)))
        _descend(self.optimizer, self.generator, tape, generator_loss)

        self._average()
        self.steps.assign_add(1)
        values = loss, generator_loss, real_logits, fake_logits
        for mean, value in zip(self.means.values(), values, strict=True):
            mean.update_state(value)
        return {name: mean.result() for name, mean in self.means.items()}

    def _latents(self, labels: tf.Tensor, stream: Stream) -> tf.Tensor:
        drawn = key(self.seed, self.steps.value, stream)
        return tf.random.stateless_normal([tf.shape(labels)[0], LATENT_DIM], drawn)

    def _average(self) -> None:
        done = tf.cast(self.steps.value, tf.float32)
        decay = tf.minimum(EMA_DECAY, (1.0 + done) / (10.0 + done))
        pairs = zip(self.ema_generator.variables, self.generator.variables, strict=True)
        for average, current in pairs:
            average.assign(current.value + decay * (average.value - current.value))

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Images of the average: (float32[n, 64], int[n]) to float32[n, size, size, 3]."""
        del training
        return self.ema_generator(inputs, training=False)

    def generate(self, label_ids: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """One image per (label, seed): int[n], int[n] to uint8[n, size, size, 3]."""
        return self.sampler.sample(label_ids, seeds)

    @functools.cached_property
    def sampler(self) -> Sampler:
        """The sampler of the average, the same as for our GAN."""
        return Sampler(self.ema_generator, self.class_names)


def _descend(
    optimizer: keras.optimizers.Optimizer,
    network: keras.Model,
    tape: tf.GradientTape,
    loss: tf.Tensor,
) -> None:
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)


class ConditionalDCGAN(Baseline):
    """See the module."""

    adam = {"learning_rate": 2e-4, "beta_1": 0.5, "beta_2": 0.999}  # noqa: RUF012
    networks = DCGenerator, DCDiscriminator
    generator_widths = DCGAN_WIDTHS
    discriminator_widths = {  # noqa: RUF012
        size: widths[::-1] for size, widths in DCGAN_WIDTHS.items()
    }
    discriminator_loss = staticmethod(bce_discriminator)
    generator_loss = staticmethod(bce_generator)


class SNGANProjection(Baseline):
    """See the module."""

    adam = {"learning_rate": 2e-4, "beta_1": 0.0, "beta_2": 0.9}  # noqa: RUF012
    networks = SNGenerator, SNDiscriminator
    generator_widths = SNGAN_GENERATOR_WIDTHS
    discriminator_widths = SNGAN_DISCRIMINATOR_WIDTHS
    discriminator_loss = staticmethod(hinge_discriminator)
    generator_loss = staticmethod(hinge_generator)


BASELINES: dict[str, type[Baseline]] = {"dcgan": ConditionalDCGAN, "sngan": SNGANProjection}
