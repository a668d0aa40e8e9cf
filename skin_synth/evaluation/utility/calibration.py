"""Correction of probabilities for overconfidence and for the class shares of training.

Arms train with different class shares. Without a correction, the log loss would depend on these
shares. The correction is fitted on validation images only.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from tfrecords_tools.errors import InputError

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.25, 8.0
SMALLEST_PRIOR = 1e-3
"""Share of a class that is in no batch: a division by 0 would make this class certain."""
SMALLEST_PROBABILITY = float(np.finfo(np.float32).tiny)
HALF_WEIGHT_IMAGES = 20
"""A class with this number of validation images has half the weight of a very large class."""
TEMPERATURE_IMAGES = 2.0
"""Weight of the preference for temperature 1, in images."""
BIAS_SD = 0.5
"""Standard deviation of the normal prior of the biases."""


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Returns logarithms, float64[n, classes]; probabilities below 1.2e-38 count as 1.2e-38."""
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST_PROBABILITY))


@dataclasses.dataclass(frozen=True)
class PriorCorrection:
    """A correction to equal class shares: log_softmax(log p / temperature - log(prior) + biases).

    The temperature corrects overconfidence, which grows as a network overfits (Guo et al., ICML
    2017). The division by the prior removes the class shares of the arm's batches (logit
    adjustment, Menon et al., ICLR 2021). It comes after the temperature, because the network scales
    its prior with its logits. The biases correct what the prior does not explain, such as after a
    training in two phases.

    Attributes:
        temperature: from 0.25 to 8; above 1 for overconfident networks.
        prior: share of each class in the batches of the arm, 0.001 or more.
        biases: of each class; 0 for a class without validation images.
    """

    temperature: float
    prior: tuple[float, ...]
    biases: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        labels: np.ndarray,
        log_probabilities: np.ndarray,
        prior: npt.ArrayLike,
        *,
        biases: bool = True,
    ) -> PriorCorrection:
        """Fits the temperature and the biases on validation images.

        The fit minimises the mean over classes of the log loss, with two changes for rare classes.
        First, a class of n images has the weight n / (n + 20), because the mean of two images is
        mostly noise. The weights act as class shares, so the fit corrects to these shares; `apply`
        corrects to equal shares. Second, penalties keep the temperature near 1 and the biases near
        0, so that a class of 1 to 4 images changes them little. They are counted in images (Kish's
        effective number with these weights). A class without images is not in the fit and keeps the
        bias 0. The problem is convex in 1 / temperature and biases, so the minimum is unique.

        The constants were chosen by simulation: networks overconfident or not, with right and wrong
        priors, and 40, 150 and 1,500 validation images in the shares of HAM10000. Their
        class-balanced log loss is within 0.04 of the best constants for each case. Without biases
        it is up to 0.2 higher with a wrong prior, and at most 0.01 lower with the right one.

        Args:
            labels: int[n], true classes of one image or more.
            log_probabilities: float[n, classes], finite, see `log_of`.
            prior: float[classes], shares of the classes in the batches, in any unit.
            biases: whether to fit biases.

        Raises:
            InputError: arrays with wrong shapes or values that are not finite; a prior with a
                negative share or without a positive one.
        """
        shares = _shares(prior)
        _check(labels, log_probabilities, shares)
        classes = len(shares)
        counts = np.bincount(labels, minlength=classes)
        weights = counts / (counts + HALF_WEIGHT_IMAGES)
        weights /= weights.sum()
        with np.errstate(divide="ignore"):
            offset = np.log(weights) - np.log(shares)
        image_weights = weights[labels] / counts[labels]
        images = 1 / np.square(image_weights).sum()
        truth = np.eye(classes)[labels]
        seen = counts > 0

        def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
            scale, bias = parameters[0], parameters[1:]
            logits = scale * log_probabilities + offset + (bias if biases else 0)
            found = special.log_softmax(logits, axis=1)
            loss = -image_weights @ found[np.arange(len(labels)), labels]
            # It is 0 at 1 and rises without bound towards 0.
            loss += TEMPERATURE_IMAGES / images * (scale - 1 - np.log(scale))
            loss += np.square(bias).sum() / (2 * BIAS_SD**2 * images)
            slope = image_weights[:, None] * (np.exp(found) - truth)
            of_scale = (slope * log_probabilities).sum()
            of_scale += TEMPERATURE_IMAGES / images * (1 - 1 / scale)
            of_bias = slope.sum(axis=0) + bias / (BIAS_SD**2 * images)
            return float(loss), np.append(of_scale, np.where(seen & biases, of_bias, 0))

        bounds = [(1 / HIGHEST_TEMPERATURE, 1 / LOWEST_TEMPERATURE), *[(None, None)] * classes]
        start = np.append(1.0, np.zeros(classes))
        best = optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).x
        return cls(float(1 / best[0]), tuple(shares.tolist()), tuple(best[1:].tolist()))

    def apply(self, log_probabilities: np.ndarray) -> np.ndarray:
        """Returns corrected log-probabilities, at equal class shares: float64[n, classes].

        Args:
            log_probabilities: float[n, classes] of the same network, see `log_of`.
        """
        logits = log_probabilities.astype(np.float64) / self.temperature
        return np.asarray(
            special.log_softmax(logits - np.log(self.prior) + np.array(self.biases), axis=1)
        )


def _shares(prior: npt.ArrayLike) -> np.ndarray:
    found = np.asarray(prior, np.float64)
    if found.ndim != 1 or not np.isfinite(found).all() or found.min() < 0 or not found.sum():
        raise InputError(f"a prior needs shares of 0 or more and one above 0, got {found.tolist()}")
    return np.maximum(found / found.sum(), SMALLEST_PRIOR)


def _check(labels: np.ndarray, log_probabilities: np.ndarray, shares: np.ndarray) -> None:
    shapes = [list(each.shape) for each in (labels, log_probabilities, shares)]
    if not len(labels) or log_probabilities.shape != (len(labels), len(shares)):
        raise InputError(
            "needs labels [n], log-probabilities [n, classes] and a prior [classes] of one image "
            f"or more, got {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )
    if labels.min() < 0 or labels.max() >= len(shares):
        raise InputError(
            f"labels must be from 0 to {len(shares) - 1}, got {labels.min()} to {labels.max()}"
        )
    if not np.isfinite(log_probabilities).all():
        raise InputError("log-probabilities must be finite; take them with log_of")
