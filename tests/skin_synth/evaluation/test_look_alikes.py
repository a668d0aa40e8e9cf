"""Leaks between splits are found by group and by look, and left out; sound data stay."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.look_alikes import without_leaks
from skin_synth.evaluation.utility.study import load_study_splits, usable_test
from skin_synth.phantoms import render
from tests.skin_synth.rewriting import rewritten
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.records.schema import parse_record, serialize_record

NAMES = ("disc", "ring")


def photograph(seed, label=0):
    return render(5, seed, NAMES[label], 32)[0]


def saved_again(image):
    """A JPEG of low quality."""
    Image.fromarray(image).save(buffer := io.BytesIO(), "JPEG", quality=40)
    return np.asarray(Image.open(buffer))


def brightened(image):
    return np.clip(image * 1.1 + 10, 0, 255).astype(np.uint8)


def split(name, images, *, groups=None, label=0):
    ids = tuple(f"{name}{row}" for row in range(len(images)))
    labels = np.full(len(images), label)
    return LabelledImages(np.stack(images), labels, ids, tuple(groups or ids), NAMES)


def splits(**changes):
    """Thirty fresh photographs of each split."""
    starts = {"train": 0, "validation": 1000, "test": 2000}
    found = {
        name: split(name, [photograph(start + row) for row in range(30)])
        for name, start in starts.items()
    }
    return {**found, **changes}


def with_images(of, images):
    """Replaces the first images of a split."""
    return dataclasses.replace(of, images=np.concatenate([images, of.images[len(images) :]]))


def test_sound_data_stay_as_they_are():
    given = splits()
    found = without_leaks(given)
    assert found.leak.left_out_of_test == (0, 0)
    for name, of in given.items():
        kept = getattr(found, name)
        assert (kept.image_ids, kept.groups) == (of.image_ids, of.groups)
    assert found.leak == without_leaks(given).leak


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image,
        saved_again,
        brightened,
        lambda image: image[:, ::-1],
        lambda image: image.swapaxes(0, 1),
    ],
)
def test_a_training_photograph_in_the_test_split_is_found_and_left_out(change):
    given = splits()
    leaked = [change(image) for image in given["train"].images[:3]]
    given["test"] = with_images(given["test"], leaked)
    found = without_leaks(given)
    assert found.leak.look_alikes_across_splits == 3
    assert str(found.leak.look_alikes[0]) == "train0 (train) and test0 (test)"
    assert found.leak.left_out_of_test == (3, 0)
    assert found.test.image_ids == given["test"].image_ids[3:]


def test_another_photograph_of_a_leaked_lesion_is_left_out_too():
    given = splits()
    lesions = ["one", "one", *(f"test{row}" for row in range(2, 30))]
    test = with_images(given["test"], given["train"].images[:1])
    given["test"] = dataclasses.replace(test, groups=tuple(lesions))
    found = without_leaks(given)
    assert found.leak.look_alikes_across_splits == 1
    assert found.leak.left_out_of_test == (2, 0)


def test_groups_in_two_splits_are_left_out():
    given = splits()
    test = given["test"]
    given["test"] = dataclasses.replace(test, groups=("train4", *test.groups[1:]))
    found = without_leaks(given).leak
    assert (found.groups_in_train_and_test, found.left_out_of_test) == (1, (1, 0))
    assert found.look_alikes_across_splits == 0


def test_a_leak_into_validation_is_left_out_there():
    given = splits()
    given["validation"] = with_images(given["validation"], given["train"].images[:4])
    found = without_leaks(given)
    assert (found.leak.left_out_of_validation, len(found.validation)) == (4, 26)
    assert len(found.test) == 30


def test_photographs_of_one_lesion_in_training_count_as_one():
    given = splits()
    given["train"] = with_images(given["train"], [saved_again(given["train"].images[-1])])
    groups = without_leaks(given).train.groups
    assert groups[0] == groups[-1] == "train0"
    assert len(set(groups)) == 29


def test_one_photograph_many_times_in_the_test_split_counts_once():
    given = splits()
    again = [saved_again(brightened(given["test"].images[-1])) for _ in range(20)]
    given["test"] = with_images(given["test"], again)
    found = without_leaks(given)
    assert found.leak.repeats_in_test == len(given["test"]) - len(found.test) == 20
    assert found.leak.look_alikes_across_splits == 0


def plain(seed):
    """A disc of one size at one place; only the light differs."""
    y, x = np.mgrid[:32, :32]
    g = np.random.default_rng(seed)
    image = np.full((32, 32, 3), 200 + 6 * g.normal()) * np.array([1, 0.85, 0.75])
    image[(y - 16) ** 2 + (x - 16) ** 2 < 64] = [120, 80, 60]
    return np.clip(image + 3 * g.normal(size=3), 0, 255).astype(np.uint8)


def test_images_of_a_plain_class_are_no_copies_of_each_other():
    given = splits()
    for start, name in enumerate(given):
        rows = split(f"{name}-ring", [plain(100 * start + row) for row in range(25)], label=1)
        parts = given[name], rows
        given[name] = LabelledImages(
            *(np.concatenate([getattr(p, part) for p in parts]) for part in ("images", "labels")),
            *(sum((getattr(p, part) for p in parts), ()) for part in ("image_ids", "groups")),
            NAMES,
        )
    found = without_leaks(given).leak
    assert (found.look_alikes_across_splits, found.left_out_of_test) == (0, (0, 0))


def test_a_test_split_that_is_all_in_training_is_refused():
    given = splits()
    given["test"] = dataclasses.replace(given["train"], image_ids=given["test"].image_ids)
    with pytest.raises(InputError, match="all test images show lesions that are also in"):
        without_leaks(given)


def test_the_pairs_come_from_the_cache(tmp_path, monkeypatch):
    given = splits()
    given["test"] = with_images(given["test"], given["train"].images[:3])
    first = without_leaks(given, Cache(tmp_path)).leak
    monkeypatch.setattr("skin_synth.evaluation.look_alikes._pairs", None)
    assert without_leaks(given, Cache(tmp_path)).leak == first


@pytest.fixture
def with_copies(phantom_data, tmp_path):
    """Makes a data set without groups; some test images are training images, saved again."""

    def make(count):
        splits = {
            name: [parse_record(each) for each in read_records(phantom_data, name)]
            for name in ("train", "validation", "test")
        }
        for row, of_class in enumerate(splits["test"][:count]):
            first = next(each for each in splits["train"][row:] if each.label == of_class.label)
            image = np.asarray(Image.open(io.BytesIO(first.image)))
            again = encode_png(saved_again(brightened(image)))
            splits["test"][row] = dataclasses.replace(of_class, image=again)
        return rewritten(
            phantom_data,
            {
                name: [
                    serialize_record(dataclasses.replace(each, group=f"{name}{row}"))
                    for row, each in enumerate(of_split)
                ]
                for name, of_split in splits.items()
            },
            tmp_path / "copies",
        )

    return make


def test_a_utility_study_leaves_copies_out_of_the_test_images(with_copies):
    train, validation, test = load_study_splits(with_copies(3))
    kept = usable_test(train, validation, test)
    assert set(test.groups[:3]) <= set(train.groups)
    assert kept.image_ids == test.image_ids[3:]


def test_a_class_whose_test_images_are_copies_is_refused_by_a_utility_study(with_copies):
    with pytest.raises(InputError, match=r"test has no images of .* in groups that no other split"):
        load_study_splits(with_copies(10**6))  # all of them


def test_a_data_set_without_held_out_splits():
    given = splits()
    found = without_leaks({"train": given["train"]})
    assert (found.validation, found.test, found.leak.left_out_of_test) == (None, None, ())


@pytest.mark.parametrize("order", [("train", "validation"), ("validation", "train")])
def test_the_name_of_joined_lesions_does_not_depend_on_the_order_of_images(order):
    twin = photograph(0)
    of_train = split("train", [twin, photograph(1)], groups=["lesion 2", "lesion 3"])
    of_validation = split("validation", [photograph(2), twin], groups=["lesion 4", "lesion 1"])
    found = {"train": of_train, "validation": of_validation}
    examined = without_leaks({name: found[name] for name in order})
    assert examined.train.groups == ("lesion 1", "lesion 3")
