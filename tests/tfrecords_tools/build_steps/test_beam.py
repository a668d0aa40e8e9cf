"""The Beam runner makes the data set that threads make; `make test-beam` runs it."""

from __future__ import annotations

import filecmp
import multiprocessing
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("apache_beam", reason="needs the extra [beam]: make test-beam")

from tests.data_sets import write_class_folders
from tests.images import noise
from tfrecords_tools import build, verify
from tfrecords_tools.build_steps import beam
from tfrecords_tools.build_steps.runners import CHUNK_ITEMS
from tfrecords_tools.cli import main_with
from tfrecords_tools.errors import InputError

pytestmark = pytest.mark.filterwarnings("default")  # Beam and its packages warn often.

IN_PROCESSES = "runner=DirectRunner,direct_num_workers=3,direct_running_mode=multi_processing"


@pytest.fixture
def photographs(tmp_path) -> Path:
    """Class folders with what makes the second pass: a broken file, a duplicate, a conflict."""
    folder = write_class_folders(tmp_path / "images")
    (folder / "naevus" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    Image.fromarray(noise(1000)).save(folder / "naevus" / "copy.bmp")
    Image.fromarray(noise(1001)).save(folder / "melanoma" / "conflict.png")
    return folder


def differing(first: Path, second: Path) -> list[str]:
    """Files that the two directories do not share, byte for byte."""
    names = {
        path.relative_to(folder).as_posix()
        for folder in (first, second)
        for path in folder.rglob("*")
        if path.is_file()
    }
    _, mismatched, missing = filecmp.cmpfiles(first, second, names, shallow=False)
    return [*mismatched, *missing]


def test_same_data_set_as_by_threads(photographs, tmp_path, monkeypatch):
    monkeypatch.setattr(beam, "CHUNKS_PER_FILE", 1)  # so that there is work for all workers
    options = {"name": "x", "size": 16, "max_rejected": 0.3}
    by_threads = build(photographs, tmp_path / "threads", **options)
    by_beam = build(
        photographs, tmp_path / "beam", runner="beam", beam_pipeline_options=IN_PROCESSES, **options
    )
    assert {r.reason for r in by_beam.rejections} == {"damaged", "duplicate", "label_conflict"}
    assert by_beam.rejections == by_threads.rejections
    assert differing(tmp_path / "threads", tmp_path / "beam") == []
    assert verify(tmp_path / "beam").problems == ()


def test_a_chunk_without_a_good_image_leaves_nothing(tmp_path):
    """Of three chunks no more than two can have one of the two good images."""
    folder = tmp_path / "images"
    for number, label in enumerate("ab"):
        (folder / label).mkdir(parents=True)
        Image.fromarray(noise(number)).save(folder / label / "good.png")
        for index in range(CHUNK_ITEMS + 1):
            (folder / label / f"{index}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    options = {"name": "x", "size": 16, "max_rejected": 1.0}
    build(folder, tmp_path / "threads", **options)
    build(folder, tmp_path / "beam", runner="beam", **options)
    assert differing(tmp_path / "threads", tmp_path / "beam") == []


def test_one_process_and_clean_data(tmp_path):
    folder = write_class_folders(tmp_path / "images")
    build(folder, tmp_path / "threads", name="x")
    arguments = [str(folder), "--out", str(tmp_path / "beam"), "--name", "x"]
    assert main_with(["build", *arguments, "--runner", "beam"]) == 0
    assert differing(tmp_path / "threads", tmp_path / "beam") == []


def test_work_is_done_by_several_processes(tmp_path):
    runner = beam.BeamRunner(IN_PROCESSES, tmp_path)
    beam.CHUNKS_PER_FILE, kept = 1, beam.CHUNKS_PER_FILE
    try:
        results = list(runner.map(_who, range(40)))
    finally:
        beam.CHUNKS_PER_FILE = kept
    assert [number for number, _ in results] == list(range(40))
    assert len({process for _, process in results}) > 1
    assert list(tmp_path.iterdir()) == []


def _who(number: int) -> tuple[int, int | None]:
    return number, multiprocessing.current_process().pid


def test_failure_of_a_worker_leaves_nothing_behind(tmp_path):
    runner = beam.BeamRunner("", tmp_path)
    with pytest.raises(Exception, match="seven"):
        list(runner.map(_fail_at_seven, range(10)))
    assert list(tmp_path.iterdir()) == []


def _fail_at_seven(number: int) -> int:
    if number == 7:
        raise ValueError("seven")
    return number


def test_nothing_to_do(tmp_path):
    assert list(beam.BeamRunner("", tmp_path).map(_fail_at_seven, [])) == []


def test_option_that_beam_does_not_know(photographs, tmp_path):
    with pytest.raises(InputError, match="does not know --numworkers=3"):
        build(
            photographs,
            tmp_path / "out",
            name="x",
            runner="beam",
            beam_pipeline_options="numworkers=3",
        )
    assert not (tmp_path / "out").exists()
