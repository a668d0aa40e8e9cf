"""Training: files it leaves, exact resume, limits, refusals."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from PIL import Image

from skin_synth.presets import override
from skin_synth.training import forecast
from skin_synth.training import trainer as training
from skin_synth.training.runs import RunDirectory, load_run
from tfrecords_tools.errors import InputError


def state(run):
    """All weights and moments of a run, as the next step would find them."""
    optimizers = (run.gan.optimizer, run.gan.discriminator_optimizer)
    return [v.numpy() for v in (*run.gan.variables, *(v for o in optimizers for v in o.variables))]


def assert_same_state(first, second):
    for a, b in zip(state(first), state(second), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_leaves_config_checkpoints_previews_and_logs(tiny_run):
    names = {path.name for path in tiny_run.directory.iterdir()}
    assert {"config.json", "checkpoints", "previews", "logs"} <= names
    assert list((tiny_run.directory / "logs").iterdir())
    assert 1 <= len(RunDirectory(tiny_run.directory).checkpoints()) <= 2


def test_previews_show_classes_in_rows(tiny_run):
    last = sorted((tiny_run.directory / "previews").glob("*.png"))[-1]
    with Image.open(last) as image:
        assert image.height > 7 * 32
        assert image.width > 12 * 32


def test_tensorboard_has_scalars_and_images(tiny_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tiny_run.directory / "logs"))
    events.Reload()
    tags = events.Tags()
    names = {*tags["scalars"], *tags["tensors"], *tags["images"]}
    assert {"discriminator_loss", "generator_loss", "images_per_second", "ema_decay"} <= names
    assert sum(name.startswith("preview/") for name in names) == 7


def test_in_pieces_equals_in_one_go(tiny_run, tiny_preset, phantom_data, tmp_path):
    for images in (504, 1_200, 2_000):
        pieces = training.train(
            phantom_data, tmp_path / "run", preset=tiny_preset.name, images=images
        )
    assert_same_state(pieces, tiny_run)


def test_a_finished_run_is_left_as_it_is(tiny_run, phantom_data):
    before = sorted(path.name for path in (tiny_run.directory / "checkpoints").iterdir())
    again = training.train(phantom_data, tiny_run.directory, images=2_000)
    assert again.origin.checkpoint_hash == tiny_run.origin.checkpoint_hash
    assert sorted(p.name for p in (tiny_run.directory / "checkpoints").iterdir()) == before


def test_minutes_stop_a_run_and_leave_a_checkpoint(tiny_preset, phantom_data, tmp_path):
    run = training.train(
        phantom_data, tmp_path / "run", preset=tiny_preset.name, images=10**9, minutes=0.02
    )
    assert 0 < run.origin.images_seen < 10**6
    assert load_run(tmp_path / "run").origin.images_seen == run.origin.images_seen


def test_another_data_set_is_refused(tiny_run, phantom_folder, tmp_path):
    import tfrecords_tools

    other = tmp_path / "other"
    tfrecords_tools.build(
        phantom_folder,
        other,
        name="other",
        labels=phantom_folder / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=32,
        seed=1,
    )
    before = tiny_run.origin.checkpoint_hash
    with pytest.raises(InputError, match=r"trained on data set 'phantoms' with fingerprint"):
        training.train(other, tiny_run.directory, images=10_000)
    assert load_run(tiny_run.directory).origin.checkpoint_hash == before


@pytest.mark.parametrize(
    "asked",
    [{"preset": "derm-64"}, {"seed": 9}, {"policy": "mixed_float16"}, {"schedule_images": 5}],
    ids=str,
)
def test_a_run_is_not_continued_with_other_choices(tiny_run, phantom_data, asked):
    with pytest.raises(InputError, match=f"started with --{next(iter(asked))}"):
        training.train(phantom_data, tiny_run.directory, images=10_000, **asked)


@pytest.mark.usefixtures("eager_steps")
def test_a_run_keeps_the_overrides_of_its_preset(tiny_preset, phantom_data, tmp_path):
    run, batch = tmp_path / "run", tiny_preset.batch_size
    overrides = ["gamma=1", "learning_rate=4e-4:1e-5"]
    asked = {"preset": tiny_preset.name, "overrides": overrides}
    training.train(phantom_data, run, images=batch, **asked)
    for again in (asked, {}, {"overrides": overrides[:1]}):
        trained = training.train(phantom_data, run, images=2 * batch, **again)
        assert trained.gan.preset == override(tiny_preset, overrides) != tiny_preset
    other = r"was started with gamma = Ramp\(start=1.0, end=1.0\), got --set gamma=2: leave it out"
    with pytest.raises(InputError, match=other):
        training.train(phantom_data, run, overrides=["gamma=2"])


def test_a_length_of_the_schedules_is_asked_for_once(tiny_preset, phantom_data, tmp_path):
    asked = {"preset": tiny_preset.name, "overrides": ["schedule_images=80"]}
    with pytest.raises(InputError, match="asked for twice"):
        training.train(phantom_data, tmp_path / "run", schedule_images=80, **asked)
    with pytest.raises(InputError, match=r"a preset has no field 'gama'"):
        training.train(phantom_data, tmp_path / "run", preset="derm-32", overrides=["gama=1"])
    assert not (tmp_path / "run").exists()


def test_a_preset_of_another_size_is_refused_and_nothing_is_made(phantom_data, tmp_path):
    with pytest.raises(InputError, match="--size 64"):
        training.train(phantom_data, tmp_path / "run", preset="derm-64")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("eager_steps")
def test_a_run_may_have_a_schedule_of_its_own_and_ends_with_it(tiny_preset, phantom_data, tmp_path):
    asked = {"preset": tiny_preset.name, "schedule_images": 3 * tiny_preset.batch_size}
    run = training.train(phantom_data, tmp_path / "run", **asked)
    assert run.gan.preset == dataclasses.replace(
        tiny_preset, schedule_images=asked["schedule_images"]
    )
    assert run.origin.images_seen == asked["schedule_images"]
    assert float(run.gan.scheduled_values().learning_rate) == pytest.approx(
        tiny_preset.learning_rate.end
    )
    # Whoever goes on need not repeat it.
    again = training.train(phantom_data, tmp_path / "run")
    assert again.origin.images_seen == asked["schedule_images"]


def test_a_schedule_fits_the_time_and_is_kept(tiny_preset, phantom_data, tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "measure_speed", lambda *args: 10.0)
    batch, news = tiny_preset.batch_size, []
    asked = {"preset": tiny_preset.name, "schedule_minutes": 10 * batch / 600, "say": news.append}
    train = functools.partial(training.train, phantom_data, tmp_path / "run", **asked)
    more = 10 * batch  # than there is time for
    # 10 batches' worth of images in that time, less what previews and validation take of it.
    fitting = int(10 * forecast.SHARE_OF_STEPS) * batch
    run = train(images=more)
    assert run.gan.preset == dataclasses.replace(tiny_preset, schedule_images=fitting)
    assert run.origin.images_seen == fitting
    assert any(f"a schedule of {fitting} images" in line for line in news)
    # The same command on a machine that is faster now goes on with what was chosen.
    monkeypatch.setattr(forecast, "measure_speed", lambda *args: 1e6)
    again = train(images=more)
    assert (again.gan.preset, again.origin.images_seen) == (run.gan.preset, fitting)


def test_a_schedule_that_fits_the_time_is_no_longer_than_the_run(
    tiny_preset, phantom_data, tmp_path
):
    batch = tiny_preset.batch_size
    asked = {"preset": tiny_preset.name, "schedule_minutes": 60.0, "images": 2 * batch}
    run = training.train(phantom_data, tmp_path / "run", **asked)
    assert run.gan.preset.schedule_images == run.origin.images_seen == 2 * batch


def test_a_schedule_has_one_length(phantom_data, tmp_path):
    with pytest.raises(InputError, match="--schedule_images or --schedule_minutes, got both"):
        training.train(phantom_data, tmp_path / "run", schedule_images=9, schedule_minutes=1.0)


@pytest.mark.parametrize(
    "limit",
    [
        {"images": 0},
        {"minutes": -1.0},
        {"schedule_images": -5},
        {"schedule_minutes": 0.0},
        {"keep": 0},
    ],
)
def test_limits_that_are_not_positive_are_refused(phantom_data, tmp_path, limit):
    with pytest.raises(InputError, match="above 0"):
        training.train(phantom_data, tmp_path / "run", **limit)


def test_a_profile_is_recorded_on_request(tiny_preset, phantom_data, tmp_path):
    training.train(
        phantom_data, tmp_path / "run", preset=tiny_preset.name, images=240, profile=True
    )
    assert list((tmp_path / "run" / "logs").rglob("*.xplane.pb"))
