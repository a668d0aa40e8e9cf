"""The two-sample test by a classifier: its figure and its interval."""

from __future__ import annotations

import numpy as np

from benchmarks.two_sample import interval, with_synthetic
from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.metrics import auroc


def test_images_of_few_lesions_give_a_wide_interval():
    rng = np.random.default_rng(0)
    scores = np.concatenate([np.repeat(rng.normal(size=20), 20), rng.normal(size=400)])
    area = auroc(np.arange(800) >= 400, scores)
    alone = interval(scores, tuple(map(str, range(400))), rng)
    together = interval(scores, tuple(map(str, np.repeat(range(20), 20))), rng)
    assert alone[0] < area < alone[1]
    assert together[1] - together[0] > 2 * (alone[1] - alone[0])


def test_synthetic_images_have_the_classes_of_the_real_ones():
    class Generator:
        def generate(self, labels, seeds):
            assert len({*seeds.tolist()}) == len(labels)
            return np.full(
                (len(labels), 4, 4, 3), np.asarray(labels)[:, None, None, None], np.uint8
            )

    images = np.full((3, 4, 4, 3), 9, np.uint8)
    real = LabelledImages(images, np.array([2, 0, 1]), ("x",) * 3, ("x",) * 3, ("a", "b", "c"))
    both = with_synthetic(real, Generator(), np.random.default_rng(0))
    assert both.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert both.images[:, 0, 0, 0].tolist() == [9, 9, 9, 2, 0, 1]
