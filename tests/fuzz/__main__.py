"""Runs the fuzz test in full: `python -m tests.fuzz --out build/fuzz`; the same command resumes.

Writes one JSON line for each mutant, and a table of figures, `figures.md`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

from tests.fuzz.doors import DOORS
from tests.fuzz.mutations import mutate
from tests.fuzz.runner import FAULTS, OTHER, REFUSED, SAME, Door, load, run, summary

MUTANTS = 2_000


def run_door(name: str, root: Path, numbers: range):
    """Yields the outcome of mutants of a kind of file; `root` is an empty folder."""
    made: list[Door] = []

    def make() -> Door:
        made.append(DOORS[name](root))
        return made[0]

    def mutant(whole: bytes, number: int) -> bytes:
        return mutate(whole, number, made[0].structure)

    return run(make, mutant, numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--count", type=int, default=MUTANTS)
    parser.add_argument("--only", nargs="*", choices=list(DOORS), default=list(DOORS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name in options.only:
        file = options.out / f"{name.replace('/', '_')}.jsonl"
        found = load(file)
        with tempfile.TemporaryDirectory() as root, file.open("a") as log:
            for outcome in run_door(name, Path(root), range(len(found), options.count)):
                found.append(outcome)
                log.write(json.dumps(dataclasses.asdict(outcome)) + "\n")
                log.flush()
        rows[name] = summary(found)
        print(name, rows[name], flush=True)
    (options.out / "figures.md").write_text(table(rows))


def table(rows: dict[str, dict[str, object]]) -> str:
    """Returns the figures as Markdown."""
    columns = ("mutants", REFUSED, SAME, OTHER, *FAULTS, "largest_megabytes")
    lines = [f"| file | {' | '.join(columns)} |", f"|---{'|---' * len(columns)}|"]
    lines += [
        f"| {name} | {' | '.join(str(row[column]) for column in columns)} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
