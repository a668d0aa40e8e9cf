"""Distributions that bring generators, found as installed ones are."""

from __future__ import annotations

import configparser
import contextlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUP = "skin_synth.generators"
OWN_PROJECT = ROOT / "generators" / "ham10000"


def write_metadata(site: Path, distribution: str, points: dict[str, str]) -> None:
    """Writes what pip writes for a distribution with entry points: its dist-info in `site`."""
    folder = site / f"{distribution.replace('-', '_')}-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.1.0\n"
    )
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    (folder / "entry_points.txt").write_text("".join([f"[{GROUP}]\n", *lines]))


def write_own_metadata(site: Path) -> None:
    """Writes the metadata of `OWN_PROJECT`, and a path file that leads to its package."""
    setup = configparser.ConfigParser()
    setup.read(OWN_PROJECT / "setup.cfg")
    lines = setup["options.entry_points"][GROUP].split("\n")
    points = dict(line.split(" = ") for line in filter(None, lines))
    write_metadata(site, setup["metadata"]["name"], points)
    (site / "skin_synth_ham10000.pth").write_text(f"{OWN_PROJECT}\n")


@contextlib.contextmanager
def added_to_path(*folders: Path) -> Iterator[None]:
    """Lets this process, and those that it starts, import from folders."""
    with pytest.MonkeyPatch.context() as patch:
        for folder in folders:
            patch.syspath_prepend(folder)
        before = filter(None, [os.environ.get("PYTHONPATH")])
        patch.setenv("PYTHONPATH", os.pathsep.join([*map(str, folders), *before]))
        yield


def wheel_of(project: Path, scratch: Path) -> Path:
    """Builds the wheel of a project in a copy of it, by setuptools."""
    ignored = shutil.ignore_patterns("*.egg-info", "build", "__pycache__", ".*", "runs", "tests")
    copy = shutil.copytree(project, scratch / "project", ignore=ignored)
    code = f"import setuptools.build_meta as b; b.build_wheel({str(scratch)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True, capture_output=True)
    [wheel] = scratch.glob("*.whl")
    return wheel


def unpack(wheel: Path, site: Path) -> None:
    """Installs a wheel of Python files without dependencies, as pip does."""
    with zipfile.ZipFile(wheel) as file:
        file.extractall(site)
