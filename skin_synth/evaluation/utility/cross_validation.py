"""Out-of-fold predictions of an arm: each fold is predicted by a training on the others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.utility.arm_training import (
    VALIDATION,
    ArmTraining,
    TrainedArm,
    held_out_images,
)
from skin_synth.evaluation.utility.calibration import PriorCorrection
from skin_synth.evaluation.utility.folds import lesion_folds
from skin_synth.evaluation.utility.recipes import Arm, Source, learnt_shares, real_source
from skin_synth.evaluation.utility.small_site import OWN


@dataclasses.dataclass(frozen=True, eq=False)
class SyntheticImages:
    """Synthetic images for a training on own images.

    Attributes:
        source: the images, with the classes of the own images.
        class_counts: int64[classes], number of these images.
    """

    source: Source
    class_counts: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of one arm and seed for all own images, by networks not trained on them.

    Attributes:
        raw: float64[n, classes], log-probabilities of the networks.
        corrected: the same at equal class shares; the correction of a fold is fitted on the others.
    """

    raw: np.ndarray
    corrected: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class CrossValidation:
    """Trains arms on own images without one fold, and predicts for this fold.

    Attributes:
        own: the images of the site.
        synthetic: returns the synthetic images for a training on these own images, by the names
            of their sources. So a generator never learns from the fold that judges it.
        number_of_folds: 2 or more.
        training: trains an arm.
    """

    own: LabelledImages
    synthetic: Callable[[LabelledImages], Mapping[str, SyntheticImages]]
    number_of_folds: int
    training: ArmTraining

    def folds(self, seed: int) -> np.ndarray:
        """Returns the fold of each own image: int64[n]."""
        own = self.own
        return lesion_folds(own.groups, own.labels, folds=self.number_of_folds, seed=seed)

    def predict(self, arm: Arm, *, seed: int, done: Callable[[TrainedArm], None]) -> OutOfFold:
        """Trains an arm once for each fold, or reads the cache.

        Args:
            arm: uses own and synthetic images.
            seed: of the folds and the trainings.
            done: called with each training.
        """
        own, fold_of = self.own, self.folds(seed)
        raw = np.empty((len(own), len(own.class_names)))
        priors = []
        for fold in range(self.number_of_folds):
            held_out, rest = own.subset(fold_of == fold), own.subset(fold_of != fold)
            judged = {VALIDATION: held_out_images(held_out)}
            trained = self.training.run(arm, self.sources(rest), judged, seed=seed)
            raw[fold_of == fold] = trained.log_probabilities[VALIDATION]
            counts = {name: each.class_counts for name, each in self.synthetic(rest).items()}
            priors.append(learnt_shares(arm, {OWN: rest.class_counts, **counts}))
            done(trained)
        return OutOfFold(raw, self._corrected(raw, fold_of, priors))

    def sources(self, own: LabelledImages) -> dict[str, Source]:
        """Returns the sources of a training on these own images."""
        synthetic = {name: each.source for name, each in self.synthetic(own).items()}
        return {OWN: real_source(own), **synthetic}

    def _corrected(
        self, raw: np.ndarray, fold_of: np.ndarray, priors: Sequence[np.ndarray]
    ) -> np.ndarray:
        corrected = np.empty_like(raw)
        for fold, prior in enumerate(priors):
            rest = fold_of != fold
            fitted = PriorCorrection.fit(self.own.labels[rest], raw[rest], prior)
            corrected[~rest] = fitted.apply(raw[~rest])
        return corrected
