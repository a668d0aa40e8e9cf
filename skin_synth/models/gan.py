"""The conditional GAN: two networks, their training step, and the averaged generator."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from skin_synth import augment
from skin_synth.keras_backend import keras
from skin_synth.models import batch_checks, keras_options, losses, replicas, schedules
from skin_synth.models.hardware import choose_policy, compiles_step
from skin_synth.models.networks import Discriminator, Generator
from skin_synth.models.optimizers import FusedAdam
from skin_synth.models.schedules import ScheduledValues
from skin_synth.presets import Preset, get_preset
from skin_synth.provenance import content_hash, software_versions
from skin_synth.random_streams import Stream, key
from skin_synth.saved_model.export import export
from skin_synth.saved_model.origin import Origin
from skin_synth.saved_model.process import TRACING, check_not_forked
from skin_synth.saved_model.sampler import Sampler
from tfrecords_tools.errors import InputError

METRICS = ("discriminator_loss", "generator_loss", "penalty", "real_logit", "fake_logit")
TEST_METRICS = ("discriminator_loss", "generator_loss", "real_logit", "fake_logit")


@keras.saving.register_keras_serializable("skin_synth")
class ConditionalGAN(keras.Model):
    """A class-conditional GAN with an explicit float32 average of its generator.

    `compile`, `fit`, `evaluate` and `save` work as in any Keras model, and refuse what would have
    no effect here. `fit` takes batches of images and labels, (uint8[batch, size, size, 3],
    int[batch]), from `skin_synth.data.batches`. Step t depends only on the weights, the batch and
    (seed, t).

    Attributes:
        preset: all choices of networks, loss and schedules.
        class_names: at least two classes, in the order of their labels.
        seed: of weights, latents and augmentation.
        generator: the network in training.
        ema_generator: its exponential moving average in float32; it generates the images.
        discriminator: the network that rates images as real or fake in training.
        steps: int64[], steps done.
        surplus: int64[], images drawn beyond `steps` batches of the preset, in batches of another
            size; below 0 if batches were smaller.
        image_size: height and width of the images, in pixels.
        latent_dim: length of the latent vector.
    """

    train_function: Any  # attributes of Keras, which declares no type
    test_function: Any
    class_counts = None  # because without a run the data set is unknown

    def __init__(
        self,
        preset: Preset | str,
        class_names: Sequence[str],
        *,
        seed: int = 0,
        policy: str | None = None,
        **options: Any,
    ) -> None:
        """Builds the networks under a Keras dtype policy; `options` are those of `keras.Model`.

        By default the policy is the fastest on this machine, see `hardware.choose_policy`.

        Raises:
            InputError: unknown preset or policy, fewer than two classes, or a forked process.
        """
        check_not_forked()
        super().__init__(**{"name": "conditional_gan", **options})
        self.preset = get_preset(preset) if isinstance(preset, str) else preset
        if len(class_names) < 2:
            raise InputError(f"a conditional GAN needs two classes or more, got {class_names}")
        self.image_size, self.latent_dim = self.preset.image_size, self.preset.latent_dim
        self.class_names = tuple(class_names)
        self.seed = seed
        self.policy = choose_policy(policy)
        make_generator = functools.partial(
            Generator,
            widths=self.preset.generator_widths,
            latent_dim=self.latent_dim,
            embedding_dim=self.preset.embedding_dim,
            mapping_layers=self.preset.mapping_layers,
            num_classes=len(class_names),
            seed=seed,
        )
        self.generator = make_generator(dtype=self.policy, name="generator")
        self.ema_generator = make_generator(dtype="float32", name="ema_generator")
        self.ema_generator.trainable = False
        self.discriminator = Discriminator(
            widths=self.preset.discriminator_widths,
            image_size=self.image_size,
            num_classes=len(class_names),
            seed=seed + 1,
            dtype=self.policy,
            name="discriminator",
        )
        self.steps = self._add_counter("steps")
        self.surplus = self._add_counter("surplus")
        self.means = {name: keras.metrics.Mean(name=name) for name in METRICS}
        self.built = True

    def _add_counter(self, name: str) -> keras.Variable:
        return self.add_weight(
            shape=(),
            dtype="int64",
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
            name=name,
        )

    @property
    def images_seen(self) -> int:
        """Real images drawn so far."""
        return int(self.steps.numpy()) * self.preset.batch_size + int(self.surplus.numpy())

    @property
    def origin(self) -> Origin:
        """The origin of the generator, without a run or a data set."""
        return Origin(
            run_id="",
            data_name="",
            data_fingerprint="",
            checkpoint_hash=content_hash(*self.ema_generator.get_weights()),
            images_seen=self.images_seen,
            preset_name=self.preset.name,
            image_size=self.image_size,
            software=software_versions(),
        )

    @property
    def state(self) -> list[keras.Variable]:
        """All variables of a step, including those of the optimizers; needs `compile`."""
        return [*self.variables, *self.optimizer.variables, *self.discriminator_optimizer.variables]

    def compile(self, *args: Any, **options: Any) -> None:
        """Makes and builds the two Adam optimizers of the preset.

        An optimizer that is not built has no moments to restore, so a resumed training would start
        with new ones without an error. Under `mixed_float16` both optimizers scale their loss.
        `options` are run_eagerly, steps_per_execution and jit_compile of `keras.Model.compile`;
        `jit_compile` is True by default if XLA makes the step faster (see
        `hardware.compiles_step`).

        Raises:
            InputError: another option, which would have no effect.
        """
        keras_options.check_compile(args, options)
        self._compile_options = {
            name: value for name, value in options.items() if value is not None
        }
        self.discriminator_optimizer = self._make_optimizer(self.discriminator)
        super().compile(
            optimizer=self._make_optimizer(self.generator),
            auto_scale_loss=False,
            **{"jit_compile": compiles_step(), **self._compile_options},
        )

    def get_compile_config(self) -> dict[str, Any]:
        """Returns the options of `compile`, for `save`; the optimizers are those of the preset."""
        # Keras takes an empty dict for a model that is not compiled.
        return {"options": dict(self._compile_options)} if self.compiled else {}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a loaded model."""
        self.compile(**config["options"])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments as plain lists, dicts, numbers and strings."""
        return {
            "preset": json.loads(json.dumps(self.preset.to_json())),
            "class_names": list(self.class_names),
            "seed": self.seed,
            "policy": self.policy,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> ConditionalGAN:
        """Makes the untrained GAN whose `get_config` gave `config`."""
        del custom_objects  # because a GAN has none
        return cls(**{**config, "preset": Preset.from_json(config["preset"])})

    def save_own_variables(self, store: Any) -> None:
        """Saves the counters; that of other batch sizes only if there were any."""
        counters = [self.steps, self.surplus] if int(self.surplus.numpy()) else [self.steps]
        for number, counter in enumerate(counters):
            store[f"{number}"] = counter

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved."""
        self.steps.assign(store["0"])
        self.surplus.assign(store["1"] if "1" in store.keys() else 0)  # noqa: SIM118 - no dict

    def _make_optimizer(self, network: keras.Model) -> keras.optimizers.Optimizer:
        betas = {"beta_1": self.preset.beta_1, "beta_2": self.preset.beta_2}
        rate = self.preset.learning_rate.start
        optimizer = FusedAdam(rate, **betas, name=f"{network.name}_adam")
        if self.policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(network.trainable_variables)
        return optimizer

    def fit(self, *args: Any, **options: Any) -> keras.callbacks.History:
        """Trains the networks; see `keras.Model.fit`.

        Raises:
            InputError: a batch that does not fit (see `batch_checks`), or an option or a callback
                that would have no effect.
        """
        keras_options.check_fit(args, options)
        return super().fit(*args, **options)

    def make_train_function(self, force: bool = False) -> None:
        """Makes Keras' function, but draws the batch before the step, not in a graph around it.

        On a GPU a graph that draws the batch takes as long as the compiled step itself
        (docs/study/speed.md). And outside a graph its values can be checked under XLA too.
        """
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = batch_checks.checked(self.train_function, self)

    def make_test_function(self, force: bool = False) -> None:
        """Makes Keras' function, and checks each batch before it."""
        if self.test_function is None or force:
            super().make_test_function(force)
            self.test_function = batch_checks.checked(self.test_function, self)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The running means of `METRICS`."""
        return list(self.means.values())

    # The step has no loop or branch on a tensor, and AutoGraph would take half of the tracing time.
    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Trains the discriminator for one step, then the generator, then updates the average."""
        images, labels = batch_checks.unpack(batch, self.image_size)
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        scheduled = self.scheduled_values(rows := replicas.batch_size(images))
        loss = losses.BY_NAME[self.preset.loss]

        def augmented(images: tf.Tensor, stream: Stream) -> tf.Tensor:
            return self._augmented(images, stream, scheduled.augment_probability)

        def discriminate(images: tf.Tensor) -> tf.Tensor:
            labels_of_rows = tf.concat([labels, labels], axis=0)[: tf.shape(images)[0]]
            return self.discriminator((images, labels_of_rows), training=True)

        augmented_real = augmented(real, Stream.AUGMENT_REAL)
        latents = self._latents(labels, Stream.DISCRIMINATOR_LATENT)
        fake = self.generator((latents, labels), training=True)
        with tf.GradientTape() as tape:
            augmented_fake = augmented(fake, Stream.AUGMENT_FAKE)
            logits = discriminate(tf.concat([augmented_real, augmented_fake], axis=0))
            real_logits, fake_logits = tf.split(logits, 2)
            penalty = self._penalty(lambda *drawn: discriminate(augmented(*drawn)), real, fake)
            discriminator_loss = (
                loss.discriminator(real_logits, fake_logits) + scheduled.gamma / 2 * penalty
            )
            scaled = self.discriminator_optimizer.scale_loss(discriminator_loss / replicas.count())
        optimizer, rate = self.discriminator_optimizer, scheduled.learning_rate
        self._descend(optimizer, self.discriminator, tape, scaled, rate)

        with tf.GradientTape() as tape:
            latents = self._latents(labels, Stream.GENERATOR_LATENT)
            fake = self.generator((latents, labels), training=True)
            augmented_fake = augmented(fake, Stream.AUGMENT_FAKE)
            generator_loss = loss.generator(
                discriminate(augmented_real), discriminate(augmented_fake)
            )
            scaled = self.optimizer.scale_loss(generator_loss / replicas.count())
        rate = scheduled.generator_learning_rate
        self._descend(self.optimizer, self.generator, tape, scaled, rate)

        self._average(scheduled.ema_decay)
        self._count(rows)
        return self._report(discriminator_loss, generator_loss, penalty, real_logits, fake_logits)

    @tf.autograph.experimental.do_not_convert
    def test_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Measures losses and logits of unseen images, for `validation_data` and `evaluate`.

        The fake images are those of the averaged generator; nothing is augmented or penalised. A
        discriminator that rates unseen images far below training images has learnt those by heart.
        """
        images, labels = batch_checks.unpack(batch, self.image_size)
        step = tf.cast(self.means["real_logit"].count.value, tf.int64)  # of this evaluation
        latents = self._latents(labels, Stream.TEST_LATENT, step)
        real = tf.cast(images, tf.float32) / 127.5 - 1.0
        real_logits, fake_logits = (
            tf.cast(self.discriminator((each, labels), training=False), tf.float32)
            for each in (real, self.ema_generator((latents, labels), training=False))
        )
        loss = losses.BY_NAME[self.preset.loss]
        both = real_logits, fake_logits
        terms = loss.discriminator(*both), loss.generator(*both), *both
        return self._report(*terms, names=TEST_METRICS)

    def _count(self, rows: int | tf.Tensor) -> None:
        """Counts a step, and the images by which its batch is larger than the preset's."""
        self.steps.assign_add(1)
        if not isinstance(rows, int) or rows != self.preset.batch_size:
            self.surplus.assign_add(tf.cast(rows, tf.int64) - self.preset.batch_size)

    def scheduled_values(self, batch_size: int | tf.Tensor | None = None) -> ScheduledValues:
        """Returns the scheduled values of the next step; None: of a batch of the preset's size."""
        seen = self.steps.value * self.preset.batch_size + self.surplus.value
        return schedules.values(self.preset, tf.cast(seen, tf.float32), batch_size)

    def _latents(
        self, labels: tf.Tensor, stream: Stream, step: tf.Tensor | None = None
    ) -> tf.Tensor:
        shape = [tf.shape(labels)[0] * replicas.count(), self.latent_dim]
        step = self.steps.value if step is None else step
        drawn = tf.random.stateless_normal(shape, key(self.seed, step, stream))
        return replicas.own_rows(drawn)

    def _augmented(self, images: tf.Tensor, stream: Stream, probability: tf.Tensor) -> tf.Tensor:
        count = tf.shape(images)[0] * replicas.count()
        drawn = augment.draw(key(self.seed, self.steps.value, stream), count, probability)
        own = {name: replicas.own_rows(values) for name, values in drawn.items()}
        return augment.apply(images, own)

    def _penalty(
        self, logits_of: Callable[[tf.Tensor, Stream], tf.Tensor], real: tf.Tensor, fake: tf.Tensor
    ) -> tf.Tensor:
        """Returns R1, or R1 + R2 by `penalty_fake`, on the first rows: an unbiased estimate."""
        rows = self.preset.penalty_rows // replicas.count()
        penalty = losses.gradient_penalty(lambda x: logits_of(x, Stream.AUGMENT_REAL), real[:rows])
        if self.preset.penalty_fake:
            penalty += losses.gradient_penalty(
                lambda x: logits_of(x, Stream.AUGMENT_FAKE), fake[:rows]
            )
        return penalty

    def _descend(
        self,
        optimizer: keras.optimizers.Optimizer,
        network: keras.Model,
        tape: tf.GradientTape,
        scaled_loss: tf.Tensor,
        learning_rate: tf.Tensor,
    ) -> None:
        adam = optimizer.inner_optimizer if self.policy == "mixed_float16" else optimizer
        adam.schedule(learning_rate)
        variables = network.trainable_variables
        gradients = tape.gradient(scaled_loss, variables)
        if self.policy == "mixed_float16":
            gradients = replicas.all_or_none_finite(gradients)
        optimizer.apply(gradients, variables)  # this sums the gradients over the replicas

    def _average(self, decay: tf.Tensor) -> None:
        """Updates the averaged generator, including the moving statistics of its normalisation."""
        pairs = zip(self.ema_generator.variables, self.generator.variables, strict=True)
        for average, current in pairs:
            moved = current.value + decay * (average.value - current.value)
            replicas.update(average.value, moved)

    def _report(self, *values: tf.Tensor, names: tuple[str, ...] = METRICS) -> dict[str, tf.Tensor]:
        for name, value in zip(names, values, strict=True):
            self.means[name].update_state(value)
        return {name: self.means[name].result() for name in names}

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor], training: bool = False) -> tf.Tensor:
        """Generates float32[n, size, size, 3] in [-1, 1] with the averaged generator.

        `inputs` are float32[n, latent_dim] latents and int[n] label ids; `training` is ignored.
        """
        return self.ema_generator(inputs, training=False)

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
        batch_size: int = 64,
    ) -> np.ndarray:
        """Generates uint8[n, size, size, 3]; each image depends only on its label and seed.

        Args:
            label_ids: int[n], indices into `class_names`.
            seeds: int[n]; a seed fixes the latent, the same for all labels.
            truncation: factor of the latent; below 1 images are more typical and vary less.
            batch_size: images generated at a time.

        Raises:
            InputError: a label out of range, or lengths that differ.
        """
        return self.sampler.sample(label_ids, seeds, truncation=truncation, batch_size=batch_size)

    def discriminator_scores(
        self, images: np.ndarray, labels: np.ndarray, *, batch_size: int = 64
    ) -> np.ndarray:
        """Computes the discriminator's logits, without augmentation: the larger, the more real.

        Args:
            images: uint8[n, size, size, 3].
            labels: int[n], indices into `class_names`.
            batch_size: images judged at a time.

        Returns:
            float32[n].
        """
        scores = np.empty(len(images), np.float32)
        for start in range(0, len(images), batch_size):
            rows = slice(start, start + batch_size)
            pixels = tf.cast(images[rows], tf.float32) / 127.5 - 1.0
            logits = self.discriminator((pixels, tf.constant(labels[rows])), training=False)
            scores[rows] = tf.reshape(tf.cast(logits, tf.float32), [-1]).numpy()
        return scores

    @functools.cached_property
    def _sampler(self) -> Sampler:
        return Sampler(self.ema_generator, self.class_names)

    @property
    def sampler(self) -> Sampler:
        """The averaged generator in its served form; made once, because tracing takes seconds."""
        with TRACING:
            return self._sampler

    def export(self, model_dir: str | os.PathLike[str], *, other_classes: bool = False) -> Path:
        """Writes the next version of the SavedModel below `model_dir`; see `saved_model.export`."""
        return export(self, model_dir, other_classes=other_classes)
