"""Tests that too few images left without any power are named, and only these."""

from __future__ import annotations

import copy

import pytest

from skin_synth.evaluation.metrics.appearance import MEASURES
from skin_synth.evaluation.verdict.detectable import untested
from skin_synth.evaluation.verdict.verdict import level

NAMES = ("a", "b")


def nearness(n, others, rank=1):
    return {"absolute": {"n": n, "n_yardstick": others, "yardstick_same": 0, "rank": rank}}


def class_parts(part):
    return {"classes": {name: copy.deepcopy(part) for name in NAMES}}


@pytest.fixture
def results():
    """Of two classes with enough images for all tests."""
    appearance = {
        "measures": {name: {"test": {"p_value": 0.5}} for name in MEASURES},
        "lesions": {"n_synthetic": 20, "n_real": 20, "found_real": 20},
    }
    return {
        "copies": {
            "pixels": class_parts(nearness(60, 60)),
            "features": class_parts(nearness(60, 60)),
            "duplicates": class_parts({**nearness(60, 60)["absolute"]}),
        },
        "faithfulness": {
            "synthetic": {"confusion": [[20, 0], [0, 20]]},
            "real": {"confusion_of_lesions": [[20, 0], [0, 20]]},
        },
        "variety": class_parts({}),
        "profiles": class_parts({}),
        "difference": class_parts({}),
        "appearance": class_parts(appearance),
    }


def test_with_enough_images_all_is_tested(results):
    assert untested(results, NAMES, level(2)) == {}


@pytest.mark.parametrize("lesions", [0, 1, 2, 3])
def test_a_wrong_class_cannot_be_proven_by_a_few_real_images(results, lesions):
    """All twenty synthetic ones wrong, all real ones right: p is 1 / C(20 + lesions, lesions)."""
    results["faithfulness"]["real"]["confusion_of_lesions"][1] = [0, lesions]
    assert untested(results, NAMES, 2e-4) == {"class shown": ["b"]}
    assert untested(results, NAMES, 1e-3).get("class shown", []) == ["b"] * (lesions < 3)


def test_a_class_that_the_judge_does_not_know_cannot_be_missed(results):
    results["faithfulness"]["real"]["confusion_of_lesions"][0] = [2, 18]
    assert untested(results, NAMES, level(2)) == {"class shown": ["a"]}


@pytest.mark.parametrize(("lesions", "found"), [(0, 0), (2, 2), (20, 0), (20, 4)])
def test_lesions_that_hardly_stand_out_in_real_images_cannot_be_missed(results, lesions, found):
    results["appearance"]["classes"]["a"]["lesions"] |= {"n_real": lesions, "found_real": found}
    assert untested(results, NAMES, level(2)) == {"lesion found": ["a"]}


def test_copies_need_a_yardstick(results):
    for space in ("pixels", "features"):
        results["copies"][space]["classes"]["b"] = nearness(20, 3)
    assert untested(results, NAMES, level(2)) == {"copies": ["b"]}
    results["copies"]["features"]["classes"]["b"] = nearness(20, 60)
    assert untested(results, NAMES, level(2)) == {}


def test_few_images_cannot_be_proven_to_repeat_each_other(results):
    """All in pairs: p is 1 / C(2 n, n) of n pairs on both sides."""
    results["copies"]["duplicates"]["classes"]["a"] = nearness(15, 15)["absolute"]
    assert untested(results, NAMES, 2.9e-4) == {"duplicates": ["a"]}
    assert untested(results, NAMES, 3.0e-4) == {}


def test_variety_is_tested_by_either_kind_of_features(results):
    results["variety"]["classes"]["a"] = results["profiles"]["classes"]["b"] = None
    assert untested(results, NAMES, level(2)) == {}
    results["profiles"]["classes"]["a"] = None
    assert untested(results, NAMES, level(2)) == {"variety": ["a"]}


def test_a_share_that_is_small_cannot_lose_ten_points(results):
    results["faithfulness"]["real"]["confusion_of_lesions"][0] = [18, 182]
    results["faithfulness"]["synthetic"]["confusion"][0] = [0, 200]
    assert untested(results, NAMES, level(2)) == {"class shown": ["a"]}
    results["faithfulness"]["real"]["confusion_of_lesions"][0] = [20, 180]
    assert untested(results, NAMES, level(2)) == {}


def test_each_measure_of_appearance_is_named_alone(results):
    results["appearance"]["classes"]["a"]["measures"]["lesion_size"]["test"] = None
    results["variety"]["classes"]["b"] = results["profiles"]["classes"]["b"] = None
    results["copies"]["duplicates"]["classes"]["a"] = None
    assert untested(results, NAMES, level(2)) == {
        "duplicates": ["a"],
        "variety": ["b"],
        "appearance (lesion size)": ["a"],
    }
