"""How often the verdict names a fault of a faultless generator, and finds planted faults.

Each seed has other phantoms (three classes, 60 images of each in every split), and an extractor and
a judge trained on them. A seed takes about a minute of CPU time: two trainings and fourteen
verdicts. `--state FILE` keeps each verdict, so that a killed study resumes and seeds can be added;
a state of other code is refused.

    python -m benchmarks.verdict --seeds 20 --state runs/verdict.json

Ends with 1 if a fault of a faultless generator was named in more than one seed of twenty, or a
planted fault was not named in every seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import hashlib
import io
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from skin_synth import evaluation, phantoms
from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.classifier import Classifier, train_classifier
from skin_synth.evaluation.features.extractors import Extractor, of_classifier
from skin_synth.evaluation.image_sets import ImageSets
from skin_synth.evaluation.look_alikes import Leak
from skin_synth.evaluation.measurements import Measurements
from skin_synth.evaluation.verdict.verdict import permutations_for, reach_verdict
from skin_synth.phantoms import render
from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress

MODES: Mapping[str, tuple[str, ...]] = {
    "mole": ("disc", "cluster"),
    "blotch": ("blotch",),
    "ring": ("ring",),
}
COUNT, SIZE, STEPS = 60, 32, 60
LABELS = np.repeat(np.arange(len(MODES)), COUNT)
TOLERATED = 0.05
"""Share of seeds in which a fault of a faultless generator may be named."""
FAULTLESS = "faultless"
TRAIN, TEST, FLOOR, GENERATED = range(4)
"""Uses of the phantoms of a seed; no lesion is in two collections."""

State = dict[str, dict[str, list[str]]]
"""By generator and seed: the faults that were named."""


def main() -> int:
    """Prints, for each kind of generator, how often which faults are named."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--state", type=Path, help="file that keeps what is done (default: none)")
    parser.add_argument(
        "--generators", nargs="*", choices=tuple(GENERATORS), default=tuple(GENERATORS)
    )
    options = parser.parse_args()
    state = study(options.seeds, options.generators, options.state)
    wrong = 0
    for name in options.generators:
        verdicts = [state[name][str(seed)] for seed in range(options.seeds)]
        right = is_right(name, verdicts)
        wrong += not right
        counts = {
            fault: sum(fault in v for v in verdicts)
            for fault in sorted({fault for v in verdicts for fault in v})
        }
        said = ", ".join(f"{fault} {count}" for fault, count in counts.items()) or "no fault"
        named = sum(map(bool, verdicts))
        print(
            f"{name:26s} faults in {named} of {options.seeds}: {said}{'' if right else '   WRONG'}"
        )
    return min(wrong, 1)


def study(seeds: int, generators: tuple[str, ...], path: Path | None) -> State:
    """Tries each generator with each seed, except for what the state at `path` holds.

    Raises:
        InputError: the file holds no state of this study.
    """
    state = read_state(path)
    with Progress(
        total=seeds * len(generators), unit="verdicts", description="verdict"
    ) as progress:
        for seed in range(seeds):
            trial = Trial(seed)
            for name in generators:
                found = state.setdefault(name, {})
                if str(seed) not in found:
                    found[str(seed)] = trial.faults(name)
                    write_state(path, state)
                progress.update()
    return state


def is_right(name: str, verdicts: list[list[str]]) -> bool:
    """Whether the verdicts on one generator are as they should be."""
    if name == FAULTLESS:
        return sum(map(bool, verdicts)) <= max(1, TOLERATED * len(verdicts))
    return all(GENERATORS[name].fault in named for named in verdicts)


def protocol() -> dict[str, int | str]:
    """Returns what verdicts of a state share: sizes, and the code of evaluation and phantoms."""
    rules = hashlib.sha256()
    for package in (evaluation, phantoms):
        for file in sorted(Path(package.__path__[0]).rglob("*.py")):
            rules.update(file.read_bytes())
    rules.update(Path(__file__).read_bytes())
    return {"count": COUNT, "size": SIZE, "steps": STEPS, "rules": rules.hexdigest()[:16]}


def read_state(path: Path | None) -> State:
    """The verdicts of the file."""
    if path is None or not path.exists():
        return {}
    try:
        kept = json.loads(path.read_text("utf-8"))
        found, state = kept["protocol"], kept["verdicts"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no state of this study: name a new file") from error
    if found != protocol():
        raise InputError(f"{path} is of another protocol, {found}: name a new file")
    return dict(state)


def write_state(path: Path | None, state: State) -> None:
    """Keeps the verdicts; the file is complete at any moment."""
    if path is not None:
        with new_file(path) as file:
            text = json.dumps({"protocol": protocol(), "verdicts": state}, indent=1)
            file.write_text(text + "\n", "utf-8")


class Trial:
    """Phantoms of one seed, and networks that are trained on them when needed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @functools.cached_property
    def splits(self) -> tuple[LabelledImages, LabelledImages, LabelledImages]:
        """Training images, reference and floor."""
        train, test, floor = (collection(self.seed, use) for use in (TRAIN, TEST, FLOOR))
        return train, test, floor

    @functools.cached_property
    def networks(self) -> tuple[Extractor, Classifier]:
        """The extractor of features, and the judge."""
        train = self.splits[0]
        extractor = of_classifier(train_classifier(train, seed=2 * self.seed, steps=STEPS))
        return extractor, train_classifier(train, seed=2 * self.seed + 1, steps=STEPS)

    def faults(self, name: str) -> list[str]:
        """The faults that the verdict names."""
        train, test, floor = self.splits
        extractor, judge = self.networks
        images = GENERATORS[name].generate(train, self.seed)
        leaked = 0
        if GENERATORS[name].fault == "leak":
            leaked = 5
            train = dataclasses.replace(
                train, groups=(*test.groups[:leaked], *train.groups[leaked:])
            )
        sets = ImageSets(train, test, floor, len(floor), images, LABELS)
        cache, permutations = Cache(None), permutations_for(len(MODES))
        measured = Measurements(sets, extractor, judge, [], cache, self.seed, permutations)
        found = reach_verdict(measured.figures(), leak=Leak(groups_in_train_and_test=leaked))
        return [fault.fault for fault in found.faults]


def fresh(
    seed: int, use: int = GENERATED, modes: Mapping[str, tuple[str, ...]] = MODES
) -> np.ndarray:
    """Phantoms of all classes, mode by mode in turn."""
    choices = [tuple(modes.values())[label] for label in LABELS]
    return np.stack(
        [
            render(10 * seed + use, row, choice[row % len(choice)], SIZE)[0]
            for row, choice in enumerate(choices)
        ]
    )


def collection(seed: int, use: int) -> LabelledImages:
    """One split of real images."""
    ids = tuple(f"{seed}/{use}/{row}" for row in range(len(LABELS)))
    return LabelledImages(fresh(seed, use), LABELS, ids, ids, tuple(MODES))


def blurred(images: np.ndarray) -> np.ndarray:
    """Each pixel and its right, lower and opposite neighbours, averaged."""
    shifts = ((0, 0), (0, 1), (1, 0), (1, 1))
    return np.mean([np.roll(images, shift, (1, 2)) for shift in shifts], axis=0).astype(np.uint8)


def noisy(images: np.ndarray, seed: int) -> np.ndarray:
    """Adds noise of twelve grey levels."""
    noise = np.random.default_rng(seed).normal(0, 12, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def bare(images: np.ndarray) -> np.ndarray:
    """Every third image is only the median colour of its left edge."""
    found = images.copy()
    found[::3] = np.median(images[::3, :, :3], axis=(1, 2)).astype(np.uint8)[:, None, None]
    return found


def encoded(images: np.ndarray) -> np.ndarray:
    """As JPEGs of quality 80."""
    found = np.empty_like(images)
    for row, image in enumerate(images):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=80)
        found[row] = np.asarray(Image.open(file))
    return found


def brighter(images: np.ndarray) -> np.ndarray:
    """By six grey levels."""
    return np.clip(images + np.int64(6), 0, 255).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Generator:
    """Makes uint8[n, SIZE, SIZE, 3] for `LABELS` from training images and a seed.

    Attributes:
        fault: what the verdict should name; empty if there is no fault.
        generate: makes the images.
    """

    fault: str
    generate: Callable[[LabelledImages, int], np.ndarray]


SWAPPED = {**MODES, "ring": ("blotch",), "blotch": ("ring",)}
GENERATORS: Mapping[str, Generator] = {
    FAULTLESS: Generator("", lambda train, seed: fresh(seed)),
    "copies": Generator("copies", lambda train, seed: train.images),
    "copies, flipped": Generator("copies", lambda train, seed: train.images[:, :, ::-1].copy()),
    "copies, turned": Generator(
        "copies", lambda train, seed: np.rot90(train.images, 1 + seed % 3, (1, 2)).copy()
    ),
    "copies, encoded anew": Generator("copies", lambda train, seed: encoded(train.images)),
    "copies, brighter": Generator("copies", lambda train, seed: brighter(train.images)),
    "a class missing": Generator(
        "missing_class", lambda train, seed: fresh(seed, modes={**MODES, "ring": ("blotch",)})
    ),
    "labels swapped": Generator("swapped_labels", lambda train, seed: fresh(seed, modes=SWAPPED)),
    "half the modes of a class": Generator(
        "little_variety", lambda train, seed: fresh(seed, modes={**MODES, "mole": ("disc",)})
    ),
    "blur": Generator("blur", lambda train, seed: blurred(fresh(seed))),
    "noise": Generator("noise", lambda train, seed: noisy(fresh(seed), seed)),
    "a third without lesion": Generator("no_lesion", lambda train, seed: bare(fresh(seed))),
    "darker by a third": Generator(
        "drift", lambda train, seed: (0.67 * fresh(seed)).astype(np.uint8)
    ),
    "groups in two splits": Generator("leak", lambda train, seed: fresh(seed)),
}


if __name__ == "__main__":
    sys.exit(main())
