"""Measures the images of one comparison; slow parts come from the cache."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from skin_synth.evaluation.by_class import ByClass, T
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.ahead import FeaturesAhead, kept_features
from skin_synth.evaluation.features.classifier import Classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.features.labelled_features import LabelledFeatures
from skin_synth.evaluation.image_sets import ImageSets, first_of_each_class
from skin_synth.evaluation.metrics import copies as copying
from skin_synth.evaluation.metrics import manifold
from skin_synth.evaluation.metrics.appearance import MEASURES, Appearance, measure
from skin_synth.evaluation.metrics.comparison import Fidelity, compare_features
from skin_synth.evaluation.metrics.copies import CopyFigures, Nearness, NeighbourDistances
from skin_synth.evaluation.metrics.drift import AppearanceFigures, appearance_drift
from skin_synth.evaluation.metrics.faithfulness import Faithfulness, judge_classes
from skin_synth.evaluation.metrics.nearest import (
    PIXEL_METRIC,
    NearestImages,
    Neighbours,
    feature_neighbours,
    symmetries,
)
from skin_synth.evaluation.metrics.permutation_tests import (
    DifferenceTest,
    VarietyTest,
    difference_test,
    variety_test,
)
from skin_synth.evaluation.metrics.texture import TextureTest, fine_detail, profiles, texture_test
from skin_synth.evaluation.results import Copies, MeasuredFigures, NeighbourSearch
from skin_synth.evaluation.statistics.significance import one_of_each
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream

LEFT_OUT_LIMIT = 500
"""Largest number of training images of a class that are compared without their own group."""
TURNED_LIMIT = 128
"""Largest number of images of a class whose features are taken under all eight symmetries."""


@dataclasses.dataclass(frozen=True, eq=False)
class Measurements:
    """Measures the images of one comparison; each result is computed once.

    Attributes:
        judge: a classifier that shares no seed with the extractor.
        other_sets: further sets of synthetic images, uint8[n, side, side, 3] each, as many of each
            class as the reference has.
        permutations: largest number of permutations of a test.
        ahead: thread that computes features of these sets; None: they are computed when needed.
    """

    sets: ImageSets
    extractor: Extractor
    judge: Classifier
    other_sets: Sequence[np.ndarray]
    cache: Cache
    seed: int
    permutations: int
    ahead: FeaturesAhead | None = None

    def figures(self) -> MeasuredFigures:
        """Returns the figures on which the verdict depends."""
        names = [field.name for field in dataclasses.fields(MeasuredFigures)]
        return MeasuredFigures(**{name: getattr(self, name) for name in names})

    def features(self, images: np.ndarray) -> np.ndarray:
        """Returns features from the cache: uint8[n, side, side, 3] to float32[n, d]."""
        if self.ahead is not None:
            return self.ahead(images)
        return kept_features(self.extractor, self.cache, images)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return self.sets.test.class_names

    @functools.cached_property
    def real(self) -> LabelledFeatures:
        """Features of held-out real images, the reference."""
        return LabelledFeatures(self.features(self.sets.test.images), self.sets.test.labels)

    @functools.cached_property
    def real_baseline(self) -> LabelledFeatures:
        """Features of the real baseline."""
        baseline = self.sets.real_baseline
        return LabelledFeatures(self.features(baseline.images), baseline.labels)

    @functools.cached_property
    def synthetic(self) -> LabelledFeatures:
        """Features of all synthetic images."""
        return LabelledFeatures(self.features(self.sets.synthetic), self.sets.requested_labels)

    @functools.cached_property
    def fidelity(self) -> Fidelity:
        """Distances and neighbours."""
        first = self.synthetic[self.sets.matched()]
        others = [LabelledFeatures(self.features(rows), first.labels) for rows in self.other_sets]
        real, baseline, fakes = self.real, self.real_baseline, [first, *others]
        return compare_features(self.extractor, self.class_names, real, baseline, fakes)

    @functools.cached_property
    def variety(self) -> ByClass[VarietyTest | None]:
        """Variety by features."""
        # Only these, because the extractor may be fitted to the other images of the baseline.
        baseline = self.real_baseline[self.sets.held_out_baseline]
        return self._variety(self.real, baseline, self.synthetic, EvaluationStream.VARIETY)

    @functools.cached_property
    def profiles(self) -> ByClass[VarietyTest | None]:
        """Variety by profiles, in standard deviations of the real ones."""
        test, baseline = self.sets.test, self.sets.real_baseline
        real = profiles(test.images)
        center, scale = real.mean(axis=0), np.maximum(real.std(axis=0), 1e-6)
        first, second, third = (
            LabelledFeatures((found - center) / scale, labels)
            for found, labels in (
                (real, test.labels),
                (profiles(baseline.images), baseline.labels),
                (profiles(self.sets.synthetic), self.sets.requested_labels),
            )
        )
        return self._variety(first, second, third, EvaluationStream.PROFILES)

    def _variety(
        self,
        real: LabelledFeatures,
        baseline: LabelledFeatures,
        synthetic: LabelledFeatures,
        stream: EvaluationStream,
    ) -> ByClass[VarietyTest | None]:
        def test(label: int | None, rng: np.random.Generator) -> VarietyTest | None:
            fake = self._matched(synthetic, label)
            return variety_test(real.of(label), fake, baseline.of(label), rng, self.permutations)

        return self._by_class(test, stream)

    @functools.cached_property
    def difference(self) -> ByClass[DifferenceTest | None]:
        """Difference of features, with one real image of each lesion."""
        real = self.real[self.sets.independent]

        def test(label: int | None, rng: np.random.Generator) -> DifferenceTest | None:
            fake = self._matched(self.synthetic, label, real.labels)
            return difference_test(fake, real.of(label), rng, self.permutations)

        return self._by_class(test, EvaluationStream.DIFFERENCE)

    def _by_class(
        self, test: Callable[[int | None, np.random.Generator], T], stream: EvaluationStream
    ) -> ByClass[T]:
        """Tests the whole set and each class, each with its own random numbers."""

        def run(label: int | None) -> T:
            number = 0 if label is None else label + 1
            return test(label, np.random.default_rng([self.seed, stream, number]))

        return ByClass.of(self.class_names, run)

    def _matched(
        self, rows: LabelledFeatures, label: int | None, reference: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns rows of a class; of the whole set, as many of each class as real ones."""
        chosen = self.sets.matched(reference)
        return rows.features[chosen] if label is None else rows.of(label)

    @functools.cached_property
    def texture(self) -> ByClass[TextureTest | None]:
        """Fine detail, with one real image of each lesion."""
        test, train = self.sets.test, self.sets.train
        alone, learnt_alone = self.sets.independent, one_of_each(train.groups)
        detail = (
            (fine_detail(self.sets.synthetic), self.sets.requested_labels),
            (fine_detail(test.images[alone]), test.labels[alone]),
            (fine_detail(train.images[learnt_alone]), train.labels[learnt_alone]),
        )

        def test_detail(label: int | None) -> TextureTest | None:
            fake, held_out, learnt = (
                value if label is None else value[labels == label] for value, labels in detail
            )
            if label is None:
                fake = fake[self.sets.matched(test.labels[alone])]
            few = len(held_out) < copying.FEW_HELD_OUT and label is not None
            return texture_test(fake, np.concatenate([held_out, learnt]) if few else held_out)

        return ByClass.of(self.class_names, test_detail)

    @functools.cached_property
    def appearances(self) -> tuple[Appearance, Appearance, Appearance]:
        """Measures of held-out real, baseline and synthetic images."""

        def of(images: np.ndarray) -> Appearance:
            parts = (content_hash(images),)
            found = self.cache.arrays("appearance", parts, lambda: vars(measure(images)))
            return Appearance(*(found[name] for name in MEASURES))

        sets = self.sets
        return of(sets.test.images), of(sets.real_baseline.images), of(sets.synthetic)

    @functools.cached_property
    def appearance(self) -> ByClass[AppearanceFigures]:
        """Skin tone, brightness and lesions, with their drift."""
        real, real_baseline, synthetic = self.appearances
        return appearance_drift(
            real,
            self.sets.test.labels,
            synthetic,
            self.sets.requested_labels,
            real_baseline,
            self.sets.real_baseline.labels,
            self.class_names,
            groups=self.sets.test.groups,
            seed=self.seed,
        )

    @functools.cached_property
    def faithfulness(self) -> Faithfulness:
        """Class faithfulness of synthetic images, with accuracy on held-out real ones."""
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
        parts = (content_hash(images), self._train_hash, copying.COPY_NEIGHBOURS, own)
        neighbours = copying.neighbours_of_two_groups

        def search(rows: np.ndarray, k: int) -> Neighbours:
            apart = None if groups is None else ([groups[row] for row in rows], train.groups)
            return self._gallery.neighbours(images[rows], k, apart=apart)

        found = self.cache.arrays(
            "neighbours_of_two_groups",
            parts,
            lambda: vars(neighbours(search, len(images), train.groups)),
        )
        return Neighbours(found["index"], found["distance"])

    @functools.cached_property
    def _gallery(self) -> NearestImages:
        return NearestImages(self.sets.train.images)

    @functools.cached_property
    def _train_hash(self) -> str:
        groups = np.array([*self.sets.train.groups], dtype=np.str_)
        return content_hash(self.sets.train.images, groups)

    @functools.cached_property
    def copies(self) -> Copies:
        """Nearness to training images by pixels and features, and among synthetic images."""
        metric = (
            f"distance of features ({self.extractor.name}), smallest over flips and quarter turns"
        )
        # Features come last, because a thread may still compute them.
        pixels, duplicates = self._pixel_copies(), self._duplicates()
        return Copies(
            NeighbourSearch(**vars(pixels), metric=PIXEL_METRIC),
            NeighbourSearch(**vars(self._feature_copies()), metric=metric),
            NeighbourSearch(**vars(duplicates), metric=PIXEL_METRIC),
        )

    def _pixel_copies(self) -> ByClass[CopyFigures | None]:
        train, test = self.sets.train, self.sets.test
        rows, alone = self._some_left_out(LEFT_OUT_LIMIT), self.sets.independent
        left_out = self._pixels(train.images[rows], [train.groups[row] for row in rows])
        held_out = NeighbourDistances.of(self.held_out, train.groups, test.labels)
        return copying.compare_copies(
            NeighbourDistances.of(self.nearest, train.groups, self.sets.requested_labels),
            held_out.where(alone),
            NeighbourDistances.of(left_out, train.groups, train.labels[rows]).finite(),
            self.class_names,
            self.sets.matched(test.labels[alone]),
        )

    def _feature_copies(self) -> ByClass[CopyFigures | None]:
        train, test = self.sets.train, self.sets.test
        known = self.features(train.images)

        def measured(
            images: np.ndarray,
            upright: np.ndarray,
            labels: np.ndarray,
            groups: Sequence[str] | None = None,
        ) -> NeighbourDistances:
            # One symmetry at a time, because all eight of large images would fill the memory. The
            # first is the image as it is, whose features `upright` are known.
            turned = np.stack([upright, *(self.features(each) for each in _turned(images))])

            def search(rows: np.ndarray, k: int) -> Neighbours:
                apart = None if groups is None else ([groups[row] for row in rows], train.groups)
                return feature_neighbours(turned[:, rows], known, k, apart=apart)

            found = copying.neighbours_of_two_groups(search, len(images), train.groups)
            return NeighbourDistances.of(found, train.groups, labels)

        fake, real, rows = self._turned_rows
        requested_labels = self.sets.requested_labels[fake]
        counts = np.bincount(test.labels[real], minlength=len(self.class_names))
        return copying.compare_copies(
            measured(self.sets.synthetic[fake], self.synthetic.features[fake], requested_labels),
            measured(test.images[real], self.real.features[real], test.labels[real]),
            measured(
                train.images[rows],
                known[rows],
                train.labels[rows],
                [train.groups[row] for row in rows],
            ).finite(),
            self.class_names,
            first_of_each_class(requested_labels, counts),
        )

    @functools.cached_property
    def _turned_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the images whose features are taken under all eight symmetries.

        They are rows of the synthetic, the held-out and the training images, int64[n] each.
        """
        rng = np.random.default_rng([self.seed, EvaluationStream.TURNED])
        alone, labels = self.sets.independent, self.sets.test.labels
        fake = copying.sample_each_class(self.sets.requested_labels, TURNED_LIMIT, rng)
        real = alone[copying.sample_each_class(labels[alone], TURNED_LIMIT, rng)]
        return fake, real, self._some_left_out(TURNED_LIMIT)

    def request_turned(self) -> None:
        """Asks for the features of turned images, which `copies` needs."""
        sets = self.sets
        if self.ahead is not None:
            of_sets = (sets.synthetic, sets.test.images, sets.train.images)
            for images, rows in zip(of_sets, self._turned_rows, strict=True):
                for turned in _turned(images[rows]):
                    self.ahead.request(turned)

    def _some_left_out(self, most: int) -> np.ndarray:
        """Returns int64[n], one image per lesion of classes (or a set) with few held-out ones."""
        train, held_out = self.sets.train, self.sets.test.labels[self.sets.independent]
        rng = np.random.default_rng([self.seed, EvaluationStream.LEFT_OUT])
        alone = one_of_each(train.groups)
        chosen = alone[copying.sample_each_class(train.labels[alone], most, rng)]
        if len(held_out) < copying.FEW_HELD_OUT:
            return chosen
        counts = np.bincount(held_out, minlength=len(self.class_names))
        few = np.flatnonzero(counts < copying.FEW_HELD_OUT)
        return chosen[np.isin(train.labels[chosen], few)]

    def _duplicates(self) -> ByClass[Nearness | None]:
        test, alone = self.sets.test, self.sets.independent
        labels, groups = test.labels[alone], [test.groups[row] for row in alone]
        matched = self.sets.matched(labels)
        fake, requested_labels = self.sets.synthetic[matched], self.sets.requested_labels[matched]
        names = [str(row) for row in range(len(fake))]
        found = NearestImages(fake).neighbours(fake, apart=(names, names))
        within, partner = found.distance[:, 0], found.index[:, 0]
        real = test.images[alone]
        among = NearestImages(real).neighbours(real, apart=(groups, groups)).distance[:, 0]

        def compare(label: int | None) -> Nearness | None:
            chosen = np.isfinite(within) & ((requested_labels == label) | (label is None))
            ours = within[chosen]
            theirs = among if label is None else among[labels == label]
            theirs = theirs[np.isfinite(theirs)]
            if not len(ours) or not len(theirs):
                return None
            found = copying.compare(ours, theirs, partner[chosen], paired=True, mutual=True)
            return dataclasses.replace(found, same=int((ours < copying.DUPLICATE_DISTANCE).sum()))

        return ByClass.of(self.class_names, compare)

    def realism(self) -> np.ndarray:
        """Returns the realism score of each synthetic image among real ones of its class."""
        labels = self.sets.requested_labels
        found = np.zeros(len(labels))
        for label in np.unique(labels):
            of_class = self.real.of(int(label))
            real = of_class if len(of_class) > manifold.PRECISION_K else self.real.features
            if len(real) > manifold.PRECISION_K:
                found[labels == label] = manifold.realism(real, self.synthetic.of(int(label)))
        return found


def _turned(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the seven other flips and quarter turns of square images."""
    return itertools.islice(symmetries(images), 1, None)
