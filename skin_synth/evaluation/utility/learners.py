"""The utility study at work: each arm, each kind of classifier, each seed, or from the cache."""

from __future__ import annotations

import abc
import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.statistics.intervals import LEVEL
from skin_synth.evaluation.utility import classifier_training as training
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.arms import Arm
from skin_synth.evaluation.utility.comparison import PRIMARY, Predictions
from skin_synth.provenance import content_hash
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress

SEEDS = 5
REPLICATES = 1000
PAINT, VIEWS = 0x7574_696C, 0x7669_6577
"""What random numbers are for: keeps the streams of one seed apart from each other's."""

Paint = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Labels int64[n] and seeds int64[n] to images uint8[n, side, side, 3]."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What all arms of a study share.

    Attributes:
        seeds: number of trainings of each arm; each has its own weights, batches and synthetic
            images.
        ratios: synthetic images drawn for each real one.
        steps: batches of every training.
        pool: synthetic images of each class, painted anew for each seed.
        views: of each real training image that a frozen extractor sees; of others it sees one.
        replicates: of the bootstrap.
    """

    seeds: int
    ratios: tuple[float, ...]
    steps: int
    pool: int
    views: int = training.VIEWS
    replicates: int = REPLICATES

    def __post_init__(self) -> None:
        """Checks the ranges; ratios are checked where arms are made."""
        if self.seeds < 2:
            raise InputError(
                f"needs two seeds or more to tell a gain from luck, got {self.seeds}; "
                f"{SEEDS} are usual"
            )
        for name in ("steps", "pool", "views"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, got {getattr(self, name)}")
        if self.replicates < 100:
            raise InputError(f"replicates must be 100 or more, got {self.replicates}")


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """Trains each arm, with each kind of classifier, for each seed."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    paint: Paint
    paint_id: str
    extractor: Extractor | None
    protocol: Protocol
    arms: tuple[Arm, ...]
    cache: Cache

    def predictions(self) -> list[Predictions]:
        """Of every arm with every kind of classifier."""
        learners: list[_Learner] = [_Cnn(self)]
        if self.extractor is not None:
            learners.append(_LinearHead(self, self.extractor))
        found: dict[tuple[str, str], list[dict[str, np.ndarray]]] = {
            (learner.name, arm.name): [] for learner in learners for arm in self.arms
        }
        total = len(found) * self.protocol.seeds
        with Progress(total=total, unit="classifiers", description="utility") as progress:
            for seed in range(self.protocol.seeds):
                synthetic = _Synthetic(self, seed)
                for learner in learners:
                    for arm in self.arms:
                        arrays = self.cache.arrays(
                            "training",
                            (key_text({**learner.key, **self.key(arm, seed)}),),
                            functools.partial(learner.predict, arm, seed, synthetic),
                        )
                        found[learner.name, arm.name].append(arrays)
                        progress.update()
        return [
            Predictions(
                arm,
                learner.name,
                np.stack([arrays["validation"] for arrays in found[learner.name, arm.name]]),
                np.stack([arrays["test"] for arrays in found[learner.name, arm.name]]),
            )
            for learner in learners
            for arm in self.arms
        ]

    @functools.cached_property
    def data_hash(self) -> str:
        """Over all real images and their labels."""
        splits = (self.train, self.validation, self.test)
        return content_hash(*(array for split in splits for array in (split.images, split.labels)))

    def painter_key(self, seed: int) -> dict[str, Any]:
        """What the synthetic images of a seed follow from."""
        classes = len(self.train.class_names)
        return {
            "paint": self.paint_id,
            "pool": self.protocol.pool,
            "classes": classes,
            "seed": seed,
        }

    def key(self, arm: Arm, seed: int) -> dict[str, Any]:
        """All that an arm of a seed follows from, the classifier aside."""
        return {
            "arm": dataclasses.asdict(arm),
            "data": self.data_hash,
            "seed": seed,
            "steps": self.protocol.steps,
            "batch_size": training.BATCH_SIZE,
            "augmentation": training.AUGMENTATION,
            "synthetic": self.painter_key(seed) if arm.ratio else None,
        }

    def describe(self, comparisons: int) -> dict[str, Any]:
        """The protocol, for the report."""
        linear = self.extractor and {
            "name": f"linear head on {self.extractor.name}",
            "learning_rate": training.LEARNING_RATE["linear"],
            "dimension": self.extractor.dimension,
            **self.extractor.provenance,
        }
        cnn = {"name": "cnn", "learning_rate": training.LEARNING_RATE["cnn"]}
        return {
            **dataclasses.asdict(self.protocol),
            "ratios": list(self.protocol.ratios),
            "batch_size": training.BATCH_SIZE,
            "augmentation": training.AUGMENTATION,
            "classifiers": [cnn, linear] if linear else [cnn],
            "primary_metric": PRIMARY,
            "level": LEVEL,
            "correction": f"Bonferroni, {comparisons} comparisons (ratios x classifiers)",
            "specificity": metrics.SPECIFICITY,
            "calibration_bins": metrics.CALIBRATION_BINS,
        }


class _Synthetic:
    """Synthetic images of one seed, painted when they are asked for."""

    def __init__(self, study: Study, seed: int) -> None:
        self._study, self.seed = study, seed
        self.labels = np.repeat(np.arange(len(study.train.class_names)), study.protocol.pool)

    @functools.cached_property
    def images(self) -> np.ndarray:
        rng = np.random.default_rng([PAINT, self.seed])
        images = self._study.paint(self.labels, rng.integers(0, 2**63 - 1, len(self.labels)))
        shape = (len(self.labels), *self._study.train.images.shape[1:])
        if images.shape != shape or images.dtype != np.uint8:
            raise InputError(
                f"paint must give uint8{list(shape)}, as the real images are; got "
                f"{images.dtype}{list(images.shape)}"
            )
        return images


class _Learner(abc.ABC):
    """One kind of classifier."""

    name: str
    key: dict[str, Any]

    def __init__(self, study: Study) -> None:
        self.study = study

    def predict(self, arm: Arm, seed: int, synthetic: _Synthetic) -> dict[str, np.ndarray]:
        """Trains an arm; probabilities float32[n, classes] on validation and test images."""
        real = self.study.train
        inputs, labels = self.real, real.labels
        if arm.ratio:
            inputs = np.concatenate([inputs, self.painted(synthetic)])
            labels = np.concatenate([labels, synthetic.labels])
        pool = training.Pool(inputs, labels, np.arange(len(labels)) >= len(real))
        validation, test = self.trainer.probabilities(
            pool,
            arm,
            real.class_counts,
            *self.held_out,
            seed=seed,
            steps=self.study.protocol.steps,
        )
        return {"validation": validation, "test": test}

    @property
    @abc.abstractmethod
    def trainer(self) -> training.Trainer:
        """Of networks that take this kind of inputs."""

    @property
    @abc.abstractmethod
    def real(self) -> np.ndarray:
        """Inputs made of the real training images."""

    @property
    @abc.abstractmethod
    def held_out(self) -> list[np.ndarray]:
        """Inputs made of the validation and of the test images."""

    @abc.abstractmethod
    def painted(self, synthetic: _Synthetic) -> np.ndarray:
        """Inputs made of synthetic images."""


class _Cnn(_Learner):
    """A CNN from scratch."""

    name = "cnn"

    def __init__(self, study: Study) -> None:
        super().__init__(study)
        self.key = {"classifier": self.name, "learning_rate": training.LEARNING_RATE["cnn"]}

    @property
    def trainer(self) -> training.Trainer:
        side, classes = self.study.train.images.shape[1], len(self.study.train.class_names)
        return training.cnn_trainer(side, classes)

    @property
    def real(self) -> np.ndarray:
        return self.study.train.images

    @property
    def held_out(self) -> list[np.ndarray]:
        return [self.study.validation.images, self.study.test.images]

    def painted(self, synthetic: _Synthetic) -> np.ndarray:
        return synthetic.images


class _LinearHead(_Learner):
    """A linear head on cached features, standardised by those of the real training images."""

    def __init__(self, study: Study, extractor: Extractor) -> None:
        super().__init__(study)
        self._extractor = extractor
        self._painted: tuple[int, np.ndarray] | None = None
        self.name = f"linear head on {extractor.name}"
        self.key = {
            "classifier": self.name,
            "learning_rate": training.LEARNING_RATE["linear"],
            "views": study.protocol.views,
            "extractor": {**extractor.provenance, "dimension": extractor.dimension},
        }

    @property
    def trainer(self) -> training.Trainer:
        classes = len(self.study.train.class_names)
        return training.linear_trainer(self._extractor.dimension, classes)

    @functools.cached_property
    def real(self) -> np.ndarray:
        return self._standard(self._real)

    @functools.cached_property
    def held_out(self) -> list[np.ndarray]:
        found = []
        for split in (self.study.validation, self.study.test):
            key = {"images": content_hash(split.images)}
            views = self._views(functools.partial(getattr, split, "images"), key, views=1, seed=0)
            found.append(self._standard(views)[:, 0])
        return found

    def painted(self, synthetic: _Synthetic) -> np.ndarray:
        if self._painted is None or self._painted[0] != synthetic.seed:
            views = self._views(
                functools.partial(getattr, synthetic, "images"),
                self.study.painter_key(synthetic.seed),
                views=1,
                seed=0,
            )
            # As they are, in place of all views: with views of their own, mere copies of training
            # images would bring more augmentation than the control has, and look like a gain.
            views = views.repeat(self.study.protocol.views, axis=1)
            self._painted = (synthetic.seed, self._standard(views))
        return self._painted[1]

    @functools.cached_property
    def _real(self) -> np.ndarray:
        images = self.study.train.images
        key = {"images": content_hash(images)}
        return self._views(lambda: images, key, views=self.study.protocol.views, seed=0)

    def _standard(self, views: np.ndarray) -> np.ndarray:
        original = self._real[:, 0].astype(np.float64)
        mean, spread = original.mean(axis=0), original.std(axis=0)
        spread = np.where(spread > 1e-6, spread, 1.0)
        return ((views - mean) / spread).astype(np.float32)

    def _views(
        self, images: Callable[[], np.ndarray], key: dict[str, Any], *, views: int, seed: int
    ) -> np.ndarray:
        full = {
            "extractor": self.key["extractor"],
            "of": key,
            "views": views,
            "seed": seed,
            "augmentation": training.AUGMENTATION,
        }

        def compute() -> dict[str, np.ndarray]:
            key = VIEWS + seed
            found = training.feature_views(self._extractor, images(), views=views, seed=key)
            return {"features": found}

        return self.study.cache.arrays("views", (key_text(full),), compute)["features"]


def key_text(key: Mapping[str, Any]) -> str:
    """A key of plain JSON values as text; the order of its entries does not matter."""
    return json.dumps(key, sort_keys=True)
