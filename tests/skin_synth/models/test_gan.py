"""The GAN: every loss and policy trains, the average is exact, saving keeps all state."""

from __future__ import annotations

import dataclasses
import functools

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


def source(**options):
    rng = np.random.default_rng(0)
    labels = np.arange(30) % 3
    images = rng.integers(0, 256, (30, 16, 16, 3), dtype=np.uint8)
    split = LabelledImages(images, labels, ("x",) * 30, ("x",) * 30, NAMES)
    return batches(split, batch_size=4, seed=0, exponent=0.5, **options)


def compiled(preset=PRESET, *, policy="float32", seed=0, **options):
    gan = ConditionalGAN(preset, NAMES, seed=seed, policy=policy)
    gan.compile(**options)
    return gan


def trained(steps=3, **options):
    gan = compiled(**options)
    gan.fit(source(), steps_per_epoch=steps, verbose=0, shuffle=False)
    return gan


def all_state(gan):
    optimizers = (gan.optimizer, gan.discriminator_optimizer)
    return [v.numpy() for v in (*gan.variables, *(v for o in optimizers for v in o.variables))]


@pytest.mark.parametrize(
    ("loss", "policy"),
    [*((loss, "float32") for loss in LOSSES), *((LOSSES[0], policy) for policy in POLICIES[1:])],
)
def test_every_loss_and_every_policy_trains(loss, policy):
    preset = dataclasses.replace(PRESET, loss=loss, penalty_fake=loss == "relativistic")
    gan = compiled(preset, policy=policy)
    before = gan.generator.get_weights(), gan.discriminator.get_weights()
    history = gan.fit(source(), steps_per_epoch=4, verbose=0, shuffle=False).history
    assert set(history) == set(METRICS)
    assert all(np.isfinite(values).all() for values in history.values())
    assert gan.images_seen == 16
    for network, weights in zip((gan.generator, gan.discriminator), before, strict=True):
        kernels = zip(network.get_weights(), weights, strict=True)
        assert all(np.isfinite(a).all() for a in network.get_weights())
        assert any(not np.array_equal(a, b) for a, b in kernels)


def test_one_step_moves_the_average_exactly_by_its_decay():
    gan = trained(2)
    old = gan.ema_generator.get_weights()
    decay = float(gan.scheduled_values().ema_decay)
    gan.fit(source(first_step=2), steps_per_epoch=1, verbose=0, shuffle=False)
    for average, before, current in zip(
        gan.ema_generator.get_weights(), old, gan.generator.get_weights(), strict=True
    ):
        expected = decay * before.astype(np.float64) + (1 - decay) * current
        np.testing.assert_allclose(average, expected, rtol=1e-4, atol=1e-6)


def test_the_reported_losses_are_those_of_the_logits():
    """Loss and penalty of a fixed batch against the networks called by hand."""
    preset = dataclasses.replace(
        PRESET, augment_probability=Ramp(0.0, 0.0), gamma=Ramp(0.5, 0.5), penalty_share=1.0
    )
    gan = compiled(preset, jit_compile=False)  # XLA draws other latents
    images, labels = next(iter(source()))
    real = tf.cast(images, tf.float32) / 127.5 - 1
    latents = gan._latents(labels, Stream.DISCRIMINATOR_LATENT)
    fake = gan.generator((latents, labels), training=True)
    real_logits = gan.discriminator((real, labels)).numpy().astype(np.float64)
    fake_logits = gan.discriminator((fake, labels)).numpy().astype(np.float64)
    penalty = float(losses.gradient_penalty(lambda x: gan.discriminator((x, labels)), real))
    adversarial = np.mean(np.log1p(np.exp(-real_logits)) + np.log1p(np.exp(fake_logits)))
    trained = compiled(preset, jit_compile=False)
    logs = trained.train_on_batch(images, labels, return_dict=True)
    assert float(logs["penalty"]) == pytest.approx(penalty, rel=1e-4)
    assert float(logs["real_logit"]) == pytest.approx(real_logits.mean(), rel=1e-4)
    assert float(logs["discriminator_loss"]) == pytest.approx(
        adversarial + 0.25 * penalty, rel=1e-4
    )


def test_the_generator_steps_on_fresh_images_against_the_discriminator_that_has_stepped():
    """By hand with the new discriminator; Adam's first step is the learning rate times the sign."""
    preset = dataclasses.replace(PRESET, augment_probability=Ramp(0.0, 0.0))
    images, labels = next(iter(source()))
    gan, hand = (compiled(preset, jit_compile=False) for _ in range(2))  # XLA draws other latents
    gan.train_on_batch(images, labels)
    hand.discriminator.set_weights(gan.discriminator.get_weights())
    with tf.GradientTape() as tape:
        fake = hand.generator(
            (hand._latents(labels, Stream.GENERATOR_LATENT), labels), training=True
        )
        loss = losses.non_saturating_generator(0.0, hand.discriminator((fake, labels)))
    gradients = tape.gradient(loss, hand.generator.trainable_variables)
    rate = PRESET.learning_rate.start
    seen = 0
    for before, after, gradient in zip(
        hand.generator.trainable_variables,
        gan.generator.trainable_variables,
        gradients,
        strict=True,
    ):
        if isinstance(gradient, tf.IndexedSlices):
            continue  # of the embedding: Adam squares the rows of a class one by one
        clear = np.abs(gradient.numpy()) > 1e-4
        seen += clear.sum()
        moved = (after.numpy() - before.numpy())[clear]
        np.testing.assert_allclose(moved, -rate * np.sign(gradient.numpy()[clear]), rtol=0.02)
    assert seen > 1000


def test_schedules_follow_the_step_counter():
    gan = compiled()
    assert float(gan.scheduled_values().learning_rate) == pytest.approx(PRESET.learning_rate.start)
    gan.steps.assign(PRESET.schedule_images // PRESET.batch_size)
    assert float(gan.scheduled_values().learning_rate) == pytest.approx(PRESET.learning_rate.end)
    gan.fit(source(), steps_per_epoch=1, verbose=0, shuffle=False)
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        assert float(optimizer.learning_rate) == pytest.approx(PRESET.learning_rate.end)


def test_names_do_not_tell_how_many_models_the_process_made_before():
    # TensorFlow orders the terms of a gradient by name: the last bit would differ.
    def names(gan):
        layers = [*gan.generator.layers, *gan.discriminator.layers, *gan.ema_generator.layers]
        return [variable.path for variable in gan.state] + [layer.name for layer in layers]

    assert names(compiled()) == names(compiled())


@functools.cache
def state_by_hand(steps):
    gan = compiled()
    for images, labels in source().take(steps):
        gan.train_on_batch(images, labels)
    return all_state(gan)


@pytest.mark.parametrize("together", [1, 2])
def test_fit_takes_each_batch_once_and_ends_where_they_end(together):
    gan = compiled(steps_per_execution=together)
    gan.fit(source().take(2), epochs=1, verbose=0, shuffle=False)
    gan.fit(source(first_step=2).take(4), epochs=2, steps_per_epoch=2, verbose=0, shuffle=False)
    assert gan.images_seen == 6 * PRESET.batch_size
    for a, b in zip(all_state(gan), state_by_hand(6), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="a GPU adds in any order, and rounds so"
)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_saved_and_restored_training_goes_on_bit_for_bit(tmp_path, policy):
    whole, saved = compiled(policy=policy), []

    def save(epoch, logs):
        if epoch == 2:
            whole.save_weights(tmp_path / "at3.weights.h5")
            saved.extend(all_state(whole))

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=save)]
    whole.fit(source(), epochs=5, steps_per_epoch=1, callbacks=callbacks, verbose=0, shuffle=False)
    resumed = compiled(policy=policy, seed=0)
    resumed.load_weights(tmp_path / "at3.weights.h5")
    for a, b in zip(saved, all_state(resumed), strict=True):
        np.testing.assert_array_equal(a, b)
    resumed.fit(source(first_step=3), steps_per_epoch=2, verbose=0, shuffle=False)
    for a, b in zip(all_state(whole), all_state(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_optimizer_is_saved_but_the_two_in_use():
    gan = compiled()
    trackables = [v.path for o in (gan.optimizer, gan.discriminator_optimizer) for v in o.variables]
    assert not any("rmsprop" in path.lower() for path in trackables)


def test_float16_scales_both_losses():
    gan = compiled(policy="mixed_float16")
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        assert type(optimizer).__name__ == "LossScaleOptimizer"


def test_the_generator_that_paints_is_float32_under_a_mixed_policy():
    gan = compiled(policy="mixed_bfloat16")
    assert gan.generator.dtype_policy.name == "mixed_bfloat16"
    assert gan.ema_generator.dtype_policy.name == "float32"


def test_generate_depends_on_label_and_seed_only():
    gan = trained(run_eagerly=True)
    images = gan.generate([0, 1, 2, 0], [7, 7, 8, 7])
    assert images.shape == (4, 16, 16, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], images[3])
    np.testing.assert_array_equal(gan.generate([2], [8])[0], images[2])


def test_generate_follows_further_training():
    gan = trained(run_eagerly=True)
    before = gan.generate([0], [7])
    gan.fit(source(first_step=3), steps_per_epoch=3, verbose=0, shuffle=False)
    again = ConditionalGAN(PRESET, NAMES, policy="float32")
    again.ema_generator.set_weights(gan.ema_generator.get_weights())
    after = gan.generate([0], [7])
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, again.generate([0], [7]))


def test_generate_is_traced_once():
    gan = trained(run_eagerly=True)
    for count in (1, 5, 40):
        gan.generate([0] * count, range(count))
    assert gan.sampler.generate.experimental_get_tracing_count() == 1


def test_the_model_called_gives_images_of_the_average():
    gan = trained(run_eagerly=True)
    latents, labels = tf.ones([2, 8]), tf.constant([0, 1])
    np.testing.assert_array_equal(
        gan((latents, labels)), gan.ema_generator((latents, labels), training=False)
    )


def test_one_class_is_refused():
    with pytest.raises(InputError, match="two classes"):
        ConditionalGAN(PRESET, ["only"])


def test_an_unknown_policy_is_refused():
    with pytest.raises(InputError, match="'float8'"):
        ConditionalGAN(PRESET, NAMES, policy="float8")


def test_the_step_is_traced_once():
    class Counting(ConditionalGAN):
        traced = 0

        def train_step(self, batch):
            type(self).traced += 1
            return super().train_step(batch)

    gan = Counting(PRESET, NAMES, policy="float32")
    gan.compile()
    gan.fit(source(), steps_per_epoch=2, verbose=0, shuffle=False)
    after_one_step = Counting.traced
    gan.fit(source(first_step=2), steps_per_epoch=3, epochs=2, verbose=0, shuffle=False)
    assert Counting.traced == after_one_step == 1


def test_an_overflow_under_float16_skips_the_step_and_halves_the_scale():
    gan = trained(1, policy="mixed_float16")
    optimizer = gan.discriminator_optimizer
    optimizer.dynamic_scale.assign(1e38)
    before = gan.discriminator.get_weights()
    gan.fit(source(first_step=1), steps_per_epoch=1, verbose=0, shuffle=False)
    assert float(optimizer.dynamic_scale.numpy()) == pytest.approx(5e37)
    for a, b in zip(before, gan.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    optimizer.dynamic_scale.assign(2.0**15)
    gan.fit(source(first_step=2), steps_per_epoch=1, verbose=0, shuffle=False)
    assert any(
        not np.array_equal(a, b)
        for a, b in zip(before, gan.discriminator.get_weights(), strict=True)
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_image_logit_heads_weights_and_average_are_float32_under_every_policy(policy):
    gan = compiled(policy=policy)
    labels = tf.constant([0, 1])
    image = gan.generator((tf.zeros([2, 8]), labels), training=True)
    assert image.dtype == tf.float32
    assert gan.discriminator((image, labels)).dtype == tf.float32
    assert gan.discriminator.compute_dtype == policy.removeprefix("mixed_")
    heads = (gan.generator.to_rgb, gan.discriminator.hidden, gan.discriminator.unconditional)
    assert {layer.compute_dtype for layer in heads} == {"float32"}
    assert gan.ema_generator.compute_dtype == "float32"
    weights = (*gan.generator.variables, *gan.discriminator.variables)
    assert {variable.dtype for variable in weights} == {"float32"}
    augmented = gan._augmented(tf.zeros([2, 16, 16, 3]), 2, tf.constant(0.5))
    assert augmented.dtype == tf.float32
