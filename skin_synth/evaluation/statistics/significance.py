"""Tests with valid p-values at any number of images: by ranks, by permutation, by counting."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import special, stats

MOST_PERMUTATIONS = 9_999
PERMUTATION_BLOCK = 250
"""Number of permutations whose statistics are computed together."""
ENOUGH_LOW = 20
"""After this many permutations as low as the sample, the p-value is known well enough."""


def one_of_each(groups: Sequence[str] | np.ndarray) -> np.ndarray:
    """Returns the first row of each group, in order: int64[groups].

    The tests here assume independent rows, but two photographs of one lesion are not independent.
    """
    return np.sort(np.unique(groups, return_index=True)[1])


def precedence(below: int, count: int, rank: int, others: int) -> float:
    """Precedence test: are this many of one sample below a low order statistic of another?

    If both samples are from one distribution, the number of `count` values below the `rank`-th
    smallest of `others` values is beta-binomial with parameters `rank` and
    `others` + 1 - `rank`, for every distribution (Nelson, "Tables for a precedence life test",
    Technometrics 1963). A binomial test would treat the threshold as exact, but it is an estimate.

    Args:
        below: number of values of the first sample below the threshold.
        count: size of the first sample.
        rank: of the threshold among the values of the second sample, 1 or more.
        others: size of the second sample, `rank` or more.

    Returns:
        Probability of this many or more.
    """
    if below <= 0:
        return 1.0
    k = np.arange(below, count + 1)
    # betabinom.sf subtracts from 1 and loses all digits of small p-values.
    logs = stats.betabinom.logpmf(k, count, rank, others + 1 - rank)
    return float(min(1.0, np.exp(special.logsumexp(logs))))


def fisher(hits: int, count: int, other_hits: int, other_count: int) -> float:
    """Fisher's exact test, one-sided: is the first share lower than the second by chance?

    The samples have `count` and `other_count` values.

    Returns:
        Probability of so few hits or fewer, given all hits.
    """
    table = [[hits, count - hits], [other_hits, other_count - other_hits]]
    return float(stats.fisher_exact(table, alternative="less").pvalue)


def rank_sum(first: np.ndarray, second: np.ndarray) -> float:
    """Mann and Whitney's test, one-sided: is the first sample lower than the second?

    It uses the normal approximation and a correction for ties (Annals of Mathematical Statistics
    1947).

    Returns:
        Probability of ranks of float[n] so low or lower among float[m].
    """
    found = stats.mannwhitneyu(first, second, alternative="less", method="asymptotic")
    return float(found.pvalue)


def smirnov(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Smirnov's two-sample test, two-sided: are both samples from one distribution?

    The p-value is exact for values without ties (Hodges, "The significance probability of the
    Smirnov two-sample test", Arkiv for Matematik 1958). Ties only make it larger. Both samples,
    float[n] and float[m], need at least one value.

    Returns:
        The largest distance of the two distribution functions, and the probability of one as large
        or larger.
    """
    found = stats.ks_2samp(first, second, method="exact")
    return float(found.statistic), float(found.pvalue)


def permuted(
    statistic: Callable[[np.ndarray], np.ndarray],
    size: int,
    pool: int,
    rng: np.random.Generator,
    permutations: int = MOST_PERMUTATIONS,
) -> tuple[float, float]:
    """Permutation test, one-sided: is the statistic of the first `size` rows low by chance?

    It ends early if chance explains the statistic well; the p-value stays valid (Besag and
    Clifford, "Sequential Monte Carlo p-values", Biometrika 1991). The test of scipy has no early
    end.

    Args:
        statistic: bool[choices, pool], each row a choice of `size` rows, to float[choices].
        size: number of rows of the sample, which come first in the pool.
        pool: number of all rows.
        rng: of the permutations.
        permutations: largest number of permutations.

    Returns:
        The statistic of the sample, and the share of permutations, the sample included, whose
        statistic is as low or lower.
    """
    own = np.zeros((1, pool), bool)
    own[0, :size] = True
    observed = float(statistic(own)[0])
    # Rounding must not separate equal statistics.
    limit = observed + 1e-6 * (1 + abs(observed))
    lower = 0
    for start in range(0, permutations, PERMUTATION_BLOCK):
        number = min(PERMUTATION_BLOCK, permutations - start)
        keys = rng.random((number, pool), np.float32)
        chosen = np.zeros((number, pool), bool)
        np.put_along_axis(chosen, np.argpartition(keys, size - 1, axis=1)[:, :size], True, axis=1)
        low = np.cumsum(statistic(chosen) <= limit) + lower
        if low[-1] >= ENOUGH_LOW:
            return observed, ENOUGH_LOW / (start + 1 + int(np.argmax(low >= ENOUGH_LOW)))
        lower = int(low[-1])
    return observed, (1 + lower) / (permutations + 1)
