"""Training: files it leaves, exact resume, limits, refusals."""

from __future__ import annotations

import dataclasses
import types

import numpy as np
import pytest
from PIL import Image

from skin_synth.presets import override
from skin_synth.training import forecast
from skin_synth.training.callbacks.monitoring import ProgressBar, preview
from skin_synth.training.configure import configure
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import load_run
from skin_synth.training.trainer import train
from tests.data_sets import write_class_folders
from tests.skin_synth.rewriting import with_synthetic
from tests.training import assert_same_state
from tfrecords_tools import build
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info


def test_a_run_leaves_config_checkpoints_previews_and_logs(tiny_run):
    names = {path.name for path in tiny_run.directory.iterdir()}
    assert {"config.json", "checkpoints", "previews", "logs"} <= names
    assert list((tiny_run.directory / "logs").iterdir())
    assert 1 <= len(RunDirectory(tiny_run.directory).checkpoints()) <= 2
    with Image.open(max((tiny_run.directory / "previews").glob("*.png"))) as image:
        assert image.height > 7 * 32  # classes in rows
        assert image.width > 12 * 32


@pytest.mark.parametrize(("classes", "columns"), [(2, 12), (40, 12), (50, 9), (200, 2), (400, 2)])
def test_a_preview_of_many_classes_has_few_images_of_each(classes, columns):
    class Gan:
        class_names = tuple(map(str, range(classes)))

        def generate(self, labels, seeds):
            assert len(labels) <= max(480, 2 * classes)
            rows = np.asarray(labels) + np.asarray(seeds) / 100
            return np.broadcast_to(rows[:, None, None, None], (len(rows), 4, 4, 3))

    grid = preview(Gan())
    assert grid.shape == (classes, columns, 4, 4, 3)
    np.testing.assert_allclose(grid[:, 1, 0, 0, 0], np.arange(classes) + 0.01)  # the second latent


def test_tensorboard_has_scalars_and_images(tiny_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tiny_run.directory / "logs"))
    events.Reload()
    tags = events.Tags()
    names = {*tags["scalars"], *tags["tensors"], *tags["images"]}
    assert {"discriminator_loss", "generator_loss", "images_per_second", "ema_decay"} <= names
    assert sum(name.startswith("preview/") for name in names) == 7


def test_the_line_of_progress_has_losses_and_kid(tiny_preset, monkeypatch, capsys):
    monkeypatch.setattr("tfrecords_tools.progress.SECONDS_BETWEEN_LINES", 0.0)
    bar = ProgressBar(images=16, minutes=None, last_kid=lambda: 0.25)
    bar.set_model(types.SimpleNamespace(images_seen=0, preset=tiny_preset))
    bar.on_train_begin()
    bar.on_train_batch_end(0)
    bar.on_epoch_end(0, {"generator_loss": np.float32(1.004), "discriminator_loss": 0.5})
    bar.on_train_batch_end(1)
    bar.close()
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("left")
    assert second.startswith("train: 16 of 16 images, ")
    assert second.endswith("left, loss G 1.00, loss D 0.50, KID 0.250")


@pytest.mark.parametrize("seen", [0, 8, 16])
def test_the_line_of_progress_counts_whole_batches_from_the_start_of_the_run(
    tiny_preset, capsys, seen
):
    assert tiny_preset.batch_size == 8
    bar = ProgressBar(images=20, minutes=None, last_kid=lambda: None)
    bar.set_model(types.SimpleNamespace(images_seen=seen, preset=tiny_preset))
    bar.on_train_begin()
    for _ in range(seen, 20, 8):
        bar.on_train_batch_end(0)
    bar.close()
    assert capsys.readouterr().err.startswith("train: 24 of 24 images, ")


def test_a_new_run_has_the_preset_of_the_image_size(phantom_data, tmp_path):
    new = RunDirectory(tmp_path / "run")
    assert configure(new, phantom_data, TrainingOptions()).preset.name == "derm-32"
    with pytest.raises(InputError, match=r"holds images of 32x32: .*--size 64 or give --preset d"):
        configure(new, phantom_data, TrainingOptions(preset="derm-64"))


def test_images_that_no_preset_makes_are_named_with_the_sizes_that_do(tmp_path):
    build(write_class_folders(tmp_path / "images"), tmp_path / "data", name="x")
    with pytest.raises(
        InputError, match=r"data: no preset makes images that differ in size .*32, "
    ):
        train(tmp_path / "data", tmp_path / "run")
    with pytest.raises(InputError, match=r"holds images of .*: build the data set with --size 64$"):
        train(tmp_path / "data", tmp_path / "run", TrainingOptions(preset="derm-64"))


def test_in_pieces_equals_in_one_go(tiny_run, tiny_preset, phantom_data, tmp_path):
    for images in (504, 1_200, 2_000):
        options = TrainingOptions(preset=tiny_preset.name, images=images)
        pieces = train(phantom_data, tmp_path / "run", options)
    assert_same_state(pieces, tiny_run)


def test_a_finished_run_is_left_as_it_is(tiny_run, phantom_data):
    before = sorted(path.name for path in (tiny_run.directory / "checkpoints").iterdir())
    again = train(phantom_data, tiny_run.directory, TrainingOptions(images=2_000))
    assert again.origin.checkpoint_hash == tiny_run.origin.checkpoint_hash
    assert sorted(p.name for p in (tiny_run.directory / "checkpoints").iterdir()) == before


@pytest.mark.parametrize("images", [500, 2_000])
def test_a_run_that_has_seen_enough_says_how_to_go_on(tiny_run, phantom_data, caplog, images):
    caplog.set_level("INFO", "skin_synth")
    train(phantom_data, tiny_run.directory, TrainingOptions(images=images))
    assert f"{images:,} images are reached, nothing is left to train; to go on, give" in caplog.text


def test_a_dry_run_of_a_run_counts_only_what_is_left(tiny_run, phantom_data, caplog):
    caplog.set_level("INFO", "skin_synth")
    seen = tiny_run.origin.images_seen
    train(phantom_data, tiny_run.directory, TrainingOptions(images=seen + 400, dry_run=True))
    assert f" for 400 images; the run has seen {seen:,}" in caplog.text


def test_an_existing_run_with_a_wrong_data_directory_gets_no_advice_for_new_data(tiny_run):
    with pytest.raises(InputError, match="is not a data set directory") as raised:
        configure(RunDirectory(tiny_run.directory), tiny_run.directory, TrainingOptions())
    assert "--init_from" not in str(raised.value)


def test_minutes_stop_a_run_and_leave_a_checkpoint(tiny_preset, phantom_data, tmp_path):
    options = TrainingOptions(preset=tiny_preset.name, images=10**9, minutes=0.02)
    run = train(phantom_data, tmp_path / "run", options)
    assert 0 < run.origin.images_seen < 10**6
    assert load_run(tmp_path / "run").origin.images_seen == run.origin.images_seen


@pytest.mark.parametrize(
    "asked",
    [{"preset": "derm-64"}, {"seed": 9}, {"policy": "mixed_float16"}, {"schedule_images": 5}],
    ids=str,
)
def test_a_run_is_not_continued_with_other_choices(tiny_run, phantom_data, asked):
    with pytest.raises(InputError, match=f"started with --{next(iter(asked))}"):
        train(phantom_data, tiny_run.directory, TrainingOptions(**asked))


@pytest.mark.usefixtures("eager_steps")
def test_a_run_keeps_the_overrides_of_its_preset(tiny_preset, phantom_data, tmp_path):
    run, batch = tmp_path / "run", tiny_preset.batch_size
    overrides = ["gamma=1", "learning_rate=4e-4:1e-5"]
    asked = {"preset": tiny_preset.name, "overrides": overrides}
    train(phantom_data, run, TrainingOptions(images=batch, **asked))
    for again in (asked, {}, {"overrides": overrides[:1]}):
        trained = train(phantom_data, run, TrainingOptions(images=2 * batch, **again))
        assert trained.gan.preset == override(tiny_preset, overrides) != tiny_preset
    other = "was started with --set gamma=1, got --set gamma=2: leave it out"
    with pytest.raises(InputError, match=other):
        train(phantom_data, run, TrainingOptions(overrides=["gamma=2"]))
    other = "with --set gamma=1 --set learning_rate=0.0004:1e-05, got --set gamma=2 --set "
    two = TrainingOptions(overrides=["gamma=2", "learning_rate=0.0004000001"])
    with pytest.raises(InputError, match=other + "learning_rate=0.0004000001: leave it out"):
        train(phantom_data, run, two)


def test_an_unknown_override_makes_nothing(phantom_data, tmp_path):
    with pytest.raises(InputError, match=r"a preset has no field 'gama'"):
        train(phantom_data, tmp_path / "run", TrainingOptions(overrides=["gama=1"]))
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("eager_steps")
def test_a_run_may_have_a_schedule_of_its_own_and_ends_with_it(
    tiny_preset, phantom_data, tmp_path, caplog
):
    caplog.set_level("INFO", "skin_synth")
    images, end = 3 * tiny_preset.batch_size, tiny_preset.learning_rate.end
    options = TrainingOptions(preset=tiny_preset.name, schedule_images=images)
    run = train(phantom_data, tmp_path / "run", options)
    assert run.gan.preset == dataclasses.replace(tiny_preset, schedule_images=images)
    assert run.origin.images_seen == images
    assert float(run.gan.scheduled_values().learning_rate) == pytest.approx(end)
    again = train(phantom_data, tmp_path / "run")
    assert again.origin.images_seen == images
    batch = tiny_preset.batch_size
    longer = train(phantom_data, tmp_path / "run", TrainingOptions(images=images + batch))
    assert longer.origin.images_seen == images + batch
    assert any(f"the schedules end at {images} images" in line for line in caplog.messages)


def test_a_schedule_fits_the_time_and_is_kept(
    tiny_preset, phantom_data, tmp_path, monkeypatch, caplog
):
    caplog.set_level("INFO", "skin_synth")
    monkeypatch.setattr(forecast, "measure_speed", lambda *args: 10.0)
    batch = tiny_preset.batch_size
    options = TrainingOptions(
        preset=tiny_preset.name,
        schedule_minutes=10 * batch / 600,
        images=10 * batch,  # more than there is time for
    )
    # 10 batches' worth of images in that time, less what previews and validation take of it.
    fitting = int(10 * forecast.STEPS_TIME_SHARE) * batch
    run = train(phantom_data, tmp_path / "run", options)
    assert run.gan.preset == dataclasses.replace(tiny_preset, schedule_images=fitting)
    assert run.origin.images_seen == fitting
    assert any(f"a schedule of {fitting} images" in line for line in caplog.messages)
    # The same command on a machine that is faster now goes on with what was chosen.
    monkeypatch.setattr(forecast, "measure_speed", lambda *args: 1e6)
    again = train(phantom_data, tmp_path / "run", options)
    assert (again.gan.preset, again.origin.images_seen) == (run.gan.preset, fitting)


def test_a_schedule_that_fits_the_time_is_no_longer_than_the_run(
    tiny_preset, phantom_data, tmp_path
):
    batch = tiny_preset.batch_size
    asked = {"preset": tiny_preset.name, "schedule_minutes": 60.0, "images": 2 * batch}
    run = train(phantom_data, tmp_path / "run", TrainingOptions(**asked))
    assert run.gan.preset.schedule_images == run.origin.images_seen == 2 * batch


def test_a_profile_is_recorded_on_request(tiny_preset, phantom_data, tmp_path):
    options = TrainingOptions(preset=tiny_preset.name, images=240, profile=True)
    train(phantom_data, tmp_path / "run", options)
    assert list((tmp_path / "run" / "logs").rglob("*.xplane.pb"))


def test_a_dry_run_logs_the_cost_and_writes_nothing(tiny_preset, phantom_data, tmp_path, caplog):
    caplog.set_level("INFO", "skin_synth")
    options = TrainingOptions(preset=tiny_preset.name, dry_run=True)
    assert train(phantom_data, tmp_path / "run", options) is None
    assert not (tmp_path / "run").exists()
    for word in ("parameters", "smallest class", "images/s", "time", "peak memory"):
        assert word in caplog.text


def test_synthetic_training_images_are_counted(tiny_preset, phantom_data, tmp_path, caplog):
    caplog.set_level("INFO", "skin_synth")
    data = with_synthetic(phantom_data, tmp_path / "data", {"train": 9})
    train(data, tmp_path / "run", TrainingOptions(preset=tiny_preset.name, dry_run=True))
    count = read_info(data).splits["train"].num_records
    assert f"9 of {count} training images are synthetic" in caplog.text
    assert f"training images {count} in 7 classes, 9 of them synthetic" in caplog.text
