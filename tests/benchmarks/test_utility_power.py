"""The simulated networks have the requested gain; a large one is shown, none is not."""

from __future__ import annotations

import numpy as np

from benchmarks import utility_power
from benchmarks.utility_power import COUNTS, DESIGNS, JudgedImages
from skin_synth.evaluation.utility.differences import GAIN


def test_a_large_gain_is_shown_and_none_is_not(capsys):
    design = DESIGNS[0]
    gains = (0.0, 0.03)
    none, large = utility_power.simulate(design, 4, 20, gains)
    assert sum(each.words == GAIN for each in none) <= 1
    assert [each.words for each in large] == [GAIN] * 4
    mean = np.mean([each.macro_auroc.difference.difference for each in large])
    assert abs(mean - 0.03) < 0.01
    utility_power.show(design, (none, large), 60.0, gains)
    assert "same data: 1 draws, 8 seeds" in capsys.readouterr().out


def test_images_are_those_of_ham10000_in_number():
    images = JudgedImages.drawn(np.random.default_rng(0), 2)
    np.testing.assert_array_equal(np.bincount(images.labels), COUNTS)
    assert 1050 < images.lesion_counts.sum() < 1150
    one_class = [len(set(images.labels[images.lesions == each])) for each in set(images.lesions)]
    assert set(one_class) == {1}
    noise = images.noise(np.random.default_rng(1), 0.25)
    assert abs(noise.var() - 0.25) < 0.02
