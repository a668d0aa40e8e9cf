"""A memoriser is caught, and a generator that generates new images is not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.metrics.nearest import symmetries
from skin_synth.evaluation.privacy import study
from skin_synth.evaluation.privacy.results import NOT_TOLD, OPEN, TOLD
from skin_synth.evaluation.privacy.study import PrivacyOptions, study_privacy
from tests.skin_synth.evaluation.privacy.conftest import (
    NAMES,
    memoriser,
    newcomer,
    reordered,
    run_of,
    split_of,
    studied,
)
from tfrecords_tools.errors import InputError

ATTACKS = ["pixels", "pixels, calibrated", "features", "features, calibrated"]


def test_a_memoriser_of_fifty_images_is_caught(memorised):
    assert list(memorised.attacks) == ATTACKS
    for attack in memorised.attacks.values():
        assert attack.whole.auroc.estimate > 0.9
        assert attack.whole.auroc.corrected_low > 0.5
        assert attack.whole.true_positives.estimate > 0.5
        assert all(found.auroc.estimate > 0.9 for found in attack.classes.values())
    assert memorised.verdict.words == TOLD
    assert memorised.verdict.classes == NAMES
    assert memorised.verdict.sentence.startswith(
        "An attacker who sees only synthetic images can tell training images from others: AUROC "
    )
    assert "without its discriminator" in memorised.verdict.discriminator_sentence


@pytest.mark.slow
def test_new_images_of_the_same_kind_give_nothing_away(train, held_out):
    both = [split_of(seed, (220, 220, 220)) for seed in (4, 5)]
    found = studied(newcomer, both[0], both[1:])
    for attack in found.attacks.values():
        assert attack.whole.auroc.low <= 0.5 <= attack.whole.auroc.high
        assert attack.whole.true_positives.low <= 0.01
    assert found.verdict.words == NOT_TOLD
    assert "cannot tell training images from others: AUROC 0." in found.verdict.sentence
    # Fifty images prove less.
    assert studied(newcomer, train, held_out).verdict.words in {NOT_TOLD, OPEN}


def test_one_memorised_class_is_named(train, held_out):
    copies = memoriser(train)

    def draw(name, seed):
        return copies(name, seed) if name == "ring" else newcomer(name, seed)

    verdict = studied(draw, train, held_out).verdict
    assert verdict.words == TOLD
    assert verdict.classes == ("ring",)


def test_the_order_of_the_images_changes_nothing(memorised, train, held_out):
    mixed = studied(memoriser(train), reordered(train), [reordered(each) for each in held_out])
    for name, attack in memorised.attacks.items():
        ours, theirs = attack.whole, mixed.attacks[name].whole
        assert theirs.auroc.estimate == pytest.approx(ours.auroc.estimate, abs=1e-6)
        assert theirs.true_positives.estimate == pytest.approx(
            ours.true_positives.estimate, abs=1e-6
        )
    assert mixed.images == memorised.images


def test_turned_training_images_are_found_as_well(memorised, train, held_out):
    turns = list(symmetries(train.images))
    turned = np.stack([turns[row % 8][row] for row in range(len(train))])
    found = studied(memoriser(train), dataclasses.replace(train, images=turned), held_out)
    for name, attack in found.attacks.items():
        ours = attack.whole.auroc.estimate
        assert ours == pytest.approx(memorised.attacks[name].whole.auroc.estimate, abs=0.01)


def test_a_class_with_too_few_lesions_has_a_reason_instead_of_figures(train, held_out):
    few = [
        split.subset((split.labels != 2) | (np.arange(len(split)) % 8 == 0)) for split in held_out
    ]
    found = studied(memoriser(train), train, few)
    assert found.attacks["pixels"].classes["ring"] is not None
    assert found.attacks["pixels"].classes["ring"].true_positives is None
    assert found.attacks["pixels"].classes["mole"].true_positives is not None
    assert found.untested_rates == {
        "ring": "20 held-out lesions; 100 are needed for 1% false positives"
    }
    fewer = few[0]
    found = studied(memoriser(train), train, [fewer])
    assert found.attacks["pixels"].classes["ring"] is None
    assert found.untested == {"ring": "16 training and 5 held-out lesions; 10 of each are needed"}
    whole = found.attacks["pixels"].whole
    classes = [found.attacks["pixels"].classes[name] for name in ("mole", "blotch")]
    assert whole.auroc.estimate == np.mean([each.auroc.estimate for each in classes])


def test_without_enough_images_nothing_is_generated(train):
    def fail(name, seed):
        raise AssertionError("generated")

    found = studied(fail, train, [split_of(2, (5, 5, 5))])
    assert found.attacks == {}
    assert set(found.untested) == set(NAMES)
    assert found.verdict.words == OPEN
    assert found.verdict.sentence.startswith("There are too few real images")


def test_held_out_images_of_training_lesions_are_not_judged(train, held_out):
    leaked = dataclasses.replace(held_out[0], groups=train.groups[:10] + held_out[0].groups[10:])
    found = studied(newcomer, train, [leaked, held_out[1]])
    assert found.left_out == 10
    assert found.images.others["mole"] == 150


def test_a_discriminator_that_knows_its_images_must_not_be_published(train, held_out):
    known = {image.tobytes() for image in train.images}

    def discriminator_scores(self, images, labels):
        return np.array([image.tobytes() in known for image in images], np.float32)

    found = studied(newcomer, train, held_out, discriminator_scores=discriminator_scores)
    attack = found.attacks["discriminator"]
    assert attack.needs_discriminator
    assert attack.whole.auroc.estimate == 1
    assert found.verdict.discriminator == TOLD
    assert found.verdict.discriminator_sentence.startswith(
        "The discriminator must not be published"
    )
    assert found.verdict.words != TOLD


def test_a_second_study_reads_the_cache(train, held_out, tmp_path):
    def fail(name, seed):
        raise AssertionError("generated again")

    first = studied(newcomer, train, held_out, cache=Cache(tmp_path))
    assert studied(fail, train, held_out, cache=Cache(tmp_path)) == first


def test_without_features_the_attacker_learns_them_from_synthetic_images(
    train, held_out, monkeypatch
):
    learnt = []

    def cached_classifier(data, **options):
        learnt.append((data, options))
        raise InterruptedError

    monkeypatch.setattr(study, "cached_classifier", cached_classifier)
    with pytest.raises(InterruptedError):
        study_privacy(run_of(newcomer), train, held_out, PrivacyOptions(100, steps=3, seed=1))
    ((data, options),) = learnt
    assert data.class_counts.tolist() == [100] * 3
    assert options["steps"] == 3
    known = {image.tobytes() for image in train.images}
    assert not known & {image.tobytes() for image in data.images}


def test_too_few_synthetic_images_are_refused():
    with pytest.raises(InputError, match="privacy_images must be 100 or more, got 99"):
        PrivacyOptions(99)
