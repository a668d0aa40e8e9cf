"""The benchmark of the advice follows it, and takes the difference on images that nobody saw."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.advice_draws import DrawnAdvice, advised_site, summary
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility.arm_training import ArmTraining
from tests.skin_synth.evaluation.utility.conftest import split_of
from tests.skin_synth.evaluation.utility.test_advice import (
    OPTIONS,
    FakeGenerator,
    HungryMeans,
    Noise,
    draw,
    site,
)


@pytest.mark.parametrize(("generator", "used"), [(FakeGenerator(), True), (Noise(), False)])
def test_a_site_gains_from_true_images_and_loses_nothing_by_noise(generator, used):
    test = split_of(draw, (100, 100, 100), 77)
    training = ArmTraining(HungryMeans(), OPTIONS.steps, Cache(None))
    found = advised_site(site(), test, generator, OPTIONS, training, None, 3)
    assert (found.draw, found.images) == (3, 30)
    assert ("synthetic" in found.advised) == used
    assert (found.difference > 0.02) if used else (found.difference == 0.0)
    assert 0.5 < found.without <= 1.0


def test_the_summary_has_the_interval_of_student():
    one = DrawnAdvice(0, 300, "own + 50 % synthetic", 0.1, 0.80, 0.70)
    found = [one, dataclasses.replace(one, followed=0.76), dataclasses.replace(one, followed=0.70)]
    # Differences .10, .06 and 0; deviation .0503; t of two degrees of freedom 4.303.
    text = summary(found)
    assert text.startswith("2 of 3 sites use the generator")
    assert text.endswith("+0.053 (-0.072 to +0.178), worst +0.000")
    assert "+0.100 (+0.100 to +0.100)" in summary([one])
