"""The pipeline on a folder: its plan, what it refuses, and how it goes on."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from skin_synth import pipeline
from skin_synth.pipeline import PipelineOptions, Stage, run_pipeline, run_stages
from tests.data_sets import write_class_folders
from tests.logs import logged_to
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import BuildOptions

BUILD = BuildOptions("photos", size=32)


@pytest.fixture
def folder(tmp_path):
    return write_class_folders(tmp_path / "photos")


@pytest.fixture
def quick(monkeypatch):
    """Every stage after the data set only makes its directory; returns what each was given."""
    given = {}

    def stage(name, output):
        def work(*arguments):
            given[name] = arguments
            place = arguments[output]
            place.mkdir(parents=True, exist_ok=True)

        monkeypatch.setattr(pipeline, f"_{name}", work)

    for name, output in (("train", 1), ("evaluate", 2), ("balance", 2), ("export", 1)):
        stage(name, output)
    monkeypatch.setattr(pipeline, "_summary", lambda *arguments: "the end")
    return given


def lines_of(work, *arguments, **options):
    lines = []
    with logged_to(lines.append):
        work(*arguments, **options)
    return lines


def test_it_plans_first_then_builds_and_hands_on_its_options(folder, tmp_path, quick):
    options = PipelineOptions(minutes=5, target=40, overrides=["gamma=1"])
    lines = lines_of(run_pipeline, folder, tmp_path / "out", BUILD, options)
    assert lines[0] == "plan:"
    plan = "\n".join(lines[: lines.index(next(line for line in lines if line.startswith("[1/5]")))])
    for words in ("32x32 pixels", "train derm-32 for 5 minutes", "5 minutes of training at most"):
        assert words in plan
    assert "data: train 23, validation 5, test 4 images in 2 classes" in "\n".join(lines)
    assert quick["train"][2:] == ("derm-32", options)
    assert quick["balance"][3] == options
    assert (tmp_path / "out" / "data" / "dataset_info.json").exists()
    assert lines[-1] == "the end"


def test_training_starts_from_what_was_asked_for(folder, tmp_path, quick, monkeypatch):
    asked = []
    monkeypatch.setattr("skin_synth.training.warm_start.load_ancestor", asked.append)
    options = PipelineOptions(minutes=5, init_from=Path("other") / "model")
    lines = lines_of(run_pipeline, folder, tmp_path / "out", BUILD, options)
    assert asked == [Path("other/model")]
    assert any("train derm-32 from other/model for 5 minutes" in line for line in lines)
    assert quick["train"][3].init_from == Path("other/model")
    record = json.loads((tmp_path / "out" / pipeline.PIPELINE_RECORD).read_text())
    assert record["settings"]["init_from"] == "other/model"


def test_what_training_cannot_start_from_is_refused_before_the_build(folder, tmp_path):
    options = PipelineOptions(init_from="derm-999")
    with pytest.raises(InputError, match="--init_from derm-999: no run and no export is there"):
        run_pipeline(folder, tmp_path / "out", BUILD, options)
    assert not (tmp_path / "out").exists()


def test_a_pipeline_of_an_older_release_goes_on(folder, tmp_path, quick):
    out = tmp_path / "out"
    run_pipeline(folder, out, BUILD, PipelineOptions(minutes=5))
    record = json.loads((out / pipeline.PIPELINE_RECORD).read_text())
    for later in ("init_from", "input_files"):  # the older release did not have them
        del record["settings"][later]
    (out / pipeline.PIPELINE_RECORD).write_text(json.dumps(record))
    quick.clear()
    run_pipeline(folder, out, BUILD, PipelineOptions(minutes=5))
    assert quick == {}


def test_a_dry_run_writes_nothing(folder, tmp_path):
    lines = lines_of(run_pipeline, folder, tmp_path / "out", BUILD, dry_run=True)
    assert any("train derm-32 for 60 minutes" in line for line in lines)
    assert not (tmp_path / "out").exists()


def test_the_same_call_goes_on_and_another_one_is_refused(folder, tmp_path, quick):
    out = tmp_path / "out"
    run_pipeline(folder, out, BUILD, PipelineOptions(minutes=5))
    quick.clear()
    run_pipeline(folder, out, BUILD, PipelineOptions(minutes=5))
    assert quick == {}
    with pytest.raises(InputError, match=r"started with minutes = 5, got 6: choose another --out"):
        run_pipeline(folder, out, BUILD, PipelineOptions(minutes=6))
    other = BuildOptions("photos", size=32, seed=1)
    with pytest.raises(InputError, match=r"started with seed = 0, got 1: choose"):
        run_pipeline(folder, out, other, PipelineOptions(minutes=5))


def test_settings_that_the_build_refused_can_be_mended(folder, tmp_path, quick):
    out = tmp_path / "out"
    wrong = BuildOptions("photos", size=32, folders="split/class")
    with pytest.raises(InputError):
        run_pipeline(folder, out, wrong, PipelineOptions(minutes=5))
    run_pipeline(folder, out, BUILD, PipelineOptions(minutes=5))
    assert list(quick) == ["train", "evaluate", "balance", "export"]
    with pytest.raises(InputError, match=r"started with folders = None, got split/class"):
        run_pipeline(folder, out, wrong, PipelineOptions(minutes=5))


def told_of_change(folder, seen):
    """The whole message on changed files, as a regular expression."""
    return re.escape(
        f"the images or tables in {folder} changed since the data set was built ({seen}): choose "
        "another --out, or put the old files back"
    )


def test_changed_images_or_tables_are_seen(folder, tmp_path, quick):
    names = tmp_path / "names.csv"
    names.write_text("from,to\nmelanoma,mel\n")
    build = BuildOptions("photos", size=32, label_map=names)

    def start():
        run_pipeline(folder, tmp_path / "out", build, PipelineOptions(minutes=5))

    start()
    quick.clear()
    [first, second, *_] = sorted(folder.rglob("*.png"))
    (folder / ".DS_Store").touch()  # no image
    start()
    assert quick == {}
    added = first.with_name("added.png")
    shutil.copy(second, added)
    seen = "32 images and 1 table then, 33 images and 1 table now"
    with pytest.raises(InputError, match=f"^{told_of_change(folder, seen)}$"):
        start()
    added.unlink()
    as_many = f"^{told_of_change(folder, '32 images and 1 table, as many as then')}$"
    content = first.read_bytes()
    first.write_bytes(content + b"\0")
    with pytest.raises(InputError, match=as_many):
        start()
    first.write_bytes(content)
    names.write_text("from,to\nmelanoma,m\n")
    with pytest.raises(InputError, match=as_many):
        start()
    assert quick == {}


@pytest.mark.parametrize(
    ("before", "now", "seen"),
    [
        ("2 images and 0 tables, 1a", "2 images and 1 table, 2b", "2 images and 0 tables then, 2 "),
        ("1 image and 1 table, 1a", "1,000 images and 1 table, 2b", "1 image and 1 table then, 1,"),
    ],
)
def test_a_change_of_files_is_told_without_the_hash(before, now, seen, tmp_path):
    (tmp_path / "data").touch()
    pipeline.PipelineRecord({"images": "photos", "input_files": before}).write(tmp_path)
    settings = {"images": "photos", "input_files": now}
    with pytest.raises(InputError, match=re.escape(f"was built ({seen}")) as refused:
        run_stages(tmp_path, settings, [])
    assert not re.search("1a|2b|input_files|1 images|1 tables", str(refused.value))
    other = {**settings, "images": "pictures"}  # the settings come first: their files differ, too
    with pytest.raises(InputError, match=r"started with images = photos, got pictures: choose an"):
        run_stages(tmp_path, other, [])


def test_a_copied_folder_goes_on(folder, tmp_path, quick):
    run_pipeline(folder, tmp_path / "out", BUILD, PipelineOptions(minutes=5))
    quick.clear()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, copy_function=shutil.copyfile)  # with new times of change
    shutil.rmtree(folder)
    copy.rename(folder)
    run_pipeline(folder, tmp_path / "out", BUILD, PipelineOptions(minutes=5))
    assert quick == {}


def test_files_may_change_before_anything_is_built(folder, tmp_path, quick):
    wrong = BuildOptions("photos", size=32, folders="split/class")
    with pytest.raises(InputError):
        run_pipeline(folder, tmp_path / "out", wrong, PipelineOptions(minutes=5))
    [first, *_] = sorted(folder.rglob("*.png"))
    shutil.copy(first, first.with_name("added.png"))
    run_pipeline(folder, tmp_path / "out", BUILD, PipelineOptions(minutes=5))
    assert list(quick) == ["train", "evaluate", "balance", "export"]


def test_two_pipelines_in_one_directory_do_not_mix(tmp_path):
    root = tmp_path / "out"

    def work():
        with pytest.raises(InputError, match=rf"{root} is in use by process {os.getpid()}, which"):
            run_stages(root, {}, [stage])
        raise InputError("stopped")

    stage = Stage("only", "", root / "only", work)
    with pytest.raises(InputError, match="stopped"):
        run_stages(root, {}, [stage])


@pytest.mark.parametrize("other", [{"size": 64}, {"size": 32}])
def test_only_the_holder_of_the_lock_writes_the_record(other, tmp_path):
    """While nothing is built yet, a second start may not change what the first one began with."""
    root = tmp_path / "out"

    def work():
        kept = (root / pipeline.PIPELINE_RECORD).stat()
        with pytest.raises(InputError, match="is in use by process"):
            run_stages(root, other, [])
        after = (root / pipeline.PIPELINE_RECORD).stat()
        assert (after.st_ino, after.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)
        raise InputError("stopped")

    with pytest.raises(InputError, match="stopped"):
        run_stages(root, {"size": 32}, [Stage("only", "", root / "only", work)])


def test_the_record_is_read_after_the_lock_is_taken(tmp_path, monkeypatch):
    """The other process may finish a stage just before it gives the lock back."""
    root, worked = tmp_path / "out", []
    stage = Stage("only", "", root / "only", lambda: worked.append("only"))
    monkeypatch.setattr(pipeline, "_summary", lambda *arguments: "")
    run_stages(root, {}, [])

    @contextlib.contextmanager
    def locked_late(*arguments, **options):
        (root / "only").touch()
        pipeline.PipelineRecord({}, {"only": 1.0}).write(root)
        yield

    monkeypatch.setattr(pipeline, "locked", locked_late)
    run_stages(root, {}, [stage])
    assert worked == []


def test_settings_can_be_mended_where_there_is_no_flock(tmp_path, monkeypatch):
    def unsupported(handle, operation):
        raise OSError(errno.ENOLCK, "no locks here")

    def refuse():
        raise InputError("refused")

    root = tmp_path / "out"
    monkeypatch.setattr(fcntl, "flock", unsupported)
    monkeypatch.setattr(pipeline, "_summary", lambda *arguments: "")
    with pytest.raises(InputError, match="refused"):
        run_stages(root, {"size": 1}, [Stage("only", "", root / "only", refuse)])
    run_stages(root, {"size": 2}, [Stage("only", "", root / "only", (root / "only").touch)])
    with pytest.raises(InputError, match="started with size = 2, got 1"):
        run_stages(root, {"size": 1}, [])


@pytest.mark.parametrize("left", ["lock", "lock.soft", ".tmp-1.new.pipeline.json"])
def test_a_start_that_was_killed_at_once_is_no_foreign_directory(left, tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "_summary", lambda *arguments: "")
    (tmp_path / left).touch()
    run_stages(tmp_path, {}, ())
    assert (tmp_path / pipeline.PIPELINE_RECORD).exists()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            BuildOptions("photos", size=48),
            "of 48 pixels: build the data set with --size 32, 64",
        ),
        (BuildOptions("photos"), "size must be a number of pixels, got 'original'"),
    ],
)
def test_a_size_without_preset_is_refused_at_once(folder, tmp_path, build, message):
    with pytest.raises(InputError, match=message):
        run_pipeline(folder, tmp_path / "out", build)
    assert not (tmp_path / "out").exists()


def test_wrong_fields_of_the_preset_are_refused_at_once(folder, tmp_path):
    options = PipelineOptions(overrides=["gama=1"])
    with pytest.raises(InputError, match="'gama=1': a preset has no field 'gama'"):
        run_pipeline(folder, tmp_path / "out", BUILD, options)
    assert not (tmp_path / "out").exists()


def test_results_do_not_lie_among_the_images(folder):
    with pytest.raises(InputError, match="images"):
        run_pipeline(folder, folder / "out", BUILD)
    assert not (folder / "out").exists()


def test_a_stage_that_is_gone_is_worked_again_and_all_after_it(tmp_path, monkeypatch):
    worked = []

    def stage(name):
        def work():
            worked.append(name)
            (tmp_path / "out" / name).touch()

        return Stage(name, "", tmp_path / "out" / name, work)

    monkeypatch.setattr(pipeline, "_summary", lambda *arguments: "")
    stages = tuple(stage(name) for name in "abc")
    run_stages(tmp_path / "out", {"seed": 0}, stages)
    (tmp_path / "out" / "b").unlink()
    run_stages(tmp_path / "out", {"seed": 0}, stages)
    assert "".join(worked) == "abcbc"


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="holds no results of this command"):
        run_stages(tmp_path, {}, ())
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"settings": {}, "seconds": 3}'])
def test_a_broken_record_is_named(tmp_path, text):
    (tmp_path / pipeline.PIPELINE_RECORD).write_text(text)
    with pytest.raises(InputError, match=r"pipeline\.json cannot be read.*choose another --out"):
        run_stages(tmp_path, {}, ())


def test_the_record_holds_every_setting(folder, tmp_path, quick):
    run_pipeline(folder, tmp_path / "out", BUILD, PipelineOptions(minutes=5))
    record = json.loads((tmp_path / "out" / pipeline.PIPELINE_RECORD).read_text())
    assert record["settings"]["images"] == str(folder)
    assert record["settings"]["build"]["size"] == 32
    assert list(record["seconds"]) == ["build", "train", "evaluate", "balance", "export"]


@pytest.mark.parametrize("edited", [{"size": "a\nb"}, {"size": 5, "a\nb": 1}, {"size": "\x1b[2J"}])
def test_other_settings_are_named_on_one_line(edited, tmp_path):
    record = {"settings": edited, "seconds": {"build": 1.0}}
    (tmp_path / "pipeline.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="was started with") as refused:
        run_stages(tmp_path, {"size": 4}, [])
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).isprintable()
