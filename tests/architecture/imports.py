"""Counts files, imports and circles of both packages: `python -m tests.architecture.imports`.

What may import what is in pyproject.toml, as contracts of import-linter; `make check` holds them.
"""

from __future__ import annotations

import graphlib

import grimp

PACKAGES = ("skin_synth", "tfrecords_tools")


def rooms_of(graph: grimp.ImportGraph, depth: int) -> dict[str, set[str]]:
    """The imports of each room: a module name cut to at most `depth` parts."""
    imports: dict[str, set[str]] = {}
    for module in graph.modules:
        room = ".".join(module.split(".")[:depth])
        found = imports.setdefault(room, set())
        for imported in graph.find_modules_directly_imported_by(module):
            found.add(".".join(imported.split(".")[:depth]))
        found.discard(room)
    return imports


def circle_of(imports: dict[str, set[str]]) -> list[str]:
    """One circle of imports, the first name again at its end; empty without one."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def main() -> None:
    """Prints a line for the rooms of each depth."""
    graph = grimp.build_graph(*PACKAGES)
    depths = {"folders and files of the packages": 2, "one level below": 3, "all files": 9}
    for name, depth in depths.items():
        imports = rooms_of(graph, depth)
        arrows = sum(map(len, imports.values()))
        circle = " -> ".join(circle_of(imports)) or "none"
        print(f"{name}: {len(imports)} rooms, {arrows} arrows, circle: {circle}")


if __name__ == "__main__":
    main()
