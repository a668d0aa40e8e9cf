"""The mutants of a module, their names, and the order in which samples take them.

A name consists of the text of the line, the occurrence of that text in the module, the column in
that text, the operator, and the occurrence of the operator at that place. It holds neither a path
nor a line number, so that the mutants of two commits can be compared.

A sample takes one mutant of every site (a place in the text), then a second one of each, and so
on. The sites are ordered by a hash of (SEED, site), the mutants of a site by a hash of (SEED,
name). So an unchanged file has the same sample wherever it moves, and an edit moves few mutants in
or out.

Left out are mutants that do not compile; that differ only in annotations, which are strings here,
or in the kind of a parameter (cosmic-ray takes a bare `*` for a product); that equal another
mutant; and operators in `UNLIKELY`.
"""

from __future__ import annotations

import ast
import difflib
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

SEED = 20261130
ARITHMETIC, BITS = "(Add|Sub|Mul|Div|FloorDiv|Mod|Pow)", "(RShift|LShift|BitOr|BitAnd|BitXor)"
UNLIKELY = re.compile(
    f"ReplaceBinaryOperator_{ARITHMETIC}_({BITS}|Mod)$"
    f"|ReplaceBinaryOperator_{BITS}_({ARITHMETIC}|RShift|LShift)$"
    "|ReplaceUnaryOperator_(USub|UAdd|Invert|Not)_.*$"
)
"""Operators that floats and tensors lack, so that a TypeError follows, which any test finds; and
signs replaced by other signs, because cosmic-ray also deletes signs."""


@dataclass(frozen=True)
class Change:
    """One change of a file that cosmic-ray offers.

    Attributes:
        operator: name of the operator of cosmic-ray, without `core/`.
        line: number of the changed line, from 1.
        column: column of the change in this line, from 0.
        mutated: text of the whole file after the change.
    """

    operator: str
    line: int
    column: int
    mutated: str


@dataclass(frozen=True)
class Mutant:
    """A change with its name.

    Attributes:
        key: the name.
        path: the changed file.
        change: what is changed there.
    """

    key: str
    path: str
    change: Change


def mutants_of(
    sources: Mapping[str, str], changes_of: Callable[[str], Iterable[Change]]
) -> list[Mutant]:
    """Returns all mutants of the files of a module, in the order in which samples take them.

    Args:
        sources: text of each file, by its path. Occurrences are counted over all files.
        changes_of: returns the possible changes of a text, such as `cosmic_ray_changes`.
    """
    sites: dict[str, list[Mutant]] = defaultdict(list)
    lines_seen: Counter[str] = Counter()
    for path, source in sources.items():
        sites_of_lines = _sites_of_lines(source, lines_seen)
        repeats: Counter[tuple[str, int, int]] = Counter()
        meanings = {meaning(source), None}
        for change in changes_of(source):
            place = (change.operator, change.line, change.column)
            repeats[place] += 1
            what = meaning(change.mutated)
            if what in meanings:
                continue
            meanings.add(what)
            text, indent = sites_of_lines[change.line - 1]
            site = f"{text} | {change.column - indent}"
            key = f"{site} | {change.operator} | {repeats[place] - 1}"
            sites[site].append(Mutant(key, path, change))
    return _in_turns(sites)


def _sites_of_lines(source: str, lines_seen: Counter[str]) -> list[tuple[str, int]]:
    """The text and occurrence of each line, and its indent; counts the lines."""
    sites = []
    for line in source.split("\n"):
        text = line.strip()
        sites.append((f"{text} | {lines_seen[text]}", len(line) - len(line.lstrip())))
        lines_seen[text] += 1
    return sites


def _in_turns(sites: Mapping[str, list[Mutant]]) -> list[Mutant]:
    ranked = [
        (turn, _hash(site), mutant)
        for site, mutants in sites.items()
        for turn, mutant in enumerate(sorted(mutants, key=lambda mutant: _hash(mutant.key)))
    ]
    return [mutant for _, _, mutant in sorted(ranked, key=lambda each: each[:2])]


def _hash(text: str) -> str:
    return hashlib.sha256(f"{SEED}\0{text}".encode()).hexdigest()


def cosmic_ray_changes(source: str) -> Iterator[Change]:
    """Yields the changes of a text that the operators of cosmic-ray make, without `UNLIKELY`.

    Raises:
        ImportError: cosmic-ray is not installed.
    """
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator, operator_names

    nodes = list(ast_nodes(get_ast(source)))
    for name in operator_names():
        operator, short = get_operator(name), name.removeprefix("core/")
        if operator.arguments() or UNLIKELY.match(short):
            continue
        positions = (start for node in nodes for start, _ in operator().mutation_positions(node))
        for occurrence, (line, column) in enumerate(positions):
            mutated = mutate_code(source, operator(), occurrence)
            if mutated is not None:
                yield Change(short, line, column, mutated)


def meaning(code: str) -> str | None:
    """Returns the syntax tree of a file without annotations; None if the code does not compile."""
    try:
        compile(code, "mutant", "exec")
    except (SyntaxError, ValueError):
        return None
    return ast.dump(_WithoutAnnotations().visit(ast.parse(code)))


class _WithoutAnnotations(ast.NodeTransformer):
    """Removes annotations, and makes all parameters of one kind."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        self.generic_visit(node)
        node.annotation = ast.Constant(None)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        self.generic_visit(node)
        node.args = node.posonlyargs + node.args + node.kwonlyargs
        node.defaults += [default for default in node.kw_defaults if default is not None]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        return node


def difference(before: str, after: str) -> str:
    """Returns the changed lines of a file as `old => new`."""
    lines = list(difflib.unified_diff(before.split("\n"), after.split("\n"), n=0, lineterm=""))[2:]
    old, new = (" ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    return f"{old.strip()} => {new.strip() or '(nothing)'}"
