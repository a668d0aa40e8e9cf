"""Values that are not finite are found in their step, named, and never replace good weights."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.models.gan import METRICS, ConditionalGAN
from skin_synth.presets import PRESETS
from skin_synth.training import health, trainer
from skin_synth.training.callbacks.health import Health
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import load_run
from tests.skin_synth.models.test_gan import PRESET, compiled, fit, source
from tfrecords_tools.errors import InputError


@pytest.fixture(scope="module")
def gan():
    return after_one_step()


def after_one_step():
    gan = compiled(run_eagerly=True)
    fit(gan, 1)
    return gan


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("term", health.CHECKED_TERMS)
def test_a_figure_that_is_not_finite_is_named_with_its_step(gan, term, value):
    means = dict.fromkeys(METRICS, 1.0)
    health.check_terms(gan, means, 7)
    with pytest.raises(health.TrainingDiverged, match=rf"step 1,007: {term} is .*--seed"):
        health.check_terms(gan, means | {term: value}, 1_007)


def test_the_cause_is_named_before_what_it_spoils():
    assert set(health.CHECKED_TERMS) == set(METRICS)
    gan = ConditionalGAN(PRESET, ("a", "b"), policy="mixed_bfloat16")
    spoilt = dict.fromkeys(("penalty", "discriminator_loss"), float("inf"))
    means = dict.fromkeys(METRICS, 1.0) | spoilt
    with pytest.raises(health.TrainingDiverged, match=r"penalty is inf.*--policy float32"):
        health.check_terms(gan, means, 1)


@pytest.mark.parametrize(
    "part", ["generator", "ema_generator", "discriminator", "optimizer", "discriminator_optimizer"]
)
def test_weights_averages_and_moments_are_looked_at(gan, part):
    health.check_weights(gan)
    variable = getattr(gan, part).variables[-1]
    before = variable.numpy()
    variable.assign(np.where(before == before.ravel()[-1], np.nan, before))
    with pytest.raises(health.TrainingDiverged, match=r"step 1: weight .* is not finite"):
        health.check_weights(gan)
    variable.assign(before)


def test_skipped_steps_are_those_that_no_optimizer_made():
    gan = compiled(policy="mixed_float16")
    for optimizer in (gan.optimizer, gan.discriminator_optimizer):
        optimizer.dynamic_scale.assign(3e38)
    before = gan.generator.trainable_variables[1].numpy()
    gan.fit(source(), steps_per_epoch=1, verbose=0, shuffle=False)
    assert health.skipped_steps(gan) == {"discriminator": 1, "generator": 1}
    np.testing.assert_array_equal(gan.generator.trainable_variables[1].numpy(), before)
    assert all(scale < 3e38 for scale in health.loss_scales(gan).values())
    assert health.skipped_steps(compiled()) == health.loss_scales(compiled()) == {}


def test_nothing_but_skipped_steps_is_sick():
    gan = compiled(policy="mixed_float16")
    health.check_skips(gan, {"discriminator": 30, "generator": 2}, 31)
    told = r"last 31 steps of the generator.*--policy float32"
    with pytest.raises(health.TrainingDiverged, match=told):
        health.check_skips(gan, {"discriminator": 30, "generator": 31}, 31)


@pytest.mark.parametrize(("length", "epochs"), [(30, 1), (16, 2), (8, 4)])
def test_epochs_too_short_to_judge_are_judged_together(length, epochs, monkeypatch):
    """All steps of the second network are skipped from the first on, of the other but one."""
    steps = 0
    monkeypatch.setattr(
        health,
        "skipped_steps",
        lambda gan: {"discriminator": max(0, steps - 1), "generator": steps},
    )
    monkeypatch.setattr(health, "check_weights", lambda *given: None)
    monkeypatch.setattr(health, "loss_scales", lambda gan: {})
    watch = Health(tf.summary.create_noop_writer())
    watch.set_model(gan := compiled(policy="mixed_float16"))
    gan.steps.assign(100)
    watch.on_train_begin()
    for epoch in range(epochs):
        watch.on_epoch_begin(epoch)
        for step in range(length):
            watch.on_train_batch_end(step)
            steps += 1
        if epoch < epochs - 1:
            watch.on_epoch_end(epoch)
    told = rf"step 100: the last {length * epochs} steps of the generator were all skipped"
    with pytest.raises(health.TrainingDiverged, match=told):
        watch.on_epoch_end(epochs - 1)


@pytest.fixture
def short(tiny_preset, monkeypatch):
    """Name of a preset with a checkpoint after each epoch of five steps."""
    preset = dataclasses.replace(tiny_preset, name="short-32", checkpoint_images=40)
    monkeypatch.setitem(PRESETS, preset.name, preset)
    monkeypatch.setattr(trainer, "EPOCH_IMAGES", 40)
    return preset.name


def test_a_sick_run_ends_with_its_last_good_checkpoint(
    short, phantom_data, tmp_path, monkeypatch, capsys
):
    healthy = ConditionalGAN._penalty

    def sick(self, *arguments):
        return tf.where(self.steps.value == 7, float("inf"), healthy(self, *arguments))

    monkeypatch.setattr(ConditionalGAN, "_penalty", sick)
    run, options = tmp_path / "run", TrainingOptions(preset=short, images=120, policy="float32")
    told = r"step 8: penalty is inf: .*--set gamma=\S+\..*-000000000040\S* is kept, --init_from "
    for _ in range(2):
        with pytest.raises(InputError, match=told):
            trainer.train(phantom_data, run, options)
        names = [path.name for path in RunDirectory(run).checkpoints()]
        assert names == ["images-000000000040.weights.h5"]
        assert "train: " in capsys.readouterr().err  # the last line of a bar that is closed
    health.check_weights(load_run(run).gan)


def test_sick_weights_are_never_written(tmp_path):
    gan = after_one_step()
    directory = RunDirectory(tmp_path)
    good = directory.save(gan)
    before = good.read_bytes()
    kernel = gan.generator.to_rgb.kernel
    kernel.assign(kernel.numpy() * np.inf)
    for write in (directory.save, lambda gan: directory.save_best(gan, -1.0)):
        with pytest.raises(health.TrainingDiverged, match="weight generator"):
            write(gan)
    assert good.read_bytes() == before
    assert [path.name for path in good.parent.iterdir()] == [good.name]


def test_looking_does_not_retrace(short, phantom_data, tmp_path, monkeypatch, caplog):
    traces = []
    step = ConditionalGAN.train_step

    def counted(self, batch):
        traces.append(1)
        return step(self, batch)

    monkeypatch.setattr(ConditionalGAN, "train_step", counted)
    caplog.set_level("INFO", "skin_synth")
    options = TrainingOptions(preset=short, images=120, policy="mixed_float16")
    trainer.train(phantom_data, tmp_path / "run", options)
    assert len(traces) == 1
    assert any("skipped" in line and "of the discriminator" in line for line in caplog.messages)
