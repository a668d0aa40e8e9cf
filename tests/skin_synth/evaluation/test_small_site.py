"""The study of the small site from a data set to a report, with tiny networks."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.external import ExternalSite, ExternalTest, LeftOut
from skin_synth.evaluation.small_site import _study, forecast, study_small_site
from skin_synth.evaluation.utility.small_site import SmallSiteOptions
from tfrecords_tools.errors import InputError

OPTIONS = SmallSiteOptions(
    sizes=(12,), draws=2, seeds=2, steps=10, pool=4, classifier="small", batch_size=8
)


def test_a_study_writes_its_report_and_resumes(make_run, large_phantom_data, tmp_path):
    rows = load_split(large_phantom_data, "test").subset(np.arange(40))
    left_out = LeftOut({}, 0, 0, 0, False)
    elsewhere = ExternalTest("elsewhere", ("test",), rows, {}, left_out)

    def study(out):
        return study_small_site(
            make_run(),
            large_phantom_data,
            tmp_path / out,
            OPTIONS,
            policy="float32",
            external=[elsewhere],
            cache=tmp_path / "cache",
        )

    results = study("report")
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.json", "report.html"}
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert written["tests"][0]["sizes"]["12"]["use"] == results.tests[0].sizes[12].use
    assert written["training"]["classifier"] == "small"
    assert [test["name"] for test in written["tests"]] == ["test", "elsewhere"]
    assert any(each.startswith("elsewhere: 40 images") for each in written["warnings"])
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()}
    assert study("again") == results
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").iterdir()} == times


def test_a_site_of_another_population_gives_the_own_images_and_judges(
    make_run, large_phantom_data, tmp_path
):
    def darker(split, count):
        found = load_split(large_phantom_data, split)
        found = dataclasses.replace(found, images=found.images // 2).subset(np.arange(count))
        return ExternalTest("clinic", (split,), found, {}, LeftOut({}, 0, 0, 0, False))

    test = darker("test", 50)
    own = darker("validation", 40)
    own = dataclasses.replace(own, images=_with_group(own.images, test.images.groups[0]))
    site = ExternalSite(own, test)
    results = study_small_site(
        make_run(), large_phantom_data, tmp_path / "out", OPTIONS, policy="float32", site=site
    )
    assert results.site == "clinic"
    assert sum(results.validation_images.values()) == 40
    (judged,) = results.tests
    left = 50 - sum(judged.images.values())
    assert left == test.images.groups.count(test.images.groups[0])
    assert sum(each.startswith("clinic: ") for each in results.warnings) == 2
    (said,) = (each for each in results.warnings if "were left out" in each)
    assert said.startswith(f"{left} test images")
    assert "also in the validation split of clinic;" in said


def _with_group(images, group):
    """The same images; the first one is of this lesion."""
    return dataclasses.replace(images, groups=(group, *images.groups[1:]))


def test_lesions_of_another_site_are_others_whatever_their_names(make_run, large_phantom_data):
    """Many data sets number their lesions, so each has a lesion 1."""
    run = make_run()
    theirs = [*dict.fromkeys(load_split(large_phantom_data, "train").groups)]

    def numbered(split, count, first):
        found = load_split(large_phantom_data, split).subset(np.arange(count))
        found = dataclasses.replace(found, groups=tuple(theirs[first : first + count]))
        return ExternalTest("clinic", (split,), found, {}, LeftOut({}, 0, 0, 0, False))

    def of_site(first):
        site = ExternalSite(numbered("validation", 40, 0), numbered("test", 50, first))
        study, left = _study(run, large_phantom_data, OPTIONS, "float32", Cache(None), site, ())
        return len(study.test), left

    assert of_site(first=40) == (50, 0)
    assert of_site(first=38) == (48, 2)  # two are also lesions of its own images


def test_a_forecast_counts_what_a_study_trains(make_run, large_phantom_data, tmp_path):
    found = forecast(make_run(), large_phantom_data, OPTIONS, policy="float32")
    # One site: seven arms, then three for the other seed; two on synthetic images.
    assert found.trainings == 2 * (7 + 3) + 2
    assert found.steps <= found.trainings * 10 + 2 * 2 * 8
    assert found.hours > 0
    assert any(line.startswith("time") for line in found.lines())


def test_a_size_that_is_too_large_is_refused_by_a_forecast_and_before_any_training(
    make_run, large_phantom_data, tmp_path
):
    options = dataclasses.replace(OPTIONS, sizes=(12, 10_000))
    with pytest.raises(InputError, match=r"a site of 10000 images needs a larger validation"):
        forecast(make_run(), large_phantom_data, options, policy="float32")
    arguments = (make_run(), large_phantom_data, tmp_path / "out", options)
    with pytest.raises(InputError, match=r"a site of 10000 images needs a larger validation"):
        study_small_site(*arguments, policy="float32", cache=tmp_path / "cache")
    assert not (tmp_path / "out").exists()
    assert not list((tmp_path / "cache").rglob("arm-*"))


def test_another_data_set_is_refused_before_anything_is_written(make_run, phantom_data, tmp_path):
    with pytest.raises(InputError, match="was trained on data set"):
        study_small_site(make_run(), phantom_data, tmp_path / "out", OPTIONS, policy="float32")
    assert not (tmp_path / "out").exists()


class Brighter:
    """Instead of adapting a generator: brighter images; counts its calls."""

    calls = 0

    def __call__(self, own):
        self.calls += 1
        return lambda labels, seeds: np.full((len(labels), *own.images.shape[1:]), 200, np.uint8)

    def key(self, own):
        return f"brighter {len(own)}"


def test_an_adapted_generator_is_two_more_uses(make_run, large_phantom_data, tmp_path):
    options = dataclasses.replace(OPTIONS, adapt_images=10)
    adapt = Brighter()

    def study(out):
        return study_small_site(
            make_run(),
            large_phantom_data,
            tmp_path / out,
            options,
            policy="float32",
            adapt=adapt,
            cache=tmp_path / "cache",
        )

    arms = {arm.arm: arm for arm in study("report").tests[0].sizes[12].arms}
    assert {"adapted synthetic, then own", "own + adapted synthetic 1:1"} < set(arms)
    assert len(arms) == 9
    calls = adapt.calls
    assert calls > 0
    study("again")
    assert adapt.calls == calls  # nothing is adapted for finished trainings


def test_an_adapted_generator_needs_its_maker(make_run, large_phantom_data, tmp_path):
    options = dataclasses.replace(OPTIONS, adapt_images=10)
    with pytest.raises(InputError, match="adapt_images is 10, but"):
        study_small_site(
            make_run(), large_phantom_data, tmp_path / "out", options, policy="float32"
        )
