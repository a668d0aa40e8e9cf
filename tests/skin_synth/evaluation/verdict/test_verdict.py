"""Planted faults are found and named; a faultless generator has no faults."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from skin_synth.evaluation.look_alikes import Leak, LookAlike
from skin_synth.evaluation.verdict.verdict import (
    ALPHA,
    KINDS_OF_TESTS,
    level,
    permutations_for,
    reach_verdict,
)
from tests.changes import changed
from tests.skin_synth.evaluation.conftest import MODES, TRIED, lesions, trial_labels
from tests.studies import study_of

CLEAN_SEEDS = 4
"""Of 20: benchmarks/verdict.py tries more."""
LEVEL = level(3)
PERMUTATIONS = permutations_for(3)
"""Enough to prove a fault."""


@pytest.fixture(scope="module")
def clean():
    return lesions(100, trial_labels())


@pytest.fixture(scope="module")
def figures(trial, clean):
    """What was measured of clean images, for a test to change."""
    return trial.measurements(clean, permutations=PERMUTATIONS).figures()


def faults(verdict):
    return {fault.fault: fault for fault in verdict.faults}


def found_in(figures):
    return reach_verdict(figures).faults


def blurred(images, *shifts):
    around = [np.roll(images, shift, (1, 2)).astype(float) for shift in shifts]
    return np.mean(around, axis=0).astype(np.uint8)


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=80)
    return np.asarray(Image.open(file))


ALTERED = {
    "as they are": lambda images: images,
    "flipped": lambda images: images[:, :, ::-1],
    "turned": lambda images: np.rot90(images, 1, (1, 2)),
    "encoded anew": lambda images: np.stack([jpeg(image) for image in images]),
    "a little brighter": lambda images: np.clip(images + 6.0, 0, 255).astype(np.uint8),
}


@pytest.mark.parametrize("way", ALTERED)
def test_copies_of_training_images(trial, way):
    found = faults(trial.verdict(np.ascontiguousarray(ALTERED[way](trial.train.images))))
    assert found["copies"].classes == tuple(MODES)
    assert found["copies"].statistic > 0.9
    assert found["copies"].p_value < 1e-6
    assert found["copies"].sentence.startswith("Copies of training images: 180 of 180")


def test_copies_in_one_class(trial, clean):
    mixed = np.where((trial_labels() == 1)[:, None, None, None], trial.train.images, clean)
    found = faults(trial.verdict(mixed))
    assert found["copies"].classes == ("blotch",)
    assert "of blotch" in found["copies"].sentence


def test_a_class_that_is_missing(trial):
    shown = np.where(trial_labels() == 2, 1, trial_labels())
    found = faults(trial.verdict(lesions(101, shown)))
    assert found["missing_class"].classes == ("ring",)
    assert "look like blotch" in found["missing_class"].sentence
    assert not set(found) & {"swapped_labels", "copies"}


def test_two_labels_that_are_swapped(trial):
    shown = np.array([0, 2, 1])[trial_labels()]
    found = faults(trial.verdict(lesions(102, shown)))
    assert sorted(found["swapped_labels"].classes) == ["blotch", "ring"]
    others = {"copies", "duplicates", "blur", "noise", "missing_class"}
    assert not set(found) & others, "no other fault of theirs"


def test_copies_of_another_class_are_copies(trial, clean):
    """A class is missing, and what is generated for it are training images of another one."""
    (ring,), (blotch,) = (np.nonzero(trial_labels() == label) for label in (2, 1))
    images = clean.copy()
    images[ring] = trial.train.images[blotch]
    found = faults(trial.verdict(images))
    assert found["missing_class"].classes == ("ring",)
    assert found["copies"].p_value < 1e-6


def test_copies_and_blur_of_swapped_labels_are_named(trial, clean):
    swapped = np.array([0, 2, 1])[trial_labels()]
    order = np.argsort(np.argsort(swapped, kind="stable"), kind="stable")
    found = faults(trial.verdict(trial.train.images[order]))
    assert {"swapped_labels", "copies"} <= set(found)
    found = faults(trial.verdict(blurred(clean, (0, 0), (0, 1), (1, 0))[order]))
    assert {"swapped_labels", "blur"} <= set(found)
    assert "copies" not in found


def test_what_a_missing_class_explains_is_not_named(figures):
    confusion = figures.faithfulness.synthetic.confusion
    figures = changed(figures, "faithfulness.synthetic", confusion=[*confusion[:2], [0, 60, 0]])

    def named(*different):
        found = figures
        for place in ("whole", *(f"classes.{name}" for name in MODES)):
            p_value = 1e-9 if place.removeprefix("classes.") in different else 0.5
            found = changed(found, f"difference.{place}", p_value=p_value)
        return {fault.fault: fault.classes for fault in found_in(found)}

    missing = {"missing_class": ("ring",)}
    assert named("ring") == named("ring", "whole") == missing
    assert named("whole") == {**missing, "unlike_real": ()}
    assert named("ring", "whole", "mole") == {**missing, "unlike_real": ("mole",)}


def test_half_the_modes_of_a_class(trial):
    half = {**MODES, "mole": ("disc",)}
    images = lesions(103, trial_labels(), modes=half)
    found = faults(trial.verdict(images, permutations=PERMUTATIONS))
    assert found["little_variety"].classes == ("mole",)
    assert found["little_variety"].statistic < 0.8
    assert "missing_class" not in found


def test_a_few_images_again_and_again(trial, clean):
    labels = trial_labels()
    few = np.concatenate(
        [np.resize(clean[labels == label][:3], (TRIED, 32, 32, 3)) for label in range(3)]
    )
    found = faults(trial.verdict(few, permutations=PERMUTATIONS))
    assert found["duplicates"].statistic == 1
    assert found["little_variety"].statistic < 0.6
    assert "copies" not in found


def test_blur(trial, clean):
    shifts = [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
    found = faults(trial.verdict(blurred(clean, *shifts)))
    assert "blurred" in found["blur"].sentence
    assert not set(found) & {"noise", "copies"}


@pytest.mark.parametrize("strength", [12, 300])
def test_noise(trial, clean, strength):
    noise = np.random.default_rng(0).normal(0, strength, clean.shape)
    found = faults(trial.verdict(np.clip(clean + noise, 0, 255).astype(np.uint8)))
    assert "noisy" in found["noise"].sentence
    assert not set(found) & {"blur", "copies"}


def test_groups_in_two_splits(figures):
    fault = reach_verdict(figures, leak=Leak(groups_in_train_and_test=5)).faults[0]
    assert (fault.fault, fault.p_value) == ("leak", None)
    assert fault.sentence.startswith("The data set leaks: 5 groups")


def test_a_leak_is_a_fault_only_if_test_images_are_in_training(figures):
    pair = (LookAlike("train", "a", "test", "b"),)
    leak = Leak(look_alikes_across_splits=1, look_alikes=pair, left_out_of_test=(0, 1))
    fault = reach_verdict(figures, leak=leak).faults[0]
    assert fault.sentence.startswith(
        "The data set seems to leak: 1 pairs of images of different splits look the same, such as a"
    )
    assert "Look at these pairs. If they show one lesion, build" in fault.sentence
    elsewhere = dataclasses.replace(leak, left_out_of_test=(0, 0), left_out_of_validation=1)
    assert "leak" not in [f.fault for f in reach_verdict(figures, leak=elsewhere).faults]


def test_real_images_among_synthetic_ones(figures):
    equal = {"train": ["mole/1.png"], "test": ["ring/2.png", "ring/3.png"], "validation": []}
    fault = reach_verdict(figures, equal_to_real=equal).faults[0]
    assert (fault.fault, fault.statistic, fault.p_value) == ("real_images", 3.0, None)
    assert "(1 of train, 2 of test), such as mole/1.png." in fault.sentence


def test_a_faultless_generator_has_no_fault(trial):
    for seed in range(CLEAN_SEEDS):
        images = lesions(200 + seed, trial_labels())
        found = trial.verdict(images, seed=seed, permutations=PERMUTATIONS)
        assert found.faults == ()
        assert found.untested == {}


def test_few_images_prove_nothing_and_that_is_said(trial):
    labels = trial_labels(15)
    small = trial.test.subset(slice(None, None, 4))
    found = trial.verdict(lesions(104, labels), requested_labels=labels, test=small)
    assert found.faults == ()
    names = list(MODES)
    assert found.untested == {"duplicates": names, "variety": names, "difference": names}


def test_the_level_is_shared_by_all_tests(figures):
    assert reach_verdict(figures).threshold == LEVEL
    assert pytest.approx(ALPHA / len(KINDS_OF_TESTS) / 4) == LEVEL
    assert found_in(changed(figures, "variety.whole", p_value=LEVEL * 1.01)) == ()
    (fault,) = found_in(changed(figures, "variety.whole", p_value=LEVEL * 0.99))
    assert (fault.fault, fault.classes) == ("little_variety", ())


def test_small_differences_are_no_fault_however_certain(figures):
    found = changed(
        figures, "texture.whole", p_value_less=1e-9, synthetic_median=9.5, real_median=10.0
    )
    matrix = (10_000 * np.eye(3, dtype=int)).tolist()
    found = changed(found, "faithfulness.real", confusion_of_lesions=matrix)
    assigned = [[9_500, 500, 0], *matrix[1:]]
    assert found_in(changed(found, "faithfulness.synthetic", confusion=assigned)) == ()


def test_a_class_that_is_shown_too_rarely(figures):
    judged = figures.faithfulness
    confusion = [[70, 30, 0], *judged.synthetic.confusion[1:]]
    found = changed(figures, "faithfulness.synthetic", confusion=confusion)
    lesions = [[100, 0, 0], *judged.real.confusion_of_lesions[1:]]
    (fault,) = found_in(changed(found, "faithfulness.real", confusion_of_lesions=lesions))
    assert (fault.fault, fault.classes) == ("weak_class", ("mole",))
    assert "in 70% of the images requested as mole, and in 100% of real ones" in fault.sentence
    assert "the others look like blotch most often." in fault.sentence


RING = "copies.pixels.classes.ring"


def test_a_few_training_images_again_and_again_are_copies(figures):
    """Fifty times two of them: too few that are copied for a test that counts these."""
    found = changed(figures, f"{RING}.absolute", same=50)
    (fault,) = found_in(found)
    assert (fault.fault, fault.classes) == ("copies", ("ring",))
    assert "50 of 60 synthetic images of ring are equal to a training image" in fault.sentence
    found = changed(found, f"{RING}.absolute", yardstick_same=50)
    assert found_in(found) == (), "real ones are so as often"


def test_images_near_in_one_way_only_are_no_copies(figures):
    found = figures
    for way in ("absolute", "relative"):
        found = changed(found, f"{RING}.{way}", near=30, distinct=30, p_value=1e-9)
    assert found_in(found) == ()
    found = changed(found, f"{RING}.both", near=30, p_value=1e-9)
    (fault,) = found_in(found)
    assert "30 of 60 synthetic images of ring are nearer to a training image" in fault.sentence
    assert "than all 60 other real images are" in fault.sentence
    (fault,) = found_in(changed(found, f"{RING}.absolute", rank=3))
    assert "than all but 2 of 60 other real images are" in fault.sentence


def test_images_of_other_skin(trial, clean):
    found = faults(trial.verdict((0.7 * clean).astype(np.uint8)))
    drift = found["drift"]
    assert drift.classes == ()
    for words in ("brightness is lower", "lesion lightness is lower"):
        assert words in drift.sentence
    assert "lesion size" not in drift.sentence
    assert drift.p_value < 1e-6


def moved(figures, name, measure, p_value, size, floor, median):
    """A measure of a class moved its median by this many standard deviations."""
    place = f"appearance.classes.{name}.measures.{measure}"
    real = figures.appearance.classes[name].measures[measure].real
    found = changed(figures, place, floor=floor)
    found = changed(found, f"{place}.test", p_value=p_value)
    found = changed(found, f"{place}.drift", drift=size)
    return changed(found, f"{place}.synthetic", median=real.median + median * real.deviation)


def test_a_drift_is_named_where_it_is_certain_large_and_above_its_floor(figures):
    level = LEVEL / 6

    def named(p_value, size, floor, median):
        found = moved(figures, "ring", "lesion_size", p_value, size, floor, median)
        return [fault.sentence for fault in found_in(found)]

    (sentence,) = named(0.9 * level, 0.8, 0.1, 0.8)
    assert "lesion size of ring is higher. The largest drift is 0.8" in sentence
    (sentence,) = named(0.9 * level, 0.8, 0.1, 0.0)
    assert "lesion size of ring is of another spread" in sentence
    assert named(1.1 * level, 0.8, 0.1, 0.8) == []
    assert named(0.9 * level, 0.4, 0.1, 0.4) == []
    assert named(0.9 * level, 0.8, 0.5, 0.8) == []


def test_bare_skin(trial, clean):
    """Twenty images of a class show the colour of their skin and nothing else."""
    (rows,) = np.nonzero(trial_labels() == 2)
    bare = clean.copy()
    skin = np.median(clean[rows[:20], :, :3], axis=(1, 2)).astype(np.uint8)
    bare[rows[:20]] = skin[:, None, None]
    fault = faults(trial.verdict(bare))["no_lesion"]
    assert fault.classes == ("ring",)
    assert "in 33% of the synthetic images of ring, and in 0% of real ones" in fault.sentence
    assert fault.statistic == pytest.approx(2 / 3)
    assert fault.p_value == pytest.approx(math.comb(60, 20) / math.comb(120, 20), rel=1e-6)


def test_a_dark_surround_hides_no_lesion(trial, clean):
    """A third of the images is black beyond the lesion: nothing is known of their skin."""
    y, x = np.mgrid[:32, :32] - 15.5
    surround = (np.hypot(x, y) > 0.76 * 16) & (np.arange(3 * TRIED) % 3 == 0)[:, None, None]
    dark = np.where(surround[..., None], 0, clean).astype(np.uint8)
    figures = trial.measurements(dark).figures()
    assert figures.appearance.whole.lesions.n_synthetic == 2 * TRIED
    assert "no_lesion" not in faults(reach_verdict(figures))


def test_lesions_that_stand_out_a_little_less_often_are_no_fault(figures):
    lesions = figures.appearance.classes["ring"].lesions
    assert (lesions.n_synthetic, lesions.n_real, lesions.found_real) == (60, 60, 60)

    def named(p_value, count):
        place = "appearance.classes.ring.lesions"
        found = changed(figures, place, p_value=p_value, found_synthetic=count)
        return [fault.fault for fault in found_in(found)]

    assert named(0.9 * LEVEL, 53) == ["no_lesion"]
    assert named(1.1 * LEVEL, 53) == []
    assert named(0.9 * LEVEL, 55) == []


def test_classes_that_moved_in_different_ways_are_named_apart(figures):
    found = figures
    for name, shift, floor in (("mole", 1.0, 0.1), ("ring", -1.2, None), ("blotch", 1.1, 0.1)):
        found = moved(found, name, "skin_tone", 0.9 * LEVEL / 6, abs(shift), floor, shift)
    (fault,) = found_in(found)
    assert fault.classes == tuple(MODES)
    words = (
        "skin tone of mole, blotch is lighter; skin tone of ring is darker. The largest drift is"
    )
    assert words in fault.sentence
    assert "(skin tone of ring); that of other real images could not be meas" in fault.sentence


@pytest.mark.parametrize("words", ["gain shown", "no gain shown", "harm shown"])
def test_use_is_what_the_study_says_or_not_measured(figures, words):
    assert reach_verdict(figures).use == "not measured"
    assert reach_verdict(figures, utility=study_of(words=words)).use == words
