"""What the package is and needs is in setup.cfg, how it is built in pyproject.toml."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGES = ("skin_synth", "tfrecords_tools")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.fixture
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_packages_carry_types():
    assert all((ROOT / package / "py.typed").exists() for package in PACKAGES)


def test_setup_cfg_and_pyproject_share_no_fact(setup):
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "project" not in pyproject
    assert set(pyproject["tool"]) == {"ruff", "mypy", "importlinter", "pytest", "coverage"}
    for section in setup.sections():
        assert section == "metadata" or section.startswith("options"), section


def test_the_version_has_one_home(setup):
    version = setup["metadata"]["version"]
    for path in [*SOURCES, ROOT / "pyproject.toml", ROOT / "Makefile"]:
        assert f'"{version}"' not in path.read_text(), path


def test_the_lock_pins_every_requirement(setup):
    wanted = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    names = re.findall(r"^([\w.-]+)", wanted, flags=re.MULTILINE)
    lock = re.findall(r"^[^#\n].*", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lock), lock
    pinned = {_canonical(line.split("==")[0]) for line in lock}
    assert {_canonical(name) for name in names} <= pinned


def test_the_lock_of_the_documents_pins_their_extra(setup):
    names = re.findall(r"^([\w.-]+)", setup["options.extras_require"]["docs"], flags=re.MULTILINE)
    lock = (ROOT / "requirements-docs.txt").read_text()
    pinned = {_canonical(name) for name in re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE)}
    assert {_canonical(name) for name in names} <= pinned


def test_the_citation_has_version_and_licence(setup):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    metadata = setup["metadata"]
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == metadata["version"]
    assert citation["license"] == metadata["license_expression"]
    assert citation["authors"] == [{"name": metadata["author"]}]


def test_the_workflow_runs_commands_that_there_are():
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text("utf-8"))
    commands = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert ".ci/run" in commands
    for command in commands:
        program, *targets = command.split()
        if program == "make":
            subprocess.check_output(["make", "-n", *targets], cwd=ROOT)
        else:
            assert os.access(ROOT / program, os.X_OK)


@pytest.mark.parametrize("name", ["fault", "wish"])
def test_forms_for_issues_have_fields_with_labels(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text("utf-8"))
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert form["name"]
    assert form["description"]
    assert len({field["id"] for field in fields}) == len(fields) >= 3
    assert all(field["attributes"]["label"] for field in fields)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_hooks_are_the_checks_of_make():
    hooks = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    command = ["make", "-n", "check", "VENV=.venv"]
    dry = subprocess.check_output(command, text=True, cwd=ROOT)
    assert len(hooks) == 5
    assert all(hook in dry for hook in hooks)
