"""The model card: classes with counts, figures of the same checkpoint, use and limits."""

from __future__ import annotations

import json

import pytest

from skin_synth.saved_model.model_card import model_card, read_report
from tests.origins import make_origin
from tfrecords_tools.errors import InputError

ORIGIN = make_origin(images_seen=1_500_000)
REPORT = {
    "run": {"checkpoint_hash": "c" * 64, "images_seen": 1},
    "summary": ["Half of them are right."],
    "warnings": ["Few images of df."],
}


def written(tmp_path, report):
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_it_names_data_classes_figures_use_and_limits(tmp_path):
    report = read_report(written(tmp_path, REPORT), ORIGIN)
    card = model_card(ORIGIN, ("nv", "df"), (6705, 115), report)
    assert card.startswith("# derm-32, trained on phantoms\n")
    facts = ["1,500,000", "| nv | 6,705 |", "| df | 115 |", "c" * 64, "f" * 64]
    facts += ["- Half of them are right.", "- Few images of df."]
    for fact in (*facts, "Not for diagnosis", "## Limits"):
        assert fact in card, fact


def test_without_a_report_it_says_how_to_get_figures():
    card = model_card(ORIGIN, ("nv", "df"), None, None)
    assert "skin-synth export --report DIR" in card
    assert "- nv\n- df" in card


def test_figures_of_another_checkpoint_are_refused(tmp_path):
    other = REPORT | {"run": {"checkpoint_hash": "d" * 64, "images_seen": 1}}
    with pytest.raises(InputError, match="report on checkpoint dddddddddddd, this is cccccccccccc"):
        read_report(written(tmp_path, other), ORIGIN)


def test_what_is_no_report_is_named(tmp_path):
    with pytest.raises(InputError, match=r"report\.json does not exist"):
        read_report(tmp_path, ORIGIN)
    with pytest.raises(InputError, match="cannot be read as a report"):
        read_report(written(tmp_path, {"run": 3}), ORIGIN)
