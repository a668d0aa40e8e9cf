"""The GAN: every loss and policy trains, the average is exact, saving keeps all state."""

from __future__ import annotations

import concurrent.futures
import copy
import dataclasses
import pickle

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


@keras.saving.register_keras_serializable("tests")
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


def arrays(count=12):
    images = np.random.default_rng(0).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return images, np.arange(count) % 3


def test_a_wrong_batch_is_refused_before_any_step(untrained):
    gan = untrained()
    images, labels = arrays()
    later = np.where(np.arange(12) < 11, labels, 3)
    for x, y in ((images / 255.0, labels), (images, labels + 1), (images[..., :1], labels)):
        with pytest.raises(InputError):
            gan.fit(x, y, batch_size=4, shuffle=False, verbose=0)
        with pytest.raises(InputError):
            gan.evaluate(x, y, batch_size=4, verbose=0)
    with pytest.raises(InputError, match="labels from 0 to 3"):
        gan.fit(images, later, batch_size=4, shuffle=False, verbose=0)
    assert gan.images_seen == 8  # two good batches came first


@pytest.mark.parametrize("size", [2, 4, 12])
def test_schedules_count_the_images_that_came(size, untrained):
    gan = untrained()
    rate = float(gan.scheduled_values().learning_rate)
    gan.fit(*arrays(24), batch_size=size, verbose=0)
    assert gan.images_seen == 24
    after = float(gan.scheduled_values().learning_rate)
    gan = untrained()
    gan.steps.assign(24 // PRESET.batch_size)
    assert after == float(gan.scheduled_values().learning_rate) < rate


def test_the_count_of_images_is_saved(untrained, tmp_path):
    gan = untrained()
    gan.steps.assign(3)
    gan.save_weights(tmp_path / "usual.weights.h5")
    gan.surplus.assign(-5)
    gan.save_weights(tmp_path / "other.weights.h5")
    for name, images in (("other", 7), ("usual", 12)):
        gan.load_weights(tmp_path / f"{name}.weights.h5")
        assert gan.images_seen == images


IGNORED = {
    "class_weight": {"class_weight": {0: 2.0, 1: 1.0, 2: 1.0}},
    "sample_weight": {"sample_weight": np.ones(12)},
    "LearningRateScheduler": {
        "callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)]
    },
    "ReduceLROnPlateau": {"callbacks": keras.callbacks.ReduceLROnPlateau("generator_loss")},
}


@pytest.mark.parametrize("name", IGNORED)
def test_what_would_have_no_effect_on_fit_is_refused(name, untrained):
    gan = untrained()
    with pytest.raises(InputError, match=f"{name} has no effect"):
        gan.fit(*arrays(), batch_size=4, verbose=0, **IGNORED[name])
    assert gan.images_seen == 0


def test_weights_of_images_are_refused_wherever_they_come_from(untrained):
    gan, weights = untrained(), np.ones(12)
    weighted = tf.data.Dataset.from_tensor_slices((*arrays(), weights)).batch(4)
    for fail in (
        lambda: gan.fit(weighted, shuffle=False, verbose=0),
        lambda: gan.fit(*arrays(), batch_size=4, validation_data=(*arrays(), weights), verbose=0),
        lambda: gan.evaluate(weighted, verbose=0),
        lambda: gan.train_on_batch(*arrays(4), sample_weight=weights[:4]),
    ):
        with pytest.raises(InputError, match="weight"):
            fail()


COMPILED = {
    "optimizer": ("adam",),
    "loss": (None, "mse"),
    "metrics": (None, None, None, ["accuracy"]),
}


@pytest.mark.parametrize("name", COMPILED)
def test_what_would_have_no_effect_on_compile_is_refused(name):
    gan = ConditionalGAN(PRESET, NAMES, policy="float32")
    args = COMPILED[name]
    for given, options in ((args, {}), ((), {name: args[-1]})):
        with pytest.raises(InputError, match=f"{name} has no effect"):
            gan.compile(*given, **options)


def test_the_learning_rate_of_the_schedule_cannot_be_set(untrained):
    for policy in ("float32", "mixed_float16"):
        gan = untrained(policy)
        with pytest.raises(InputError, match="the schedule of the preset sets the learning rate"):
            gan.optimizer.learning_rate = 1e-6
        for optimizer in (gan.optimizer, gan.discriminator_optimizer):
            with pytest.raises(InputError, match="the schedule of the preset sets"):
                optimizer.learning_rate.assign(1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda optimizer: setattr(optimizer, "learning_rate", 1e-6),
        lambda optimizer: optimizer.learning_rate.assign(1e-6),
    ],
)
def test_a_callback_that_sets_the_learning_rate_is_refused(change, untrained):
    class Plateau(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)) > 0
            change(self.model.optimizer)

    with pytest.raises(InputError, match="has no effect: the schedule of the preset sets"):
        untrained().fit(*arrays(), batch_size=4, verbose=0, callbacks=[Plateau()])


def test_validation_measures_unseen_images_and_changes_nothing(untrained):
    gan = untrained()
    fit(gan, 2)
    before = values(gan.state)
    figures = gan.evaluate(*arrays(), batch_size=4, verbose=0, return_dict=True)
    assert set(figures) == {"discriminator_loss", "generator_loss", "real_logit", "fake_logit"}
    real = gan.discriminator_scores(*arrays()).mean()
    assert figures["real_logit"] == pytest.approx(real, rel=1e-3, abs=1e-4)
    assert_equal(values(gan.state)[: len(before)], before)
    history = gan.fit(*arrays(), batch_size=4, validation_data=arrays(), verbose=0).history
    assert {f"val_{name}" for name in figures} < set(history)


def test_a_saved_model_comes_back_whole_and_goes_on(untrained, tmp_path):
    gan = untrained()
    fit(gan, 2)
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    copies = [again, copy.deepcopy(gan), pickle.loads(pickle.dumps(gan))]
    for each in copies:
        assert (each.preset, each.class_names, each.seed) == (PRESET, NAMES, 0)
        assert_equal(values(each.state), values(gan.state))
    np.testing.assert_array_equal(again.generate([1], [5]), gan.generate([1], [5]))
    fit(gan, 1, first_step=2)
    copies[1].fit(source(first_step=2), steps_per_epoch=1, verbose=0, shuffle=False)
    assert_equal(copies[1].generator.get_weights(), gan.generator.get_weights())


def test_a_gan_that_is_not_compiled_is_saved_too(tmp_path):
    gan = ConditionalGAN(PRESET, NAMES, policy="float32", seed=3)
    gan.save(tmp_path / "gan.keras")
    again = keras.saving.load_model(tmp_path / "gan.keras")
    assert (again.compiled, again.seed) == (False, 3)
    assert_equal(again.get_weights(), gan.get_weights())


def test_the_first_images_may_be_asked_for_by_many_threads(tmp_path):
    gan = ConditionalGAN(PRESET, NAMES, policy="float32")
    with concurrent.futures.ThreadPoolExecutor(16) as threads:
        calls = [threads.submit(gan.generate, [1], [7]) for _ in range(15)]
        exported = threads.submit(gan.export, tmp_path / "model")
        images = [call.result() for call in calls]
    assert exported.result().name == "1"
    assert all(np.array_equal(image, images[0]) for image in images)
    assert gan.sampler.generate.experimental_get_tracing_count() <= 2


def test_a_trace_that_fails_does_not_spoil_the_next(monkeypatch):
    gan = ConditionalGAN(PRESET, NAMES, policy="float32")
    call = type(gan.ema_generator).call
    with monkeypatch.context() as broken:
        broken.setattr(type(gan.ema_generator), "call", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            gan.generate([0], [1])
    assert type(gan.ema_generator).call is call
    assert gan.generate([0], [1]).shape == (1, 16, 16, 3)
