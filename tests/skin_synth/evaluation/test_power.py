"""Tests that too few images left without any power are named, and only these."""

from __future__ import annotations

import copy

import pytest

from skin_synth.evaluation.appearance import MEASURES
from skin_synth.evaluation.power import untested
from skin_synth.evaluation.verdict import level

NAMES = ("a", "b")


def nearness(n, others, rank=1):
    return {"absolute": {"n": n, "n_yardstick": others, "yardstick_same": 0, "rank": rank}}


def class_parts(part):
    return {"classes": {name: copy.deepcopy(part) for name in NAMES}}


@pytest.fixture
def results():
    """Of two classes with enough images for all tests."""
    measures = {name: {"test": {"p_value": 0.5}} for name in MEASURES}
    return {
        "copies": {
            "pixels": class_parts(nearness(60, 60)),
            "features": class_parts(nearness(60, 60)),
            "duplicates": class_parts({}),
        },
        "faithfulness": {
            "synthetic": {"confusion": [[20, 0], [0, 20]]},
            "real": {"confusion_of_lesions": [[20, 0], [0, 20]]},
        },
        "variety": class_parts({}),
        "difference": class_parts({}),
        "appearance": class_parts({"measures": measures}),
    }


def test_with_enough_images_all_is_tested(results):
    assert untested(results, NAMES, level(2)) == {}


@pytest.mark.parametrize("lesions", [0, 1, 2, 3])
def test_a_wrong_class_cannot_be_proven_by_a_few_real_images(results, lesions):
    """All twenty synthetic ones wrong, all real ones right: p is 1 / C(20 + lesions, lesions)."""
    results["faithfulness"]["real"]["confusion_of_lesions"][1] = [0, lesions]
    assert untested(results, NAMES, 2e-4) == {"class shown": ["b"]}
    assert untested(results, NAMES, 1e-3).get("class shown", []) == ["b"] * (lesions < 3)


def test_copies_need_a_yardstick(results):
    for space in ("pixels", "features"):
        results["copies"][space]["classes"]["b"] = nearness(20, 3)
    assert untested(results, NAMES, level(2)) == {"copies": ["b"]}
    results["copies"]["features"]["classes"]["b"] = nearness(20, 60)
    assert untested(results, NAMES, level(2)) == {}


def test_each_measure_of_appearance_is_named_alone(results):
    results["appearance"]["classes"]["a"]["measures"]["lesion_size"]["test"] = None
    results["variety"]["classes"]["b"] = results["copies"]["duplicates"]["classes"]["a"] = None
    assert untested(results, NAMES, level(2)) == {
        "duplicates": ["a"],
        "variety": ["b"],
        "appearance (lesion size)": ["a"],
    }
