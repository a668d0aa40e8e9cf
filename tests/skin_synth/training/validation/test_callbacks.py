"""Validation of real runs and of planted generators: curve, best checkpoint, resume, alarms."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.data.pipeline import load_split
from skin_synth.presets import PRESETS
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import load_run
from skin_synth.training.trainer import train as train_run
from skin_synth.training.validation.alarms import RUNAWAY_EPOCHS
from skin_synth.training.validation.callbacks import Runaway, Validation, validation_callbacks
from skin_synth.training.validation.curve import WHOLE, Curve, mean_kid
from skin_synth.training.validation.features import ValidationFeatures, choose_features
from skin_synth.training.validation.reference import make_reference
from tests.skin_synth.rewriting import with_synthetic
from tests.skin_synth.training.validation.conftest import NAMES, draw
from tests.training import assert_same_state
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info, read_records
from tfrecords_tools.records.writer import write_dataset


@pytest.fixture(scope="module")
def validated(tiny_preset, phantom_data, tmp_path_factory):
    """A validated run of the tiny preset, resumed once, and its curve before it was resumed."""
    from skin_synth.evaluation.features import classifier

    preset = dataclasses.replace(tiny_preset, name="tiny-validated", validation_images=1_000)
    path = tmp_path_factory.mktemp("validated") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, preset.name, preset)
        patch.setattr(classifier, "FEWEST_STEPS", 10)
        patch.setattr(classifier, "MOST_STEPS", 10)
        options = TrainingOptions(preset=preset.name, images=1_200)
        before = curve_of(train_run(phantom_data, path, options))
        yield train_run(phantom_data, path, TrainingOptions(images=2_000)), before


def curve_of(run):
    return Curve.load(RunDirectory(run.directory).curve)


def test_validation_changes_no_weight(validated, tiny_run):
    assert_same_state(validated[0], tiny_run)


def test_a_resumed_run_goes_on_with_the_curve(validated):
    run, before = validated
    assert {point.images for point in before.points} == {1_000}
    assert curve_of(run).up_to(1_200) == before


def test_points_are_those_of_the_final_weights_on_the_features_kept(validated, phantom_data):
    run, _ = validated
    train, held_out = load_split(phantom_data, "train"), load_split(phantom_data, "validation")
    directory = RunDirectory(run.directory)
    extractor = choose_features(directory, None, None).extractor(directory, train)
    labels = np.repeat(np.arange(7), held_out.class_counts)
    images = load_run(run.directory).generate(labels, np.arange(len(labels)))
    found = make_reference(extractor, train, held_out).compare(images, labels, 2_000)
    assert tuple(found) == Curve(curve_of(run).points[len(found) :]).points


def test_the_curve_has_whole_set_and_classes_at_each_interval(validated, phantom_data):
    counts = load_split(phantom_data, "validation").class_counts.tolist()
    names = validated[0].class_names
    sizes = [(WHOLE, sum(counts)), *zip(names, counts, strict=True)]
    expected = [(images, *size) for images in (1_000, 2_000) for size in sizes]
    assert [(p.images, p.label, p.n) for p in curve_of(validated[0]).points] == expected


def test_the_best_checkpoint_is_that_of_the_lowest_mean(validated):
    run, _ = validated
    points = curve_of(run).points
    means = {n: mean_kid([p for p in points if p.images == n]) for n in (1_000, 2_000)}
    best = RunDirectory(run.directory).best()
    assert best.images_seen == min(means, key=means.get)
    assert best.mean_kid == min(means.values())
    assert load_run(run.directory, "best").origin.images_seen == best.images_seen
    assert load_run(run.directory).origin.images_seen == 2_000


def test_plot_classifier_and_features_are_kept(validated):
    from PIL import Image

    directory = RunDirectory(validated[0].directory)
    with Image.open(directory.curve_picture) as image:
        assert image.width > 800
    names = {path.name for path in directory.validation.iterdir()}
    assert names == {"features.json", "classifier.weights.h5"}


def test_tensorboard_has_the_curves(validated):
    names = tags(validated[0].directory / "logs")
    assert {"validation/mean_kid", "validation/kid/all", "validation/coverage/all"} <= names
    assert {f"validation/kid/class/{name}" for name in validated[0].class_names} <= names


def tags(logs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(logs))
    events.Reload()
    return {name for group in events.Tags().values() if isinstance(group, list) for name in group}


def test_a_run_without_validation_has_no_best_checkpoint(tiny_run):
    with pytest.raises(InputError, match=r"no best checkpoint: .*50,000 images"):
        load_run(tiny_run.directory, "best")
    with pytest.raises(InputError, match="last, best"):
        load_run(tiny_run.directory, "newest")


class FakeGAN:
    """Replaces the averaged generator; classes in `stuck` are the same each time."""

    class_names = NAMES
    state = ()

    def __init__(self):
        self.images_seen, self.stuck, self.requests = 0, set(), []

    def generate(self, label_ids, seeds):
        self.requests.append((np.asarray(label_ids), np.asarray(seeds)))
        pairs = zip(label_ids, seeds, strict=True)
        return np.stack([draw(a, 0 if a in self.stuck else 10_000 + b) for a, b in pairs])

    def save_weights(self, path):
        import h5py

        with h5py.File(path, "w") as file:
            file["images"] = self.images_seen


@pytest.fixture
def planted(extractor, train, held_out, tmp_path):
    """A validation callback on a fake generator, and its run directory."""
    return plant(tmp_path, make_reference(extractor, train, held_out))


def plant(tmp_path, reference):
    directory = RunDirectory(tmp_path / "run")
    writer = tf.summary.create_file_writer(str(directory.logs))
    callback = Validation(directory, 1_000, writer, reference=lambda: reference)
    callback.set_model(FakeGAN())
    callback.on_train_begin()
    return callback, directory


def at(callback, images):
    """Ends an epoch at this many images."""
    callback.images_seen = callback.model.images_seen = images
    callback.on_epoch_end(0, {})


def test_a_planted_collapse_is_reported_once_and_again_when_it_comes_back(planted, caplog):
    callback, directory = planted
    reported = []
    for images, stuck in enumerate([set(), {1}, {1}, {1, 2}, set(), {1}], 1):
        callback.model.stuck = stuck
        at(callback, 1_000 * images)
        reported.append(len(caplog.messages))
    assert reported == [0, 1, 1, 2, 2, 3]
    assert caplog.messages[0].startswith("warning at 2,000 images: class green collapses")
    assert "class blue" in caplog.messages[1]
    callback.writer.close()
    assert {"warning/class green", "warning/class blue"} <= tags(directory.logs)


def test_as_many_images_as_the_validation_split_has_and_the_same_latents_each_time(planted):
    callback, _ = planted
    at(callback, 1_000)
    at(callback, 2_000)
    watched, compared, *again = callback.model.requests
    assert np.bincount(watched[0]).tolist() == [16, 16, 16]
    assert np.bincount(compared[0]).tolist() == [20, 10, 4]
    assert len(set(compared[1])) == 34
    for first, second in zip((watched, compared), again, strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_best_stays_while_others_are_worse(planted):
    callback, directory = planted
    at(callback, 1_000)
    good = directory.best()
    callback.model.stuck = {0, 1, 2}
    at(callback, 2_000)
    assert directory.best() == good
    assert good.images_seen == 1_000
    means = [mean_kid(callback.curve.points[i : i + 4]) for i in (0, 4)]
    assert good.mean_kid == means[0] < means[1]


def test_between_intervals_and_at_the_end_nothing_is_measured(planted):
    callback, directory = planted
    at(callback, 999)
    callback.on_train_end({})
    assert callback.model.requests == []
    assert not directory.curve.exists()


def test_what_came_after_the_restored_checkpoint_is_dropped(planted):
    callback, directory = planted
    for images in (1_000, 2_000, 3_000):
        at(callback, images)
    callback.model.images_seen = 2_500
    callback.on_train_begin()
    assert [p.images for p in Curve.load(directory.curve).of(WHOLE)] == [1_000, 2_000]
    at(callback, 3_000)
    assert [p.images for p in Curve.load(directory.curve).of(WHOLE)] == [1_000, 2_000, 3_000]


def test_a_validation_that_a_kill_kept_from_happening_is_made_up(planted):
    callback, directory = planted
    at(callback, 1_000)
    # Stopped by a signal past the next multiple: the checkpoint is there, the validation is not.
    callback.model.images_seen = 2_050
    callback.on_train_begin()
    at(callback, 2_100)
    at(callback, 2_900)
    assert [p.images for p in Curve.load(directory.curve).of(WHOLE)] == [1_000, 2_100]


@pytest.mark.parametrize("name", ["validation.csv", "checkpoints/best.weights.h5"])
def test_damaged_files_are_named_before_the_first_step(planted, name):
    callback, directory = planted
    at(callback, 1_000)
    (directory.path / name).write_text("damaged")
    with pytest.raises(InputError, match=name):
        callback.on_train_begin()


def test_without_a_validation_split_collapse_is_still_watched(extractor, train, tmp_path, caplog):
    callback, directory = plant(tmp_path, make_reference(extractor, train, None))
    callback.model.stuck = {0}
    at(callback, 1_000)
    assert len(caplog.messages) == 1
    assert not directory.curve.exists()
    assert directory.best() is None


def test_a_discriminator_that_runs_away_is_reported_once(tmp_path, caplog):
    writer = tf.summary.create_file_writer(str(tmp_path))
    callback = Runaway(writer)
    callback.set_model(FakeGAN())
    callback.on_train_begin()
    calm, away = {"real_logit": 0.5, "fake_logit": -0.5}, {"real_logit": 6.0, "fake_logit": -3.0}
    for logs in [calm, *[away] * (RUNAWAY_EPOCHS + 3)]:
        callback.on_epoch_end(0, logs)
    assert len(caplog.messages) == 1
    assert "the discriminator runs away" in caplog.messages[0]
    writer.close()
    assert "warning/discriminator" in tags(tmp_path)


def test_callbacks_of_a_run(phantom_data, tiny_preset, tmp_path, caplog):
    caplog.set_level("INFO", "skin_synth")

    def kinds(data, **changes):
        found = validation_callbacks(
            RunDirectory(tmp_path / "run"),
            ValidationFeatures("classifier"),
            data,
            load_split(data, "train"),
            dataclasses.replace(tiny_preset, **changes),
            None,
        )
        return [type(callback).__name__ for callback in found]

    assert kinds(phantom_data, validation_images=0) == ["Runaway"]
    assert not caplog.messages
    assert kinds(phantom_data) == ["Runaway", "Validation"]
    caplog.clear()
    info = read_info(phantom_data)
    write_dataset(
        tmp_path / "data",
        name=info.name,
        class_names=info.class_names,
        image_shape=info.image_shape,
        splits={split: read_records(phantom_data, split) for split in ("train", "test")},
    )
    assert kinds(tmp_path / "data") == ["Runaway", "Validation"]
    assert [line.startswith("no validation split") for line in caplog.messages] == [True]
    assert not (tmp_path / "run").exists()


def test_synthetic_images_take_no_part_in_validation(
    tiny_preset, phantom_data, tmp_path, monkeypatch
):
    """They are neither what is compared with nor what the classifier learns from."""
    data = with_synthetic(phantom_data, tmp_path / "data", {"train": 5, "validation": 4})
    learnt, compared = [], []
    monkeypatch.setattr(
        ValidationFeatures, "extractor", lambda self, _, train: learnt.append(train)
    )
    monkeypatch.setattr(
        "skin_synth.training.validation.callbacks.make_reference",
        lambda extractor, train, held_out: compared.append((train, held_out)),
    )
    _, validation = validation_callbacks(
        *(RunDirectory(tmp_path / "run"), ValidationFeatures("classifier"), data),
        *(load_split(data, "train"), tiny_preset, None),
    )
    validation.make_reference()
    [(train, held_out)], [of_classifier] = compared, learnt
    for left, name, count in (
        (train, "train", 5),
        (of_classifier, "train", 5),
        (held_out, "validation", 4),
    ):
        assert left.image_ids == load_split(phantom_data, name).image_ids[count:]
        assert not left.num_synthetic
