"""The model card: classes with counts, figures of the same checkpoint, use and limits."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml

from skin_synth.saved_model.model_card import model_card, plain, read_report
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


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("nv", "nv"),
        ("actinic_keratosis, 5 < 7 & more", "actinic_keratosis, 5 < 7 & more"),
        ("a|b", r"a\|b"),
        ("*x* _y_ `z`", r"\*x\* \_y\_ \`z\`"),
        ("![i](http://x.y/z)", r"!\[i\](http\://x.y/z)"),
        ("<img src=x> </td> &lt;", "&lt;img src=x> &lt;/td> &amp;lt;"),
        ("# h", r"\# h"),
        ("a\n\n# Figures\x1b", r"a\\x0a\\x0a# Figures\\x1b"),
    ],
)
def test_names_mean_nothing_in_markdown_and_html(name, shown):
    assert plain(name) == shown
    card = model_card(dataclasses.replace(ORIGIN, data_name=name), (name, "b"), (1, 2), [name])
    assert f"trained on {shown}\n" in card
    assert f"| {shown} | 1 |" in card
    assert f"\n- {shown}\n" in card
    assert "<img" not in card


def test_it_names_data_classes_figures_use_and_limits(tmp_path):
    report = read_report(written(tmp_path, REPORT), ORIGIN)
    card = model_card(ORIGIN, ("nv", "df"), (6705, 115), report)
    assert "\n---\n\n# derm-32, trained on phantoms\n" in card
    facts = ["1,500,000", "| nv | 6,705 |", "| df | 115 |", "c" * 64, "f" * 64]
    facts += ["- Half of them are right.", "- Few images of df."]
    for fact in (*facts, "Not for diagnosis", "## Limits"):
        assert fact in card, fact


def test_the_hub_reads_its_head():
    card = model_card(ORIGIN, ("nv", "df"), None, None, licence="cc-by-nc-4.0")
    before, head, rest = card.split("---\n", 2)
    assert before == ""
    assert rest.startswith("\n# derm-32")
    assert yaml.safe_load(head) == {
        "license": "cc-by-nc-4.0",
        "library_name": "skin-synth",
        "pipeline_tag": "unconditional-image-generation",
        "tags": ["gan", "tensorflow", "medical", "dermatology", "synthetic-data"],
    }
    assert "license: unknown\n" in model_card(ORIGIN, ("nv", "df"), None, None)
    for wrong in ("", "CC BY", "mit\nlicense: x", "a: b"):
        with pytest.raises(InputError, match="must be an identifier such as"):
            model_card(ORIGIN, ("nv",), None, None, licence=wrong)


def test_without_a_report_it_says_how_to_get_figures():
    card = model_card(ORIGIN, ("nv", "df"), None, None)
    assert "skin-synth export --report DIR" in card
    assert "- nv\n- df" in card


def test_figures_of_another_checkpoint_are_refused(tmp_path):
    other = REPORT | {"run": {"checkpoint_hash": "d" * 64, "images_seen": 1}}
    with pytest.raises(InputError, match="report on checkpoint dddddddddddd, this is cccccccccccc"):
        read_report(written(tmp_path, other), ORIGIN)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u2028x"])
def test_the_refusal_is_one_line_whatever_the_report_holds(tmp_path, text):
    other = REPORT | {"run": {"checkpoint_hash": text, "images_seen": 1}}
    with pytest.raises(InputError) as refused:
        read_report(written(tmp_path, other), ORIGIN)
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).isprintable()


def test_what_is_no_report_is_named(tmp_path):
    with pytest.raises(InputError, match=r"report\.json does not exist"):
        read_report(tmp_path, ORIGIN)
    with pytest.raises(InputError, match="cannot be read as a report"):
        read_report(written(tmp_path, {"run": 3}), ORIGIN)
