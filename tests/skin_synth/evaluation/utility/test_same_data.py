"""What each arm of the study is trained on, and which control each use has."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.recipes import CONTROL, USE, learnt_shares, pool_of
from skin_synth.evaluation.utility.same_data import (
    REAL,
    SYNTHETIC,
    TEACHER_SEEDS,
    Sources,
    class_counts_of,
    filler,
    make_arms,
    matched,
    taught,
)
from tests.skin_synth.evaluation.utility.conftest import ColourMeans, coloured_split, colours
from tfrecords_tools.errors import InputError

COUNTS = np.array([40, 8, 8])
ALL_COUNTS = class_counts_of(COUNTS)
ARMS = {arm.name: arm for arm in make_arms(COUNTS)}
POOL = 20


@pytest.fixture
def sources(tmp_path):
    def generate(labels, seeds):
        generate.calls += 1
        return colours(labels, seeds[0])

    generate.calls = 0
    training = ArmTraining(ColourMeans(), 30, Cache(tmp_path))
    return Sources(coloured_split(COUNTS, 1), generate, "g", POOL, training)


def test_controls_see_no_synthetic_image_and_uses_do():
    for arm in ARMS.values():
        synthetic = any(name != REAL and "real" not in name for name in arm.sources)
        assert synthetic == (arm.kind != CONTROL), arm.name
    assert len(ARMS) == len(make_arms(COUNTS))


def test_all_arms_augment_but_one():
    assert [arm.name for arm in ARMS.values() if not arm.method.augmented] == ["real"]


@pytest.mark.parametrize("mixup", ["", " + MixUp"])
def test_matched_controls_have_real_images_in_the_slots_of_synthetic_ones(mixup):
    pairs = {
        "25 % synthetic": "real, 25 % at equal shares",
        "50 % synthetic": "real, 50 % at equal shares",
        "synthetic first": "real, equal shares first",
    }
    for use, control in pairs.items():
        use, control = ARMS[use + mixup], ARMS[control + mixup]
        assert control in matched(use)
        assert use.method == control.method
        for ours, theirs in zip(use.phases, control.phases, strict=True):
            assert ours.end == theirs.end
            same = [(part.share, part.equal) for part in theirs.parts]
            assert [(part.share, part.equal) for part in ours.parts] == same
    assert all(arm.name in ARMS for arm in matched(ARMS["filled with synthetic" + mixup]))


def test_every_arm_draws_the_class_shares_that_its_prior_says(sources):
    of_seed = sources.of_seed(0)
    for arm in ARMS.values():
        if arm.method.logit_adjusted:
            np.testing.assert_allclose(learnt_shares(arm, ALL_COUNTS), 1 / 3)
            continue
        pool = pool_of(arm.phases[-1], of_seed)
        if "teacher" not in arm.name:
            np.testing.assert_allclose(pool.prior, learnt_shares(arm, ALL_COUNTS), atol=1e-6)
        assert learnt_shares(arm, ALL_COUNTS).sum() == pytest.approx(1)
    np.testing.assert_allclose(
        learnt_shares(ARMS["25 % synthetic"], ALL_COUNTS), 0.75 * COUNTS / 56 + 1 / 12
    )
    np.testing.assert_allclose(learnt_shares(ARMS["synthetic first"], ALL_COUNTS), COUNTS / 56)


def test_filled_classes_are_as_large_as_the_largest(sources):
    pool = pool_of(ARMS["filled with synthetic"].phases[0], sources.of_seed(0))
    np.testing.assert_allclose(pool.prior, 1 / 3)
    real = slice(0, len(sources.train))
    np.testing.assert_array_equal(pool.images[real], sources.train.images)
    assert pool.shares[real].sum() == pytest.approx(56 / 120)
    # As many as are missing, or all that there are.
    assert len(pool.images) == 56 + 2 * min(40 - 8, POOL)


def test_equal_classes_have_nothing_to_fill():
    assert not any("filled" in arm.name for arm in make_arms(np.array([9, 9])))


def test_seeds_have_other_synthetic_images_and_one_generation_each(sources):
    first, second = sources.of_seed(0), sources.of_seed(1)
    images, targets = first[SYNTHETIC].content
    assert images.shape == (3 * POOL, 8, 8, 3)
    np.testing.assert_array_equal(targets.sum(axis=0), POOL)
    filling, of_class = first[filler(2)].content
    np.testing.assert_array_equal(filling, images[2 * POOL :])
    assert of_class[:, 2].all()
    assert sources.generate.calls == 1
    assert (second[SYNTHETIC].content[0] != images).any()
    assert first[SYNTHETIC].key != second[SYNTHETIC].key
    assert first[REAL].key == second[REAL].key


def test_a_teacher_labels_images_by_the_mean_of_networks_on_real_ones(sources):
    of_seed = sources.of_seed(0)
    images, targets = of_seed[taught(SYNTHETIC, 1)].content
    np.testing.assert_array_equal(images, of_seed[SYNTHETIC].content[0][POOL : 2 * POOL])
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    assert (targets.max(axis=1) < 1).all()
    calls = sources.training.trainer.calls
    assert calls == [(len(sources.train), range(30))] * len(TEACHER_SEEDS)
    real_images, _ = of_seed[taught(REAL, 0)].content
    np.testing.assert_array_equal(real_images, sources.train.images[:40])
    assert len(calls) == len(TEACHER_SEEDS)
    assert not set(TEACHER_SEEDS) & set(range(1000))


def test_synthetic_images_that_do_not_fit_are_refused(sources):
    small = Sources(
        sources.train, lambda labels, seeds: colours(labels, 1)[:, :4], "g", 4, sources.training
    )
    message = r"must be uint8\[12, 8, 8, 3\].*got uint8\[12, 4, 8, 3\]"
    with pytest.raises(InputError, match=message):
        small.of_seed(0)[SYNTHETIC].load()


def test_each_use_has_a_twin_with_mixup():
    uses = [arm for arm in ARMS.values() if arm.kind == USE]
    assert sum(arm.method.mixup for arm in uses) == len(uses) / 2
