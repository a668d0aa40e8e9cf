"""Signal detection: how well an observer separates two kinds of things, whatever the bias."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from skin_synth.evaluation.statistics.intervals import LEVEL, Interval
from tfrecords_tools.errors import InputError


@dataclasses.dataclass(frozen=True)
class Detection:
    """The separation of signals from noise.

    Attributes:
        d_prime: distance of the two kinds in standard deviations; 0 is chance.
        bias: criterion c; above 0 the observer prefers "noise", below 0 "signal".
    """

    d_prime: Interval
    bias: float


def detection(hits: int, signals: int, false_alarms: int, noises: int) -> Detection:
    """Computes d' and the criterion of a yes-no task.

    Half an answer is added to each cell, so that d' is finite if all answers are right (Hautus,
    Behavior Research Methods 1995). The interval is that of Gourevitch and Galanter
    (Psychometrika 1967).

    Args:
        hits: signals that were called signals.
        signals: number of signals, 1 or more.
        false_alarms: noises that were called signals.
        noises: number of noises, 1 or more.

    Raises:
        InputError: no signals or noises, or more hits than signals.
    """
    if not (0 <= hits <= signals and 0 <= false_alarms <= noises and signals and noises):
        raise InputError(
            f"d' needs signals and noises, got {hits} of {signals} and {false_alarms} of {noises}"
        )
    counts = np.array([signals + 1, noises + 1])
    shares = np.array([hits + 0.5, false_alarms + 0.5]) / counts
    hit, alarm = scores = stats.norm.ppf(shares)
    deviation = np.sqrt(np.sum(shares * (1 - shares) / (counts * stats.norm.pdf(scores) ** 2)))
    half = float(stats.norm.ppf(0.5 + LEVEL / 2) * deviation)
    found = float(hit - alarm)
    return Detection(Interval(found, found - half, found + half), float(-(hit + alarm) / 2))
