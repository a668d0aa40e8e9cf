"""The report of the small site: report.json and report.html."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

from skin_synth.evaluation.report import charts
from skin_synth.evaluation.report.formatting import figure, percent, signed
from skin_synth.evaluation.report.page import render_page
from skin_synth.evaluation.report.writer import REPORT_HTML, REPORT_JSON
from skin_synth.evaluation.utility.differences import GAIN, HARM
from skin_synth.evaluation.utility.small_site_results import (
    ArmFigures,
    ResultOnTests,
    SizeResult,
    SmallSiteResults,
)

SMALL_SITE_TEMPLATE = "small_site.html"


def small_site_json(results: SmallSiteResults) -> dict[str, Any]:
    """Returns report.json: plain dicts, lists, numbers and strings."""
    return dataclasses.asdict(results)


def write_small_site_report(directory: Path, results: SmallSiteResults) -> None:
    """Writes report.json and report.html."""
    found = small_site_json(results)
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False)
    (directory / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
    (directory / REPORT_HTML).write_text(render_small_site(results), encoding="utf-8")


def render_small_site(results: SmallSiteResults) -> str:
    """Returns one page that needs no network."""
    filters = {
        "figure": figure,
        "percent": percent,
        "signed": signed,
        "count": "{:,}".format,
        "capitalized": lambda text: text[:1].upper() + text[1:],
        "area": lambda value: "–" if value is None else f"{value:.3f}",
    }
    return render_page(
        SMALL_SITE_TEMPLATE,
        filters=filters,
        results=results,
        charts={test.name: charts.gain_curve(lines_of(test)) for test in results.tests},
        headline=_headline(results.tests[0]),
        advice=_advice(results),
        figures_of=figures_of,
    )


def figures_of(found: SizeResult, arm: str) -> ArmFigures:
    """Returns the figures of an arm by its name."""
    return next(each for each in found.arms if each.arm == arm)


def lines_of(test: ResultOnTests) -> list[charts.Line]:
    """Returns the lines of macro AUROC over the number of own images: control, use, ceiling."""
    sizes = list(test.sizes)
    names = {
        "own images only (best control)": [each.control for each in test.sizes.values()],
        "with synthetic images (best use)": [each.use for each in test.sizes.values()],
        "with the other site's real images": [each.ceiling for each in test.sizes.values()],
    }
    lines = []
    for name, arms in names.items():
        found = [
            figures_of(result, arm).macro_auroc
            for result, arm in zip(test.sizes.values(), arms, strict=True)
        ]
        means = [each.mean or 0.0 for each in found]
        lines.append(charts.Line(name, sizes, means, [each.sd or 0.0 for each in found]))
    return lines


def _headline(test: ResultOnTests) -> str:
    gains, harms = (
        [f"{size:,}" for size, found in test.sizes.items() if found.verdict.words == words]
        for words in (GAIN, HARM)
    )
    if gains and not harms:
        return f"The synthetic images help a site with {_or(gains)} own images"
    if harms and not gains:
        return f"The synthetic images harm a site with {_or(harms)} own images"
    if gains:
        return (
            f"The synthetic images help a site with {_or(gains)} own images, and harm one with "
            f"{_or(harms)}"
        )
    return "No gain of the synthetic images is shown"


def _advice(results: SmallSiteResults) -> str:
    alike = f"like those of {results.site or 'this data set'}"
    studied = sorted(results.tests[0].sizes.items())
    gains = [(size, found) for size, found in studied if found.verdict.words == GAIN]
    if not gains:
        return (
            f"Train on your own images only. For images {alike}, this study does not show that the "
            "generator helps."
        )
    # Fewer images count only if the study shows a gain for each smaller number, too.
    from_least = list(itertools.takewhile(lambda each: each[1].verdict.words == GAIN, studied))
    ways = _ways(from_least) if from_least else _way("you have about", *gains[-1])
    return (
        f"If your images are {alike}, and {ways}. skin-synth advise measures whether this helps on "
        "your images."
    )


def _ways(sizes: list[tuple[int, SizeResult]]) -> str:
    """Says up to how many own images each way to train was the one that showed the gain."""
    ends = [list(of_use)[-1] for _, of_use in itertools.groupby(sizes, lambda each: each[1].use)]
    first, *others = ends
    further = (f"; with more, up to about {size:,}, by “{found.use}”" for size, found in others)
    return _way("you have at most about", *first) + "".join(further)


def _way(number: str, size: int, found: SizeResult) -> str:
    return f"{number} {size:,}, train by “{found.use}”"


def _or(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
