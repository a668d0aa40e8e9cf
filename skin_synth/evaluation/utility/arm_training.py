"""Trains one arm with one seed, phase by phase; the cache keeps states and predictions."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.utility.classifiers.training import State, Trainer
from skin_synth.evaluation.utility.recipes import Arm, Source, pool_of
from skin_synth.provenance import content_hash

CURVE_POINTS = 6
"""Points of the curves of training and validation loss in the last phase."""
CURVE_IMAGES = 256
"""Largest number of validation images for the curve, spread evenly over all of them."""
VALIDATION = "validation"
"""Name of the held-out images for the curve."""
PREDICTIONS = "predictions"


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Images to predict: uint8[n, side, side, 3], labels int64[n]; `key` identifies the content."""

    images: np.ndarray
    labels: np.ndarray
    key: str


def held_out_images(images: LabelledImages) -> HeldOut:
    """Returns images to predict for."""
    return HeldOut(images.images, images.labels, content_hash(images.images, images.labels))


@dataclasses.dataclass(frozen=True, eq=False)
class TrainedArm:
    """The result of one training.

    Attributes:
        log_probabilities: float32[n, classes] of each set of held-out images, by its name.
        steps: int64[points], steps of the losses, all in the last phase.
        training_loss: float64[points], mean since the previous point; the first is NaN.
        validation_loss: float64[points], mean cross-entropy of the validation images.
        earlier_losses: float32[steps], training loss of each step before the last phase.
        reused: whether the cache had it.
    """

    log_probabilities: dict[str, np.ndarray]
    steps: np.ndarray
    training_loss: np.ndarray
    validation_loss: np.ndarray
    earlier_losses: np.ndarray
    reused: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class ArmTraining:
    """Trains arms of one study.

    Attributes:
        trainer: trains one kind of classifier.
        total: steps of each training.
        cache: keeps predictions and states at the end of phases; `run` keeps no state of the last
            phase.
    """

    trainer: Trainer
    total: int
    cache: Cache

    def run(
        self,
        arm: Arm,
        sources: Mapping[str, Source],
        held_out: Mapping[str, HeldOut],
        *,
        seed: int,
    ) -> TrainedArm:
        """Trains an arm and predicts for all held-out images, or reads the cache.

        Args:
            arm: determines the batches.
            sources: the sources of the arm, by name.
            held_out: held-out images by name; those of `validation` give the loss curve.
            seed: of weights, batches and augmentation.
        """
        key = self.key(arm, sources, len(arm.phases), seed)
        names = [key, *(f"{name} {each.key}" for name, each in held_out.items())]
        now = []

        def train() -> dict[str, np.ndarray]:
            now.append(key)
            return self._train(arm, sources, held_out, seed)

        found = self.cache.arrays("arm", tuple(names), train)
        predictions = {name: found[f"{PREDICTIONS} {name}"] for name in held_out}
        curve = ("steps", "training_loss", "validation_loss", "earlier_losses")
        return TrainedArm(predictions, **{name: found[name] for name in curve}, reused=not now)

    def trained_state(self, arm: Arm, sources: Mapping[str, Source], *, seed: int) -> State:
        """Trains an arm without held-out images, or reads the cache; returns the last state."""
        return self._after_phases(len(arm.phases), arm, sources, seed)[0]

    def key(self, arm: Arm, sources: Mapping[str, Source], phases: int, seed: int) -> str:
        """Returns all inputs of the state after the first `phases` phases."""
        classifier = self.trainer.classifier
        # The names of sources are not part of it, so that equal images share their trainings.
        phases_key = [
            [
                phase.end,
                [[part.share, part.equal, sources[part.source].key] for part in phase.parts],
            ]
            for phase in arm.phases[:phases]
        ]
        entry = {
            "classifier": [classifier.name, classifier.weights_hash, classifier.learning_rate],
            "parameters": self.trainer.network.count_params(),
            "policy": self.trainer.policy,
            "batch": self.trainer.batch_size,
            "total": self.total,
            "seed": seed,
            "method": dataclasses.asdict(arm.method),
            "phases": phases_key,
        }
        return json.dumps(entry, sort_keys=True)

    def _train(
        self,
        arm: Arm,
        sources: Mapping[str, Source],
        held_out: Mapping[str, HeldOut],
        seed: int,
    ) -> dict[str, np.ndarray]:
        state, losses = self._after_phases(len(arm.phases) - 1, arm, sources, seed)
        pool, steps = pool_of(arm.phases[-1], sources), arm.steps(self.total)[-1]
        validation = held_out[VALIDATION]
        curve = [(steps.start, np.nan, self._loss(state, validation))]
        points = np.linspace(steps.start, steps.stop, CURVE_POINTS + 1).round().astype(int)
        ends = np.unique(points)  # a short phase has fewer steps than points
        for start, stop in itertools.pairwise(ends.tolist()):
            state, found = self.trainer.train(
                state, pool, arm.method, seed=seed, steps=range(start, stop), total=self.total
            )
            curve.append((stop, found.mean(), self._loss(state, validation)))
        numbers, training, on_validation = zip(*curve, strict=True)
        return {
            "steps": np.array(numbers, np.int64),
            "training_loss": np.array(training, np.float64),
            "validation_loss": np.array(on_validation, np.float64),
            "earlier_losses": losses,
        } | {
            f"{PREDICTIONS} {name}": self.trainer.log_probabilities(state, each.images)
            for name, each in held_out.items()
        }

    def _after_phases(
        self, done: int, arm: Arm, sources: Mapping[str, Source], seed: int
    ) -> tuple[State, np.ndarray]:
        """Returns the state after the first `done` phases, and the loss of each step until then."""
        state, losses = self.trainer.fresh(seed), np.zeros(0, np.float32)
        for number, steps in enumerate(arm.steps(self.total)[:done]):
            start, earlier = state, losses

            def compute(
                start: State = start,
                earlier: np.ndarray = earlier,
                number: int = number,
                steps: range = steps,
            ) -> dict[str, np.ndarray]:
                after, found = self.trainer.train(
                    start,
                    pool_of(arm.phases[number], sources),
                    arm.method,
                    seed=seed,
                    steps=steps,
                    total=self.total,
                )
                return after.to_arrays() | {"losses": np.concatenate([earlier, found])}

            key = self.key(arm, sources, number + 1, seed)
            kept = self.cache.arrays("phase", (key,), compute)
            losses = kept["losses"]
            state = State.from_arrays(kept)
        return state, losses

    def _loss(self, state: State, images: HeldOut) -> float:
        count = len(images.labels)
        rows = np.linspace(0, count - 1, min(count, CURVE_IMAGES)).round().astype(int)
        found = self.trainer.log_probabilities(state, images.images[rows])
        return float(-found[np.arange(len(rows)), images.labels[rows]].mean())
