"""The command `skin-synth`: its contract, its help, and flags that arrive."""

from __future__ import annotations

import argparse
import dataclasses
import inspect

import pytest

from skin_synth import cli
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions

CONTRACT = (
    "train --data D --run R --policy float32",
    "train --data D --run R --init_from O --keep 3",
    "generate --run R --label mel --count 3 --seed 7 --out O",
    "generate --run R --label mel --count 3 --out O --truncation 0.7 --data D --overwrite",
    "generate --run R --label mel --count 9 --out O --format tfrecord --shard 3/9",
    "merge P Q --out O --overwrite",
    "balance --run R --data D --out O --target a=5,b=6 --ratio 2.5 --filters copies --image_folder",
    "balance --run R --data D --out O --target median --weights F",
    "generate --pretrained derm-64-ham10000 --label all --count 3 --out O",
    "pretrained",
    "verify-manifest O --run R --count 200 --seed 3",
    "verify-manifest O --pretrained derm-64-ham10000",
    "is-synthetic a.png b.png",
    "evaluate --run R --data D --out O --features mobilenet --weights F --seed 1 --overwrite",
    "evaluate --images F --data D --out O --utility --dry_run",
    "advise --pretrained derm-64-ham10000 --data D --out O --keep_test --dry_run",
    "advise --run R --data D --out O --classifier finetuned --weights F --seed 1 --overwrite",
    "reader-study --run R --data D --out O --per-class 4 --seed 1 --overwrite",
    "reader-study --images F --data D --out O",
    "reader-score A.csv B.csv KEY.csv --out O --overwrite",
)


WRONG = (
    ("", "COMMAND"),
    ("paint", "paint"),
    ("genrate", "did you mean generate?"),
    ("train --dat D --run R", "unknown flag --dat: did you mean --data?"),
    ("train --data D", "--run"),
    ("train --data D --run R --nonsense 3", "--nonsense"),
    ("train --data D --run R --preset derm-65", "derm-64"),
    ("train --data D --run R --images 0", "above 0"),
    ("train --data D --run R --minutes nan", "above 0"),
    ("train --data D --run R --seed -1", "-1"),
    ("train --data D --run R --dry", "--dry"),
    ("train --data D --run R --keep 0", "above 0"),
    ("generate --run R --label mel --count -3 --out O", "-3"),
    ("generate --run R --count 3 --out O", "--label"),
    ("generate --label mel --count 3 --out O", "--run --pretrained"),
    ("generate --run R --pretrained P --label mel --count 3 --out O", "not allowed with"),
    ("verify-manifest --run R", "DIR"),
    ("is-synthetic", "FILE"),
    ("balance --run R --data D --out O --target mel=0", "'0'"),
    ("balance --run R --data D --out O --filters none", "'none'"),
    ("generate --run R --label mel --count 3 --out O --truncation inf", "'inf'"),
    ("balance --run R --data D --out O --target most", "'most'"),
    ("evaluate --run R --data D --out O --feature classifier", "--feature"),
    ("evaluate --data D --out O", "--run --pretrained --images"),
    ("evaluate --images F --run R --data D --out O", "not allowed with"),
    ("evaluate --run R --data D --out O --utility --ratios 1,4", "--ratios: is gone, got '1,4'"),
    ("balance --images F --data D --out O", "unknown flag --images"),
    ("generate --run R --label a --count 9 --out O --shard 0/9", "needs I/N from 1/N to N/N"),
    ("generate --run R --label a --count 9 --out O --shard 9", "needs I/N from 1/N to N/N"),
    ("export --run R --out M --overwrite", "--overwrite"),
    ("export --run R --out M --checkpoint newest", "'newest'"),
    ("demo --out O extra", "extra"),
)


@pytest.mark.parametrize("line", CONTRACT)
def test_every_flag_of_the_contract_is_taken(line):
    options = cli.make_parser().parse_args(line.split())
    assert options.command.name == line.split()[0]


@pytest.mark.parametrize(("line", "told"), WRONG)
def test_wrong_usage_exits_with_2_and_names_the_culprit(line, told, capsys):
    assert cli.main_with(line.split()) == 2
    err = capsys.readouterr().err
    assert told in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_help_tells_each_flag_and_an_example_that_parses(command, capsys):
    assert cli.main_with([command.name, "--help"]) == 0
    assert command.example in capsys.readouterr().out
    cli.make_parser().parse_args(command.example.split()[1:])


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_flag_that_may_be_left_out_tells_its_default(command):
    parser = argparse.ArgumentParser()
    command.module.add_flags(parser)
    optional = [action for action in parser._actions if not action.required]
    untold = [action.dest for action in optional if "default" not in action.help]
    of_build = {field.name for field in dataclasses.fields(BuildOptions)}
    plain = {"help", "weights", "dry_run", "directory", "files", "ratios", "answers", "key"}
    plain |= {"parts"}
    assert set(untold) - (of_build if command.name == "pipeline" else set()) <= plain


def test_defaults_of_flags_are_those_of_the_functions():
    from skin_synth.demo import run_demo
    from skin_synth.evaluation import evaluate
    from skin_synth.evaluation.report.reader_study import write_reader_study
    from skin_synth.synthesis import balance, generate_images
    from skin_synth.training import train

    lines = {
        train: "train --data D --run R",
        generate_images: "generate --run R --label mel --count 3 --out O",
        balance: "balance --run R --data D --out O",
        evaluate: "evaluate --run R --data D --out O",
        write_reader_study: "reader-study --run R --data D --out O",
        run_demo: "demo --out O",
    }
    for function, line in lines.items():
        flags = vars(cli.make_parser().parse_args(line.split()))
        parameters = inspect.signature(function).parameters
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        for name, default in with_fields(defaults).items():
            if name in flags and default is not inspect.Parameter.empty:
                given = tuple(flags[name]) if isinstance(flags[name], list) else flags[name]
                assert given == default, (line, name)


def with_fields(values):
    """Values by name, and the fields of those that are dataclasses of options."""
    options = [value for value in values.values() if dataclasses.is_dataclass(value)]
    return {**values, **{name: value for each in options for name, value in vars(each).items()}}


def test_help_gives_the_defaults_of_the_utility_study(capsys):
    from skin_synth.evaluation.utility.options import UtilityOptions

    assert cli.main_with(["evaluate", "--help"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    defaults = UtilityOptions()
    assert f"8 for a publication (default: {defaults.seeds})" in told
    assert f"{defaults.batch_size} images in each training (default: {defaults.steps})" in told
    assert f"gives the verdict (default: {defaults.classifiers[0]})" in told
    assert "--ratios" not in told


def test_the_cost_of_a_utility_study_is_printed_and_nothing_is_written(monkeypatch, capsys):
    from skin_synth.evaluation.utility.forecast import Forecast

    monkeypatch.setattr("skin_synth.training.runs.load_run", lambda path, which: path)
    monkeypatch.setattr(
        "skin_synth.evaluation.utility.cost.measure_cost",
        lambda run, data, options: Forecast(len(run + data), options.steps, 64, 9, 1.25),
    )
    line = "evaluate --run R --data D --out O --utility_steps 1200 --dry_run"
    assert cli.main_with([*line.split(), "--utility"]) == 0
    printed = capsys.readouterr().out
    assert "trainings        at most 2\nsteps            at most 1,200 of 64 images" in printed
    assert "time             75 min on this machine" in printed
    fails(line.split(), "add --utility", capsys)


def test_external_test_sets_need_the_utility_study(capsys):
    line = "evaluate --run R --data D --out O --external elsewhere=E"
    fails(line.split(), "--external is of the utility study: add --utility", capsys)


def test_a_manifest_is_proved_and_a_file_is_asked(tiny_run, tmp_path, capsys):
    out = tmp_path / "synthetic"
    words = f"generate --run {tiny_run.directory} --label star --count 2 --seed 5 --out {out}"
    assert cli.main_with(words.split()) == 0
    proof = ["verify-manifest", str(out), "--run", str(tiny_run.directory)]
    assert cli.main_with(proof) == 0
    assert "2 rows; generated again 2 images, 2 equal" in capsys.readouterr().out
    assert cli.main_with(["is-synthetic", str(out / "5.png")]) == 0
    assert "5.png: synthetic: label star, seed 5" in capsys.readouterr().out
    (out / "6.png").unlink()
    fails(proof, "its image is missing", capsys)
    fails(["is-synthetic", str(out / "6.png")], "does not exist", capsys)


def test_a_second_time_needs_overwrite(tiny_run, tmp_path, capsys):
    out = tmp_path / "synthetic"
    label = tiny_run.class_names[2]
    words = f"generate --run {tiny_run.directory} --label {label} --count 3 --out {out}".split()
    assert cli.main_with(words) == 0
    assert str(out) in capsys.readouterr().out
    assert (out / "manifest.csv").read_text().count(label) >= 3
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    assert len(before) == 3
    fails(words, "--overwrite", capsys)
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before
    assert cli.main_with([*words, "--overwrite"]) == 0


@pytest.mark.parametrize(
    ("home", "line", "received"),
    [
        (
            "training.train",
            "train --data D --run R --preset derm-32 --images 9 --minutes 2 --seed 3 --dry_run "
            "--features mobilenet --weights W --cache_limit 64 --devices all --profile "
            "--schedule_minutes 8 --set gamma=1 --set loss=hinge",
            {
                "cache_limit": 64 * 2**20,
                "devices": "all",
                "profile": True,
                "preset": "derm-32",
                "images": 9,
                "overrides": ["gamma=1", "loss=hinge"],
                "schedule_minutes": 8.0,
                "minutes": 2.0,
                "seed": 3,
                "dry_run": True,
                "features": "mobilenet",
                "weights": "W",
            },
        ),
        (
            "synthesis.balance",
            "balance --run R --data D --out O --target 9 --seed 3 --overwrite --ratio 2 "
            "--filters copies --image_folder",
            {
                "target": 9,
                "seed": 3,
                "overwrite": True,
                "ratio": 2.0,
                "filters": "copies",
                "image_folder": True,
                "audit_features": None,
            },
        ),
        (
            "training.train",
            "train --data D --run R --images 9",
            {"images": 9, "schedule_images": 9, "preset": None},
        ),
        ("saved_model.export.export", "export --run R --out O --report P", {"report": "P"}),
        (
            "evaluation.evaluate",
            "evaluate --run R --data D --out O --features mobilenet --weights W --seed 3 --seeds 5 "
            "--cache C",
            {"features": "mobilenet", "weights": "W", "seed": 3, "seeds": 5, "cache": "C"},
        ),
        (
            "evaluation.evaluate",
            "evaluate --run R --data D --out O --utility --utility_seeds 3 --utility_steps 90 "
            "--classifiers small,resnet",
            {
                "utility": True,
                "utility_seeds": 3,
                "utility_steps": 90,
                "classifiers": ("small", "resnet"),
            },
        ),
        (
            "evaluation.report.reader_study.write_reader_study",
            "reader-study --run R --data D --out O --per_class 5 --seed 3",
            {"per_class": 5, "seed": 3, "overwrite": False},
        ),
        ("demo.run_demo", "demo --out O --images 9 --minutes 2", {"images": 9, "minutes": 2.0}),
    ],
)
def test_flags_arrive_at_the_function(home, line, received, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "skin_synth.training.runs.load_run", lambda path, which: f"{which} of {path}"
    )
    monkeypatch.setattr(
        f"skin_synth.{home}", lambda *args, **options: calls.append((args, options))
    )
    monkeypatch.setattr("skin_synth.synthesis.report.read_warnings", lambda place: [])
    assert cli.main_with(line.split()) == 0
    [(arguments, options)] = calls
    found = with_fields({**dict(enumerate(arguments)), **options})
    assert {name: found[name] for name in received} == received
    places = {"train": ("D", "R"), "demo": ("O",), "export": ("last of R", "O")}
    texts = tuple(value for value in arguments if isinstance(value, str))
    assert texts == places.get(line.split()[0], ("last of R", "D", "O"))


def test_the_schedule_of_a_run_that_exists_is_left_as_it_is(tiny_run, monkeypatch):
    calls = []
    monkeypatch.setattr("skin_synth.training.train", lambda *args: calls.append(args))
    words = f"train --data D --run {tiny_run.directory} --images 9 --minutes 2".split()
    assert cli.main_with(words) == 0
    options = calls[0][2]
    assert (options.schedule_images, options.schedule_minutes) == (None, None)


@pytest.mark.parametrize(
    ("home", "line"),
    [
        ("synthesis.balance", "balance --data D --out O"),
        ("evaluation.evaluate", "evaluate --data D --out O"),
        ("evaluation.report.reader_study.write_reader_study", "reader-study --data D --out O"),
    ],
)
def test_a_pretrained_generator_takes_the_place_of_a_run(home, line, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(f"skin_synth.{home}", lambda *args, **options: calls.append(args))
    monkeypatch.setattr("skin_synth.synthesis.report.read_warnings", lambda place: [])
    assert cli.main_with([*line.split(), "--pretrained", "derm-64-ham10000"]) == 0
    [(source, data, out, *_)] = calls
    assert (source.name, data, out) == ("derm-64-ham10000", "D", "O")
    fails([*line.split(), "--pretrained", "derm-65"], "derm-64-ham10000", capsys)
    best = ["--pretrained", "derm-64-ham10000", "--checkpoint", "best"]
    fails([*line.split(), *best], "--pretrained has no checkpoints", capsys)


@pytest.mark.parametrize(
    ("home", "command"),
    [
        ("evaluation.evaluate", "evaluate"),
        ("evaluation.report.reader_study.write_reader_study", "reader-study"),
    ],
)
def test_images_of_another_program_take_the_place_of_a_run(home, command, monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(f"skin_synth.{home}", lambda *args, **options: calls.append(args))
    monkeypatch.setattr(
        "skin_synth.evaluation.image_folder.load_image_folder", lambda *places: places
    )
    words = [command, "--images", "F", "--data", "D", "--out", "O"]
    assert cli.main_with(words) == 0
    assert calls[0][:3] == (("F", "D"), "D", "O")
    fails([*words, "--checkpoint", "best"], "--images has no checkpoints", capsys)


def fails(words: list[str], told: str, capsys) -> None:
    """The command line ends with 1 and one line on stderr that contains `told`."""
    capsys.readouterr()
    assert cli.main_with(words) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert [line.startswith("skin-synth: error: ") for line in lines].index(True) == len(lines) - 1
    assert told in lines[-1]
    assert "Traceback" not in "".join(lines)


@pytest.mark.parametrize(
    "line",
    [
        "generate --run R --label mel --count 3 --out O",
        "balance --run R --data D --out O",
        "evaluate --run R --data D --out O",
        "export --run R --out O",
    ],
)
@pytest.mark.parametrize("checkpoint", ["last", "best"])
def test_the_checkpoint_is_that_asked_for(line, checkpoint, monkeypatch):
    asked = []

    def load(path, which):
        asked.append((path, which))
        raise InputError("seen enough")

    monkeypatch.setattr("skin_synth.training.runs.load_run", load)
    assert cli.main_with([*line.split(), "--checkpoint", checkpoint]) == 1
    assert asked == [("R", checkpoint)]
