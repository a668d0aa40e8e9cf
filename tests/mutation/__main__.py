"""Measures tests by mutants: small changes of a module that its tests ought to notice.

    python -m tests.mutation [--only NAME ...] [--sample N] [--minutes M] [--out FILE.json]

Works in a clone of HEAD, never in this checkout. Writes FILE.json after every mutant, and
FILE.md; the same command continues after a stop. Needs Linux and the extra `mutation`.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from tests.mutation.modules import MODULES, Module
from tests.mutation.mutants import Mutant, cosmic_ray_changes, difference, mutants_of
from tests.mutation.runner import Clone, Limits, Outcome, Runner, clone_of_head, git
from tests.mutation.scores import ModuleScore, Result, Scores, page

ROOT = Path(__file__).resolve().parents[2]
NO_COSMIC_RAY = "cosmic-ray is not installed; run `pip install -e '.[mutation]'` or `make mutation`"


def main() -> None:
    """Measures the chosen modules, and writes scores and survivors."""
    options = _options()
    try:
        version = metadata.version("cosmic-ray")
    except metadata.PackageNotFoundError:
        sys.exit(NO_COSMIC_RAY)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # deletes the clone
    if git(ROOT, "status", "--porcelain", "--untracked-files=no"):
        print("HEAD is measured, without the uncommitted changes of this checkout", flush=True)
    against = Scores.read(options.against) if options.against else None
    modules = [module for module in MODULES if module.name in (options.only or module.name)]
    with clone_of_head(ROOT, options.work) as clone, Runner(clone) as runner:
        study = Study(clone, runner, options.out, against, version)
        samples = {module.name: study.sample(module, options.sample) for module in modules}
        study.measure(modules, samples, options.minutes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    names = [module.name for module in MODULES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--sample", type=int, help="mutants of each module (default: modules.py)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after this many")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutation.json")
    parser.add_argument("--against", type=Path, help="JSON of another commit to compare with")
    parser.add_argument("--work", type=Path, help="folder in which the clone is made")
    options = parser.parse_args()
    if options.out.suffix != ".json":
        parser.error(f"--out {options.out} has to end in .json")
    if options.sample is not None and options.sample < 1:
        parser.error(f"--sample {options.sample} has to be at least 1")
    return options


class Study:
    """The measurement of one commit; it continues that of its JSON file."""

    def __init__(
        self, clone: Clone, runner: Runner, out: Path, against: Scores | None, version: str
    ) -> None:
        self._clone, self._runner, self._out, self._against = clone, runner, out, against
        self._scores = Scores.read(out) if out.exists() else Scores(clone.commit, version)
        if self._scores.commit != clone.commit:
            sys.exit(
                f"{out} is of commit {self._scores.commit}, HEAD is {clone.commit}; choose another "
                "file with --out"
            )
        self._start = time.monotonic() - self._scores.spent_s

    def sample(self, module: Module, size: int | None) -> list[Mutant]:
        """Returns the sample of a module; runs its tests without a mutant if it is new."""
        texts = {path: (self._clone.checkout / path).read_text() for path in module.sources}
        mutants = mutants_of(texts, cosmic_ray_changes)
        sample = mutants[: size or module.sample]
        entry = self._scores.modules.get(module.name)
        self._scores.modules[module.name] = ModuleScore(
            list(module.sources),
            list(module.tests),
            entry.plain_cpu_s if entry else self._plain_cpu_s(module),
            all=len(mutants),
            sample=len(sample),
            mutants=entry.mutants if entry else [],
        )
        return sample

    def _plain_cpu_s(self, module: Module) -> float:
        self._runner.run(module.tests, Limits())  # reads the files from disk
        plain = self._runner.run(module.tests, Limits())
        if plain.exit_code:
            sys.exit(f"{module.name}: tests fail without a mutant:\n{plain.output[-3000:]}")
        print(f"{module.name}: {plain.cpu_s:.1f} s without a mutant", flush=True)
        return plain.cpu_s

    def measure(
        self, modules: Iterable[Module], samples: Mapping[str, Sequence[Mutant]], minutes: float
    ) -> None:
        """Runs the mutants without a result, for at most this many minutes."""
        end = time.monotonic() + 60 * minutes
        # All modules advance together, so that a stopped run has a share of each.
        waiting = [
            ((number + 0.5) / len(samples[module.name]), module.name, module, mutant)
            for module in modules
            for number, mutant in enumerate(samples[module.name])
            if mutant.key not in self._scores.modules[module.name].by_key
        ]
        self._save()
        for _, _, module, mutant in sorted(waiting, key=lambda each: each[:2]):
            if time.monotonic() > end:
                print("out of time; the same command continues", flush=True)
                break
            result = self._result(module, mutant)
            self._scores.modules[module.name].mutants.append(result)
            self._save()
            print(f"{module.name} {result.line} {result.status} {result.change}", flush=True)
        print(f"{self._out} and {self._out.with_suffix('.md')} are written", flush=True)

    def _result(self, module: Module, mutant: Mutant) -> Result:
        limits = Limits.of(self._scores.modules[module.name].plain_cpu_s)
        with self._clone.mutated(mutant) as original:
            outcome = self._runner.run(module.tests, limits)
        return Result(
            key=mutant.key,
            path=mutant.path,
            line=mutant.change.line,
            operator=mutant.change.operator,
            status=outcome.status,
            change=difference(original, mutant.change.mutated),
            killer=_killer(outcome),
            cpu_s=round(outcome.cpu_s, 2),
            wall_s=round(outcome.wall_s, 1),
        )

    def _save(self) -> None:
        spent_s = time.monotonic() - self._start
        self._scores = dataclasses.replace(self._scores, spent_s=spent_s)
        self._scores.write(self._out)
        self._out.with_suffix(".md").write_text(page(self._scores, self._against))


def _killer(outcome: Outcome) -> str:
    """The line of the failed test, or the end of the output."""
    if outcome.status != "killed":
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) .*$", outcome.output, re.MULTILINE)
    return failed[0][:300] if failed else outcome.output[-300:]


if __name__ == "__main__":
    main()
