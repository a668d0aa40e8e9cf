"""Trains every arm of the study with every kind of classifier for every seed."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.utility import classifier_training as training
from skin_synth.evaluation.utility.arms import Arm
from skin_synth.evaluation.utility.comparison import Predictions
from skin_synth.evaluation.utility.results import StudyProtocol
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress

GenerateImages = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Labels int64[n] and seeds int64[n] to images uint8[n, side, side, 3]."""
CacheKey = dict[str, object]
"""All that an entry of the cache follows from: plain JSON values."""

CNN = "cnn"


def linear_head(extractor: Extractor) -> str:
    """Returns the name of the second kind of classifier."""
    return f"linear head on {extractor.name}"


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """All that trainings need; `study_splits` describes the fields, the cache keeps results."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages
    generate: GenerateImages
    generator_id: str
    extractor: Extractor | None
    protocol: StudyProtocol
    arms: tuple[Arm, ...]
    cache: Cache

    def predictions(self) -> list[Predictions]:
        """Trains every arm with every kind of classifier for every seed, or reads the cache."""
        learners: list[_Learner] = [_Learner(self)]
        if self.extractor is not None:
            learners.append(_LinearHead(self, self.extractor))
        trained = [(learner, arm) for learner in learners for arm in self.arms]
        found: list[list[Mapping[str, np.ndarray]]] = [[] for _ in trained]
        total = len(trained) * self.protocol.seeds
        with Progress(total=total, unit="classifiers", description="utility") as progress:
            for seed in range(self.protocol.seeds):
                synthetic = _Synthetic(self, seed)
                for (learner, arm), of_arm in zip(trained, found, strict=True):
                    names = (key_text(learner.key | self.key(arm, seed)),)
                    compute = functools.partial(learner.predict, arm, seed, synthetic)
                    of_arm.append(self.cache.arrays("training", names, compute))
                    progress.update()

        def stacked(of_arm: list[Mapping[str, np.ndarray]], split: str) -> np.ndarray:
            return np.stack([each[split] for each in of_arm])

        return [
            Predictions(arm, learner.name, stacked(each, "validation"), stacked(each, "test"))
            for (learner, arm), each in zip(trained, found, strict=True)
        ]

    @functools.cached_property
    def data_hash(self) -> str:
        """The hash of all real images and their labels."""
        splits = (self.train, self.validation, self.test)
        return content_hash(*(array for split in splits for array in (split.images, split.labels)))

    def generator_key(self, seed: int) -> CacheKey:
        """Returns what the synthetic images of a seed follow from."""
        return {
            "paint": self.generator_id,
            "pool": self.protocol.pool,
            "classes": len(self.train.class_names),
            "seed": seed,
        }

    def key(self, arm: Arm, seed: int) -> CacheKey:
        """Returns what the training of an arm and a seed follows from, except the classifier."""
        return {
            "arm": dataclasses.asdict(arm),
            "data": self.data_hash,
            "seed": seed,
            "steps": self.protocol.steps,
            "batch_size": training.BATCH_SIZE,
            "augmentation": training.AUGMENTATION,
            "synthetic": self.generator_key(seed) if arm.ratio else None,
        }


class _Synthetic:
    """Synthetic images of one seed, generated when they are first needed."""

    def __init__(self, study: Study, seed: int) -> None:
        self._study, self.seed = study, seed
        self.labels = np.repeat(np.arange(len(study.train.class_names)), study.protocol.pool)

    @functools.cached_property
    def images(self) -> np.ndarray:
        rng = np.random.default_rng([EvaluationStream.UTILITY_GENERATION, self.seed])
        images = self._study.generate(self.labels, rng.integers(0, 2**63 - 1, len(self.labels)))
        shape = (len(self.labels), *self._study.train.images.shape[1:])
        if images.shape != shape or images.dtype != np.uint8:
            raise InputError(
                f"synthetic images must be uint8{list(shape)}, as the real images are; got "
                f"{images.dtype}{list(images.shape)}"
            )
        return images


class _Learner:
    """A CNN on images; `key`, with `Study.key`, holds all that its predictions follow from."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.name = CNN
        self.key: CacheKey = {"classifier": CNN, "learning_rate": training.CNN_LEARNING_RATE}

    def predict(self, arm: Arm, seed: int, synthetic: _Synthetic) -> dict[str, np.ndarray]:
        """Trains an arm; predicts float32[n, classes] for the validation and the test images."""
        real = self.study.train
        inputs, labels = self.real, real.labels
        if arm.ratio:
            inputs = np.concatenate([inputs, self.synthetic(synthetic)])
            labels = np.concatenate([labels, synthetic.labels])
        pool = training.Pool(inputs, labels, np.arange(len(labels)) >= len(real))
        steps = self.study.protocol.steps
        found = self.trainer.probabilities(
            pool, arm, real.class_counts, *self.held_out, seed=seed, steps=steps
        )
        return dict(zip(("validation", "test"), found, strict=True))

    @property
    def trainer(self) -> training.Trainer:
        train = self.study.train
        return training.cnn_trainer(train.images.shape[1], len(train.class_names))

    @property
    def real(self) -> np.ndarray:
        return self.study.train.images

    @property
    def held_out(self) -> list[np.ndarray]:
        return [self.study.validation.images, self.study.test.images]

    def synthetic(self, synthetic: _Synthetic) -> np.ndarray:
        return synthetic.images


class _LinearHead(_Learner):
    """A linear head on cached features, standardised by those of the real training images."""

    def __init__(self, study: Study, extractor: Extractor) -> None:
        super().__init__(study)
        self._extractor = extractor
        self._synthetic: tuple[int, np.ndarray] | None = None
        self.name = linear_head(extractor)
        self.key = {
            "classifier": self.name,
            "learning_rate": training.LINEAR_LEARNING_RATE,
            "views": study.protocol.views,
            "extractor": {**extractor.provenance, "dimension": extractor.dimension},
        }

    @property
    def trainer(self) -> training.Trainer:
        classes = len(self.study.train.class_names)
        return training.linear_trainer(self._extractor.dimension, classes)

    @functools.cached_property
    def real(self) -> np.ndarray:
        return self._standardised(self._real_views)

    @functools.cached_property
    def held_out(self) -> list[np.ndarray]:
        return [
            self._standardised(self._views_of_split(split, views=1))[:, 0]
            for split in (self.study.validation, self.study.test)
        ]

    def synthetic(self, synthetic: _Synthetic) -> np.ndarray:
        if self._synthetic is None or self._synthetic[0] != synthetic.seed:
            key = self.study.generator_key(synthetic.seed)
            views = self._views(lambda: synthetic.images, key, views=1)
            # The unchanged image in place of all views. With other views, copies of training
            # images would have more augmentation than the control, which looks like a gain.
            views = views.repeat(self.study.protocol.views, axis=1)
            self._synthetic = (synthetic.seed, self._standardised(views))
        return self._synthetic[1]

    @functools.cached_property
    def _real_views(self) -> np.ndarray:
        return self._views_of_split(self.study.train, views=self.study.protocol.views)

    def _standardised(self, views: np.ndarray) -> np.ndarray:
        original = self._real_views[:, 0].astype(np.float64)
        mean, spread = original.mean(axis=0), original.std(axis=0)
        spread = np.where(spread > 1e-6, spread, 1.0)
        return ((views - mean) / spread).astype(np.float32)

    def _views_of_split(self, split: LabelledImages, *, views: int) -> np.ndarray:
        key: CacheKey = {"images": content_hash(split.images)}
        return self._views(lambda: split.images, key, views=views)

    def _views(
        self, images: Callable[[], np.ndarray], images_key: CacheKey, *, views: int
    ) -> np.ndarray:
        """Computes features float32[n, views, d], or reads them from the cache."""
        key = {"extractor": self.key["extractor"], "of": images_key, "views": views, "seed": 0}
        key["augmentation"] = training.AUGMENTATION

        def compute() -> dict[str, np.ndarray]:
            seed = EvaluationStream.UTILITY_VIEWS
            found = training.feature_views(self._extractor, images(), views=views, seed=seed)
            return {"features": found}

        return self.study.cache.arrays("views", (key_text(key),), compute)["features"]


def key_text(key: CacheKey) -> str:
    """Returns the key as text; the order of its entries does not matter."""
    return json.dumps(key, sort_keys=True)
