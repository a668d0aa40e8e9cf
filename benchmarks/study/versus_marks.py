"""The images that `benchmarks.study.versus` has stored: contestant, seed and CPU minutes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.errors import InputError

OURS = "ours"
SHARED_FIELDS = ("image_size", "batch_size", "sampling_exponent")
"""Fields of a preset that ours and the baselines have in common."""


@dataclasses.dataclass(frozen=True, eq=False)
class Mark:
    """Stored images of one contestant and seed.

    Attributes:
        contestant: the GAN that generated them.
        seed: of its training.
        minutes: CPU minutes of the mark.
        images: uint8[n, side, side, 3].
        labels: int[n].
        images_seen: real images drawn until then.
        cpu_seconds: of training until then.
    """

    contestant: str
    seed: int
    minutes: float
    images: np.ndarray
    labels: np.ndarray
    images_seen: int
    cpu_seconds: float

    @property
    def name(self) -> str:
        """Contestant and seed."""
        return f"{self.contestant}-{self.seed}"


def contestants(marks: Iterable[Mark]) -> list[str]:
    """Names of the contestants, ours first."""
    return sorted({mark.contestant for mark in marks}, key=lambda name: (name != OURS, name))


def load_marks(
    directory: Path, data_fingerprint: str
) -> tuple[dict[float, list[Mark]], list[Mark]]:
    """The marks and seeds that every contestant has, by CPU minutes, and the marks left out.

    Raises:
        InputError: no marks, another data set, contestants or seeds of one trained with different
            settings, or marks without a saved state.
    """
    _check_states(directory)
    settings, found = [], []
    training: dict[str, dict[str, Any]] = {}
    for state_file in sorted(directory.glob("*/state.json")):
        entry = json.loads(state_file.read_text())["entry"]
        who = entry["contestant"], entry["seed"]
        settings.append(_shared(entry))
        own = {name: value for name, value in entry.items() if name != "seed"}
        if training.setdefault(who[0], own) != own:
            raise InputError(
                f"{directory} holds seeds of {who[0]!r} that were trained unlike, see their "
                "state.json: give each training its own --out"
            )
        found += [_load_mark(path, *who) for path in sorted(state_file.parent.glob("mark-*.npz"))]
    agreed = {name: value for entry in settings for name, value in entry.items()}
    agreed["fingerprint"] = data_fingerprint
    if any(not entry.items() <= agreed.items() for entry in settings):
        raise InputError(
            f"{directory} holds contestants trained on other data than --data, or with unlike "
            "preset, policy, threads or clock: give each comparison its own --out"
        )
    names = contestants(found)
    if OURS not in names or len(names) < 2:
        raise InputError(f"{directory} holds marks of {names}: train ours and another")
    common: dict[float, list[Mark]] = {}
    for minutes in sorted({mark.minutes for mark in found}):
        here = [mark for mark in found if mark.minutes == minutes]
        seeds = set.intersection(
            *({mark.seed for mark in here if mark.contestant == who} for who in names)
        )
        if seeds:
            common[minutes] = [mark for mark in here if mark.seed in seeds]
    if not common:
        raise InputError(f"{directory} has no mark and seed that all of {names} have")
    compared = [mark for here in common.values() for mark in here]
    return common, [mark for mark in found if mark not in compared]


def _check_states(directory: Path) -> None:
    started = {path.parent for path in directory.glob("*/state.json")}
    if lost := sorted({path.parent for path in directory.glob("*/mark-*.npz")} - started):
        raise InputError(
            f"{lost[0]} holds marks and no state: its training was killed; repeat its command, or "
            "remove it"
        )


def _shared(entry: dict[str, Any]) -> dict[str, Any]:
    """What all contestants must agree on; variants of ours name the fields that they change."""
    fields = ("image_size",) if entry["contestant"].startswith(f"{OURS} ") else SHARED_FIELDS
    own = {name: entry[name] for name in ("policy", "threads", "fingerprint")}
    own["by_images"] = entry.get("rate") is not None
    if not own["by_images"]:
        own["xla"] = entry.get("xla", False)  # it changes what a CPU does in a minute
    return own | {name: entry["preset"][name] for name in fields}


def _load_mark(path: Path, contestant: str, seed: int) -> Mark:
    with np.load(path) as stored:
        return Mark(
            contestant,
            seed,
            float(path.stem.removeprefix("mark-")),
            stored["images"],
            stored["labels"],
            int(stored["images_seen"]),
            float(stored["cpu_seconds"]),
        )
