"""Plain words: what is said, and that each warning is given exactly when it is due."""

from __future__ import annotations

import copy

import pytest

from skin_synth.evaluation.report.summary import summary, warnings

RESULTS = {
    "data": {"class_names": ["a", "b"]},
    "features": {"name": "classifier", "dimension": 96},
    "images": {
        "test": [100, 120],
        "floor": [100, 120],
        "floor_held_out": 220,
        "groups_in_train_and_test": 0,
    },
    "faithfulness": {
        "synthetic": {"mean": 0.6, "classes": {"a": 0.9, "b": 0.3}},
        "real": {"mean": 0.8, "classes": {"a": 0.8, "b": 0.8}},
    },
    "fidelity": {
        "frechet_name": "FD (classifier)",
        "whole": {
            "frechet": 2.5,
            "frechet_floor": 0.5,
            "coverage": 0.8,
            "coverage_floor": 0.95,
            "precision": 0.9,
        },
    },
    "copies": {
        "pixels": {
            "whole": {
                "yardstick": "held-out images",
                "absolute": {
                    "synthetic_median": 20.0,
                    "yardstick_median": 22.0,
                    "n": 220,
                    "threshold": 15.0,
                    "near": 2,
                    "share_below": 2 / 220,
                    "share_expected": 0.01,
                },
            }
        }
    },
    "verdict": {"alpha": 0.01, "faults": []},
}


def changed(**parts):
    results = copy.deepcopy(RESULTS)
    for name, values in parts.items():
        results[name].update(values)
    return results


def test_the_summary_says_the_verdict_first_and_then_the_figures():
    no_fault, on_use, on_classes, on_distance, on_variety, on_copies = summary(RESULTS)
    assert no_fault.startswith("No fault is proven.")
    assert "in 1% of cases" in no_fault
    assert "whether they help a classifier was not measured" in on_use.lower()
    assert "assigns 60%" in on_classes
    assert "gets 80% right" in on_classes
    assert "weakest class is b with 30%" in on_classes
    assert "are 2.5 apart (FD (classifier))" in on_distance
    assert "5 times as far" in on_distance
    assert "80% have a synthetic one" in on_variety
    assert "(95% by others)" in on_variety
    assert "90% lie among the real ones" in on_variety
    assert "2 of 220 synthetic images (0.9%) are nearer than 15.0" in on_copies
    assert "22.0 from held-out images" in on_copies


def test_means_over_classes_are_of_the_same_classes_on_both_sides():
    real = {"mean": 0.8, "classes": {"a": 0.8, "b": None}}
    said = summary(changed(faithfulness={"real": real}))[2]
    assert "assigns 90%" in said
    assert "gets 80% right (means over classes with test images: a)" in said
    assert "weakest class is b with 30%" in said


def with_whole(**values):
    results = copy.deepcopy(RESULTS)
    results["fidelity"]["whole"] |= values
    return results


@pytest.mark.parametrize(
    ("count", "first"), [(1, "One fault is proven."), (2, "2 faults are proven.")]
)
def test_faults_come_first(count, first):
    faults = [{"sentence": f"fault {number}"} for number in range(count)]
    said = summary(changed(verdict={"faults": faults}))
    assert said[: count + 1] == [first, *(fault["sentence"] for fault in faults)]


@pytest.mark.parametrize("words", ["gain shown", "no gain shown", "harm shown"])
def test_use_is_said_plainly(words):
    sentence = f"{words}: real + synthetic 1:1 (cnn) differs by +0.010"
    said = summary({**RESULTS, "utility": {"verdict": {"sentence": sentence}}})[1]
    expected = f"{words.capitalize()} for a classifier: real + synthetic 1:1 (cnn) differs by"
    assert said.startswith(expected)


def test_too_few_images_for_variety_and_for_copies():
    few = changed(copies={"pixels": {"whole": None}})
    few["fidelity"]["whole"]["coverage"] = None
    said = summary(few)
    assert "too few images to measure variety" in said[-2]
    assert "no images to look for copies" in said[-1]


def test_a_floor_of_zero_gives_no_ratio():
    text = summary(with_whole(frechet=2.0, frechet_floor=0.0))[3]
    assert text.endswith("are 0 apart.")


def test_too_few_images_for_a_distance():
    text = summary(with_whole(frechet=None, frechet_floor=None))[3]
    assert "too few real images" in text


def test_no_warning_where_none_is_due():
    assert warnings(RESULTS) == []


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"images": {"test": [49, 200]}}, "Fewer than 50 real test images of a (49):"),
        ({"images": {"test": [96, 200]}}, "No more test images than features (96) of a:"),
        (
            {"features": {"dimension": 220}},
            "No more test images than features (220) of the whole set, a, b:",
        ),
        ({"images": {"floor": [99, 120]}}, "The floor has fewer images"),
        ({"images": {"floor_held_out": 200}}, "20 of 220 images of the floor are training images"),
        ({"images": {"groups_in_train_and_test": 3}}, "3 groups (lesions or patients) have"),
        ({"features": {"name": "inception"}}, "FID needs 2,048 images"),
    ],
)
def test_each_warning(parts, message):
    assert any(text.startswith(message) for text in warnings(changed(**parts)))


def test_a_floor_of_training_images_matters_to_the_trained_features_only():
    results = changed(images={"floor_held_out": 0}, features={"name": "mobilenet"})
    assert not any("training images" in text for text in warnings(results))
