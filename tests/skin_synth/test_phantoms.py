"""Phantoms: pure, scalable, different in form and not in colour, with their ground truth."""

from __future__ import annotations

import csv
import itertools
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from skin_synth import phantoms
from skin_synth.phantoms import CLASS_NAMES, render
from tfrecords_tools.errors import InputError


def collection(seed, *, per_class, size=32):
    """Images and labels of a collection in memory."""
    photographs = phantoms.plan(per_class, seed=seed)
    images = [render(seed, p.index, p.label, size, view=p.view)[0] for p in photographs]
    return np.stack(images), np.array([CLASS_NAMES.index(p.label) for p in photographs])


@pytest.fixture(scope="module")
def two_collections():
    return collection(1, per_class=80), collection(2, per_class=40)


def around(image, parameters, radius):
    """Brightness at 360 angles on a circle of `radius` lesion radii around the lesion's centre."""
    half = len(image) / 2
    angles = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    turned = np.stack([np.cos(angles), np.sin(angles) / parameters["elongation"]])
    cos, sin = np.cos(parameters["angle"]), np.sin(parameters["angle"])
    offsets = radius * parameters["radius"] * (np.array([[cos, -sin], [sin, cos]]) @ turned)
    centre = np.array([[parameters["centre_x"]], [parameters["centre_y"]]])
    x, y = ((centre + offsets + 1) * half).astype(int).clip(0, len(image) - 1)
    return image[y, x].astype(float).mean(axis=1)


def hairless(label, *, size=96, number=20):
    """Renderings of one class without hair, which would disturb measurements."""
    drawn = (render(5, index, label, size) for index in itertools.count())
    return list(itertools.islice((pair for pair in drawn if pair[1]["hairs"] == 0), number))


@pytest.mark.parametrize("label", CLASS_NAMES)
def test_the_same_scene_at_any_size(label):
    small, small_truth = render(0, 11, label, 32)
    assert 0.4 < small_truth["radius"] < 0.8
    for size in (16, 100, 256 if label == "tree" else 128):
        image, truth = render(0, 11, label, size)
        assert (image.shape, image.dtype) == ((size, size, 3), np.uint8)
        assert image.std() > 10
    assert truth == small_truth
    shrunk = image.reshape(32, size // 32, 32, size // 32, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 4


@pytest.mark.parametrize("label", CLASS_NAMES)
def test_a_pure_function(label):
    first, truth = render(3, 1, label, 32)
    render(4, 2, label, 64)
    again, again_truth = render(3, 1, label, 32)
    np.testing.assert_array_equal(first, again)
    assert truth == again_truth
    for seed, index, view in ((4, 1, 0), (3, 2, 0), (3, 1, 1)):
        other, _ = render(seed, index, label, 32, view=view)
        assert np.abs(first.astype(int) - other).mean() > 3


def test_two_views_show_one_lesion_on_one_person():
    first, second = (render(0, 3, "disc", 32, view=view)[1] for view in (0, 1))
    shared = ("skin_melanin", "skin_blood", "melanin", "blood", "elongation", "elements")
    assert [first[name] for name in shared] == [second[name] for name in shared]
    assert first["angle"] != second["angle"]


def test_mean_colour_does_not_separate_the_classes(two_collections):
    (train, train_labels), (test, test_labels) = two_collections
    known, unknown = train.mean(axis=(1, 2)), test.mean(axis=(1, 2))
    unknown = (unknown - known.mean(0)) / known.std(0)
    known = (known - known.mean(0)) / known.std(0)
    order = np.argsort(((unknown[:, None] - known) ** 2).sum(axis=2), axis=1)
    for neighbours in (1, 5, 25):
        votes = np.eye(7)[train_labels[order[:, :neighbours]]].sum(axis=1)
        assert (votes.argmax(axis=1) == test_labels).mean() < 0.6

    def quadratic(colour):
        products = np.einsum("ni,nj->nij", colour, colour).reshape(len(colour), 9)
        return np.concatenate([np.ones((len(colour), 1)), colour, products], axis=1)

    weights, *_ = np.linalg.lstsq(quadratic(known), np.eye(7)[train_labels], rcond=None)
    assigned = (quadratic(unknown) @ weights).argmax(axis=1)
    assert 0.15 < (assigned == test_labels).mean() < 0.6


def check_that_a_small_cnn_separates_the_classes(train, train_labels, test, test_labels):
    from skin_synth.data.pipeline import LabelledImages
    from skin_synth.evaluation.features.classifier import train_classifier

    names = tuple(str(i) for i in range(len(train)))
    data = LabelledImages(train, train_labels, names, names, CLASS_NAMES)
    classifier = train_classifier(data, seed=0, steps=80)
    assert (classifier.predict(test).argmax(axis=1) == test_labels).mean() > 0.95


def test_a_small_cnn_separates_the_classes(two_collections):
    train, test = two_collections
    check_that_a_small_cnn_separates_the_classes(*train, *test)


@pytest.mark.slow
def test_a_small_cnn_separates_the_classes_at_64_pixels():
    train, test = collection(1, per_class=80, size=64), collection(2, per_class=40, size=64)
    check_that_a_small_cnn_separates_the_classes(*train, *test)


def test_a_ring_is_dark_around_a_bright_centre():
    for image, truth in hairless("ring"):
        assert around(image, truth, 0.1).mean() > around(image, truth, 0.72).mean() + 40


def test_a_star_has_as_many_streaks_as_its_ground_truth():
    right = 0
    for image, truth in hairless("star", size=128):
        circle = around(image, truth, 0.82)
        dark = circle < (circle.max() + circle.min()) / 2
        right += np.count_nonzero(dark & ~np.roll(dark, 1)) == truth["elements"]
    assert right >= 16  # of 20: uneven light hides some


def test_a_blotch_is_less_symmetric_than_a_disc():
    def asymmetry(label):
        rims = [around(image, truth, 0.7) for image, truth in hairless(label)]
        return np.mean([np.abs(rim - np.roll(rim, len(rim) // 2)).mean() for rim in rims])

    assert asymmetry("blotch") > 3 * asymmetry("disc")


def test_borders_of_blotches_are_the_irregular_ones():
    irregular = {label: render(0, 0, label, 32)[1]["irregularity"] for label in CLASS_NAMES}
    assert irregular["disc"] == irregular["ring"] == 0 < irregular["blotch"]


def test_skin_tones_span_pale_to_dark():
    tones = [render(0, index, "disc", 16)[1]["skin_melanin"] for index in range(200)]
    assert min(tones) < 0.05 < 0.45 < max(tones)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, "melanoma", 32), r"unknown phantom class 'melanoma'; the classes are disc, blotch"),
        ((0, 0, "disc", 8), r"16 pixels or more, got 8"),
        ((-1, 0, "disc", 32), r"seed must be 0 or more, got -1"),
        ((0, -2, "disc", 32), r"index must be 0 or more, got -2"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(InputError, match=message):
        render(*arguments)


def test_a_plan_keeps_counts_and_groups():
    counts = {"star": 40, "tree": 3, "disc": 0}
    photographs = phantoms.plan(counts, seed=1)
    labels = [p.label for p in photographs]
    assert {label: labels.count(label) for label in counts} == counts
    assert len({p.image_id for p in photographs}) == 43
    views = Counter((p.group, p.label) for p in photographs)
    assert set(views.values()) == {1, 2}
    assert len(views) == len({p.group for p in photographs})
    assert photographs == phantoms.plan(counts, seed=1)


def test_a_folder_with_images_groups_and_ground_truth(tmp_path):
    out = phantoms.write_folder(tmp_path / "out", counts={"disc": 3, "tree": 2}, size=24, seed=9)
    rows = list(csv.DictReader((out / "labels.csv").read_text("utf-8").splitlines()))
    assert [row["label"] for row in rows] == ["disc"] * 3 + ["tree"] * 2
    for row, photograph in zip(rows, phantoms.plan({"disc": 3, "tree": 2}, seed=9), strict=True):
        image, truth = render(9, photograph.index, row["label"], 24, view=photograph.view)
        with Image.open(out / "images" / f"{row['image_id']}.png") as file:
            np.testing.assert_array_equal(np.asarray(file), image)
        assert {name: row[name] for name in truth} == {n: str(v) for n, v in truth.items()}
        assert row["group"] == photograph.group
    assert sorted(path.name for path in out.iterdir()) == ["images", "labels.csv"]


def test_a_number_is_that_of_every_class(tmp_path):
    out = phantoms.write_folder(tmp_path / "out", counts=1, size=16)
    assert len(list((out / "images").iterdir())) == len(CLASS_NAMES) == 7


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"melanoma": 1}, r"unknown phantom class 'melanoma'"),
        ({"disc": -1}, r"number of 'disc' phantoms must be 0 or more, got -1"),
        (0, r"at least one phantom"),
    ],
)
def test_wrong_counts_write_nothing(tmp_path, counts, message):
    with pytest.raises(InputError, match=message):
        phantoms.write_folder(tmp_path / "out", counts=counts)
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_only_replaced_with_overwrite(tmp_path):
    def written(discs, **options):
        phantoms.write_folder(tmp_path / "out", counts={"disc": discs}, size=16, **options)

    images = tmp_path / "out" / "images"
    written(1)
    with pytest.raises(InputError):
        written(2)
    assert len(list(images.iterdir())) == 1
    written(2, overwrite=True)
    assert len(list(images.iterdir())) == 2
    (images / "phantom_000000.png").rename(images / "mole.png")
    with pytest.raises(InputError, match=r"something else \(no images/phantom_000000"):
        written(3, overwrite=True)
    assert len(list(images.iterdir())) == 2
