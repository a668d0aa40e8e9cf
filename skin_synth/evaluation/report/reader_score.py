"""The result of a reader study: report.json and report.html."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skin_synth.evaluation.readers.form import read_key, read_readings
from skin_synth.evaluation.readers.scores import Figures, ReaderScores, score
from skin_synth.evaluation.report import charts
from skin_synth.evaluation.report.charts import Chart, Mark
from skin_synth.evaluation.report.formatting import percent
from skin_synth.evaluation.report.page import render_page
from skin_synth.evaluation.statistics.intervals import Interval
from tfrecords_tools.atomic import check_apart, new_directory

SCORE_TEMPLATE = "reader_score.html"
SCORE_FOLDER = "score"
"""Default folder of the result, next to the key."""
SCORE_JSON, SCORE_HTML = "report.json", "report.html"
ALL_READERS = "all readers"


def write_reader_score(
    answers: Sequence[str | os.PathLike[str]],
    key: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    overwrite: bool = False,
) -> ReaderScores:
    """Compares the answers of readers with the key, and writes the result.

    Args:
        answers: a file of each reader.
        key: key.csv of the study.
        out: new directory for report.json and report.html; None for `score` next to the key.
        overwrite: whether to replace `out` if it is such a result.

    Raises:
        InputError: a file cannot be read or is of another study, two are of one reader, or `out`
            exists, or is or contains an input.
    """
    place = Path(key).parent / SCORE_FOLDER if out is None else Path(out)
    check_apart(place, {"answers": key, **{f"answers {file}": file for file in answers}})
    opened = read_key(key)
    scores = score(opened, read_readings(answers, opened))
    with new_directory(place, overwrite=overwrite, marker=SCORE_JSON) as directory:
        text = json.dumps(score_json(scores), indent=2, allow_nan=False, ensure_ascii=False)
        (directory / SCORE_JSON).write_text(text + "\n", encoding="utf-8")
        (directory / SCORE_HTML).write_text(render_score(scores), encoding="utf-8")
    return scores


def score_json(scores: ReaderScores) -> dict[str, Any]:
    """Returns report.json: plain dicts, lists, numbers and strings."""
    return {"schema_version": 1, **dataclasses.asdict(scores)}


def headline(scores: ReaderScores) -> str:
    """Returns the result in one sentence."""
    found = scores.all.d_prime
    several = len(scores.readers) > 1
    of = "the readers" if several else scores.readers[0].reader
    who = "The readers" if several else of
    if found is None:
        return "The answers are too few for a result"
    if found.low > 0:
        return f"{who} can distinguish synthetic from real images"
    if found.high < 0:
        return f"{who} took synthetic for real images more often than real for real ones"
    return f"It is not shown that {of} can distinguish synthetic from real images"


def lines(scores: ReaderScores) -> list[str]:
    """Returns the result as text: a sentence, and one line for all readers and for each one."""
    found = [f"{headline(scores)}."]
    rows = {reader.reader: reader.all for reader in scores.readers}
    if len(rows) > 1:
        rows = {ALL_READERS: scores.all, **rows}
    for name, figures in rows.items():
        found.append(
            f"{name}: accuracy {_text(figures.accuracy)}, "
            f"sensitivity {_text(figures.sensitivity)}, "
            f"specificity {_text(figures.specificity)}, d' {_text(figures.d_prime, number)}"
        )
    if scores.agreement is not None:
        found.append(f"agreement between readers (kappa): {number(scores.agreement.origin)}")
    return found


def render_score(scores: ReaderScores) -> str:
    """Returns one page that needs no network."""
    rows = {reader.reader: reader.all for reader in scores.readers}
    if len(rows) > 1:
        rows |= {ALL_READERS: scores.all}
    asked = scores.all.class_right_real or scores.all.class_right_synthetic
    return render_page(
        SCORE_TEMPLATE,
        filters={"percent": percent, "number": number, "count": "{:,}".format},
        scores=scores,
        headline=headline(scores),
        rows=rows,
        asked=asked is not None,
        charts={
            "readers": _separation(rows, "d' of each reader"),
            "classes": _separation(scores.classes, "d' of each class"),
            "certainty": charts.dots(
                [
                    Mark(f"{each.certainty} ({each.answers:,})", *_ends(each.accuracy))
                    for each in scores.certainties
                ],
                title="Share of right answers by certainty",
                axis="share of right answers; in brackets: number of answers",
            ),
            "judged": charts.dots(
                [
                    Mark(name, *_ends(each.class_right_synthetic), *_ends(each.class_right_real))
                    for name, each in scores.classes.items()
                ],
                title="Share of images of which the class was seen",
                axis="share of images; filled: synthetic, hollow: real",
            )
            if asked
            else None,
        },
        fooling=_listed(scores, "synthetic", right=False),
        betrayed=_listed(scores, "synthetic", right=True),
        doubted=_listed(scores, "real", right=False),
    )


def number(value: float | None) -> str:
    """A number with two places; a dash if nothing could be measured."""
    return "–" if value is None else f"{value:z.2f}"


def _separation(rows: Mapping[str, Figures], title: str) -> Chart | None:
    marks = [Mark(name, *_ends(each.d_prime)) for name, each in rows.items()]
    return charts.dots(marks, title=title, axis="d'; 0 is chance")


def _ends(found: Interval | None) -> tuple[float | None, tuple[float, float] | None]:
    return (None, None) if found is None else (found.estimate, (found.low, found.high))


def _text(found: Interval | None, shown: Any = percent) -> str:
    if found is None:
        return "–"
    return f"{shown(found.estimate)} [{shown(found.low)}, {shown(found.high)}]"


def _listed(scores: ReaderScores, origin: str, *, right: bool) -> list[str]:
    """Returns the numbers of the images of an origin about which all readers agree."""
    return [
        f"{image.number} ({image.class_name})"
        for image in scores.by_image
        if image.origin == origin
        and image.answers
        and image.right == (image.answers if right else 0)
    ]
