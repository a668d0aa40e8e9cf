"""AUROC and true positive rate of an attack, with intervals over lesions."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.privacy.candidates import Candidates
from skin_synth.evaluation.privacy.results import Attack, AttackFigures, Estimate
from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility.differences import resampling_weights
from skin_synth.evaluation.utility.metrics import auroc
from skin_synth.random_streams import EvaluationStream

FALSE_POSITIVE_RATE = 0.01
"""Attacks are compared at few false positives (Carlini et al., IEEE S&P 2022)."""
FEWEST_LESIONS = 10
"""Smallest number of lesions of a class, in training and held out."""
FEWEST_FOR_RATE = round(1 / FALSE_POSITIVE_RATE)
"""Smallest number of other lesions: with fewer, no threshold has 1 % false positives."""
REPLICATES = 1000
MEASURES = 2
"""AUROC and true positive rate; each can prove that an attack works."""
CHANCE = {"auroc": 0.5, "true_positives": FALSE_POSITIVE_RATE}
"""The figures of an attack that guesses."""


def true_positive_rate(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    rate: float = FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Returns the share of positives above the lowest threshold with few negatives above it.

    The threshold is the score of a negative, which counts as above. So on average a guess finds the
    share `rate` of the positives, for any number of negatives.

    Args:
        positive: bool[n], with at least one negative.
        scores: float[n], larger for positives.
        weights: float[..., n], see `utility.metrics`; None counts each image once.
        rate: largest share of negatives above the threshold.

    Returns:
        float64[...]; NaN without positives.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ranked, positive, weights = -scores[order], positive[order], weights[..., order]
    thresholds = ranked[~positive]
    missed = _weight_before(weights[..., ~positive])
    found = _weight_before(weights[..., positive])
    above = missed[..., np.searchsorted(thresholds, thresholds)]
    allowed = above / missed[..., -1:] + 1 / len(thresholds) <= rate * (1 + 1e-9)
    with np.errstate(invalid="ignore"):
        true = found[..., np.searchsorted(ranked[positive], thresholds)] / found[..., -1:]
    return np.where(allowed, true, 0 * true).max(axis=-1)


def _weight_before(weights: np.ndarray) -> np.ndarray:
    """Sums of the first 0, 1, ..., n weights: float64[..., n + 1]."""
    return np.cumsum(np.insert(weights, 0, 0, axis=-1), axis=-1, dtype=np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Replicates:
    """A figure in each bootstrap replicate; the first is that of the data.

    Attributes:
        values: float64[replicates + 1].
        variance: of the figure over lesions.
        degrees: of freedom of the variance.
    """

    values: np.ndarray
    variance: float
    degrees: float

    @classmethod
    def of(cls, values: np.ndarray, lesions: tuple[int, int], least: float = 0.0) -> Replicates:
        """Makes the replicates of a class with these lesions; the variance is at least `least`."""
        return cls(values, max(float(values[1:].var(ddof=1)), least), min(lesions) - 1)

    @classmethod
    def mean(cls, parts: list[Replicates]) -> Replicates:
        """Averages the figures of several classes, which share no lesion.

        The degrees of freedom are Satterthwaite's (Biometrics Bulletin 2:110, 1946).
        """
        variance = sum(part.variance for part in parts)
        spread = sum(part.variance**2 / part.degrees for part in parts)
        degrees = variance**2 / spread if spread > 0 else min(part.degrees for part in parts)
        values = np.mean([part.values for part in parts], axis=0)
        return cls(values, variance / len(parts) ** 2, degrees)

    def estimate(self, comparisons: int) -> Estimate:
        """Returns the figure with its intervals, which end at 0 and 1."""
        value, error = float(self.values[0]), np.sqrt(self.variance)
        ends = []
        for level in (LEVEL, 1 - (1 - LEVEL) / comparisons):
            half = error * stats.t.ppf(0.5 + level / 2, self.degrees)
            ends += [float(max(value - half, 0.0)), float(min(value + half, 1.0))]
        return Estimate(value, *ends)


@dataclasses.dataclass(frozen=True, eq=False)
class Bootstrap:
    """Resamples lesions, separately for members and others of each class.

    Attributes:
        weights: float32[replicates + 1, n], see `resampling_weights`.
        tested: the labels with enough lesions.
        rated: the labels with enough other lesions for a true positive rate.
    """

    candidates: Candidates
    weights: np.ndarray
    tested: tuple[int, ...]
    rated: tuple[int, ...]

    @classmethod
    def of(cls, candidates: Candidates, *, seed: int, replicates: int = REPLICATES) -> Bootstrap:
        """Draws the weights."""
        rng = np.random.default_rng([seed, EvaluationStream.PRIVACY_RESAMPLING])
        strata = 2 * candidates.labels + candidates.member
        weights = resampling_weights(
            candidates.groups.tolist(),
            strata,
            replicates=replicates,
            seed=int(rng.integers(2**63 - 1)),
        )
        labels = range(len(candidates.class_names))
        tested = [each for each in labels if min(candidates.lesions(each)) >= FEWEST_LESIONS]
        rated = [each for each in tested if candidates.lesions(each)[1] >= FEWEST_FOR_RATE]
        return cls(candidates, weights, tuple(tested), tuple(rated))

    def attack(self, scores: np.ndarray, *, needs_discriminator: bool, attacks: int) -> Attack:
        """Returns the figures of an attack.

        Args:
            scores: float[n], larger for members.
            needs_discriminator: see `Attack`.
            attacks: number of attacks of this kind, for the corrected intervals.
        """
        comparisons = attacks * MEASURES
        areas, rates = {}, {}
        for label in self.tested:
            rows, lesions = self.candidates.rows(label), self.candidates.lesions(label)
            judged = self.candidates.member[rows], scores[rows], self.weights[:, rows]
            areas[label] = Replicates.of(auroc(*judged), lesions)
            if label in self.rated:
                # A rate of 0 in all replicates is no proof of 0.
                least = FALSE_POSITIVE_RATE * (1 - FALSE_POSITIVE_RATE) / lesions[0]
                rates[label] = Replicates.of(true_positive_rate(*judged), lesions, least)

        def figures(label: int | None) -> AttackFigures | None:
            if label is None:
                return _figures([*areas.values()], [*rates.values()], comparisons)
            classes = len(self.candidates.class_names)
            area, rate = ([part[label]] if label in part else [] for part in (areas, rates))
            return _figures(area, rate, comparisons * classes)

        by_class = ByClass.of(self.candidates.class_names, figures)
        return Attack(
            **vars(by_class), needs_discriminator=needs_discriminator, comparisons=comparisons
        )


def _figures(
    areas: list[Replicates], rates: list[Replicates], comparisons: int
) -> AttackFigures | None:
    if not areas:
        return None
    rate = Replicates.mean(rates).estimate(comparisons) if rates else None
    return AttackFigures(Replicates.mean(areas).estimate(comparisons), rate)
