"""Results of mutants: the JSON file that a run continues, and the page that people read."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutation.mutants import SEED


@dataclass(frozen=True)
class Result:
    """What the tests said about a mutant.

    Attributes:
        key: name of the mutant.
        path: the mutated file.
        line: the mutated line.
        operator: operator of cosmic-ray.
        status: `killed`, `timeout` or `survived`.
        change: old and new text.
        killer: the test that failed; empty if none did.
        cpu_s: seconds of processor time.
        wall_s: seconds of wall time.
    """

    key: str
    path: str
    line: int
    operator: str
    status: str
    change: str
    killer: str
    cpu_s: float
    wall_s: float

    @property
    def survived(self) -> bool:
        """Whether all tests passed."""
        return self.status == "survived"


@dataclass(frozen=True)
class ModuleScore:
    """The results of a module.

    Attributes:
        module: its source files.
        tests: its test files.
        plain_cpu_s: seconds of processor time of the tests without a mutant.
        all: number of all mutants.
        sample: number of mutants in the sample.
        mutants: the results so far.
    """

    module: list[str]
    tests: list[str]
    plain_cpu_s: float
    all: int
    sample: int
    mutants: list[Result]

    @property
    def by_key(self) -> dict[str, Result]:
        """The results by the name of the mutant."""
        return {result.key: result for result in self.mutants}


@dataclass(frozen=True)
class Scores:
    """The results of a commit.

    Attributes:
        commit: the commit.
        cosmic_ray: version of cosmic-ray.
        seed: seed of the samples.
        spent_s: seconds so far, over all runs.
        modules: the results of each module, by name.
    """

    commit: str
    cosmic_ray: str
    seed: int = SEED
    spent_s: float = 0.0
    modules: dict[str, ModuleScore] = dataclasses.field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> Scores:
        """Reads the results that `write` wrote."""
        data = json.loads(file.read_text())
        modules = {}
        for name, entry in data["modules"].items():
            results = [Result(**_fields(Result, result)) for result in entry["mutants"]]
            modules[name] = ModuleScore(**_fields(ModuleScore, entry) | {"mutants": results})
        return cls(**_fields(cls, data) | {"modules": modules})

    def write(self, file: Path) -> None:
        """Writes the results; a kill leaves the old file or the new one."""
        file.parent.mkdir(parents=True, exist_ok=True)
        new = file.with_name(f".{file.name}.new")
        new.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        os.replace(new, file)


def _fields(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: data[field.name] for field in dataclasses.fields(kind)}


def page(scores: Scores, against: Scores | None = None) -> str:
    """Returns Markdown: scores, survivors, and the comparison with other results."""
    lines = [
        f"# Mutation scores at {scores.commit}",
        "",
        f"cosmic-ray {scores.cosmic_ray}, seed {scores.seed}; each module by its own test files; "
        f"{scores.spent_s / 60:.1f} minutes so far.",
        "",
        *_table(scores.modules.values()),
        "",
    ]
    for entry in scores.modules.values():
        survivors = [result for result in entry.mutants if result.survived]
        survivors.sort(key=lambda result: (result.path, result.line))
        lines += [f"## Survivors of {', '.join(entry.module)}", ""]
        lines += [f"- {_mutation(result)}" for result in survivors] or ["None."]
        lines.append("")
    if against:
        lines += comparison(against, scores)
    return "\n".join(lines)


def _table(entries: Collection[ModuleScore]) -> Iterator[str]:
    yield (
        "| module | all mutants | sample | killed | of these timeouts | survived | share killed "
        "| plain CPU s |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for entry in entries:
        done = len(entry.mutants)
        sample = f"{done} (of {entry.sample})" if done < entry.sample else f"{done}"
        counts, cpu_s = _counts(entry.mutants), f"{entry.plain_cpu_s:.1f}"
        yield f"| {', '.join(entry.module)} | {entry.all} | {sample} | {counts} | {cpu_s} |"
    results = [result for entry in entries for result in entry.mutants]
    everything = sum(entry.all for entry in entries)
    yield f"| all | {everything} | {len(results)} | {_counts(results)} | |"


def _counts(results: Collection[Result]) -> str:
    survived = sum(result.survived for result in results)
    timeouts = sum(result.status == "timeout" for result in results)
    killed = len(results) - survived
    share = f"{killed / len(results):.1%}" if results else "-"
    return f"{killed} | {timeouts} | {survived} | {share}"


def _mutation(result: Result) -> str:
    return f"line {result.line}, {result.operator}: `{result.change}`"


def comparison(before: Scores, after: Scores) -> list[str]:
    """Returns Markdown lines on the mutants that both samples hold."""
    lines = [
        f"## Against {before.commit}",
        "",
        "| name | in both | killed before | killed after | only before | only after |",
        "|---|---|---|---|---|---|",
    ]
    turned = []
    for name in (name for name in after.modules if name in before.modules):
        old, new = before.modules[name].by_key, after.modules[name].by_key
        both = old.keys() & new.keys()
        dead = [sum(not results[key].survived for key in both) for results in (old, new)]
        only = [len(results) - len(both) for results in (old, new)]
        row = [name, len(both), *dead, *only]
        lines.append("| " + " | ".join(map(str, row)) + " |")
        turned += [
            f"- {name}: {old[key].status} -> {new[key].status}: {_mutation(new[key])}"
            for key in sorted(both)
            if old[key].survived != new[key].survived
        ]
    return [*lines, "", *(turned or ["No mutant in both changed its result."]), ""]
