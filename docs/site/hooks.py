"""Hooks of MkDocs: what the site consists of.

Pages keep their places in the repository, so that one link works on GitHub, on a disk and on the
site. `docs/reference/commands.md` is made of the help of both commands.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

ROOT = Path(__file__).parents[2]
MIRROR = ROOT / "build" / "site-pages"
PYTHON = ROOT / ".venv" / "bin" / "python"
PAGES = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/**/*.md"),
    "generators/*/*/*/*/model_card.md",
    "docs/site/*.css",
)
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
COMMANDS_PAGE = "docs/reference/commands.md"
HELP_SCRIPT = """
import json
from skin_synth import cli as synth
from tfrecords_tools import cli as records
print(json.dumps([
    (command.prog, command.format_help())
    for parser in (records.make_parser(), synth.make_parser())
    for command in parser._subparsers._group_actions[0].choices.values()
]))
"""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Copies the pages, and the files to which they link, to where MkDocs reads them."""
    shutil.rmtree(MIRROR, ignore_errors=True)
    pages = {path for pattern in PAGES for path in ROOT.glob(pattern)}
    for path in sorted(pages | {file for page in pages for file in linked_files(page)}):
        copy = MIRROR / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    (MIRROR / COMMANDS_PAGE).write_text(commands_page(), "utf-8")
    config.docs_dir = str(MIRROR)
    return config


def linked_files(page: Path) -> Iterator[Path]:
    """Yields pictures and other files of the repository to which a page links."""
    for target in LINK.findall(page.read_text("utf-8")):
        path = (page.parent / target).resolve()
        if not re.match(r"[a-z]+:", target) and path.is_file() and path.suffix != ".md":
            yield path


def commands_page() -> str:
    """Returns Markdown with the help of every sub-command of both commands."""
    environment = {**os.environ, "COLUMNS": "78", "PYTHONPATH": str(ROOT)}
    words = [str(PYTHON), "-c", HELP_SCRIPT]
    printed = subprocess.check_output(words, text=True, env=environment, cwd=ROOT)
    sections = [
        f"## {program}\n\n```text\n{help_text.rstrip()}\n```\n"
        for program, help_text in json.loads(printed)
    ]
    opening = "# Commands\n\nWhat `--help` says. Hyphens in flags are underscores: `--per-class`.\n"
    return "\n".join([opening, *sections])
