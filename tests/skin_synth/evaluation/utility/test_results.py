"""What report.json holds of a study: the keys and figures that its readers know."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.results import OverSeeds
from skin_synth.evaluation.utility.study import study_splits
from tests.skin_synth.evaluation.utility.conftest import MEANS, colours

GOLDEN = Path(__file__).with_name("golden_study.json")


def leaves(value, path=""):
    """All numbers and texts of nested values, by path."""
    if not isinstance(value, dict | list | tuple):
        return {path: value}
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    found = {f"{path} has": len(value)}
    for name, each in entries:
        found |= leaves(each, f"{path}/{name}")
    return found


def test_a_study_has_the_keys_and_figures_of_the_golden_one(coloured_splits, no_networks):
    options = UtilityOptions(seeds=3, ratios=(0.5, 2.0), steps=7, pool=12, replicates=150)
    found = study_splits(
        *coloured_splits, colours, options, generator_id="colours", extractor=MEANS
    )
    plain = json.loads(json.dumps(dataclasses.asdict(found), allow_nan=False))
    golden = leaves(json.loads(GOLDEN.read_text()))
    # The last digits depend on the CPU.
    assert leaves(plain) == {
        path: pytest.approx(value, rel=1e-4) if isinstance(value, float) else value
        for path, value in golden.items()
    }
    assert f"{found.verdict.words}: {found.finding}" == found.verdict.sentence


def test_a_figure_that_one_training_does_not_have_has_no_mean():
    assert OverSeeds.of([0.5, float("nan")]) == OverSeeds(None, None, (0.5, None))
    assert OverSeeds.of([0.5, 1.5]) == OverSeeds(1.0, pytest.approx(0.5**0.5), (0.5, 1.5))
