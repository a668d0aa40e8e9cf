"""A run that goes on learning from few own images; classes without images stay as they were."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.pretrained import load_exported
from skin_synth.training.adaptation import Adaptation, adaptation
from skin_synth.training.runs import load_run, new_gan
from tfrecords_tools.errors import InputError


@pytest.fixture
def own(phantom_data):
    """Images of all classes except the first two."""
    train = load_split(phantom_data, "train")
    return train.subset(np.flatnonzero(train.labels >= 2))


def test_only_classes_with_own_images_change(tiny_run, own, tmp_path, eager_steps):
    adapt = Adaptation(tiny_run, tmp_path / "adapted", 16)
    labels, seeds = np.array([3, 0, 2, 1]), np.arange(4)
    before, after = tiny_run.generate(labels, seeds), adapt(own)(labels, seeds)
    changed = [(a != b).any() for a, b in zip(before, after, strict=True)]
    assert changed == [True, False, True, False]
    # The weights have hardly moved, so the image of another class is further away.
    other = tiny_run.generate((labels + 1) % 4, seeds)
    moved, apart = (np.abs(before.astype(int) - x).mean(axis=(1, 2, 3)) for x in (after, other))
    assert (moved < apart).all()


def test_the_same_images_are_adapted_to_once(tiny_run, own, tmp_path, eager_steps):
    adapt = Adaptation(tiny_run, tmp_path / "adapted", 16)
    labels, seeds = np.array([3, 2]), np.arange(2)
    first = adapt(own)(labels, seeds)
    (run,) = (tmp_path / "adapted").glob("*/run")
    times = {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*")}
    np.testing.assert_array_equal(adapt(own)(labels, seeds), first)
    assert {path: path.stat().st_mtime_ns for path in run.glob("checkpoints/*")} == times


def test_one_class_alone_gives_nothing_to_learn(tiny_run, own, tmp_path):
    one = own.subset(np.flatnonzero(own.labels == 2))
    generate = Adaptation(tiny_run, tmp_path / "adapted", 16)(one)
    np.testing.assert_array_equal(
        generate(np.array([2, 0]), np.arange(2)), tiny_run.generate([2, 0], [0, 1])
    )
    assert not (tmp_path / "adapted").exists()


@pytest.fixture
def untrained(tiny_run):
    """The run with other weights than those of its last checkpoint."""
    return dataclasses.replace(tiny_run, gan=new_gan(tiny_run.config))


def renamed(own):
    """The same images; the generator lacks their last class."""
    return dataclasses.replace(own, class_names=(*own.class_names[:-1], "new"))


def test_the_key_depends_on_generator_images_names_and_length(
    tiny_run, untrained, served_version, own, tmp_path
):
    keys = {
        Adaptation(tiny_run, tmp_path, 16).key(own),
        Adaptation(untrained, tmp_path, 16).key(own),
        Adaptation(load_exported(served_version), tmp_path, 16).key(own),
        Adaptation(tiny_run, tmp_path, 32).key(own),
        Adaptation(tiny_run, tmp_path, 16).key(own.subset(np.arange(5))),
        Adaptation(tiny_run, tmp_path, 16).key(renamed(own)),
    }
    assert len(keys) == 6


def test_a_directory_holds_adaptations_of_several_kinds(
    tiny_run, served_version, own, tmp_path, eager_steps
):
    def adapted(generator, images, to):
        before = set(tmp_path.glob("*/run"))
        Adaptation(generator, tmp_path, images)(to)
        (new,) = set(tmp_path.glob("*/run")) - before
        return load_run(new)

    first, longer = adapted(tiny_run, 8, own), adapted(tiny_run, 16, own)
    assert (first.origin.images_seen, longer.origin.images_seen) == (8, 16)
    assert longer.config.preset.schedule_images == 16
    assert "new" in adapted(tiny_run, 8, renamed(own)).class_names
    alone = adapted(load_exported(served_version), 8, own)
    assert alone.config.init_from.directory == str(served_version)


def test_an_adaptation_starts_from_the_given_weights_only(tiny_run, untrained, tmp_path):
    """A run can be given with its best checkpoint, but a new run starts from the last one."""
    with pytest.raises(InputError, match="starts from the last checkpoint"):
        adaptation(untrained, None, tmp_path / "out", 8)
    assert adaptation(untrained, None, tmp_path / "out", 0) is None
    assert adaptation(tiny_run, None, tmp_path / "out", 8).run is tiny_run


def test_a_run_that_is_trained_further_during_a_study_is_refused(
    tiny_run, untrained, own, tmp_path, monkeypatch
):
    """Adaptations from later weights would lie in the cache under the name of the first ones."""
    adapt = adaptation(tiny_run, None, tmp_path / "out", 8)
    monkeypatch.setattr("skin_synth.training.adaptation.load_run", lambda _: untrained)
    with pytest.raises(InputError, match="let the run end"):
        adapt(own)
    assert not list(tmp_path.glob("**/run"))


def test_a_generator_without_its_discriminator_is_adapted_too(
    served_version, own, tmp_path, eager_steps
):
    shared = load_exported(served_version)
    labels, seeds = np.array([3, 0]), np.arange(2)
    before = shared.generate(labels, seeds)
    after = Adaptation(shared, tmp_path / "adapted", 40)(own)(labels, seeds)
    changed = [(a != b).any() for a, b in zip(before, after, strict=True)]
    assert changed == [True, False]


def test_classes_are_found_by_name(tiny_run, own, tmp_path):
    """The own images have other classes, in another order; one of them the generator lacks."""
    names = ("new", *reversed(tiny_run.class_names))
    images = dataclasses.replace(own, class_names=names, labels=np.full(len(own), 2))
    generate = Adaptation(tiny_run, tmp_path / "adapted", 16)(images)  # one class: not adapted
    last = len(tiny_run.class_names) - 1
    np.testing.assert_array_equal(
        generate(np.array([1, last + 1]), np.arange(2)), tiny_run.generate([last, 0], [0, 1])
    )
