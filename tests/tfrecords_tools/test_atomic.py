"""Files and directories appear whole or not at all, and killed processes leave nothing for good."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys
from pathlib import Path

import pytest

from tests.killing import process
from tfrecords_tools import atomic
from tfrecords_tools.atomic import check_apart, new_directory, new_file
from tfrecords_tools.errors import InputError

DEAD = 2**22 + 1
"""No process has this number: it is beyond the largest process id of Linux."""


def write_and_fail(context, error: type[BaseException] = RuntimeError) -> None:
    """Writes half of something, into a directory or a file, and fails."""
    with context as temporary:
        (temporary / "file" if temporary.is_dir() else temporary).write_text("half")
        raise error


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(file: Path, text: str = "old") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def replace(target: Path) -> None:
    """Overwrites a directory that holds `old` with one that holds `new`."""
    with new_directory(target, overwrite=True, marker="old") as temporary:
        write(temporary / "new")


def test_directory_appears_at_the_end_only(tmp_path):
    target = tmp_path / "deep" / "out"
    with new_directory(target) as temporary:
        write(temporary / "file", "new")
        assert not target.exists()
        assert temporary.parent == target.parent
    assert names(tmp_path / "deep") == ["out"]
    assert (target / "file").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt])
def test_failure_leaves_nothing_not_even_parents(error, tmp_path):
    with pytest.raises(error):
        write_and_fail(new_directory(tmp_path / "a" / "b" / "out"), error)
    assert names(tmp_path) == []


def test_failure_keeps_parents_that_hold_something(tmp_path):
    write(tmp_path / "a" / "other")
    with pytest.raises(RuntimeError):
        write_and_fail(new_directory(tmp_path / "a" / "b" / "out"))
    assert names(tmp_path / "a") == ["other"]


@pytest.mark.parametrize(
    ("kept", "options", "message"),
    [
        ("out/other", {}, r"out exists already.*--overwrite"),
        ("out", {}, "out exists already"),
        ("out", {"overwrite": True}, "out is a file"),
        ("out/chapters/report.json", {"overwrite": True}, "holds something else.*remove it"),
        (
            "out/chapters/report.json",
            {"overwrite": True, "marker": "report.json"},
            r"out holds something else \(no report\.json\).*remove it yourself",
        ),
    ],
)
def test_other_content_is_left_alone(kept, options, message, tmp_path):
    write(tmp_path / kept)
    with pytest.raises(InputError, match=message), new_directory(tmp_path / "out", **options):
        pytest.fail("the work must not begin")
    assert (tmp_path / kept).read_text() == "old"
    assert names(tmp_path) == ["out"]


def test_overwriting_replaces_all_of_it(tmp_path):
    write(tmp_path / "out" / "old")
    with new_directory(tmp_path / "out", overwrite=True, marker="old") as temporary:
        write(temporary / "new")
        assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out"]


def test_failed_overwriting_keeps_the_old_one(tmp_path):
    write(tmp_path / "out" / "old")
    with pytest.raises(RuntimeError), new_directory(tmp_path / "out", overwrite=True, marker="old"):
        raise RuntimeError
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_failed_rename_puts_the_old_one_back(tmp_path, monkeypatch):
    write(tmp_path / "out" / "old")
    rename = Path.rename

    def fail_for_the_new(self, target):
        if ".new." in self.name:
            raise OSError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_the_new)
    with pytest.raises(OSError, match="no"):
        replace(tmp_path / "out")
    assert names(tmp_path / "out") == ["old"]
    assert names(tmp_path) == ["out"]


def test_content_that_appears_meanwhile_is_not_replaced(tmp_path):
    def race() -> None:
        with new_directory(tmp_path / "out", overwrite=True, marker="new") as temporary:
            write(temporary / "new")
            write(tmp_path / "out" / "other")

    with pytest.raises(InputError, match=r"something else \(no new\)"):
        race()
    assert names(tmp_path / "out") == ["other"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("runs/data", r"runs/data lies in .*runs/data, which would be replaced"),
        ("runs", r"runs/data lies in .*runs, which would be replaced"),
        ("runs/link", r"runs/data lies in .*runs/link, which would be replaced"),
        ("runs/data/out", r"runs/data/out lies in the data set .*runs/data: choose another --out"),
    ],
)
def test_results_do_not_replace_inputs(out, message, tmp_path):
    (tmp_path / "runs" / "data").mkdir(parents=True)
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "runs" / "data")
    with pytest.raises(InputError, match=message):
        check_apart(tmp_path / out, {"the run": None, "the data set": tmp_path / "runs" / "data"})
    check_apart(tmp_path / "runs" / "data2", {"the data set": tmp_path / "runs" / "data"})


def test_results_may_lie_in_a_run_and_not_take_its_place(tmp_path):
    check_apart(tmp_path / "run" / "model", {"the run": tmp_path / "run"}, may_lie_in={"the run"})
    with pytest.raises(InputError, match="which would be replaced"):
        check_apart(tmp_path / "run", {"the run": tmp_path / "run"}, may_lie_in={"the run"})


def test_the_first_of_two_writers_wins(tmp_path):
    def race() -> None:
        with new_directory(tmp_path / "out"), new_directory(tmp_path / "elsewhere") as other:
            write(other / "first")
            other.rename(tmp_path / "out")
            other.mkdir()

    with pytest.raises(InputError, match="exists already"):
        race()
    assert names(tmp_path / "out") == ["first"]
    assert names(tmp_path) == ["elsewhere", "out"]


def test_a_link_to_an_empty_directory_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with new_directory(tmp_path / "link", overwrite=True) as temporary:
        write(temporary / "file")
    assert (tmp_path / "link").is_symlink()
    assert names(tmp_path / "real") == ["file"]


def killed(code: str) -> None:
    """Runs code that prints a line and then sleeps, and kills it amid that."""
    start = "import time\nfrom pathlib import Path\nfrom tfrecords_tools import atomic\n"
    with process(start + code):
        pass


def test_a_link_to_itself_is_no_place_for_a_directory(tmp_path):
    (loop := tmp_path / "loop").symlink_to("loop")
    for overwrite in (False, True):
        with pytest.raises((InputError, OSError)), new_directory(loop, overwrite=overwrite):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["loop"]


def test_debris_of_a_killed_process_goes_with_the_next_call(tmp_path):
    target = tmp_path / "out"
    killed(
        f"with atomic.new_directory({str(target)!r}) as temporary:\n"
        "    (temporary / 'half').write_text('half')\n"
        "    print('ready', flush=True); time.sleep(60)"
    )
    assert len(names(tmp_path)) == 1
    assert not target.exists()
    with new_directory(target):
        pass
    assert names(tmp_path) == ["out"]


def test_debris_goes_even_if_the_next_call_fails(tmp_path):
    (tmp_path / f".tmp-{DEAD}.new.out").mkdir()
    with pytest.raises(RuntimeError), new_directory(tmp_path / "out"):
        raise RuntimeError
    assert names(tmp_path) == []


def test_kill_between_the_renames_loses_nothing(tmp_path):
    target = write(tmp_path / "out" / "old").parent
    killed(
        "rename = Path.rename\n"
        "def slow(self, to):\n"
        "    if '.new.' in self.name:\n"
        "        print('ready', flush=True); time.sleep(60)\n"
        "    return rename(self, to)\n"
        "Path.rename = slow\n"
        f"with atomic.new_directory({str(target)!r}, overwrite=True, marker='old'): pass"
    )
    assert not target.exists()
    with pytest.raises(InputError, match="exists already"), new_directory(target):
        pass
    assert names(target) == ["old"]
    assert names(tmp_path) == ["out"]


def test_kill_after_the_renames_leaves_the_new_one(tmp_path):
    target = write(tmp_path / "out" / "new").parent
    aside = write(tmp_path / f".tmp-{DEAD}.old.out" / "old").parent
    with new_file(target / "file") as temporary:
        temporary.write_text("x")
    assert aside.exists()  # it is not of this file
    with pytest.raises(InputError), new_directory(target):
        pass
    assert names(tmp_path) == ["out"]
    assert names(target) == ["file", "new"]


def test_planted_old_content_is_not_promoted(tmp_path, caplog):
    planted = write(tmp_path / f".tmp-{DEAD}.old.out" / "old").parent
    with pytest.raises(RuntimeError), new_directory(tmp_path / "out"):
        raise RuntimeError
    assert names(tmp_path) == [planted.name]
    assert "is not moved back to out" in caplog.text
    with new_directory(tmp_path / "out") as temporary:
        write(temporary / "new")
    assert names(tmp_path / "out") == ["new"]


@pytest.mark.parametrize("kind", ["old", "new"])
def test_planted_link_is_neither_followed_nor_promoted(kind, tmp_path):
    victim = write(tmp_path / "victim" / "old").parent
    (tmp_path / f".tmp-{DEAD}.{kind}.out").symlink_to(victim)
    (tmp_path / f".tmp-{DEAD}.new.out").exists() or (tmp_path / f".tmp-{DEAD}.new.out").mkdir()
    with pytest.raises(RuntimeError), new_directory(tmp_path / "out"):
        raise RuntimeError
    assert not (tmp_path / "out").exists()
    assert names(victim) == ["old"]


def test_siblings_of_another_user_stay(tmp_path, monkeypatch):
    for kind in ("old", "new"):
        write(tmp_path / f".tmp-{DEAD}.{kind}.out" / "old")
    before = names(tmp_path)
    monkeypatch.setattr(atomic.os, "geteuid", lambda: 2**31)
    with pytest.raises(RuntimeError), new_directory(tmp_path / "out"):
        raise RuntimeError
    assert names(tmp_path) == before


@pytest.mark.parametrize("place", [".", "..", "../here"])
def test_the_current_folder_is_not_replaced(place, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match=r"the folder that you are in|holds something else"):
        replace(Path(place))
    assert names(tmp_path) == ["here"]


def test_siblings_of_other_processes_stay(tmp_path):
    with process("print('ready', flush=True); input()") as other:
        (tmp_path / f".tmp-{other.pid}.new.out").mkdir()
        (tmp_path / f".tmp-{DEAD}.new.other").mkdir()
        (tmp_path / ".tmp-1.new.out").mkdir()  # init runs always
        (tmp_path / ".tmp-x.new.out").mkdir()
        before = names(tmp_path)
        with new_directory(tmp_path / "out"):
            pass
        assert names(tmp_path) == sorted([*before, "out"])


@pytest.fixture
def stranger(tmp_path):
    """A process that writes `out`, and whose number is free here, as in another container."""
    script = (
        "import sys\nfrom tfrecords_tools import atomic\n"
        f"atomic.os.getpid = lambda: {DEAD}\n"
        f"with atomic.new_directory({str(tmp_path / 'out')!r}) as temporary:\n"
        "    (temporary / 'half').write_text('half')\n"
        "    print('ready', flush=True); input()\n"
    )
    with process(script) as started:
        yield started


def test_a_live_process_of_another_container_keeps_its_work(stranger, tmp_path):
    with (
        pytest.raises(InputError, match="out is being written by another process"),
        new_directory(tmp_path / "out"),
    ):
        raise AssertionError("the block must not run")
    assert names(tmp_path) == [f".tmp-{DEAD}.new.out"]
    stranger.communicate(b"\n", timeout=60)
    assert stranger.returncode == 0
    assert names(tmp_path / "out") == ["half"]


def test_debris_of_another_container_goes(stranger, tmp_path):
    stranger.kill()
    stranger.wait()
    assert names(tmp_path) == [f".tmp-{DEAD}.new.out"]
    with new_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out"]


def test_another_container_with_our_number_keeps_its_work(stranger, tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.os, "getpid", lambda: 2**22 + 1)
    with (
        pytest.raises(InputError, match="out is being written by another process"),
        new_directory(tmp_path / "out"),
    ):
        pytest.fail("the work must not begin")
    assert names(tmp_path / f".tmp-{DEAD}.new.out") == ["half"]


def test_what_is_moved_aside_stays_aside_while_it_is_replaced(tmp_path, monkeypatch):
    write(tmp_path / "out" / "old")
    rename = Path.rename

    def meeting(self, to):
        if ".new." in self.name:  # the old one is aside: another container looks in
            with monkeypatch.context() as there:
                there.setattr(Path, "rename", rename)
                atomic._tidy(tmp_path / "out")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", meeting)
    replace(tmp_path / "out")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["new"]


def test_without_locks_the_number_decides(tmp_path, monkeypatch):
    def unsupported(handle, operation):
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    (tmp_path / f".tmp-{DEAD}.new.out").mkdir()
    with new_directory(tmp_path / "out"):
        pass
    assert names(tmp_path) == ["out"]


def test_process_of_another_user_is_alive(monkeypatch):
    def forbidden(pid, number):
        raise PermissionError

    monkeypatch.setattr(atomic.os, "kill", forbidden)
    assert atomic._alive(1)


def test_file_keeps_its_suffix_and_replaces(tmp_path):
    target = tmp_path / "deep" / "weights.h5"
    for content in ("one", "two"):
        with new_file(target) as temporary:
            assert temporary.suffix == ".h5"
            temporary.write_text(content)
            assert not target.exists() or target.read_text() == "one"
        assert target.read_text() == content
    assert names(target.parent) == ["weights.h5"]


def test_failed_file_keeps_the_old_one(tmp_path):
    write(tmp_path / "file")
    with pytest.raises(RuntimeError):
        write_and_fail(new_file(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_debris_of_a_file_goes(tmp_path):
    (tmp_path / f".tmp-{DEAD}.new.file").write_text("half")
    with new_file(tmp_path / "file") as temporary:
        temporary.write_text("whole")
    assert names(tmp_path) == ["file"]


def test_a_second_writer_is_told_at_its_start(tmp_path):
    """And not when its work is done, hours later."""
    code = (
        "import sys; from tfrecords_tools.atomic import new_directory\n"
        "with new_directory(sys.argv[1]):\n    print('begun', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout.readline() == "begun\n"
    for overwrite in (False, True):
        with (
            pytest.raises(InputError, match="out is being written by another process"),
            new_directory(tmp_path / "out", overwrite=overwrite),
        ):
            raise AssertionError("the block must not run")
    with new_directory(tmp_path / "other.out"):
        pass
    first.communicate()
    with new_directory(tmp_path / "out", overwrite=True):
        pass
