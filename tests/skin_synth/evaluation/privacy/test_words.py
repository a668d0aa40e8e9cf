"""The words say what the figures prove, and no more."""

from __future__ import annotations

import pytest

from skin_synth.evaluation.privacy.results import (
    NOT_TOLD,
    OPEN,
    TOLD,
    Attack,
    AttackFigures,
    Estimate,
)
from skin_synth.evaluation.privacy.words import reach_privacy_verdict


def figures(value, half, *, rate=0.01):
    ends = (value - half, value + half)
    shares = Estimate(rate, 0.004, 0.03, 0.0 if rate < 0.1 else rate - 0.05, rate + 0.03)
    return AttackFigures(Estimate(value, *ends, *ends), shares)


def attack(whole, *, discriminator=False, **classes):
    return Attack(whole, classes, needs_discriminator=discriminator, comparisons=8)


WEAK = attack(figures(0.51, 0.03), a=figures(0.51, 0.1), b=None)


@pytest.mark.parametrize(
    ("found", "words", "sentence"),
    [
        (
            WEAK,
            NOT_TOLD,
            "An attacker who sees only synthetic images cannot tell training images from others: "
            "AUROC 0.510 (0.48 to 0.54; 0.5 is chance) and 1.0% (0.0% to 4.0%; 1% is chance) of "
            "them found at 1% false alarms.",
        ),
        (attack(figures(0.51, 0.2), a=None), OPEN, "The images are too few to say whether an at"),
        (attack(figures(0.7, 0.1), a=None), TOLD, "images can tell training images from others: "),
        (attack(figures(0.5, 0.02, rate=0.2), a=None), TOLD, "can tell training images from othe"),
        (
            attack(figures(0.55, 0.1), a=figures(0.8, 0.1), b=figures(0.5, 0.1)),
            TOLD,
            "can tell training images of a from others",
        ),
    ],
)
def test_words_of_images(found, words, sentence):
    verdict = reach_privacy_verdict({"pixels": found})
    assert verdict.words == words
    assert sentence in verdict.sentence
    assert verdict.discriminator is None


def test_the_strongest_attack_is_quoted():
    verdict = reach_privacy_verdict(
        {"pixels": WEAK, "features": attack(figures(0.54, 0.05), a=None, b=None)}
    )
    assert "AUROC 0.540" in verdict.sentence
    assert "by the strongest of 2 attacks." in verdict.sentence


@pytest.mark.parametrize(
    ("value", "half", "words", "sentence"),
    [
        (0.9, 0.05, TOLD, "The discriminator must not be published"),
        (0.5, 0.05, NOT_TOLD, "do not tell training images from others"),
        (0.5, 0.3, OPEN, "do not publish it"),
    ],
)
def test_words_of_the_discriminator(value, half, words, sentence):
    judge = attack(figures(value, half), discriminator=True)
    verdict = reach_privacy_verdict({"pixels": WEAK, "discriminator": judge})
    assert verdict.words == NOT_TOLD
    assert verdict.discriminator == words
    assert sentence in verdict.discriminator_sentence
