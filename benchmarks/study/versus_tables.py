"""Tables in Markdown and curves for the report of `benchmarks.study.versus`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.study.jackknife import GROUPS
from benchmarks.study.versus_marks import OURS, Mark
from skin_synth.evaluation.metrics.nearest import PIXEL_METRIC
from tfrecords_tools.atomic import new_file

SUMMARIES = ("whole", "mean over classes")
"""Rows above those of the classes."""


def left_out_line(marks: list[Mark]) -> str:
    """Names the stored images that are not judged because not every contestant has them."""
    named = ", ".join(f"{mark.name} after {mark.minutes:g} minutes" for mark in marks)
    return f"Not compared, for others have no such mark or seed: {named}."


def table(result: dict[str, Any], class_names: tuple[str, ...]) -> str:
    """One mark in one kind of features, Markdown."""
    names, seeds = result["contestants"], result["seeds"]
    seen = ", ".join(f"{who} {count:,}" for who, count in result["images_seen"].items())
    lines = [
        f"## {result['features']} after {result['minutes']:g} CPU minutes, seeds "
        f"{', '.join(map(str, seeds))}",
        "",
        f"Images seen: {seen}. KID minus floor, mean over seeds; N held-out images; 95 %, "
        f"{GROUPS} groups.",
        "",
        f"| | N | floor | {' | '.join(names)} | better baseline | difference | ratio | by seed |",
        "|---" * (len(names) + 7) + "|",
    ]
    for row, figures in result["rows"].items():
        values = " | ".join(f"{figures['above_floor'][name]:.4f}" for name in names)
        difference = _span(figures["differences"][figures["better"]], ".4f")
        by_seed = " ".join(_text(ratio, ".2f") for ratio in figures["ratio_of_seeds"])
        lines.append(
            f"| {row} | {figures['n']} | {figures['floor']:.4f} | {values} | {figures['better']} "
            f"| {difference} | {_span(figures['ratio'], '.2f')} | {by_seed} |"
        )
    lines += [
        "",
        "Ours minus each other, 95 %:",
        "",
        f"| | {' | '.join(SUMMARIES)} |",
        "|---|---|---|",
    ]
    for name in names[1:]:
        spans = (_span(result["rows"][row]["differences"][name], ".4f") for row in SUMMARIES)
        lines.append(f"| {name} | {' | '.join(spans)} |")
    lines += [
        "",
        f"Coverage (k = {result['neighbours']}) of training images, n on both sides:",
        "",
        f"| | n | {' | '.join(names)} |",
        "|---" * (len(names) + 2) + "|",
    ]
    for name in class_names:
        shares = result["coverage"][name]
        values = " | ".join(_text(shares.get(who), ".3f") for who in names)
        lines.append(f"| {name} | {shares['n']} | {values} |")
    return "\n".join(lines)


def nearness_table(rows: list[dict[str, Any]], class_names: tuple[str, ...]) -> str:
    """The figures of `nearness`, Markdown."""
    lines = [
        "## Nearness to training images",
        "",
        f"{PIXEL_METRIC}, to the nearest training image: share of images below "
        f"{rows[0]['threshold']:.1f}, the first percentile of held-out images, and "
        "medians of the classes.",
        "",
        f"| CPU minutes, who | below | {' | '.join(class_names)} |",
        "|---" * (len(class_names) + 2) + "|",
    ]
    for row in rows:
        medians = " | ".join(f"{row['medians'][name]:.1f}" for name in class_names)
        lines.append(f"| {row['who']} | {row['share_below']:.1%} | {medians} |")
    return "\n".join(lines)


def draw_curves(path: Path, results: list[dict[str, Any]]) -> None:
    """KID minus floor against CPU minutes: a row of axes for each kind of features."""
    import matplotlib.figure
    from cycler import cycler

    kinds = list(dict.fromkeys(result["features"] for result in results))
    figure = matplotlib.figure.Figure(figsize=(9, 3.6 * len(kinds) + 1), layout="constrained")
    axes = figure.subplots(len(kinds), len(SUMMARIES), squeeze=False)
    styles = cycler(linestyle=("-", "--", ":")) * cycler(color=matplotlib.color_sequences["tab10"])
    for kind, line in zip(kinds, axes, strict=True):
        here = [result for result in results if result["features"] == kind]
        for row, axis in zip(SUMMARIES, line, strict=True):
            minutes = [result["minutes"] for result in here]
            axis.set_prop_cycle(styles)
            for name in here[-1]["contestants"]:
                values = [result["rows"][row]["above_floor"][name] for result in here]
                axis.plot(minutes, values, marker="o", linewidth=3 if name == OURS else 1.5)
            axis.set(title=f"{kind}, {row}", xlabel="CPU minutes of training")
            axis.set_ylabel("KID - floor")
            axis.set_ylim(bottom=0)
    # One legend below all axes: with a dozen variants it would hide the curves.
    names = results[-1]["contestants"]
    figure.legend(axes[0, 0].lines, names, loc="outside lower center", ncols=2)
    with new_file(path) as file:
        figure.savefig(file, dpi=120)


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _span(interval: list[float | None], form: str) -> str:
    value, low, high = (_text(number, form) for number in interval)
    return f"{value} ({low} to {high})"
