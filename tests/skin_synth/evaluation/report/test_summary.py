"""Plain words: the sentences, and each warning exactly when it is needed."""

from __future__ import annotations

import dataclasses

import pytest

from skin_synth.evaluation.look_alikes import Leak, LookAlike
from skin_synth.evaluation.metrics.comparison import Fidelity, FidelityFigures
from skin_synth.evaluation.metrics.copies import HELD_OUT, CopyFigures, NearInBoth, Nearness
from skin_synth.evaluation.metrics.faithfulness import Faithfulness, JudgedImages
from skin_synth.evaluation.report.summary import summary, warnings
from skin_synth.evaluation.results import (
    Copies,
    DataInfo,
    Fault,
    FeatureInfo,
    ImageCounts,
    ImageFolderInfo,
    MeasuredFigures,
    NeighbourSearch,
    Provenance,
    RunInfo,
    Verdict,
)
from tests.changes import changed, incomplete, put
from tests.studies import study_of


def judged(**classes):
    return JudgedImages(100, 0.5, classes, {}, [])


NEAR = incomplete(
    Nearness,
    synthetic_median=20.0,
    yardstick_median=22.0,
    n=220,
    threshold=15.0,
    near=2,
    share_below=2 / 220,
    share_expected=0.01,
)
FIGURES = incomplete(
    MeasuredFigures,
    faithfulness=Faithfulness(None, judged(a=0.9, b=0.3), judged(a=0.8, b=0.8)),
    copies=Copies(
        NeighbourSearch(CopyFigures(HELD_OUT, NEAR, None, NearInBoth(1, 1, 0.25)), {}, metric=""),
        NeighbourSearch(CopyFigures(HELD_OUT, NEAR, None, NearInBoth(0, 0, 1.0)), {}, metric=""),
        None,
    ),
)
FIDELITY = incomplete(
    Fidelity,
    frechet_name="FD (classifier)",
    whole=incomplete(
        FidelityFigures,
        n=200,
        n_floor=200,
        frechet=2.5,
        frechet_floor=0.5,
        coverage=0.8,
        coverage_floor=0.95,
        precision=0.9,
    ),
)
NO_FAULT = Verdict(0.01, 1e-4, (), {}, "not measured")


def said(figures=FIGURES, fidelity=FIDELITY, verdict=NO_FAULT, utility=None):
    return summary(figures, fidelity, verdict, utility)


def test_the_summary_says_the_verdict_first_and_then_the_figures():
    found = said()
    assert found.headline == "No fault is proven."
    for sentence, facts in (
        (found.caveat, ["in at most 1% of cases"]),
        (found.use, ["hether they help a classifier was not measured"]),
        (found.classes, ["assigns 60%", "right about 80%", "weakest class is b with 30%"]),
        (found.distance, ["are 2.5 apart (FD (classifier))", "5 times as far"]),
        (
            found.variety,
            [
                "80% have a synthetic one",
                "(coverage; other real images reach 95%)",
                "90% are among the real",
            ],
        ),
        (found.copies, ["2 of 220 synthetic images (0.9%) are nearer than 15.0"]),
        (
            found.copies,
            [
                "22.0 for held-out images",
                "nearer to one lesion than to all others, like a copy: 1.",
            ],
        ),
        (found.copies, ["p = 0.25 by pixels and 1 by features; below 1e-04 copies are proven"]),
        (found.copies, ["moved, cropped, brightened or recoloured are looked for by features"]),
    ):
        assert all(fact in sentence for fact in facts)
    figures = [found.use, found.classes, found.distance, found.variety, found.copies]
    assert found.sentences() == [f"{found.headline} {found.caveat}", *figures]


def test_means_over_classes_are_of_the_same_classes_on_both_sides():
    found = said(put(FIGURES, "faithfulness.real", judged(a=0.8, b=None))).classes
    assert "assigns 90%" in found
    assert "80% of held-out real images (means over classes with test images: a)" in found
    assert "weakest class is b with 30%" in found


@pytest.mark.parametrize(
    ("count", "first"), [(1, "One fault is proven."), (2, "2 faults are proven.")]
)
def test_faults_come_first(count, first):
    faults = tuple(Fault("blur", (), f"fault {row}", "", 0.0, 0.0) for row in range(count))
    found = said(verdict=dataclasses.replace(NO_FAULT, faults=faults))
    assert found.sentences()[: count + 1] == [first, *(fault.sentence for fault in faults)]


@pytest.mark.parametrize("words", ["gain shown", "no gain shown", "harm shown"])
def test_use_is_said_plainly(words):
    study = study_of(words=words)
    found = said(utility=study).use
    assert found.startswith(f"{words.capitalize()} for a classifier: {study.verdict.advice}. For ")
    assert found.endswith(f"{study.verdict.finding}.")


def test_too_few_images_for_variety_and_for_copies():
    fidelity = changed(FIDELITY, "whole", coverage=None)
    found = said(put(FIGURES, "copies.pixels.whole", None), fidelity)
    assert "too few images to measure variety" in found.variety
    assert "no images for a search for copies" in found.copies


@pytest.mark.parametrize(
    ("distance", "floor", "words"),
    [(2.0, 0.0, "are 0 apart."), (None, None, "too few real images to measure a distance.")],
)
def test_no_ratio_without_a_floor(distance, floor, words):
    fidelity = changed(FIDELITY, "whole", frechet=distance, frechet_floor=floor)
    assert said(fidelity=fidelity).distance.endswith(words)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0.3, "so the synthetic ones are no farther than real ones."),
        (0.5, "so the synthetic ones are no farther than real ones."),
        (0.6, "so the synthetic ones are 1.2 times as far as real ones."),
    ],
)
def test_a_distance_below_its_floor_is_no_praise(distance, words):
    found = said(fidelity=changed(FIDELITY, "whole", frechet=distance))
    assert found.distance.endswith(words)


@pytest.mark.parametrize(("n", "said_first"), [(99, True), (100, False)])
def test_few_test_images_are_said_first(n, said_first):
    found = said(fidelity=changed(FIDELITY, "whole", n=n, n_floor=n))
    first = f"There are only {n} test images: distances and shares are mostly noise. "
    assert found.distance.startswith(first) == said_first
    assert ("times as far" in found.distance) != said_first  # noise has no third digit


def test_a_floor_of_another_size_gives_no_ratio():
    found = said(fidelity=changed(FIDELITY, "whole", n_floor=46))
    assert "times as far" not in found.distance
    assert "of that size" not in found.distance
    assert "there are 200 test images but only 46 other real ones" in found.distance
    assert "other real images" not in found.variety


PROVENANCE = incomplete(
    Provenance,
    data=incomplete(DataInfo, class_names=("a", "b")),
    features=incomplete(FeatureInfo, name="classifier", dimension=96),
)
PAIR = Leak(look_alikes_across_splits=1, look_alikes=(LookAlike("train", "a", "validation", "b"),))
IMAGES = ImageCounts([], [100, 120], [100, 120], [], 220, 0)


def warned(images=None, features=None):
    return warnings(
        changed(PROVENANCE, "features", **(features or {})),
        dataclasses.replace(IMAGES, **(images or {})),
    )


def test_no_warning_where_none_is_due():
    assert warned() == ()
    assert warned({"without_group": 20}) == ()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"images": {"test": [49, 200]}}, "Fewer than 50 real test images of a (49):"),
        ({"images": {"test": [96, 200]}}, "No more test images than features (96) of a:"),
        ({"features": {"dimension": 220}}, "No more test images than features (220) of the whole"),
        ({"images": {"floor": [99, 120]}}, "The floor has fewer images"),
        ({"images": {"floor_held_out": 200}}, "20 of 220 images of the floor are training images"),
        ({"images": {"leak": Leak(left_out_of_test=(3, 1))}}, "4 of 224 test images are left out"),
        ({"images": {"without_group": 200}}, "200 images have no lesion or patient"),
        (
            {"images": {"leak": PAIR}},
            "Pairs of images of different splits look the same: 1",
        ),
        ({"images": {"leak": Leak(repeats_in_test=44)}}, "44 test images are left out, because"),
        ({"images": {"leak": Leak(search_cut_short=True)}}, "So many real images look alike"),
        ({"images": {"largest_group_of_test": 45}}, "One lesion (or patient) has 45 of the 220"),
        ({"features": {"name": "inception"}}, "FID needs 2,048 images"),
    ],
)
def test_each_warning(parts, message):
    assert any(text.startswith(message) for text in warned(**parts))


def test_what_limits_images_of_another_program():
    info = ImageFolderInfo([30, 30], 1, {"128x128": 60}, ("log.txt",), {}, "made elsewhere")
    run = incomplete(RunInfo, image_size=64)
    provenance = dataclasses.replace(PROVENANCE, image_folder=info, run=run)
    resized, sets, left_out = warnings(provenance, IMAGES)
    assert "64x64 pixels; others were resized" in resized
    assert "60 of 128x128" in resized
    assert "one set only" in sets
    assert left_out.endswith("were left out: log.txt.")


def test_a_floor_of_training_images_matters_to_the_trained_features_only():
    found = warned({"floor_held_out": 0}, {"name": "mobilenet"})
    assert not any("training images" in text for text in found)
