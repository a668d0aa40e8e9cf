"""Folds keep lesions whole, share out each class, and depend on names and seed only."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.utility.folds import lesion_folds
from tfrecords_tools.errors import InputError

LABELS = np.repeat([0, 1, 2], [60, 20, 8])
GROUPS = np.array([f"lesion {row // 3}" if row < 60 else f"other {row // 2}" for row in range(88)])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("folds", [2, 4, 5])
def test_a_lesion_is_in_one_fold_and_each_class_is_shared_out(folds, seed):
    found = lesion_folds(GROUPS, LABELS, folds=folds, seed=seed)
    assert all(len(set(found[name == GROUPS])) == 1 for name in set(GROUPS))
    for label, lesion in enumerate((3, 2, 2)):
        counts = np.bincount(found[label == LABELS], minlength=folds)
        assert counts.max() - counts.min() <= lesion


def test_the_order_of_the_images_does_not_matter_and_the_seed_does():
    order = np.random.default_rng(0).permutation(len(LABELS))
    found = lesion_folds(GROUPS, LABELS, folds=4, seed=7)
    again = lesion_folds(GROUPS[order], LABELS[order], folds=4, seed=7)
    np.testing.assert_array_equal(found[order], again)
    assert list(found) != list(lesion_folds(GROUPS, LABELS, folds=4, seed=8))


def test_two_lesions_of_a_class_are_in_two_folds():
    labels = np.array([0] * 9 + [1, 1])
    groups = [f"{row}" for row in range(11)]
    for seed in range(10):
        found = lesion_folds(groups, labels, folds=4, seed=seed)
        assert found[9] != found[10]


def test_a_patient_with_two_classes_is_whole():
    found = lesion_folds(["a", "a", "b", "c"], np.array([0, 1, 0, 1]), folds=2, seed=0)
    assert found[0] == found[1]


def test_fewer_lesions_than_folds_are_refused():
    with pytest.raises(InputError, match="3 folds need 3 lesions or more, got 2"):
        lesion_folds(["a", "a", "b"], np.array([0, 1, 1]), folds=3, seed=0)
