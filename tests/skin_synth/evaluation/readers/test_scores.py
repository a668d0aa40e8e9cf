"""Scores of readers: known answers, means over readers, agreement, warnings."""

from __future__ import annotations

import dataclasses

import pytest

from skin_synth.evaluation.readers.form import Answer, Key, KeyItem, Reading
from skin_synth.evaluation.readers.scores import score
from skin_synth.evaluation.statistics.detection import detection
from skin_synth.evaluation.statistics.intervals import share_interval

NAMES = ("mel", "nv")


def make_key(per_class=40):
    items = [
        (name, origin)
        for name in NAMES
        for origin in ("real", "synthetic")
        for _ in range(per_class)
    ]
    return Key({n: KeyItem(n, *each, f"s{n}") for n, each in enumerate(items, 1)}, "abc")


def make_reading(key, name, wrong=(), *, wrong_class=(), leave=(), paper=False):
    """A reader who is right, except on some numbers."""
    other = {"real": "synthetic", "synthetic": "real", "mel": "nv", "nv": "mel"}
    answers = [
        Answer(
            item,
            other[item.origin] if item.number in wrong else item.origin,
            ""
            if paper
            else other[item.class_name]
            if item.number in wrong_class
            else item.class_name,
            certainty=1 if item.number in wrong else 5,
            seconds=None if paper else float(item.number),
            position=None if paper else item.number,
        )
        for item in key.items.values()
        if item.number not in leave
    ]
    return Reading(name, tuple(answers))


def test_known_answers_of_one_reader():
    key = make_key()
    # 1 to 40 are real mel, 41 to 80 synthetic mel.
    found = score(
        key, [make_reading(key, "Ada", {*range(1, 11), *range(41, 47)}, wrong_class={81})]
    )
    assert found.all.sensitivity == share_interval(74, 80)
    assert found.all.specificity == share_interval(70, 80)
    assert found.all.accuracy == share_interval(144, 160)
    assert found.all.d_prime == detection(74, 80, 10, 80).d_prime
    assert found.classes["mel"].d_prime == detection(34, 40, 10, 40).d_prime
    assert found.classes["nv"].accuracy == share_interval(80, 80)
    assert found.all.class_right_real == share_interval(79, 80)
    assert found.all.class_right_synthetic == share_interval(80, 80)
    [reader] = found.readers
    assert (reader.seconds, reader.unanswered) == (80.5, 0)
    by_certainty = {each.certainty: (each.answers, each.accuracy) for each in found.certainties}
    assert by_certainty[1] == (16, share_interval(0, 16))
    assert by_certainty[2] == (0, None)
    assert by_certainty[5] == (144, share_interval(144, 144))
    assert found.agreement is None
    assert found.warnings == ("One reader is no study: other readers may judge otherwise.",)


def test_all_readers_are_the_mean_of_each():
    key = make_key()
    readings = [make_reading(key, "Ada", range(1, 21)), make_reading(key, "Eva", range(41, 91))]
    found = score(key, readings)
    for name in ("accuracy", "sensitivity", "specificity", "d_prime"):
        mean, *each = (getattr(f, name) for f in (found.all, *(r.all for r in found.readers)))
        for end in dataclasses.fields(mean):
            ends = [getattr(one, end.name) for one in each]
            assert getattr(mean, end.name) == pytest.approx(sum(ends) / 2)
    assert found.all.real == 160
    image = found.by_image[0]
    assert (image.number, image.source, image.answers, image.right) == (1, "s1", 2, 1)
    assert not found.warnings


def test_agreement_of_three_readers():
    key = make_key()
    same = [make_reading(key, name, range(30, 60)) for name in ("Ada", "Eva")]
    other = make_reading(key, "Una", range(1, 161), wrong_class=range(1, 161))
    found = score(key, [*same, other]).agreement
    kappas = {(pair.first, pair.second): pair.origin.estimate for pair in found.pairs}
    assert kappas["Ada", "Eva"] == 1
    assert kappas["Ada", "Una"] == kappas["Eva", "Una"] < -0.5
    assert found.origin == pytest.approx(sum(kappas.values()) / 3)
    assert found.judged_class == pytest.approx((1 - 1 - 1) / 3)


def test_agreement_is_over_images_that_both_answered():
    key = make_key()
    readings = [
        make_reading(key, "Ada", leave=range(1, 100)),
        make_reading(key, "Eva", range(1, 100), leave=range(150, 161)),
    ]
    [pair] = score(key, readings).agreement.pairs
    assert pair.images == 50
    assert pair.origin.estimate == 1


def test_what_is_missing_is_said():
    key = make_key(per_class=2)
    found = score(key, [make_reading(key, "Ada", leave=[1, 2, 3, 4, 5], paper=True)])
    assert found.all.specificity == share_interval(1, 1)
    assert found.all.class_right_real is None
    assert found.classes["mel"].real == found.classes["mel"].synthetic == 0
    assert found.classes["mel"].d_prime is None
    text = " ".join(found.warnings)
    for part in ("Ada left 5 of 8 images out", "only 4 images of one origin", "not asked for the"):
        assert part in text
