"""The house rules: what stands where, what may import what, and commands in the docs that parse."""

from __future__ import annotations

import ast
import configparser
import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("skin_synth", "tfrecords_tools")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
PYTHON_FILES = sorted(
    [*SOURCES, *(ROOT / "examples").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
)

STOREYS = (
    ("cli",),
    ("training_command", "evaluation_commands", "manifest_commands"),
    ("common_flags",),
    ("demo",),
    ("training", "synthesis"),
    ("validation",),
    ("callbacks", "forecast"),
    ("pretrained",),
    ("evaluation",),
    ("warm_start",),
    ("runs", "distribution"),
    ("health",),
    ("gan",),
    ("serving",),
    (
        "signatures",
        "networks",
        "losses",
        "augment",
        "schedules",
        "data",
        "streaming",
        "phantoms",
        "provenance",
    ),
    (
        "layers",
        "optimizers",
        "hardware",
        "presets",
        "flag_types",
        "checkpoints",
        "run_config",
        "locks",
        "interruptions",
        "streams",
        "integers",
    ),
    ("convolution", "replicas"),
)
"""Modules of skin_synth from the top down: each imports from its own storey and those below."""


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, *, late: bool = True) -> Iterator[str]:
    """Dotted names of all that a file imports from the project; without `late`, at import only."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if late else _at_import(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_import(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _at_import(node)


def storey_of(module: str) -> tuple[int, str] | None:
    """Storey and top-level name of a module of skin_synth; None for other modules."""
    parts = module.split(".")
    if parts[0] != "skin_synth" or len(parts) == 1:
        return None
    for number, names in enumerate(STOREYS):
        if parts[1] in names:
            return number, parts[1]
    return None


def test_every_module_has_a_storey():
    for path in SOURCES:
        module = module_of(path)
        if module.startswith("skin_synth."):
            assert storey_of(module), f"{module} is not in STOREYS: say where it belongs"


def upward_imports(*, late: bool) -> set[tuple[str, str]]:
    """Pairs (module, module above it that it imports) of skin_synth's top-level names."""
    found = set()
    for path in SOURCES:
        here = storey_of(module_of(path))
        for name in imports_of(path, late=late) if here else ():
            there = storey_of(name)
            if there is not None and there[0] < here[0]:
                found.add((here[1], there[1]))
    return found


def test_imports_of_skin_synth_run_one_way():
    assert upward_imports(late=False) == set()


def test_late_imports_run_one_way_too():
    assert upward_imports(late=True) == set()


def test_tfrecords_tools_knows_nothing_of_skin_synth():
    for path in (ROOT / "tfrecords_tools").rglob("*.py"):
        assert not [name for name in imports_of(path) if name.startswith("skin_synth")], path


def test_skin_synth_writes_records_only_through_tfrecords_tools():
    for path in (ROOT / "skin_synth").rglob("*.py"):
        if "serving" in path.parts:
            continue  # the warm-up file of a SavedModel is a TFRecord, too, but no data set
        assert "TFRecordWriter" not in path.read_text(), path


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_is_finished(path):
    text = path.read_text()
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    assert len(text.splitlines()) <= 450, "one file, one thing"
    if path in SOURCES:
        asserts = [node.lineno for node in ast.walk(ast.parse(text)) if type(node) is ast.Assert]
        assert not asserts, "raise an error that says what was received"


@pytest.mark.parametrize("module", PACKAGES)
def test_packages_carry_types(module):
    assert (ROOT / module / "py.typed").exists()


# What the package is and needs stands in setup.cfg; how it is built and checked in pyproject.toml.


def test_setup_cfg_and_pyproject_share_no_fact():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "project" not in pyproject
    assert set(pyproject["tool"]) == {"ruff", "mypy", "pytest", "coverage"}
    for section in setup.sections():
        assert section == "metadata" or section.startswith("options"), section


def test_the_version_has_one_home():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    version = setup["metadata"]["version"]
    for path in [*SOURCES, ROOT / "pyproject.toml", ROOT / "Makefile"]:
        assert f'"{version}"' not in path.read_text(), path


def test_the_lock_pins_every_requirement():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = setup["options"]["install_requires"] + setup["options.extras_require"]["dev"]
    names = {
        re.split(r"[<>=!~\[; ]", line)[0]
        for line in wanted.splitlines()
        if line and not line.startswith("#")
    }
    lock = [
        line for line in (ROOT / "requirements.txt").read_text().splitlines() if line[:1] != "#"
    ]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line) for line in lock), lock
    pinned = {_canonical(line.split("==")[0]) for line in lock}
    assert {_canonical(name) for name in names} <= pinned


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# Heavy libraries are loaded on first use.

HEAVY = ("tensorflow", "keras", "tensorflow_datasets", "matplotlib", "PIL")


def loaded_by(code: str) -> set[str]:
    """Heavy libraries in sys.modules after `code` ran in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "code",
    [
        "import skin_synth, tfrecords_tools; skin_synth.__version__, dir(skin_synth)",
        "import skin_synth.cli; skin_synth.cli.make_parser()",
        "import skin_synth.cli as cli; cli.main_with(['is-synthetic', '--help'])",
        "import tfrecords_tools.cli",
        "import skin_synth.cli as cli; cli.main_with(['--help'])",
        "import skin_synth.cli as cli; cli.main_with(['demo', '--help'])",
        "import tfrecords_tools.cli as cli; cli.main_with(['build', '--help'])",
    ],
)
def test_import_and_help_load_nothing_heavy(code):
    assert loaded_by(code) == set()


def test_the_public_names_are_there():
    import skin_synth
    from skin_synth.gan import ConditionalGAN
    from skin_synth.runs import load_run

    assert skin_synth.ConditionalGAN is ConditionalGAN
    assert skin_synth.load_run is load_run
    assert set(skin_synth.__all__) <= set(dir(skin_synth))
    assert re.fullmatch(r"\d+\.\d+\.\d+", skin_synth.__version__)
    with pytest.raises(AttributeError, match=r"no attribute 'gans'.*ConditionalGAN"):
        _ = skin_synth.gans


# Every command in the docs is one that the real parsers take.

DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
)
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
        # "1" stands for shell variables such as $images.
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


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_example_scripts_are_sound_shell(path):
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", path], check=True)


def test_hooks_are_the_checks_of_make():
    hooks = re.findall(r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text())
    dry = subprocess.run(
        ["make", "-n", "check", "VENV=.venv"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for hook in hooks:
        assert hook in dry.stdout
    assert len(hooks) == 3
