"""Commands in the documents parse, links lead somewhere, scripts are sound."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDERS = (".", "docs/**", "examples/**", "benchmarks/**")
DOCUMENTS = sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.md"))
SCRIPTS = sorted((ROOT / "examples").rglob("*.sh"))


def commands_in(path: Path) -> Iterator[list[str]]:
    """Command lines of the two programs in a document or a script."""
    text = re.sub(r"\\\n\s*", " ", path.read_text())
    pattern = r"^(?:\s{4,}|\$ |.*\|\| )?(?:\.venv/bin/)?((?:skin-synth|tfrecords-tools) [^\n`]*)"
    for line in re.findall(pattern, text, flags=re.MULTILINE):
        words = shlex.split(line, comments=True)
        if "..." not in words and not any(word.startswith("[") for word in words):
            yield words


def test_the_documents_hold_commands():
    found = [words for path in [*DOCUMENTS, *SCRIPTS] for words in commands_in(path)]
    assert {words[0] for words in found} == {"skin-synth", "tfrecords-tools"}
    assert len(found) >= 10


@pytest.mark.parametrize("path", [*DOCUMENTS, *SCRIPTS], ids=lambda path: str(path.name))
def test_commands_in_the_documents_parse(path, capsys):
    homes = {"skin-synth": "skin_synth.cli", "tfrecords-tools": "tfrecords_tools.cli"}
    for program, *arguments in commands_in(path):
        # Shell variables such as $images become "1".
        arguments = [re.sub(r"\$\{?\w+\}?", "1", word) for word in arguments]
        parser = importlib.import_module(homes[program]).make_parser()
        try:
            parser.parse_args(arguments)
        except SystemExit as stop:
            if stop.code:
                pytest.fail(f"{program} {arguments}: {capsys.readouterr().err}")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_site_has_every_guide():
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = set(re.findall(r"[\w./-]+\.md", json.dumps(site["nav"])))
    assert all((ROOT / page).exists() for page in listed)
    assert {str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")} <= listed


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_example_scripts_are_sound_shell(path):
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True)
