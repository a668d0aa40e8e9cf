"""All that is measured on one comparison, stage by stage; slow stages come from the cache."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skin_synth.evaluation.by_class import ByClass
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.classifier import Classifier, confusion, faithfulness
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.image_sets import ImageSets, first_of_each_class
from skin_synth.evaluation.metrics import copies, manifold
from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance, measure
from skin_synth.evaluation.metrics.comparison import compare_features
from skin_synth.evaluation.metrics.copies import CopyFigures
from skin_synth.evaluation.metrics.drift import appearance_drift
from skin_synth.evaluation.metrics.nearest import (
    PIXEL_METRIC,
    NearestImages,
    Neighbours,
    feature_neighbours,
    symmetries,
)
from skin_synth.evaluation.metrics.permutation_tests import difference_test, variety_test
from skin_synth.evaluation.metrics.texture import fine_detail, profiles
from skin_synth.evaluation.statistics.intervals import share_interval
from skin_synth.evaluation.statistics.significance import one_of_each, rank_sum
from skin_synth.evaluation.verdict.verdict import level
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream

LEFT_OUT_LIMIT = 500
"""Training images of a class whose distances without their group are measured, at most."""
TURNED_LIMIT = 128
"""Images of a class whose features under all eight symmetries are measured, at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class Examination:
    """Measures the images of one comparison.

    Attributes:
        sets: the images.
        extractor: what images are compared by.
        judge: a classifier that shares no seed with the extractor.
        others: further sets of synthetic images, uint8[n, side, side, 3] each, as many of each
            class as the reference has.
        cache: keeps features and neighbours.
        seed: of choices and permutations.
    """

    sets: ImageSets
    extractor: Extractor
    judge: Classifier
    others: Sequence[np.ndarray]
    cache: Cache
    seed: int

    def features(self, images: np.ndarray) -> np.ndarray:
        """Features from the cache: uint8[n, side, side, 3] to float32[n, d]."""

        def extract() -> dict[str, np.ndarray]:
            return {"rows": self.extractor(images)}

        parts = (*self.extractor.key, content_hash(images))
        return self.cache.arrays("features", parts, extract)["rows"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self.sets.test.class_names

    @functools.cached_property
    def real(self) -> LabelledFeatures:
        """Of held-out real images, the reference."""
        return LabelledFeatures(self.features(self.sets.test.images), self.sets.test.labels)

    @functools.cached_property
    def real_baseline(self) -> LabelledFeatures:
        """Features of the real baseline."""
        return LabelledFeatures(
            self.features(self.sets.real_baseline.images), self.sets.real_baseline.labels
        )

    @functools.cached_property
    def synthetic(self) -> LabelledFeatures:
        """Of all synthetic images."""
        return LabelledFeatures(self.features(self.sets.synthetic), self.sets.requested_labels)

    def fidelity(self) -> dict[str, Any]:
        """Distances and neighbours, see `comparison.compare_features`."""
        matched = self.sets.matched()
        requested_labels = self.sets.requested_labels[matched]
        fakes = [LabelledFeatures(self.synthetic.features[matched], requested_labels)]
        fakes += [
            LabelledFeatures(self.features(images), requested_labels) for images in self.others
        ]
        return _plain(
            compare_features(self.extractor, self.class_names, self.real, self.real_baseline, fakes)
        )

    def tests(self) -> dict[str, Any]:
        """Variety by two kinds of features, difference and texture, whole and per class."""
        run = self._whole_and_classes
        return {
            "variety": run(self._variety, EvaluationStream.VARIETY),
            "profiles": run(self._variety_of_profiles, EvaluationStream.PROFILES),
            "difference": run(self._difference, EvaluationStream.DIFFERENCE),
            "texture": self._texture(),
        }

    def _whole_and_classes(
        self, test: Callable[[int | None, np.random.Generator], Any], stream: EvaluationStream
    ) -> dict[str, Any]:
        def run(label: int | None) -> Any:
            number = 0 if label is None else label + 1
            return test(label, np.random.default_rng([self.seed, stream, number]))

        return _plain(ByClass.of(self.class_names, run))

    @property
    def _permutations(self) -> int:
        """Enough for a p-value below the verdict's level."""
        return round(2 / level(len(self.class_names)))

    def _matched(
        self, rows: LabelledFeatures, label: int | None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """Rows of synthetic images of a class; of the whole set, as many as real ones."""
        chosen = self.sets.matched(reference)
        return rows.features[chosen] if label is None else rows.of(label)

    def _variety(self, label: int | None, rng: np.random.Generator) -> Any:
        held_out = self.sets.held_out_baseline  # the extractor may be fitted to the others
        real_baseline = self.real_baseline[held_out]
        fake = self._matched(self.synthetic, label)
        return variety_test(
            self.real.of(label), fake, real_baseline.of(label), rng, self._permutations
        )

    def _variety_of_profiles(self, label: int | None, rng: np.random.Generator) -> Any:
        real, real_baseline, fake = self._profiles
        return variety_test(
            real.of(label),
            self._matched(fake, label),
            real_baseline.of(label),
            rng,
            self._permutations,
        )

    @functools.cached_property
    def _profiles(self) -> tuple[LabelledFeatures, LabelledFeatures, LabelledFeatures]:
        """Of real, baseline and synthetic images, in standard deviations of the real ones."""
        test, real_baseline = self.sets.test, self.sets.real_baseline
        real = profiles(test.images)
        center, scale = real.mean(axis=0), np.maximum(real.std(axis=0), 1e-6)
        fake = profiles(self.sets.synthetic)
        return (
            LabelledFeatures((real - center) / scale, test.labels),
            LabelledFeatures(
                (profiles(real_baseline.images) - center) / scale, real_baseline.labels
            ),
            LabelledFeatures((fake - center) / scale, self.sets.requested_labels),
        )

    def _difference(self, label: int | None, rng: np.random.Generator) -> Any:
        rows = self.sets.independent
        real = self.real[rows]
        fake = self._matched(self.synthetic, label, real.labels)
        return difference_test(fake, real.of(label), rng, self._permutations)

    def _texture(self) -> dict[str, Any]:
        test, train = self.sets.test, self.sets.train
        alone, learnt_alone = self.sets.independent, one_of_each(train.groups)
        detail = {
            "synthetic": (fine_detail(self.sets.synthetic), self.sets.requested_labels),
            "test": (fine_detail(test.images[alone]), test.labels[alone]),
            "train": (fine_detail(train.images[learnt_alone]), train.labels[learnt_alone]),
        }

        def figures(label: int | None) -> dict[str, Any] | None:
            fake, held_out, learnt = (
                value if label is None else value[labels == label]
                for value, labels in detail.values()
            )
            if label is None:
                fake = fake[self.sets.matched(test.labels[alone])]
            few = len(held_out) < copies.FEW_HELD_OUT and label is not None
            real = np.concatenate([held_out, learnt]) if few else held_out
            if not len(fake) or not len(real):
                return None
            return {
                "n": len(fake),
                "n_real": len(real),
                "synthetic_median": float(np.median(fake)),
                "real_median": float(np.median(real)),
                "p_value_less": rank_sum(fake, real),
                "p_value_more": rank_sum(real, fake),
            }

        return {
            "whole": figures(None),
            "classes": {name: figures(label) for label, name in enumerate(self.class_names)},
        }

    @functools.cached_property
    def appearances(self) -> tuple[Appearance, Appearance, Appearance]:
        """Measures of held-out real, baseline and synthetic images."""

        def of(images: np.ndarray) -> Appearance:
            def measured() -> dict[str, np.ndarray]:
                return vars(measure(images))

            found = self.cache.arrays("appearance", (content_hash(images),), measured)
            return Appearance(*(found[name] for name in MEASURES))

        sets = self.sets
        return of(sets.test.images), of(sets.real_baseline.images), of(sets.synthetic)

    def appearance(self) -> dict[str, Any]:
        """Skin tone, brightness, lesions, and their drift, see `drift.appearance_drift`."""
        real, real_baseline, synthetic = self.appearances
        sets = self.sets
        return _plain(
            appearance_drift(
                real,
                sets.test.labels,
                synthetic,
                sets.requested_labels,
                real_baseline,
                sets.real_baseline.labels,
                self.class_names,
                groups=sets.test.groups,
                seed=self.seed,
            )
        )

    def faithfulness(self) -> dict[str, Any]:
        """Class faithfulness of the synthetic images beside accuracy on held-out real ones."""
        return judge_classes(self.judge, self.sets)

    @functools.cached_property
    def nearest(self) -> Neighbours:
        """The nearest training images of each synthetic image, by pixels."""
        return self._pixels(self.sets.synthetic)

    @functools.cached_property
    def held_out(self) -> Neighbours:
        """The nearest training images of each held-out real image, by pixels."""
        return self._pixels(self.sets.test.images)

    def _pixels(self, images: np.ndarray, groups: Sequence[str] | None = None) -> Neighbours:
        train = self.sets.train
        own = None if groups is None else content_hash(np.array([*groups], dtype=np.str_))
        parts = (content_hash(images), self._train_hash, copies.COPY_NEIGHBOURS, own)

        def search(rows: np.ndarray, k: int) -> Neighbours:
            apart = None if groups is None else ([groups[row] for row in rows], train.groups)
            return self._gallery.neighbours(images[rows], k, apart=apart)

        def of_all() -> dict[str, np.ndarray]:
            return vars(copies.neighbours_of_two_groups(search, len(images), train.groups))

        found = self.cache.arrays("neighbours_of_two_groups", parts, of_all)
        return Neighbours(found["index"], found["distance"])

    @functools.cached_property
    def _gallery(self) -> NearestImages:
        return NearestImages(self.sets.train.images)

    @functools.cached_property
    def _train_hash(self) -> str:
        groups = np.array([*self.sets.train.groups], dtype=np.str_)
        return content_hash(self.sets.train.images, groups)

    def copies(self) -> dict[str, Any]:
        """Nearness to training images by pixels and features, and among synthetic images."""
        return {
            "few_held_out": copies.FEW_HELD_OUT,
            "pixels": {"metric": PIXEL_METRIC, **_plain(self._pixel_copies())},
            "features": {
                "metric": f"distance of features ({self.extractor.name}), smallest over flips and "
                "quarter turns",
                **_plain(self._feature_copies()),
            },
            "duplicates": {"metric": PIXEL_METRIC, **self._duplicates()},
        }

    def _pixel_copies(self) -> ByClass[CopyFigures | None]:
        train, test = self.sets.train, self.sets.test
        rows = self._some_left_out(LEFT_OUT_LIMIT)
        left_out = self._pixels(train.images[rows], [train.groups[row] for row in rows])
        held_out = copies.NeighbourDistances.of(self.held_out, train.groups, test.labels)
        alone = self.sets.independent
        return copies.compare_copies(
            copies.NeighbourDistances.of(self.nearest, train.groups, self.sets.requested_labels),
            held_out.where(alone),
            copies.NeighbourDistances.of(left_out, train.groups, train.labels[rows]).finite(),
            self.class_names,
            self.sets.matched(test.labels[alone]),
        )

    def _feature_copies(self) -> ByClass[CopyFigures | None]:
        train, test = self.sets.train, self.sets.test
        known = self.features(train.images)

        def measured(
            images: np.ndarray, labels: np.ndarray, groups: Sequence[str] | None = None
        ) -> copies.NeighbourDistances:
            # One symmetry at a time: all eight of large images would fill the memory.
            turned = np.stack([self.features(each) for each in symmetries(images)])

            def search(rows: np.ndarray, k: int) -> Neighbours:
                apart = None if groups is None else ([groups[row] for row in rows], train.groups)
                return feature_neighbours(turned[:, rows], known, k, apart=apart)

            found = copies.neighbours_of_two_groups(search, len(images), train.groups)
            return copies.NeighbourDistances.of(found, train.groups, labels)

        rng = np.random.default_rng([self.seed, EvaluationStream.TURNED])
        fake = copies.sample_each_class(self.sets.requested_labels, TURNED_LIMIT, rng)
        alone = self.sets.independent
        real = alone[copies.sample_each_class(test.labels[alone], TURNED_LIMIT, rng)]
        rows = self._some_left_out(TURNED_LIMIT)
        requested_labels = self.sets.requested_labels[fake]
        counts = np.bincount(test.labels[real], minlength=len(self.class_names))
        matched = first_of_each_class(requested_labels, counts)
        return copies.compare_copies(
            measured(self.sets.synthetic[fake], requested_labels),
            measured(test.images[real], test.labels[real]),
            measured(
                train.images[rows], train.labels[rows], [train.groups[row] for row in rows]
            ).finite(),
            self.class_names,
            matched,
        )

    def _some_left_out(self, most: int) -> np.ndarray:
        """Training images of classes (or a whole set) with few held-out ones: int64[n].

        One of each lesion at most.
        """
        train, held_out = self.sets.train, self.sets.test.labels[self.sets.independent]
        alone = one_of_each(train.groups)
        rng = np.random.default_rng([self.seed, EvaluationStream.LEFT_OUT])
        chosen = alone[copies.sample_each_class(train.labels[alone], most, rng)]
        if len(held_out) < copies.FEW_HELD_OUT:
            return chosen
        counts = np.bincount(held_out, minlength=len(self.class_names))
        few = np.flatnonzero(counts < copies.FEW_HELD_OUT)
        return chosen[np.isin(train.labels[chosen], few)]

    def _duplicates(self) -> dict[str, Any]:
        """Distances to the nearest other image within the synthetic and within the real set."""
        test, alone = self.sets.test, self.sets.independent
        labels, groups = test.labels[alone], [test.groups[row] for row in alone]
        matched = self.sets.matched(labels)
        fake, requested_labels = self.sets.synthetic[matched], self.sets.requested_labels[matched]
        names = [str(row) for row in range(len(fake))]
        found = NearestImages(fake).neighbours(fake, apart=(names, names))
        within, partner = found.distance[:, 0], found.index[:, 0]
        real = test.images[alone]
        among = NearestImages(real).neighbours(real, apart=(groups, groups)).distance[:, 0]

        def figures(label: int | None) -> dict[str, Any] | None:
            chosen = np.isfinite(within) & ((requested_labels == label) | (label is None))
            ours = within[chosen]
            theirs = among if label is None else among[labels == label]
            theirs = theirs[np.isfinite(theirs)]
            if not len(ours) or not len(theirs):
                return None
            return {
                **dataclasses.asdict(
                    copies.compare(ours, theirs, partner[chosen], paired=True, mutual=True)
                ),
                "same": int((ours < copies.DUPLICATE_DISTANCE).sum()),
            }

        return {
            "whole": figures(None),
            "classes": {name: figures(label) for label, name in enumerate(self.class_names)},
        }

    def realism(self) -> np.ndarray:
        """Realism score of each synthetic image among held-out real ones of its class."""
        found = np.zeros(len(self.sets.requested_labels))
        for label in np.unique(self.sets.requested_labels):
            real = self.real.of(int(label))
            if len(real) <= manifold.PRECISION_K:
                real = self.real.features
            rows = self.sets.requested_labels == label
            if len(real) > manifold.PRECISION_K:
                found[rows] = manifold.realism(real, self.synthetic.features[rows])
        return found


def _plain(result: Any) -> Any:
    return json.loads(json.dumps(dataclasses.asdict(result)))


def judge_classes(judge: Classifier, sets: ImageSets) -> dict[str, Any]:
    """Class faithfulness of the synthetic images beside accuracy on held-out real ones.

    Args:
        judge: trained on the real training images, with another seed than the extractor.
        sets: the images.
    """
    classes, test = len(judge.class_names), sets.test

    def assigned(images: np.ndarray) -> np.ndarray:
        return judge.predict(images).argmax(axis=1)

    def judged(requested_labels: np.ndarray, found: np.ndarray) -> dict[str, Any]:
        matrix = confusion(requested_labels, found, classes)
        mean, shares = faithfulness(matrix)
        names = judge.class_names
        return {
            "n": len(requested_labels),
            "mean": mean,
            "classes": dict(zip(names, shares, strict=True)),
            "intervals": {
                name: _share(int(matrix[label, label]), int(matrix[label].sum()))
                for label, name in enumerate(names)
            },
            "confusion": matrix.tolist(),
        }

    real, independent = assigned(test.images), sets.independent
    of_lesions = confusion(test.labels[independent], real[independent], classes)
    return {
        "judge": {"sha256": judge.weights_hash, "seed": judge.seed, "steps": judge.steps},
        "synthetic": judged(sets.requested_labels, assigned(sets.synthetic)),
        "real": {**judged(test.labels, real), "confusion_of_lesions": of_lesions.tolist()},
    }


def _share(hits: int, count: int) -> list[float] | None:
    found = share_interval(hits, count) if count else None
    return None if found is None else [found.low, found.high]
