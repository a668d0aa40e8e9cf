"""Metrics of classifiers: pure functions of labels, probabilities and optional weights.

In all of them `labels` is int[n], true classes, and `probabilities` is float[n, classes], rows sum
to 1. For a class against the rest, `positive` is bool[n] and `scores` is float[n], larger for
positives. `weights`, float[..., n], count an image several times or not at all, as a bootstrap
does; None counts each once. Leading axes are replicates; a metric has one value for each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tfrecords_tools.errors import InputError

SPECIFICITY = 0.95
LARGEST_FALSE_POSITIVE_RATE = 0.1
"""End of the partial ROC curve: specificity of .9 or more."""
CALIBRATION_BINS = 15
"""As in Guo et al. (ICML 2017)."""


def sensitivity(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the share of the images of each class whose most probable class is right.

    This recall is float64[..., classes]; NaN for a class without images. Of equal probabilities the
    first counts.
    """
    weights = _weights(labels, probabilities, weights)
    of_class = labels[:, None] == np.arange(probabilities.shape[1])
    right = of_class & (probabilities.argmax(axis=1) == labels)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ right.astype(float)) / (weights @ of_class.astype(float))


def balanced_accuracy(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean of `sensitivity` over the classes with images: float64[...]."""
    return mean_over_classes(sensitivity(labels, probabilities, weights))


def auroc(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Computes the area under the ROC curve: P(score of a positive > score of a negative).

    It is the Mann-Whitney statistic (Hanley & McNeil, Radiology 143:29, 1982); ties count half.
    The area is float64[...]; NaN without positives or without negatives.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    weights, positive = weights[..., order], positive[order]
    negatives = np.where(positive, 0.0, weights)
    below = np.cumsum(np.insert(negatives, 0, 0, axis=-1), axis=-1, dtype=np.float64)
    positives = ranked[positive]
    lower = below[..., np.searchsorted(ranked, positives, side="left")]
    lower_or_tied = below[..., np.searchsorted(ranked, positives, side="right")]
    chosen = weights[..., positive]
    pairs = (chosen * (lower + lower_or_tied) / 2).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return pairs / (chosen.sum(axis=-1) * below[..., -1])


def class_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns `auroc` of each class against the rest: float64[..., classes]."""
    return _by_class(auroc, labels, probabilities, weights)


def macro_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean of `class_auroc` over the classes with images: float64[...]."""
    return mean_over_classes(class_auroc(labels, probabilities, weights))


def partial_auroc(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    largest: float = LARGEST_FALSE_POSITIVE_RATE,
) -> np.ndarray:
    """Computes the area under the ROC curve up to the false positive rate `largest`.

    The area is standardised (McClish, Medical Decision Making 9:190, 1989): 0.5 is chance, 1 is
    perfect. The curve is linear between its points, also inside a tie. `largest` is in (0, 1].
    The area is float64[...]; NaN without positives or without negatives.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    weights, positive = weights[..., order], positive[order]
    with np.errstate(invalid="ignore", divide="ignore"):
        false, true = (
            counts[..., ends] / counts[..., -1:]
            for counts in (
                np.cumsum(np.where(which, weights, 0.0), axis=-1, dtype=np.float64)
                for which in (~positive, positive)
            )
        )
    width = np.diff(false, axis=-1, prepend=0)
    rise = np.diff(true, axis=-1, prepend=0)
    kept = np.clip(largest - (false - width), 0, width)
    share = np.divide(kept, width, out=np.zeros_like(kept), where=width > 0)
    area = (kept * (true - rise + rise * share / 2)).sum(axis=-1)
    chance = largest**2 / 2
    return (1 + (area - chance) / (largest - chance)) / 2


def class_partial_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns `partial_auroc` of each class against the rest: float64[..., classes]."""
    return _by_class(partial_auroc, labels, probabilities, weights)


def macro_partial_auroc(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean of `class_partial_auroc` over the classes with images: float64[...]."""
    return mean_over_classes(class_partial_auroc(labels, probabilities, weights))


def sensitivity_at_specificity(
    positive: np.ndarray,
    scores: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    specificity: float = SPECIFICITY,
) -> np.ndarray:
    """Returns the share of positives above the lowest threshold that keeps the specificity.

    At least the share `specificity` of the negatives is at or below that threshold. The share is
    float64[...]; NaN without positives or without negatives.
    """
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(scores, kind="stable")
    ranked, positive, weights = scores[order], positive[order], weights[..., order]
    negatives = np.cumsum(weights[..., ~positive], axis=-1, dtype=np.float64)
    positives = np.cumsum(weights[..., positive], axis=-1, dtype=np.float64)
    if not negatives.shape[-1] or not positives.shape[-1]:
        return np.full(weights.shape[:-1], np.nan)
    needed = (specificity - 1e-9) * negatives[..., -1:]
    thresholds = np.append(ranked[~positive], -np.inf)
    kept = np.where(needed[..., 0] > 0, (negatives < needed).sum(axis=-1), -1)
    missed = np.searchsorted(ranked[positive], thresholds[kept], side="right")
    below = np.insert(positives, 0, 0, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        total, lost = below[..., -1], np.take_along_axis(below, missed[..., None], axis=-1)
        found = (total - lost[..., 0]) / total
    return np.where(negatives[..., -1] > 0, found, np.nan)


def class_sensitivity_at_specificity(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns `sensitivity_at_specificity` of each class: float64[..., classes]."""
    return _by_class(sensitivity_at_specificity, labels, probabilities, weights)


def class_log_loss(
    labels: np.ndarray, log_probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean log loss of the images of each class.

    Args:
        labels: int[n].
        log_probabilities: float[n, classes], natural logarithms; a probability of 0 has none.
        weights: float[..., n].

    Returns:
        float64[..., classes], in nats, 0 or more; NaN for a class without images.
    """
    weights = _weights(labels, log_probabilities, weights)
    of_class = (labels[:, None] == np.arange(log_probabilities.shape[1])).astype(float)
    losses = of_class * -log_probabilities.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (weights @ losses) / (weights @ of_class)


def class_balanced_log_loss(
    labels: np.ndarray, log_probabilities: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean of `class_log_loss` over the classes with images: float64[...], in nats.

    Each class counts equally, however rare it is. 0 is best; equal probabilities for all classes
    give log(classes).
    """
    return mean_over_classes(class_log_loss(labels, log_probabilities, weights))


def calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS
) -> float:
    """Computes the expected calibration error (Guo et al., ICML 2017, eq. 3); 0 is best.

    It is the mean over images of |accuracy - mean confidence| of their bin. Confidence is that of
    the most probable class; the bins have equal width over (0, 1].
    """
    _weights(labels, probabilities, None)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    excess = np.bincount(number, weights=right - confidence, minlength=bins)
    return float(np.abs(excess).sum() / len(labels))


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Computes the mean squared distance to the truth (Brier, Mon. Weather Rev. 78:1, 1950).

    It is 0 if all are certain and right, 2 if all are certain and wrong.
    """
    _weights(labels, probabilities, None)
    truth = labels[:, None] == np.arange(probabilities.shape[1])
    return float(np.square(probabilities.astype(np.float64) - truth).sum(axis=1).mean())


def mean_over_classes(values: np.ndarray) -> np.ndarray:
    """Returns the mean over the classes with a figure, as in `macro_auroc`.

    Args:
        values: float[..., classes]; NaN for a class without a figure.

    Returns:
        float64[...]; NaN if no class has a figure.
    """
    finite = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(finite, values, 0.0).sum(axis=-1) / finite.sum(axis=-1)


def _weights(
    labels: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """Checks that the arrays fit, and returns the weights or ones."""
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise InputError(
            "needs labels [n] and probabilities [n, classes] of one image or more, got "
            f"{list(labels.shape)} and {list(probabilities.shape)}"
        )
    if labels.min() < 0 or labels.max() >= probabilities.shape[1]:
        raise InputError(
            f"labels must be from 0 to {probabilities.shape[1] - 1}, the last column of the "
            f"probabilities; got {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(probabilities).all():
        raise InputError("probabilities must be finite; got some that are not")
    if weights is None:
        return np.ones(len(labels))
    if weights.shape[-1:] != labels.shape:
        raise InputError(f"needs {len(labels)} weights per row, got {list(weights.shape)}")
    return weights


def _by_class(
    metric: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    labels: np.ndarray,
    probabilities: np.ndarray,
    weights: np.ndarray | None,
) -> np.ndarray:
    weights = _weights(labels, probabilities, weights)
    columns = enumerate(probabilities.T)
    return np.stack([metric(labels == label, each, weights) for label, each in columns], axis=-1)
