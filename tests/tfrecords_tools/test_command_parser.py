"""The parser of both programs: hyphens, suggestions, versions."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from tfrecords_tools.command_parser import CommandParser, did_you_mean


def make_parser() -> CommandParser:
    parser = CommandParser(prog="prog")
    parser.add_version()
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    walk = commands.add_parser("walk")
    walk.add_argument("--per_class", type=int)
    walk.add_argument("--out_dir", required=True)
    walk.add_argument("--kind", choices=("slow", "fast"))
    walk.add_argument("--no_names", action="store_true")
    walk.add_argument("files", nargs="*")
    commands.add_parser("run")
    return parser


@pytest.mark.parametrize(
    "line",
    [
        "walk --per-class 3 --out-dir a-b --no-names",
        "walk --per_class=3 --out-dir=a-b --no_names",
        "walk --out_dir a-b --no-names --per-class=3",
    ],
)
def test_hyphens_are_underscores_in_flags_and_stay_in_values(line):
    options = make_parser().parse_args(line.split())
    assert (options.per_class, options.out_dir, options.no_names) == (3, "a-b", True)


def test_after_two_hyphens_all_words_stay():
    options = make_parser().parse_args(["walk", "--out-dir", "o", "--", "--a-b", "-c"])
    assert options.files == ["--a-b", "-c"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("wlak", "did you mean walk?"),
        ("walk --out o --kind fats", "did you mean"),
        ("walk --out-dir o --kind fats", "'fats' (choose from"),
        ("walk --out-dri o", "unknown flag --out_dri: did you mean --out_dir?"),
        ("walk --out-dir o --per", "unknown flag --per: did you mean --per_class?"),
        ("walk --per=3", "unknown flag --per: did you mean --per_class?"),
        ("walk --out-dir o --zzz 3", "unknown flag --zzz: prog walk --help lists the flags"),
        ("zzz", "invalid choice: 'zzz'"),
        ("--versoin", "--versoin"),
        ("walk", "required: --out_dir"),
        ("run --out-dir o", "unknown flag --out_dir"),
    ],
)
def test_what_is_unknown_is_named_with_the_nearest_that_is_known(line, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        make_parser().parse_args(line.split())
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("again", ["--kind slow", "--kind=fast"])
def test_a_flag_with_one_value_is_not_given_twice(again, capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(f"walk --out-dir o --kind slow {again}".split())
    assert "error: --kind is given twice, but takes one value: give it once" in (
        capsys.readouterr().err
    )


def test_flags_that_collect_values_and_switches_are_given_more_than_once():
    parser = CommandParser(prog="prog")
    parser.add_argument("--set", action="append")
    parser.add_argument("--quick", action="store_true")
    found = parser.parse_args(["--set", "a", "--quick", "--set", "b", "--quick"])
    assert (found.set, found.quick) == (["a", "b"], True)


def test_flags_that_help_does_not_show_are_not_suggested():
    parser = CommandParser(prog="prog")
    parser.add_argument("--secret", help=argparse.SUPPRESS)
    with pytest.raises(SystemExit):
        parser.parse_args(["--secre"])
    assert did_you_mean("--secre", ["--secret"]) == "did you mean --secret?"
    assert did_you_mean("paint", ["train", "export"]) == ""


def test_hidden_flags_are_taken_and_not_suggested(capsys):
    parser = CommandParser(prog="prog")
    parser.add_argument("--secret", help=argparse.SUPPRESS)
    assert parser.parse_args(["--secret", "3"]).secret == "3"
    with pytest.raises(SystemExit):
        parser.parse_args(["--secre", "3"])
    assert "did you mean" not in capsys.readouterr().err


def test_absl_flags_and_its_undefok_are_taken():
    options = make_parser().parse_args(
        ["walk", "--out-dir", "o", "--undefok=unheard", "--unheard=3", "--verbosity=0"]
    )
    assert options.out_dir == "o"


@pytest.mark.parametrize("program", ["skin_synth", "tfrecords_tools"])
def test_python_m_runs_the_program_and_says_its_version(program):
    words = [sys.executable, "-m", program, "--version"]
    printed = subprocess.check_output(words, text=True)
    name, version, rest = printed.split(" ", 2)
    assert name == program.replace("_", "-")
    assert version == __import__(program).__version__
    assert rest.startswith("(Python 3.")
    assert "tensorflow 2." in rest
