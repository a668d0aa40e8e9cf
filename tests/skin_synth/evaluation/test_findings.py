"""Plain words: what is said, and that each warning is given exactly when it is due."""

from __future__ import annotations

import copy

import pytest

from skin_synth.evaluation.findings import figure, summary, warnings

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
        "whole": {"frechet": 2.5, "frechet_floor": 0.5},
    },
    "copies": {
        "synthetic_median": 20.0,
        "held_out_median": 22.0,
        "n": 220,
        "share_below": 0.01,
    },
}


def changed(**parts):
    results = copy.deepcopy(RESULTS)
    for name, values in parts.items():
        results[name].update(values)
    return results


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.12345, "0.123"), (-0.5, "-0.5"), (12844.8, "12,845"), (999, "999")],
)
def test_figures_have_three_digits(value, text):
    assert figure(value) == text


def test_the_summary_says_the_three_things():
    on_classes, on_distance, on_copies = summary(RESULTS)
    assert "assigns 60%" in on_classes
    assert "gets 80% right" in on_classes
    assert "weakest class is b with 30%" in on_classes
    assert "are 2.5 apart (FD (classifier))" in on_distance
    assert "5 times as far" in on_distance
    assert "2 of 220 synthetic images (1%)" in on_copies
    assert "copies, or blur" not in on_copies


def test_many_near_images_are_called_out():
    assert "That can mean copies" in summary(changed(copies={"share_below": 0.4}))[2]


def test_a_floor_of_zero_gives_no_ratio():
    text = summary(changed(fidelity={"whole": {"frechet": 2.0, "frechet_floor": 0.0}}))[1]
    assert text.endswith("are 0 apart.")


def test_too_few_images_for_a_distance():
    text = summary(changed(fidelity={"whole": {"frechet": None, "frechet_floor": None}}))[1]
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
