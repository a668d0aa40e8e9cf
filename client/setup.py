"""Builds skin-synth-client: the modules that the client imports, below a package of another name.

The sources have one home, the packages next to this folder. The build copies them and renames the
packages in their imports, so that the client and skin-synth can be in one environment.
"""

from __future__ import annotations

import ast
import configparser
import re
from collections.abc import Iterator
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
SOURCES = HERE.parent
PACKAGE = "skin_synth_client"
PACKAGES = ("skin_synth", "tfrecords_tools")
FIRST = "skin_synth.serving.client"
NEEDED = ("numpy", "pillow")
GRPC = ("grpcio>=1.60", "protobuf>=5.26")


def modules() -> dict[str, Path]:
    """Returns the modules that the import of the client loads, and their files."""
    found: dict[str, Path] = {}
    waiting = [FIRST]
    while waiting:
        name = waiting.pop()
        file = SOURCES / f"{name.replace('.', '/')}.py"
        if name not in found and file.is_file():
            found[name] = file
            waiting.extend(_imports(file))
    return found


def _imports(file: Path) -> Iterator[str]:
    """Yields the modules of our packages that a file imports at once, not in a function."""
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            yield str(node.module)
            yield from (f"{node.module}.{each.name}" for each in node.names)


def write_package(folder: Path) -> None:
    """Writes the package into a folder, with the renamed imports."""
    root = folder / PACKAGE
    for name, file in modules().items():
        text = file.read_text("utf-8")
        target = root / f"{name.replace('.', '/')}.py"
        target.parent.mkdir(parents=True, exist_ok=True)
        ours = rf"(?m)^(\s*from )({'|'.join(PACKAGES)})\b"
        target.write_text(re.sub(ours, rf"\g<1>{PACKAGE}.\2", text), "utf-8")
        for parent in target.relative_to(root).parents:
            (root / parent / "__init__.py").touch()
    (root / "__init__.py").write_bytes((HERE / PACKAGE / "__init__.py").read_bytes())
    (root / "py.typed").touch()


class BuildClient(build_py):
    """Builds the package from the sources next to this folder."""

    def run(self) -> None:
        """Writes the modules into the folder of the build."""
        write_package(Path(self.build_lib))


def settings() -> dict[str, object]:
    """Returns what setup.cfg of Skin Synth says about version, licence and requirements."""
    parser = configparser.ConfigParser()
    parser.read(SOURCES / "setup.cfg", "utf-8")
    metadata, options = parser["metadata"], parser["options"]
    lines = options["install_requires"].split("\n")
    return {
        "version": metadata["version"],
        "license_expression": metadata["license_expression"],
        "author": metadata["author"],
        "python_requires": options["python_requires"],
        "install_requires": [line for line in lines if line.startswith(NEEDED)],
    }


if __name__ == "__main__":
    setup(
        name="skin-synth-client",
        description="Client of a Skin Synth generator behind TF Serving; needs no TensorFlow.",
        long_description=(HERE / "README.md").read_text("utf-8"),
        long_description_content_type="text/markdown",
        packages=[PACKAGE],
        extras_require={"grpc": list(GRPC)},
        cmdclass={"build_py": BuildClient},
        **settings(),
    )
