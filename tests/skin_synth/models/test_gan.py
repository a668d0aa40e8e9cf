"""The GAN: every loss and policy trains, the average is exact, saving keeps all state."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from skin_synth.data.pipeline import LabelledImages, batches
from skin_synth.models import losses
from skin_synth.models.gan import METRICS, ConditionalGAN
from skin_synth.models.hardware import POLICIES
from skin_synth.presets import LOSSES, Preset, Ramp
from skin_synth.random_streams import Stream
from tfrecords_tools.errors import InputError

PRESET = Preset(
    name="test-16",
    image_size=16,
    generator_widths=(16, 8, 8),
    discriminator_widths=(8, 16),
    latent_dim=8,
    embedding_dim=4,
    batch_size=4,
    schedule_images=64,
)
NAMES = ("a", "b", "c")


class CountingGAN(ConditionalGAN):
    """Counts how often its step is traced."""

    traced = 0

    @tf.autograph.experimental.do_not_convert
    def train_step(self, batch):
        self.traced += 1
        return super().train_step(batch)


def source(**options):
    images = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    split = LabelledImages(images, np.arange(30) % 3, ("x",) * 30, ("x",) * 30, NAMES)
    return batches(split, batch_size=4, seed=0, exponent=0.5, **options)


def compiled(preset=PRESET, *, policy="float32", **options):
    gan = CountingGAN(preset, NAMES, policy=policy)
    gan.compile(**options)
    return gan


def fit(gan, steps, *, first_step=0, epochs=1, **options):
    options = {"epochs": epochs, "verbose": 0, "shuffle": False, **options}
    return gan.fit(source(first_step=first_step), steps_per_epoch=steps, **options).history


def values(variables):
    return [variable.numpy() for variable in variables]


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def untrained():
    """Gives one compiled GAN a policy, in its first state again: its graph is traced only once."""
    made = {}

    def reset(policy="float32"):
        if policy not in made:
            gan = compiled(policy=policy)
            made[policy] = gan, values(gan.state)
        gan, first = made[policy]
        for variable, value in zip(gan.state, first, strict=True):
            variable.assign(value)
        return gan

    return reset


@pytest.fixture
def trained(untrained):
    gan = untrained()
    fit(gan, 3)
    return gan


def differ(found, expected):
    return any(not np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def check_training(gan):
    networks = gan.generator, gan.discriminator
    before = [network.get_weights() for network in networks]
    history = fit(gan, 4)
    assert set(history) == set(METRICS)
    assert all(np.isfinite(figures).all() for figures in history.values())
    assert gan.images_seen == 16
    for network, weights in zip(networks, before, strict=True):
        assert all(np.isfinite(weight).all() for weight in network.get_weights())
        assert differ(network.get_weights(), weights)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_trains(policy, untrained):
    check_training(untrained(policy))


@pytest.mark.parametrize("loss", LOSSES[1:])
def test_every_other_loss_trains(loss):
    preset = dataclasses.replace(PRESET, loss=loss, penalty_fake=loss == "relativistic")
    check_training(compiled(preset, run_eagerly=True))


def test_one_step_moves_the_average_exactly_by_its_decay(untrained):
    gan = untrained()
    fit(gan, 2)
    old = gan.ema_generator.get_weights()
    decay = float(gan.scheduled_values().ema_decay)
    fit(gan, 1, first_step=2)
    new = gan.ema_generator.get_weights(), gan.generator.get_weights()
    for average, current, before in zip(*new, old, strict=True):
        expected = decay * before.astype(np.float64) + (1 - decay) * current
        np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def first_step():
    """A GAN before and after one step without augmentation, with the batch and what it reports."""
    preset = dataclasses.replace(
        PRESET, augment_probability=Ramp(0.0, 0.0), gamma=Ramp(0.5, 0.5), penalty_share=1.0
    )
    before, after = (compiled(preset, run_eagerly=True) for _ in range(2))
    images, labels = next(iter(source()))
    logs = after.train_on_batch(images, labels, return_dict=True)
    return before, after, (images, labels), logs


def test_the_reported_losses_are_those_of_the_logits(first_step):
    gan, _, (images, labels), logs = first_step
    real = tf.cast(images, tf.float32) / 127.5 - 1
    latents = gan._latents(labels, Stream.DISCRIMINATOR_LATENT)
    fake = gan.generator((latents, labels), training=True)
    real_logits, fake_logits = (
        gan.discriminator((images, labels)).numpy().astype(np.float64) for images in (real, fake)
    )
    penalty = float(losses.gradient_penalty(lambda x: gan.discriminator((x, labels)), real))
    adversarial = np.mean(np.log1p(np.exp(-real_logits)) + np.log1p(np.exp(fake_logits)))
    loss = adversarial + 0.25 * penalty
    expected = {"penalty": penalty, "real_logit": real_logits.mean(), "discriminator_loss": loss}
    assert {name: float(logs[name]) for name in expected} == pytest.approx(expected, rel=1e-4)


def test_the_generator_steps_on_fresh_images_against_the_discriminator_that_has_stepped(first_step):
    """By hand with the new discriminator; Adam's first step is the learning rate times the sign."""
    before, after, (_, labels), _ = first_step
    variables = before.generator.trainable_variables
    with tf.GradientTape() as tape:
        latents = before._latents(labels, Stream.GENERATOR_LATENT)
        fake = before.generator((latents, labels), training=True)
        loss = losses.non_saturating_generator(0.0, after.discriminator((fake, labels)))
    changed = after.generator.trainable_variables
    seen = 0
    for old, new, gradient in zip(variables, changed, tape.gradient(loss, variables), strict=True):
        if isinstance(gradient, tf.IndexedSlices):
            continue  # of the embedding: Adam squares the rows of a class one by one
        clear = np.abs(gradient.numpy()) > 1e-4
        seen += clear.sum()
        expected = -PRESET.learning_rate.start * np.sign(gradient.numpy()[clear])
        np.testing.assert_allclose((new.numpy() - old.numpy())[clear], expected, rtol=0.02)
    assert seen > 1000


def test_names_do_not_depend_on_the_models_that_the_process_made_before(first_step):
    # TensorFlow orders the terms of a gradient by name: the last bit would differ.
    def names(gan):
        layers = [*gan.generator.layers, *gan.discriminator.layers, *gan.ema_generator.layers]
        return [variable.path for variable in gan.state] + [layer.name for layer in layers]

    first, second, *_ = first_step
    assert names(first) == names(second)
    assert not any("rmsprop" in name.lower() for name in names(first))  # the default of Keras


def test_schedules_follow_the_step_counter(untrained):
    gan = untrained()
    start, end = PRESET.learning_rate.start, PRESET.learning_rate.end
    assert float(gan.scheduled_values().learning_rate) == pytest.approx(start)
    gan.steps.assign(PRESET.schedule_images // PRESET.batch_size)
    assert float(gan.scheduled_values().learning_rate) == pytest.approx(end)
    fit(gan, 1)
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(end)


@pytest.fixture(scope="module")
def six_steps_by_hand(untrained):
    gan = untrained()
    for batch in source().take(6):
        gan.fit(tf.data.Dataset.from_tensors(batch), verbose=0, shuffle=False)
    return values(gan.state)


@pytest.mark.parametrize("together", [1, 2])
def test_fit_takes_each_batch_once_and_ends_where_they_end(together, untrained, six_steps_by_hand):
    gan = untrained() if together == 1 else compiled(steps_per_execution=together)
    options = {"verbose": 0, "shuffle": False}
    gan.fit(source().take(2), epochs=1, **options)
    gan.fit(source(first_step=2).take(4), epochs=2, steps_per_epoch=2, **options)
    assert gan.images_seen == 6 * PRESET.batch_size
    for found, expected in zip(values(gan.state), six_steps_by_hand, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="a GPU adds in any order, and rounds so"
)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_saved_and_restored_training_goes_on_bit_for_bit(tmp_path, policy, untrained):
    gan, saved = untrained(policy), []

    def save(epoch, logs):
        if epoch == 2:
            gan.save_weights(tmp_path / "at3.weights.h5")
            saved.extend(values(gan.state))

    fit(gan, 1, epochs=5, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=save)])
    whole = values(gan.state)
    fresh = compiled(policy=policy)
    fresh.load_weights(tmp_path / "at3.weights.h5")
    assert_equal(values(fresh.state), saved)
    resumed = untrained(policy)
    resumed.load_weights(tmp_path / "at3.weights.h5")
    fit(resumed, 2, first_step=3)
    assert_equal(values(resumed.state), whole)


def test_generate_follows_further_training(trained):
    before = trained.generate([0], [7])
    fit(trained, 3, first_step=3)
    again = ConditionalGAN(PRESET, NAMES, policy="float32")
    again.ema_generator.set_weights(trained.ema_generator.get_weights())
    after = trained.generate([0], [7])
    assert (after.shape, after.dtype) == ((1, 16, 16, 3), np.uint8)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, again.generate([0], [7]))


def test_the_step_and_generate_are_traced_once(trained):
    fit(trained, 3, first_step=3, epochs=2)
    for count in (1, 5, 40):
        trained.generate([0] * count, range(count))
    assert trained.traced == 1
    assert trained.sampler.generate.experimental_get_tracing_count() == 1


def test_the_model_called_gives_images_of_the_average(trained):
    rows = tf.ones([2, 8]), tf.constant([0, 1])
    np.testing.assert_array_equal(trained(rows), trained.ema_generator(rows, training=False))


def test_one_class_and_an_unknown_policy_are_refused():
    with pytest.raises(InputError, match="two classes"):
        ConditionalGAN(PRESET, ["only"])
    with pytest.raises(InputError, match="'float8'"):
        ConditionalGAN(PRESET, NAMES, policy="float8")


def test_an_overflow_under_float16_skips_the_step_and_halves_the_scale(untrained):
    gan = untrained("mixed_float16")
    fit(gan, 1)
    optimizer = gan.discriminator_optimizer
    optimizer.dynamic_scale.assign(1e38)
    before = gan.discriminator.get_weights()
    fit(gan, 1, first_step=1)
    assert float(optimizer.dynamic_scale.numpy()) == pytest.approx(5e37)
    assert_equal(gan.discriminator.get_weights(), before)
    optimizer.dynamic_scale.assign(2.0**15)
    fit(gan, 1, first_step=2)
    assert differ(gan.discriminator.get_weights(), before)
