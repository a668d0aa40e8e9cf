"""The page of the small site says what was found and what to do, and JSON holds every figure."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.evaluation.report.small_site import lines_of, write_small_site_report
from skin_synth.evaluation.utility.differences import GAIN, HARM, NEITHER, Difference
from skin_synth.evaluation.utility.planned import FoundOfHundred, judge
from skin_synth.evaluation.utility.results import OverSeeds
from skin_synth.evaluation.utility.small_site import SmallSiteOptions
from skin_synth.evaluation.utility.small_site_comparison import _sentence
from skin_synth.evaluation.utility.small_site_results import (
    ArmFigures,
    ResultOnTests,
    SizeResult,
    SmallSiteResults,
    TrainingOfArms,
)

CLASSES = ("<b>nevus</b>", "melanoma")
SIGN = {GAIN: 1, NEITHER: 0, HARM: -1}


def arm(name, kind, mean):
    figure = OverSeeds(mean, 0.01, (mean - 0.01, mean + 0.01))
    return ArmFigures(name, kind, 2, figure, figure, dict.fromkeys(CLASSES, 0.5))


def size_result(words):
    gain = 0.05 * SIGN[words]
    area = Difference(gain, 0.01, 9.0, gain - 0.02, gain + 0.02, gain - 0.03, gain + 0.03)
    loss = dataclasses.replace(area, difference=-gain)
    arms = (
        arm("own images", "control", 0.7),
        arm("synthetic, then own", "use", 0.7 + gain),
        arm("other site's images, then own", "ceiling", 0.8),
    )
    sentence = "of 100 images of melanoma, 5 more are found at the same false alarms"
    return SizeResult(
        own_images=(100, 101),
        own_lesions=(90, 91),
        own_of_class=dict.fromkeys(CLASSES, 50.0),
        arms=arms,
        control=arms[0].arm,
        use=arms[1].arm,
        ceiling=arms[2].arm,
        verdict=judge(area, loss),
        found=(FoundOfHundred("melanoma", area, sentence),),
        ceiling_gain=area,
        share_of_ceiling=0.5,
        share_low=0.25,
        share_high=0.875,
    )


def results(*words):
    sizes = {100 * 3**place: size_result(each) for place, each in enumerate(words)}
    alone = arm("synthetic alone", "information", 0.6)
    counts = dict.fromkeys(CLASSES, 30)
    test = ResultOnTests("test", counts, counts, sizes, alone, "By hand.")
    return SmallSiteResults(
        options=SmallSiteOptions(sizes=tuple(sizes)),
        training=TrainingOfArms("resnet", 698_375, "", 2e-3, 64, "float32", "none"),
        generator="0123456789abcdef",
        train_images=counts,
        validation_images=counts,
        tests=(test, dataclasses.replace(test, name="elsewhere")),
        warnings=("few lesions",),
    )


@pytest.mark.parametrize(
    ("words", "headline", "advice"),
    [
        ([GAIN, GAIN], "help a site with 100 or 300 own images", "at most about 300"),
        ([GAIN, NEITHER], "help a site with 100 own images", "at most about 100"),
        ([NEITHER], "No gain of the synthetic images is shown", "on your own images only"),
        ([HARM], "harm a site with 100 own images", "on your own images only"),
        ([GAIN, HARM], "help a site with 100 own images, and harm one with 300", "most about 100"),
        ([HARM, GAIN], "help a site with 300 own images, and harm one with 100", "have about 300,"),
        ([NEITHER, GAIN, GAIN], "help a site with 300 or 900 own images", "you have about 900,"),
        ([GAIN, NEITHER, GAIN], "help a site with 100 or 900 own images", "at most about 100,"),
    ],
)
def test_the_page_opens_with_what_was_found_and_what_to_do(words, headline, advice, tmp_path):
    write_small_site_report(tmp_path, results(*words))
    page = (tmp_path / "report.html").read_text()
    top = page.split("Before you rely on this")[0]
    assert headline in top
    assert advice in top


@pytest.mark.parametrize(
    ("uses", "advice"),
    [
        ("AA", "you have at most about 300, train by “A”. skin-synth advise"),
        (
            "AB",
            "you have at most about 100, train by “A”; with more, up to about 300, by “B”. skin",
        ),
        ("AAB", "at most about 300, train by “A”; with more, up to about 900, by “B”. skin"),
        (
            "ABA",
            "at most about 100, train by “A”; with more, up to about 300, by “B”; with more, up to "
            "about 900, by “A”. skin",
        ),
    ],
)
def test_each_number_of_images_is_advised_the_way_that_was_compared_there(uses, advice, tmp_path):
    found = results(*[GAIN] * len(uses))
    test = found.tests[0]
    sizes = {
        size: with_use(result, use)
        for (size, result), use in zip(test.sizes.items(), uses, strict=True)
    }
    changed = dataclasses.replace(found, tests=(dataclasses.replace(test, sizes=sizes),))
    write_small_site_report(tmp_path, changed)
    assert advice in (tmp_path / "report.html").read_text()


def with_use(result, name):
    arms = [
        dataclasses.replace(each, arm=name) if each.kind == "use" else each for each in result.arms
    ]
    return dataclasses.replace(result, arms=tuple(arms), use=name)


def test_the_page_shows_every_test_set_and_escapes_names(tmp_path):
    found = results(GAIN)
    write_small_site_report(tmp_path, found)
    page = (tmp_path / "report.html").read_text()
    assert "On the test split of the data set" in page
    assert "On elsewhere" in page
    assert "&lt;b&gt;nevus" in page
    assert "<b>nevus" not in page
    assert "Of 100 images of melanoma, 5 more are found" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_page_names_the_measure_that_alone_shows_a_gain(tmp_path):
    found = results(GAIN)
    (tmp_path / "both").mkdir()
    write_small_site_report(tmp_path / "both", found)
    told = "Only the class-balanced log loss, where less is better, shows the gain: it differs by "
    assert told not in (tmp_path / "both" / "report.html").read_text()
    test = found.tests[0]
    size = test.sizes[100]
    by_loss = dataclasses.replace(
        size.verdict, macro_auroc=dataclasses.replace(size.verdict.macro_auroc, words=NEITHER)
    )
    sizes = {100: dataclasses.replace(size, verdict=by_loss)}
    alone = dataclasses.replace(found, tests=(dataclasses.replace(test, sizes=sizes),))
    (tmp_path / "alone").mkdir()
    write_small_site_report(tmp_path / "alone", alone)
    assert told in (tmp_path / "alone" / "report.html").read_text()
    assert _sentence({**sizes, 300: size}) == (
        "With 100 own images, gain shown: macro AUROC 0.750 (synthetic, then own) against 0.700 "
        f"(own images), difference +0.050 (+0.020 to +0.080). {told}-0.050 (+0.020 to +0.080). "
        "With 300 own images, gain shown: macro AUROC 0.750 (synthetic, then own) against 0.700 "
        "(own images), difference +0.050 (+0.020 to +0.080), 50% (25% to 88%) of what the other "
        "site's real images bring."
    )


@pytest.mark.parametrize("words", [GAIN, NEITHER, HARM])
def test_the_share_of_the_ceiling_has_its_interval_and_needs_a_gain(words, tmp_path):
    found = results(words)
    write_small_site_report(tmp_path, found)
    page = (tmp_path / "report.html").read_text()
    sentence = _sentence(found.tests[0].sizes)
    assert ("50% " in page) == ("[25%, 88%]" in page) == (words == GAIN)
    assert ("50% (25% to 88%) of what" in sentence) == (words == GAIN)
    assert ("of what the other site's" in sentence) == (words == GAIN)


def test_a_share_without_an_interval_is_not_said():
    found = dataclasses.replace(size_result(GAIN), share_high=None)
    assert found.shown_share is None
    assert "of what the other site's" not in _sentence({100: found})


def test_a_gain_that_only_the_log_loss_shows_has_no_share():
    size = size_result(GAIN)
    alone = dataclasses.replace(size.verdict.macro_auroc, words=NEITHER)
    found = dataclasses.replace(size, verdict=dataclasses.replace(size.verdict, macro_auroc=alone))
    assert found.verdict.words == GAIN
    assert found.shown_share is None


def test_the_page_of_another_site_names_it(tmp_path):
    write_small_site_report(tmp_path, dataclasses.replace(results(GAIN), site="clinic"))
    page = (tmp_path / "report.html").read_text()
    assert "If your images are like those of clinic, and" in page
    assert "On the test split of clinic" in page
    assert "drawn from the validation split of clinic" in page


def test_the_json_holds_every_figure(tmp_path):
    found = results(GAIN, NEITHER)
    write_small_site_report(tmp_path, found)
    data = json.loads((tmp_path / "report.json").read_text())
    assert data == json.loads(json.dumps(dataclasses.asdict(found)))
    assert data["tests"][0]["sizes"]["300"]["verdict"]["words"] == NEITHER


def test_the_curve_has_control_use_and_ceiling_at_every_size():
    control, use, ceiling = lines_of(results(GAIN, GAIN).tests[0])
    assert list(control.x) == [100, 300]
    assert list(control.y) == [0.7, 0.7]
    assert list(use.y) == pytest.approx([0.75, 0.75])
    assert list(ceiling.y) == [0.8, 0.8]
