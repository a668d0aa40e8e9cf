"""Tests whose p-values hold at any number of images: by ranks, by permutation, by counting."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

PERMUTATIONS = 9_999
AT_A_TIME = 250
"""Permutations whose statistics are computed together."""
ENOUGH = 20
"""Permutations as low as the sample after which the p-value is known well enough."""


def one_of_each(groups: Sequence[str] | np.ndarray) -> np.ndarray:
    """The first row of each group: int64[groups], in order.

    The tests here take rows for independent, which two photographs of one lesion are not.
    """
    return np.sort(np.unique(groups, return_index=True)[1])


def precedence(below: int, count: int, rank: int, others: int) -> float:
    """Precedence test: are so many of one sample below a low order statistic of another?

    Where both samples are from one distribution, the number of `count` values that lie below the
    `rank`-th smallest of `others` values is beta-binomial with parameters `rank` and
    `others` + 1 - `rank`, whatever the distribution (Nelson, "Tables for a precedence life test",
    Technometrics 1963). A binomial test would take the threshold for exact, which it is not.

    Args:
        below: how many values of the first sample lie below the threshold.
        count: size of the first sample.
        rank: of the threshold among the values of the second sample, 1 or more.
        others: size of the second sample, `rank` or more.

    Returns:
        Probability of so many or more.
    """
    if below <= 0:
        return 1.0
    a, b = rank, others + 1 - rank
    logs = np.array(
        [
            math.lgamma(count + 1)
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + _log_beta(k + a, count - k + b)
            - _log_beta(a, b)
            for k in range(below, count + 1)
        ]
    )
    return float(min(1.0, np.exp(logs).sum()))


def fisher(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """Fisher's exact test, one-sided: is the first share lower than the second by chance?

    Args:
        hits: of the first sample.
        count: size of the first sample.
        other_hits: of the second sample.
        other_count: size of the second sample.

    Returns:
        Probability of so few hits or fewer, given all hits.
    """
    total, drawn = count + other_count, hits + other_hits
    lowest = max(0, drawn - other_count)
    logs = np.array(
        [
            _log_choose(count, k) + _log_choose(other_count, drawn - k) - _log_choose(total, drawn)
            for k in range(lowest, hits + 1)
        ]
    )
    return float(min(1.0, np.exp(logs).sum()))


def rank_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Mann and Whitney's test, one-sided: does the first sample lie lower than the second?

    With the normal approximation and correction for ties (Annals of Mathematical Statistics 1947).

    Args:
        first: float[n].
        second: float[m].

    Returns:
        Probability of ranks so low or lower.
    """
    n, m = len(first), len(second)
    _, inverse, counts = np.unique(
        np.concatenate([first, second]), return_inverse=True, return_counts=True
    )
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    statistic = ranks[:n].sum() - n * (n + 1) / 2
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    return statistics.NormalDist().cdf((statistic + 0.5 - n * m / 2) / math.sqrt(variance))


def kolmogorov_smirnov(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Smirnov's two-sample test, two-sided: are both samples from one distribution?

    The p-value is exact for values without ties: the samples in order are a walk on a lattice, of
    which each is as probable (Hodges, "The significance probability of the Smirnov two-sample
    test", Arkiv for Matematik 1958). Ties only make it larger.

    Args:
        first: float[n], n above 0.
        second: float[m], m above 0.

    Returns:
        The largest distance of the two distribution functions, and the probability of one that is
        as large or larger.
    """
    n, m = len(first), len(second)
    values = np.concatenate([first, second])
    below = [np.searchsorted(np.sort(sample), values, side="right") for sample in (first, second)]
    largest = int(np.abs(m * below[0] - n * below[1]).max())
    if not largest:
        return 0.0, 1.0
    taken = np.arange(n + 1)
    inside = np.zeros(n + 1)
    inside[0] = 1.0
    left_out = 0.0
    for step in range(n + m):
        rest = n + m - step
        moved = inside * (m - (step - taken)) / rest
        moved[1:] += inside[:-1] * (n - taken[:-1]) / rest
        far = np.abs(m * taken - n * (step + 1 - taken)) >= largest
        left_out += float(moved[far].sum())
        inside = np.where(far, 0.0, moved)
    return largest / (n * m), min(left_out, 1.0)


def permuted(
    statistic: Callable[[np.ndarray], np.ndarray],
    size: int,
    pool: int,
    rng: np.random.Generator,
    permutations: int = PERMUTATIONS,
) -> tuple[float, float]:
    """Permutation test, one-sided: is the statistic of the first `size` rows low by chance?

    It ends early where chance explains the statistic well, which leaves the p-value valid (Besag
    and Clifford, "Sequential Monte Carlo p-values", Biometrika 1991).

    Args:
        statistic: of choices bool[choices, pool], a row for each choice of `size` rows: float
            [choices].
        size: rows of the pool that are the sample; they come first.
        pool: rows in all.
        rng: of the permutations.
        permutations: how many at most.

    Returns:
        The sample's own statistic, and the share of permutations, itself included, with one that
        is as low or lower.
    """
    own = np.zeros((1, pool), bool)
    own[0, :size] = True
    observed = float(statistic(own)[0])
    # Rounding must not tell equal statistics apart.
    limit = observed + 1e-6 * (1 + abs(observed))
    lower = 0
    for start in range(0, permutations, AT_A_TIME):
        number = min(AT_A_TIME, permutations - start)
        keys = rng.random((number, pool), np.float32)
        chosen = np.zeros((number, pool), bool)
        np.put_along_axis(chosen, np.argpartition(keys, size - 1, axis=1)[:, :size], True, axis=1)
        low = np.cumsum(statistic(chosen) <= limit) + lower
        if low[-1] >= ENOUGH:
            return observed, ENOUGH / (start + 1 + int(np.argmax(low >= ENOUGH)))
        lower = int(low[-1])
    return observed, (1 + lower) / (permutations + 1)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
