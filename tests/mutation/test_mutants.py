"""Names and samples of mutants, the clone, and the comparison of two commits."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

from tests.mutation import __main__ as program
from tests.mutation.modules import MODULES, Module
from tests.mutation.mutants import Change, cosmic_ray_changes, difference, mutants_of
from tests.mutation.runner import Outcome, clone_of_head, git
from tests.mutation.scores import ModuleScore, Result, Scores, comparison, page

ROOT = Path(__file__).parents[2]
SOURCE = """
def total(first: int | None, second: int) -> int | None:
    third: int | str = first + second
    return third - first

def twice(first: int, second: int) -> int:
    return (first + second) - (first - second)
"""
SIGNS = {"+": "-", "-": "+", "|": "&"}


def signs_changed(source):
    """Each sign replaced by another."""
    for number, line in enumerate(source.split("\n"), 1):
        for found in re.finditer(r" ([-+|]) ", line):
            lines = source.split("\n")
            lines[number - 1] = line[: found.start(1)] + SIGNS[found[1]] + line[found.end(1) :]
            yield Change(f"Replace{found[1]}", number, found.start(1), "\n".join(lines))


def keys_of(source, path="module.py", changes_of=signs_changed):
    return [mutant.key for mutant in mutants_of({path: source}, changes_of)]


def test_the_files_of_the_map_exist():
    assert len({module.name for module in MODULES}) == 8
    paths = [path for module in MODULES for path in module.sources + module.tests]
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_a_mutant_is_named_by_its_line_and_its_place_in_it():
    assert "return third - first | 0 | 13 | Replace- | 0" in keys_of(SOURCE)


def test_names_and_order_stay_when_lines_and_files_move():
    moved = '"""A page."""\n\nLIMIT = 3\n\nclass Sums:\n' + textwrap.indent(SOURCE, "    ")
    assert len(keys_of(SOURCE)) == 5
    assert keys_of(moved, "other/place.py") == keys_of(SOURCE)


def test_an_edit_of_a_line_renames_only_its_mutants():
    edited = SOURCE.replace("third - first", "third - second")
    assert sum(key not in keys_of(SOURCE) for key in keys_of(edited)) == 1


def test_equal_lines_and_equal_changes_of_a_place_have_different_names():
    keys = keys_of(SOURCE + SOURCE.replace("def ", "def new_"))
    assert len(keys) == len(set(keys)) == 10
    mutants = mutants_of({"a.py": SOURCE, "b.py": SOURCE}, signs_changed)
    assert {mutant.key for mutant in mutants} == set(keys)


def test_the_sample_takes_one_mutant_of_each_site_first():
    def numbers(source):
        for value in range(3):
            for line in (1, 2):
                mutated = source.split("\n")
                mutated[line - 1] = mutated[line - 1].replace("9", str(value))
                yield Change(f"To{value}", line, 4, "\n".join(mutated))

    lines = [mutant.change.line for mutant in mutants_of({"m.py": "a = 9\nb = 9"}, numbers)]
    assert len(lines) == 6
    assert {*lines[:2]} == {*lines[2:4]} == {1, 2}


def test_changes_without_a_meaning_are_no_mutants():
    annotated = "def plain(value: int | None, *, other: str | int = 3) -> int | str:\n    pass\n"
    assert len(list(signs_changed(annotated))) == 3
    assert keys_of(annotated) == []
    other = "def plain(value, *, other=3):\n    return value\n"
    for mutated in (other, other.replace("*", "/"), other.replace("(", ""), f"# new\n{other}"):
        assert keys_of(other, changes_of=lambda _, new=mutated: [Change("New", 1, 0, new)]) == []


def test_equal_changes_are_one_mutant():
    changes = [Change(name, 1, 0, "x = 2\n") for name in ("First", "Second")]
    assert keys_of("x = 1\n", changes_of=lambda _: changes) == ["x = 1 | 0 | 0 | First | 0"]


def test_cosmic_ray_offers_changes():
    pytest.importorskip("cosmic_ray", reason="needs the extra [mutation]")
    source = "def f(a, b):\n    if a > b:\n        return a + b\n    return True\n"
    changes = list(cosmic_ray_changes(source))
    found = {(each.operator, each.line, each.column) for each in changes}
    assert ("ReplaceBinaryOperator_Add_Sub", 3, 17) in found
    assert ("ReplaceTrueWithFalse", 4, 11) in found
    assert not [each for each in changes if each.operator == "ReplaceBinaryOperator_Add_BitOr"]
    (mutant,) = (each for each in changes if each.operator == "ReplaceBinaryOperator_Add_Sub")
    assert difference(source, mutant.mutated) == "return a + b => return a - b"
    moved = f"import os\n\n{source}"
    assert keys_of(moved, changes_of=cosmic_ray_changes) == keys_of(
        source, changes_of=cosmic_ray_changes
    )


def result_of(key, status):
    return Result(key, "m.py", 7, "Replace", status, "old => new", "", 1.0, 2.0)


def scores_of(commit, **statuses):
    results = [result_of(key, status) for key, status in statuses.items()]
    return Scores(
        commit,
        "8.7.0",
        modules={"m": ModuleScore(["m.py"], ["test_m.py"], 1.0, 9, len(results), results)},
    )


def test_two_commits_are_compared_by_the_mutants_of_both(tmp_path):
    old = scores_of("abc", a="survived", b="killed", c="timeout", d="survived", e="killed")
    new = scores_of("def", a="killed", b="survived", c="killed", d="survived", f="killed")
    other = dataclasses.replace(new, modules=new.modules | {"only here": new.modules["m"]})
    lines = comparison(old, other)
    assert lines[0] == "## Against abc"
    assert lines[4] == "| m | 4 | 2 | 2 | 1 | 1 |"
    assert lines[6:8] == [
        "- m: survived -> killed: line 7, Replace: `old => new`",
        "- m: killed -> survived: line 7, Replace: `old => new`",
    ]
    assert len(lines) == 9


def test_scores_are_read_as_they_were_written(tmp_path):
    scores = scores_of("abc", a="survived", b="killed", c="timeout")
    scores.write(tmp_path / "folder" / "scores.json")
    assert Scores.read(tmp_path / "folder" / "scores.json") == scores
    text = page(scores)
    assert "| m.py | 9 | 3 | 2 | 1 | 1 | 66.7% | 1.0 |" in text
    assert text.count("- line 7, Replace: `old => new`") == 1


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repository"
    root.mkdir()
    (root / "module.py").write_text(SOURCE)
    git(root, "init", "--quiet")
    git(root, "add", ".")
    author = ("-c", "user.name=Nobody", "-c", "user.email=nobody@example.com")
    git(root, *author, "commit", "--quiet", "--message", "One")
    (root / "module.py").write_text("uncommitted = True\n")
    return root


def test_mutants_are_written_into_a_clone_of_head_alone(repository, tmp_path):
    (mutant, *_) = mutants_of({"module.py": SOURCE}, signs_changed)
    with clone_of_head(repository, tmp_path / "work") as clone:
        file = clone.checkout / "module.py"
        assert file.is_relative_to(tmp_path / "work")
        with clone.mutated(mutant) as original:
            assert (original, file.read_text()) == (SOURCE, mutant.change.mutated)
            assert (repository / "module.py").read_text() == "uncommitted = True\n"
        assert file.read_text() == SOURCE
    assert list((tmp_path / "work").iterdir()) == []
    assert git(repository, "status", "--porcelain") == "M module.py"


class FakeRunner:
    """Lets every second mutant survive."""

    def __init__(self, clone):
        self.file, self.runs = clone.checkout / "module.py", 0

    def run(self, tests, limits):
        self.runs += 1
        survived = self.file.read_text() == SOURCE or self.runs % 2
        failed = "" if survived else "FAILED test_module.py::test_sum - assert\n1 failed"
        return Outcome("survived" if survived else "killed", int(not survived), 1.5, 2.0, failed)


def test_a_stopped_study_continues(repository, tmp_path, monkeypatch):
    monkeypatch.setattr(program, "cosmic_ray_changes", signs_changed)
    module, out = Module("sums", ("module.py",), ("test_module.py",)), tmp_path / "out.json"
    with clone_of_head(repository) as clone:

        def measure(size=None, minutes=10.0):
            runner = FakeRunner(clone)
            study = program.Study(clone, runner, out, None, "8.7.0")
            study.measure([module], {"sums": study.sample(module, size)}, minutes)
            return runner.runs, [each.status for each in Scores.read(out).modules["sums"].mutants]

        assert measure(minutes=-1.0) == (2, [])  # the tests without a mutant, twice
        assert measure(size=2) == (2, ["survived", "killed"])
        assert measure() == (3, ["survived", "killed", "survived", "killed", "survived"])
        assert measure()[0] == 0
    (second, *_) = Scores.read(out).modules["sums"].mutants[1:]
    assert second.killer == "FAILED test_module.py::test_sum - assert"
    assert "share killed" in out.with_suffix(".md").read_text()


def test_results_of_another_commit_are_not_continued(repository, tmp_path):
    scores_of("abc").write(tmp_path / "out.json")
    with (
        clone_of_head(repository) as clone,
        pytest.raises(SystemExit, match=r"of commit abc, HEAD"),
    ):
        program.Study(clone, FakeRunner(clone), tmp_path / "out.json", None, "8.7.0")


def test_without_cosmic_ray_one_line_says_how_to_install_it(monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    monkeypatch.setattr("sys.argv", ["mutation"])
    with pytest.raises(SystemExit, match=r"^cosmic-ray is not installed; .*\.\[mutation\]"):
        program.main()


def test_the_extra_is_outside_the_lock():
    assert "cosmic-ray" not in (ROOT / "requirements.txt").read_text()
    dry = ["make", "-n", "mutation", "VENV=.venv", "ARGS=--only losses"]
    assert ".venv/bin/python -m tests.mutation --only losses" in subprocess.check_output(
        dry, text=True, cwd=ROOT
    )
