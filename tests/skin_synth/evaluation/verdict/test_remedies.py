"""Every fault comes with what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skin_synth import cli
from skin_synth.evaluation.results import Fault
from skin_synth.evaluation.verdict.remedies import REMEDIES, remedy
from skin_synth.presets import get_preset

ROOT = Path(__file__).parents[4]


def test_every_fault_has_a_remedy():
    listed = re.search(r"a slug: ([a-z_,\s]+)\.", Fault.__doc__)[1]
    assert {*re.split(r",\s+", listed)} == {*REMEDIES}
    document = (ROOT / "docs/evaluation.md").read_text("utf-8")
    described = re.findall(r"^\| (`[a-z_`, ]+`) \|", document, re.MULTILINE)
    rows = {name for row in described for name in re.findall(r"`([a-z_]+)`", row)}
    assert {*REMEDIES} <= rows


@pytest.mark.parametrize("fault", REMEDIES)
def test_a_remedy_is_a_sentence_with_flags_that_there_are(fault, capsys):
    text = remedy(fault)
    assert text[0].isupper()
    assert text.endswith(".")
    for command in ("train", "generate"):
        cli.main_with([command, "--help"])
    import tfrecords_tools.cli

    tfrecords_tools.cli.main_with(["build", "--help"])
    helped = capsys.readouterr().out
    for flag in re.findall(r"--\w+", text):
        assert flag in helped
    for field in re.findall(r"--set (\w+)=", text):
        assert hasattr(get_preset("derm-64"), field)


@pytest.mark.parametrize("fault", REMEDIES)
def test_a_remedy_for_another_program_names_no_flag_of_training(fault):
    text = remedy(fault, of_program=True)
    assert text[0].isupper()
    assert text.endswith(".")
    assert not {*re.findall(r"--\w+", text)} - {"--group_column"}  # of tfrecords-tools build
    assert "skin-synth" not in text
