"""Does a generator help a site with few own images, and how?

The own images are split into folds of whole lesions. Each arm is trained on all folds except one
and predicts for the images of this fold. The metrics are computed from these out-of-fold
predictions of all images. Each seed has different folds, weights and batches.

The first seed trains all arms. It selects the best control (own images only) and the best use of
synthetic images, both by macro AUROC. The other seeds train only these two. The use is advised if
its gain in macro AUROC is larger than noise and its class-balanced log loss is not harmed. Noise is
that of lesions and seeds. The one-sided p-value is multiplied by the number of uses (Bonferroni).
So it is valid, although the same images select the use. They also select the best control, which
can only make a gain look smaller.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.statistics.intervals import LEVEL, Interval
from skin_synth.evaluation.utility import metrics
from skin_synth.evaluation.utility.advice_options import AdviceOptions
from skin_synth.evaluation.utility.advice_results import (
    Advice,
    AdviceProtocol,
    Choice,
    OwnClass,
    UseComparison,
    advice_sentence,
    instruction,
)
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.training import State
from skin_synth.evaluation.utility.cross_validation import (
    CrossValidation,
    OutOfFold,
    SyntheticImages,
)
from skin_synth.evaluation.utility.differences import (
    Difference,
    effective_lesions,
    resampling_weights,
)
from skin_synth.evaluation.utility.planned import choose, macro_difference
from skin_synth.evaluation.utility.recipes import USE, Arm, GenerateImages, Source, one_hot
from skin_synth.evaluation.utility.small_site import (
    ADAPTED,
    CONTROLS,
    SYNTHETIC,
    AdaptGenerator,
)
from skin_synth.generator import ImageGenerator
from skin_synth.provenance import content_hash
from skin_synth.random_streams import EvaluationStream
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import Progress


@dataclasses.dataclass(frozen=True, eq=False)
class Resampled:
    """Measures of one arm on the judged images and on all their bootstrap replicates.

    Attributes:
        class_auroc: float64[seeds, replicates + 1, classes]; NaN for a class that is not judged.
        class_log_loss: the same of the log loss.
    """

    class_auroc: np.ndarray
    class_log_loss: np.ndarray

    @functools.cached_property
    def macro_auroc(self) -> np.ndarray:
        """The mean over classes: float64[seeds, replicates + 1]."""
        return metrics.mean_over_classes(self.class_auroc)

    @functools.cached_property
    def log_loss(self) -> np.ndarray:
        """The class-balanced log loss: float64[seeds, replicates + 1]."""
        return metrics.mean_over_classes(self.class_log_loss)


@dataclasses.dataclass(frozen=True, eq=False)
class AdviceStudy:
    """Trains the arms on the own images and compares them.

    Attributes:
        own: the images of the site.
        generator: trained on other images; classes are matched by name.
        options: of the study.
        training: trains an arm.
        adapt: adapts the generator to own images; needed with `adapt_images`.
    """

    own: LabelledImages
    generator: ImageGenerator
    options: AdviceOptions
    training: ArmTraining
    adapt: AdaptGenerator | None = None

    def __post_init__(self) -> None:
        side = self.own.images.shape[1]
        if self.generator.image_size != side:
            raise InputError(
                f"the generator makes images of {self.generator.image_size} pixels, yours have "
                f"{side}: build the data set with --size {self.generator.image_size}"
            )
        shared = [each.name for each in self.classes if each.generated and each.images]
        if len(shared) < 2:
            raise InputError(
                f"generator and data set share {' and '.join(shared) or 'no class'}, an advice "
                f"needs two: the generator has {', '.join(self.generator.class_names)}, the data "
                f"set {', '.join(self.own.class_names)}. Give your classes the generator's names: "
                "build with --label_map FILE, a CSV with the columns from,to (your name, its name)"
            )
        judged = [each.name for each in self.classes if each.judged]
        if len(judged) < 2:
            raise InputError(
                f"needs two classes with {self.options.folds} lesions or more, one for each fold, "
                f"got {judged}"
            )
        self._validation.folds(self._seed(0))  # refuses fewer lesions than folds

    @functools.cached_property
    def classes(self) -> tuple[OwnClass, ...]:
        """The classes of the own images."""
        groups = np.asarray(self.own.groups)
        found = []
        for label, name in enumerate(self.own.class_names):
            of_class = self.own.labels == label
            lesions = len(set(groups[of_class]))
            found.append(
                OwnClass(
                    name,
                    int(of_class.sum()),
                    lesions,
                    name in self.generator.class_names,
                    lesions >= self.options.folds,
                )
            )
        return tuple(found)

    @functools.cached_property
    def judged(self) -> np.ndarray:
        """Rows of the judged images: int64[m]."""
        return np.flatnonzero(np.array([each.judged for each in self.classes])[self.own.labels])

    def advise(self) -> Advice:
        """Trains all arms, or reads the cache, and returns the advice."""
        options = self.options
        with Progress(
            total=options.trainings - 1, unit="classifiers", description="advise"
        ) as progress:
            predicted = {arm.name: [self._predicted(arm, 0, progress)] for arm in options.arms}
            measured = {name: self.resampled(each) for name, each in predicted.items()}
            figures = {name: each.macro_auroc[:, 0] for name, each in measured.items()}
            control, use = (
                next(arm for arm in arms if arm.name == choose([a.name for a in arms], figures))
                for arms in (CONTROLS, options.uses)
            )
            for arm in (control, use):
                further = range(1, options.seeds)
                predicted[arm.name] += [self._predicted(arm, each, progress) for each in further]
                measured[arm.name] = self.resampled(predicted[arm.name])
        compared = self.compare(use, control, measured)
        return self._advice(compared, use, measured)

    def fitted(self, advised: str) -> State:
        """Trains the arm with this name on all own images; returns its last state."""
        arm = next(arm for arm in self.options.arms if arm.name == advised)
        return self.training.trained_state(
            arm, self._validation.sources(self.own), seed=self._seed(0)
        )

    def compare(self, use: Arm, control: Arm, measured: dict[str, Resampled]) -> UseComparison:
        """Compares two arms over all seeds; `measured` has the names of arms as keys."""
        ours, theirs = measured[use.name], measured[control.name]
        uses = len(self.options.uses)
        area = self._difference(ours.class_auroc, theirs.class_auroc, comparisons=uses)
        loss = self._difference(ours.class_log_loss, theirs.class_log_loss)
        return UseComparison(
            use.name,
            control.name,
            area,
            loss,
            p_gain=min(1.0, uses * _one_sided(area, 1)),
            p_loss_harm=_one_sided(loss, 1),
            p_harm=_one_sided(area, -1),
            level=round(1 - LEVEL, 6),
        )

    def resampled(self, predictions: Sequence[OutOfFold]) -> Resampled:
        """Computes the measures of one arm; `predictions` has one entry per seed."""
        rows, labels = self.judged, self.own.labels[self.judged]
        areas, losses = [], []
        for each in predictions:
            probabilities = np.exp(each.raw[rows])
            areas.append(metrics.class_auroc(labels, probabilities, self._weights))
            losses.append(metrics.class_log_loss(labels, each.corrected[rows], self._weights))
        return Resampled(np.stack(areas), np.stack(losses))

    @functools.cached_property
    def _weights(self) -> np.ndarray:
        judged = self.own.subset(self.judged)
        return resampling_weights(
            judged.groups, judged.labels, replicates=self.options.replicates, seed=0
        )

    def _advice(self, compared: UseComparison, use: Arm, measured: dict[str, Resampled]) -> Advice:
        advised = compared.use if compared.gains else compared.control
        choices = tuple(
            Choice(
                arm.name,
                arm.kind == USE,
                len(found.log_loss),
                self._interval(found),
                float(found.log_loss[:, 0].mean()),
                arm.name == advised,
            )
            for arm, found in ((arm, measured[arm.name]) for arm in self.options.arms)
        )
        intervals = {choice.name: choice.macro_auroc for choice in choices}
        sentence = advice_sentence(
            compared, intervals[compared.use], intervals[compared.control], instruction(use)
        )
        trainer, options = self.training.trainer, self.options
        protocol = AdviceProtocol(
            classifier=trainer.classifier.name,
            weights_hash=trainer.classifier.weights_hash,
            parameters=trainer.network.count_params(),
            policy=trainer.policy,
            batch_size=trainer.batch_size,
            steps=self.training.total,
            folds=options.folds,
            seeds=options.seeds,
            seed=options.seed,
            pool=options.pool,
            replicates=options.replicates,
            uses=len(options.uses),
        )
        return Advice(
            sentence,
            advised,
            compared.gains,
            compared,
            choices,
            self.classes,
            protocol,
            tuple(self.warnings()),
        )

    def warnings(self) -> list[str]:
        """Returns the limits of the advice."""
        found = []
        names = [each.name for each in self.classes]
        if lacking := [each.name for each in self.classes if not each.generated]:
            found.append(
                f"the generator lacks {_listed(lacking)}: no synthetic images of these classes"
            )
        if foreign := [name for name in self.generator.class_names if name not in names]:
            found.append(
                f"the data set lacks {_listed(foreign)}, which the generator has: no image of "
                "these classes was generated"
            )
        if few := [f"{each.name} ({each.lesions})" for each in self.classes if not each.judged]:
            found.append(
                f"fewer lesions than the {self.options.folds} folds: {_listed(few)}; these classes "
                "are in the training, but not in the figures, because they are too few to judge"
            )
        if len(set(self.own.groups)) == len(self.own):
            found.append(
                "each image has a different lesion: if lesions have several images in this data "
                "set, the figures are too good; build it with the column of the lesions"
            )
        return found

    def _interval(self, found: Resampled) -> Interval:
        """Returns the mean macro AUROC; the interval is over lesions, and seeds if several."""
        areas, by_class = found.macro_auroc, found.class_auroc
        if len(areas) > 1:
            over = self._difference(by_class, np.zeros_like(by_class))
            return Interval(over.difference, max(over.low, 0.0), min(over.high, 1.0))
        groups = effective_lesions(by_class[0, 1:], self._lesions)
        middle = float(areas[0, 0])
        half = float(areas[0, 1:].std(ddof=1) * stats.t.ppf(1 - (1 - LEVEL) / 2, groups - 1))
        return Interval(middle, max(middle - half, 0.0), min(middle + half, 1.0))

    def _difference(
        self, ours: np.ndarray, theirs: np.ndarray, *, comparisons: int = 1
    ) -> Difference:
        """Compares a measure by class. All seeds judge the same images, so there is one draw."""
        return macro_difference(
            ours[None], theirs[None], lesions=self._lesions, comparisons=comparisons
        )

    @functools.cached_property
    def _lesions(self) -> np.ndarray:
        return np.array([each.lesions for each in self.classes])

    def _seed(self, number: int) -> int:
        return self.options.seeds * self.options.seed + number

    def _predicted(self, arm: Arm, number: int, progress: Progress) -> OutOfFold:
        return self._validation.predict(
            arm,
            seed=self._seed(number),
            done=lambda trained: progress.update(reused=trained.reused),
        )

    @functools.cached_property
    def _validation(self) -> CrossValidation:
        return CrossValidation(self.own, self._synthetic_for, self.options.folds, self.training)

    def _synthetic_for(self, own: LabelledImages) -> Mapping[str, SyntheticImages]:
        """Returns the synthetic images for a training on a part of the own images."""
        plain = {SYNTHETIC: self.synthetic}
        return plain if self.adapt is None else plain | {ADAPTED: self._adapted(own, self.adapt)}

    @functools.cached_property
    def synthetic(self) -> SyntheticImages:
        """Synthetic images of the classes in both the generator and the own images."""
        names, generator = self.own.class_names, self.generator
        of_generator = np.array(
            [
                generator.class_names.index(name) if name in generator.class_names else -1
                for name in names
            ]
        )

        def generate(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
            return generator.generate(of_generator[labels], seeds, truncation=1.0)

        drawn = np.array([each.generated and each.images > 0 for each in self.classes])
        origin = generator.origin
        key = (origin.run_id, origin.checkpoint_hash, content_hash(of_generator))
        return self._synthetic_images(generate, drawn, key)

    def _adapted(self, own: LabelledImages, adapt: AdaptGenerator) -> SyntheticImages:
        """Returns images of the generator after it was adapted to a part of the own images.

        These images can also show a class that the generator lacked, if the part has images of it.
        """
        generated = np.array([each.generated and each.images > 0 for each in self.classes])
        # The generator is adapted when a training needs its images, not for an entry of the cache.
        return self._synthetic_images(
            lambda *request: adapt(own)(*request),
            generated | (own.class_counts > 0),
            (adapt.key(own),),
        )

    def _synthetic_images(
        self, generate: GenerateImages, drawn: np.ndarray, key: tuple[str, ...]
    ) -> SyntheticImages:
        """Returns images of the classes that are `drawn`, bool[classes]; the cache keeps them."""
        counts = self.options.pool * drawn
        labels = np.repeat(np.arange(len(counts)), counts)
        stream = [self.options.seed, EvaluationStream.UTILITY_GENERATION]
        seeds = np.random.default_rng(stream).integers(0, 2**63 - 1, len(labels))
        parts = (*key, content_hash(labels, seeds))

        def load() -> tuple[np.ndarray, np.ndarray]:
            kept = self.training.cache.arrays(
                "painted", parts, lambda: {"images": generate(labels, seeds)}
            )
            return kept["images"], one_hot(labels, len(counts))

        return SyntheticImages(Source(" ".join(parts), load), counts)


def _one_sided(found: Difference, sign: int) -> float:
    """Returns the p-value of no difference against a difference with this sign."""
    two_sided = found.p_value
    return two_sided / 2 if found.difference * sign > 0 else 1 - two_sided / 2


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
