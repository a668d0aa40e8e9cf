"""Agreement between observers beyond chance."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from scipy import stats

from skin_synth.evaluation.statistics.intervals import LEVEL, Interval


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """Computes Cohen's kappa (Educational and Psychological Measurement 1960) of paired answers.

    Returns:
        1 for full agreement, 0 for that of chance; None without answers, or if both observers gave
        only one and the same answer, so that chance alone explains all.
    """
    codes = {answer: code for code, answer in enumerate(dict.fromkeys([*first, *second]))}
    table = np.zeros((len(codes), len(codes)))
    for one, other in zip(first, second, strict=True):
        table[codes[one], codes[other]] += 1
    if len(codes) < 2:
        return None
    table /= table.sum()
    chance = float(table.sum(0) @ table.sum(1))
    return float((np.trace(table) - chance) / (1 - chance))


def jackknife(statistic: Callable[[np.ndarray], float | None], count: int) -> Interval | None:
    """Computes a statistic from -1 to 1 of `count` rows, with the jackknife interval over rows.

    Args:
        statistic: of int64[n] chosen rows.
        count: number of rows.

    Returns:
        None with fewer than three rows, or if the statistic of all, or of all but one, is None.
    """
    rows = np.arange(count)
    whole = statistic(rows)
    parts = [statistic(np.delete(rows, row)) for row in rows] if count > 2 else []
    known = [part for part in parts if part is not None]
    if whole is None or not known or len(known) < len(parts):
        return None
    deviation = np.sqrt((count - 1) * np.var(known))
    half = float(stats.t.ppf(0.5 + LEVEL / 2, count - 1) * deviation)
    return Interval(whole, max(-1.0, whole - half), min(1.0, whole + half))
