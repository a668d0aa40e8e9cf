"""How often does the planned comparison show a gain, with no true gain and with a small one?

Simulated networks judge 1,500 images of about 1,100 lesions in the class shares of HAM10000. The
evidence of a network for each class is normal (binormal ROC curves). Its noise has three parts: of
an image in all networks, of an arm in all its trainings, and of a training. An arm with a gain has
a larger distance between classes. `same data` compares eight seeds; `small site` compares
five draws with two seeds each, where the gain itself varies between draws. The defaults take about
fifteen minutes on one core.

    python -m benchmarks.utility_power --studies 200
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence

import numpy as np
from scipy import special

from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.differences import GAIN, HARM, Difference, resampling_weights
from skin_synth.evaluation.utility.planned import PlannedVerdict, judge, macro_difference

COUNTS = np.array([1005, 167, 165, 77, 49, 20, 17])
"""Test images of nv, mel, bkl, bcc, akiec, vasc, df: 15 % of HAM10000."""
IMAGES_A_LESION = 1.36
PRIOR = COUNTS / COUNTS.sum()
DISTANCE = 1.7
"""Between the evidence for the true class and for another, in standard deviations of all noise."""
OF_IMAGE, OF_ARM, OF_TRAINING = 0.8, 0.08, 0.12
"""Shares of the variance of the evidence."""
OF_LESION = 0.7
"""Share of each part that images of a lesion share."""
DISTANCE_SD = 0.01
"""Of the distance between trainings."""
GAINS = (0.0, 0.003, 0.005, 0.01)
TOLERATED = 0.05


@dataclasses.dataclass(frozen=True)
class Design:
    """Draws and seeds of a study; `gain_sd` is that of the macro AUROC's gain between draws."""

    name: str
    draws: int
    seeds: int
    gain_sd: float


DESIGNS = (Design("same data", 1, 8, 0.0), Design("small site", 5, 2, 0.01))


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedImages:
    """Labels int[n], lesions int[n], and the bootstrap's weights float32[replicates + 1, n]."""

    labels: np.ndarray
    lesions: np.ndarray
    weights: np.ndarray

    @classmethod
    def drawn(cls, rng: np.random.Generator, replicates: int) -> JudgedImages:
        """Images of a class are dealt to its lesions at random."""
        labels = np.repeat(np.arange(7), COUNTS)
        lesions: list[np.ndarray] = []
        for count in COUNTS:
            number = max(2, round(count / IMAGES_A_LESION))
            extra = rng.integers(0, number, count - number)
            lesions.append(np.append(np.arange(number), extra) + sum(len(each) for each in lesions))
        lesion = np.concatenate(lesions)
        seed = int(rng.integers(2**31))
        weights = resampling_weights(
            [str(each) for each in lesion], labels, replicates=replicates, seed=seed
        )
        return cls(labels, lesion, weights)

    @property
    def lesion_counts(self) -> np.ndarray:
        """Lesions of each class, all of one class each: int64[7]."""
        _, first = np.unique(self.lesions, return_index=True)
        return np.bincount(self.labels[first])

    def noise(self, rng: np.random.Generator, share: float) -> np.ndarray:
        """Noise of this share of the variance, in part common to a lesion: float64[n, 7]."""
        common = rng.normal(size=(len(self.labels), 7))[self.lesions]
        alone = rng.normal(size=(len(self.labels), 7))
        return np.sqrt(share) * (np.sqrt(OF_LESION) * common + np.sqrt(1 - OF_LESION) * alone)


def main() -> int:
    """Prints a table for each design; 1 if a gain without a true one is shown too often."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--replicates", type=int, default=100)
    names = [design.name for design in DESIGNS]
    parser.add_argument("--designs", nargs="*", choices=names, default=names)
    options = parser.parse_args()
    wrong = 0
    for design in DESIGNS:
        if design.name in options.designs:
            start = time.perf_counter()
            verdicts = simulate(design, options.studies, options.replicates)
            show(design, verdicts, time.perf_counter() - start)
            shown = sum(each.words == GAIN for each in verdicts[0])
            wrong += shown > TOLERATED * options.studies
    return min(wrong, 1)


def simulate(
    design: Design, studies: int, replicates: int, gains: Sequence[float] = GAINS
) -> list[list[PlannedVerdict]]:
    """Returns the verdicts of the studies for each true gain; the gains share a control."""
    known_gains, known_distances = distances_by_gain()
    verdicts: list[list[PlannedVerdict]] = [[] for _ in gains]
    for study in range(studies):
        rng = np.random.default_rng([study, design.draws])
        images = JudgedImages.drawn(rng, replicates)
        shared = images.noise(rng, OF_IMAGE)
        of_draws = rng.normal(0, design.gain_sd, design.draws)
        control = figures(rng, design, images, shared, np.full(design.draws, DISTANCE))
        for gain, found in zip(gains, verdicts, strict=True):
            distance = np.interp(gain + of_draws, known_gains, known_distances)
            arm = figures(rng, design, images, shared, distance)
            found.append(
                judge(
                    *(
                        macro_difference(one, other, lesions=images.lesion_counts)
                        for one, other in zip(arm, control, strict=True)
                    )
                )
            )
    return verdicts


def figures(
    rng: np.random.Generator,
    design: Design,
    images: JudgedImages,
    shared: np.ndarray,
    distance: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and log loss of an arm by class: float64[draws, seeds, replicates + 1, 7] each."""
    shape = design.draws, design.seeds, len(images.weights), 7
    area, loss = np.empty(shape), np.empty(shape)
    for draw in range(design.draws):
        of_arm = images.noise(rng, OF_ARM)
        for seed in range(design.seeds):
            own = distance[draw] + rng.normal(0, DISTANCE_SD)
            noise = shared + of_arm + images.noise(rng, OF_TRAINING)
            evidence = own * (own * np.eye(7)[images.labels] + noise)
            probabilities = special.softmax(evidence + np.log(PRIOR), axis=1)
            area[draw, seed] = metrics.class_auroc(images.labels, probabilities, images.weights)
            loss[draw, seed] = metrics.class_log_loss(
                images.labels, special.log_softmax(evidence, axis=1), images.weights
            )
    return area, loss


def distances_by_gain(images: int = 70_000) -> tuple[np.ndarray, np.ndarray]:
    """Gains in true macro AUROC over `DISTANCE`, and the distances with them: float64[9] each."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 7
    weights = PRIOR[labels]
    noise = rng.normal(size=(images, 7))
    tried = np.linspace(DISTANCE - 0.4, DISTANCE + 0.4, 9)
    areas = [
        metrics.macro_auroc(
            labels,
            special.softmax(each * (each * np.eye(7)[labels] + noise) + np.log(PRIOR), axis=1),
            weights,
        )
        for each in tried
    ]
    return np.array(areas) - areas[len(tried) // 2], tried


def show(
    design: Design,
    verdicts: Sequence[Sequence[PlannedVerdict]],
    seconds: float,
    gains: Sequence[float] = GAINS,
) -> None:
    """Prints one design."""
    print(f"{design.name}: {design.draws} draws, {design.seeds} seeds ({seconds / 60:.0f} minutes)")
    print(
        f"{'true gain':>10}{'studies':>9}{'gain':>7}{'harm':>7}{'AUROC':>8}{'log loss':>10}"
        f"{'mean error':>12}{'coverage':>10}{'log loss by':>13}"
    )
    for gain, found in zip(gains, verdicts, strict=True):
        areas = [each.macro_auroc.difference for each in found]
        error = np.mean([each.standard_error for each in areas])
        by = np.mean([each.log_loss.difference.difference for each in found])
        print(
            f"{gain:10.3f}{len(found):9}"
            f"{share([each.words == GAIN for each in found]):7.0%}"
            f"{share([each.words == HARM for each in found]):7.0%}"
            f"{share([each.macro_auroc.words == GAIN for each in found]):8.0%}"
            f"{share([each.log_loss.words == GAIN for each in found]):10.0%}"
            f"{error:12.4f}{share([covers(each, gain) for each in areas]):10.1%}{by:13.3f}"
        )
    sys.stdout.flush()


def covers(found: Difference, gain: float) -> bool:
    """Whether the interval of one comparison holds the truth."""
    return found.low <= gain <= found.high


def share(hits: Sequence[bool]) -> float:
    """Share of true values."""
    return float(np.mean(hits))


if __name__ == "__main__":
    sys.exit(main())
