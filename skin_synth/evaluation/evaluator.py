"""`evaluate`: compares a run with held-out real images, from features to report."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import load_real_split
from skin_synth.evaluation.cache import Cache, default_cache
from skin_synth.evaluation.external import ExternalTest
from skin_synth.evaluation.features import extractors
from skin_synth.evaluation.features.ahead import FeaturesAhead
from skin_synth.evaluation.features.classifier import Classifier, cached_classifier
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.image_folder import ImageFolder
from skin_synth.evaluation.image_sets import (
    ImageSets,
    generate_images,
    load_image_sets,
    synthetic_counts,
)
from skin_synth.evaluation.measurements import Measurements
from skin_synth.evaluation.privacy.results import PrivacyResults
from skin_synth.evaluation.privacy.study import (
    DEFAULT_PRIVACY_IMAGES,
    PrivacyOptions,
    study_privacy,
)
from skin_synth.evaluation.report import charts, utility_charts
from skin_synth.evaluation.report.provenance import describe
from skin_synth.evaluation.report.summary import summary, warnings
from skin_synth.evaluation.report.writer import REPORT_JSON, Pictures, Report, write_report
from skin_synth.evaluation.results import EvaluationResults, ImageCounts, ImageFolderInfo
from skin_synth.evaluation.utility import study as usefulness
from skin_synth.evaluation.utility.classifiers.networks import FINETUNED
from skin_synth.evaluation.utility.options import (
    DEFAULT_CLASSIFIERS,
    DEFAULT_SEEDS,
    DEFAULT_STEPS,
    UtilityOptions,
)
from skin_synth.evaluation.utility.results import UtilityResults
from skin_synth.evaluation.verdict.verdict import permutations_for, reach_verdict
from skin_synth.generator import (
    RUN,
    ImageGenerator,
    check_same_data,
    inputs_of,
    on_ancestors,
)
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.progress import track
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import TEST

DEFAULT_SYNTHETIC_SETS = 3


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Options of `evaluate`.

    Attributes:
        features: classifier, mobilenet, inception, or the file of a saved Keras model.
        weights: weights file of mobilenet or inception, and of the classifier finetuned; None
            downloads them. With the features inception, it is theirs only.
        seed: of the synthetic images, the real baseline and the classifiers, below 2**62.
        seeds: sets of synthetic images for the spread of the Fréchet distance, 1 or more.
        steps: training steps of each classifier; None: as many as the training split needs.
        utility: whether to train classifiers with and without the synthetic images; the data set
            must have a validation split.
        utility_seeds: trainings of each compared arm, 2 or more; None: 5.
        utility_steps: batches of each of these trainings, 10 or more; None: 600.
        classifiers: that the study trains, see `UtilityOptions`; None: resnet.
        policy: of Keras, for the study: float32 or mixed_bfloat16.
        privacy: whether to attack the generator: do its images give its training images away?
        privacy_images: synthetic images of each class for these attacks, 100 or more; None: 2,000.

    Raises:
        InputError: unknown features, options out of range, an option of the utility study without
            `utility`, or of the attacks without `privacy`.
    """

    features: str = "classifier"
    weights: str | os.PathLike[str] | None = None
    seed: int = 0
    seeds: int = DEFAULT_SYNTHETIC_SETS
    steps: int | None = None
    utility: bool = False
    utility_seeds: int | None = None
    utility_steps: int | None = None
    classifiers: Sequence[str] | None = None
    policy: str = "float32"
    privacy: bool = False
    privacy_images: int | None = None

    def __post_init__(self) -> None:
        extractors.check_choice(self.features, self.features_weights)
        if self.seeds < 1:
            raise InputError(f"seeds must be 1 or more, got {self.seeds}")
        if not 0 <= self.seed < 2**62:
            # Extractor and judge have the seeds 2 * seed and 2 * seed + 1, and TensorFlow takes
            # seeds up to 2**63 - 1.
            raise InputError(
                f"the seed of an evaluation must be from 0 to 2**62 - 1, got {self.seed}"
            )
        of_utility = (self.utility_seeds, self.utility_steps, self.classifiers)
        if not self.utility and any(value is not None for value in of_utility):
            raise InputError(
                "--utility_seeds, --utility_steps and --classifiers are of the utility study: add "
                "--utility"
            )
        if not self.privacy and self.privacy_images is not None:
            raise InputError("--privacy_images is of the attacks: add --privacy")
        self.of_utility()
        self.of_privacy()

    def of_privacy(self) -> PrivacyOptions:
        """Returns the options of the attacks."""
        count = DEFAULT_PRIVACY_IMAGES if self.privacy_images is None else self.privacy_images
        return PrivacyOptions(count, self.steps, self.seed)

    @property
    def features_weights(self) -> str | os.PathLike[str] | None:
        """The weights of the features; None if the weights are of the classifier finetuned only."""
        finetuned = FINETUNED in (self.classifiers or ())
        return None if finetuned and self.features not in extractors.TAKE_WEIGHTS else self.weights

    @property
    def classifier_weights(self) -> str | os.PathLike[str] | None:
        """The weights of the classifier finetuned; None if the weights are of other features."""
        others = self.features in extractors.TAKE_WEIGHTS and self.features != "mobilenet"
        return None if others else self.weights

    def of_utility(self) -> UtilityOptions:
        """Returns the options of the utility study."""
        return UtilityOptions(
            seeds=DEFAULT_SEEDS if self.utility_seeds is None else self.utility_seeds,
            classifiers=tuple(self.classifiers or DEFAULT_CLASSIFIERS),
            weights=self.classifier_weights,
            steps=DEFAULT_STEPS if self.utility_steps is None else self.utility_steps,
            policy=self.policy,
        )


def evaluate(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    options: EvaluationOptions | None = None,
    *,
    external: Sequence[ExternalTest] = (),
    cache: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> Report:
    """Compares images of a generator with held-out real ones; writes report.json and report.html.

    Every slow stage resumes from the cache, so the same evaluation again takes seconds. The utility
    study takes longest by far; `utility.cost.measure_cost` says how long.

    Args:
        run: the generator, or images of another program (`load_image_folder`).
        data_dir: the data set on which it was trained, with a test split.
        out_dir: new directory of the report; it appears complete or not at all.
        options: what to measure; None: the defaults.
        external: further test sets of the utility study, each with its own verdict.
        cache: directory of intermediate results; None: `OUT.cache` next to the report.
        overwrite: whether to replace `out_dir` if it is a report.

    Returns:
        The report with its path.

    Raises:
        InputError: another data set, missing weights, or `out_dir` exists, or is,
            contains or is inside an input.
    """
    options = options or EvaluationOptions()
    if external and not options.utility:
        raise InputError("external test sets are of the utility study: set utility")
    read = {**inputs_of(run, data_dir), "the weights": options.weights}
    check_apart(out_dir, read, may_lie_in={RUN})
    kept = Cache(default_cache(out_dir) if cache is None else cache)
    with new_directory(out_dir, overwrite=overwrite, marker=REPORT_JSON) as directory:
        check_same_data(run, data_dir)
        if options.utility:
            train, *_ = usefulness.load_study_splits(data_dir, kept)  # refuses what it cannot use
            if isinstance(run, ImageFolder):
                pool = usefulness.pool_size(options.of_utility(), train)
                run.check_enough([pool] * len(run.class_names), "the utility study")
        if options.privacy and isinstance(run, ImageFolder):
            count = options.of_privacy().images_per_class
            run.check_enough([count] * len(run.class_names), "--privacy (--privacy_images)")
        given = extractors.load_extractor(options.features, options.features_weights)
        if given is not None:
            extractors.check_spread(given, load_real_split(data_dir, TEST).images)
        work = Evaluation(run, Path(data_dir), options, given, kept, tuple(external))
        stages = work.stages(directory)
        with contextlib.closing(work):
            for stage in track(stages, total=len(stages), unit="stages", description="evaluate"):
                stage()
    return Report(work.results, Path(out_dir))


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Computes each result of one evaluation once; without `given`, it trains an extractor."""

    run: ImageGenerator
    data_dir: Path
    options: EvaluationOptions
    given: Extractor | None
    cache: Cache
    external: tuple[ExternalTest, ...] = ()

    def stages(self, directory: Path) -> tuple[Callable[[], object], ...]:
        """Returns the stages in order; the last one writes the report into the directory."""
        return (
            lambda: (self.sets, self.other_sets, self.image_folder),
            lambda: self.extractor,
            lambda: self.measurements,
            lambda: self.measurements.fidelity,
            lambda: (self.measurements.variety, self.measurements.profiles),
            lambda: (self.measurements.difference, self.measurements.texture),
            lambda: self.measurements.faithfulness,
            lambda: self.measurements.appearance,
            lambda: self.measurements.copies,  # last, because its features are requested last
            *([lambda: self.privacy] if self.options.privacy else []),
            *([lambda: self.utility] if self.options.utility else []),
            lambda: write_report(directory, self.results, self.pictures()),
        )

    @functools.cached_property
    def generators(self) -> Sequence[ImageGenerator]:
        """The generator of each set of synthetic images; sets of a folder share no image."""
        number, seed = self.options.seeds, self.options.seed
        if not isinstance(self.run, ImageFolder):
            return [self.run] * number
        needed = synthetic_counts(load_real_split(self.data_dir, TEST))
        return self.run.parts(needed, at_most=number, seed=seed)

    @functools.cached_property
    def image_folder(self) -> ImageFolderInfo | None:
        """What the report says of a folder of images."""
        run = self.run
        if not isinstance(run, ImageFolder):
            return None
        splits = read_info(self.data_dir).splits
        return ImageFolderInfo(
            images=run.class_counts.tolist(),
            sets=len(self.generators),
            resized=dict(run.resized),
            left_out=run.left_out,
            equal_to_real={
                split: run.equal_to(load_real_split(self.data_dir, split)) for split in splits
            },
            provenance=f"made by another program; the training split of {run.origin.data_name} is "
            "taken as its training images",
        )

    @functools.cached_property
    def sets(self) -> ImageSets:
        """The images."""
        seed, cache = self.options.seed, self.cache
        return load_image_sets(self.generators[0], self.data_dir, seed=seed, cache=cache)

    @functools.cached_property
    def other_sets(self) -> list[np.ndarray]:
        """Further sets of synthetic images."""
        labels = self.sets.requested_labels[self.sets.matched()]
        return [
            generate_images(
                generator, labels, seed=self.options.seed, number=number, cache=self.cache
            )
            for number, generator in enumerate(self.generators[1:], 1)
        ]

    @functools.cached_property
    def extractor(self) -> Extractor:
        """Computes the features."""
        if self.given is not None:
            return self.given
        trained = extractors.of_classifier(self._classifier(2 * self.options.seed))
        extractors.check_spread(trained, self.sets.test.images)
        return trained

    def _classifier(self, seed: int) -> Classifier:
        steps, cache = self.options.steps, self.cache
        return cached_classifier(self.sets.train, seed=seed, steps=steps, cache=cache)

    @functools.cached_property
    def measurements(self) -> Measurements:
        """Measures everything except utility; the first access trains the judge."""
        sets, seed = self.sets, self.options.seed
        real = (sets.test.images, sets.real_baseline.images)
        for images in (*real, sets.synthetic, *self.other_sets, sets.train.images):
            self.ahead.request(images)
        judge = self._classifier(2 * seed + 1)
        measured = Measurements(
            sets,
            self.extractor,
            judge,
            self.other_sets,
            self.cache,
            seed,
            permutations_for(len(judge.class_names)),
            self.ahead,
        )
        measured.request_turned()
        return measured

    @functools.cached_property
    def ahead(self) -> FeaturesAhead:
        """Computes features in a thread, while the judge is trained and other stages run."""
        return FeaturesAhead(self.extractor, self.cache)

    def close(self) -> None:
        """Ends the thread of the features, if there is one."""
        if "ahead" in self.__dict__:
            self.ahead.close()

    @functools.cached_property
    def utility(self) -> UtilityResults | None:
        """The utility study; None if it is not requested."""
        if not self.options.utility:
            return None
        kept = self.cache.directory
        found = usefulness.study_run(
            self.run,
            self.data_dir,
            self.options.of_utility(),
            cache_dir=None if kept is None else kept / "utility",
            external={each.name: each.images for each in self.external},
        )
        notes = (sentence for each in self.external for sentence in each.sentences())
        return dataclasses.replace(found, warnings=(*found.warnings, *notes))

    @functools.cached_property
    def privacy(self) -> PrivacyResults | None:
        """What the generator gives away; None if it is not requested."""
        if not self.options.privacy:
            return None
        return study_privacy(
            self.run,
            self.sets.train,
            self.sets.held_out,
            self.options.of_privacy(),
            features=self.given,
            cache=self.cache,
        )

    @functools.cached_property
    def results(self) -> EvaluationResults:
        """All results."""
        figures, fidelity = self.measurements.figures(), self.measurements.fidelity
        folder, seed = self.image_folder, self.options.seed
        provenance = describe(
            self.run, self.data_dir, self.extractor, seed=seed, image_folder=folder
        )
        sets = self.sets
        requested = np.bincount(sets.requested_labels, minlength=len(sets.test.class_names))
        images = ImageCounts(
            train=sets.train.class_counts.tolist(),
            test=sets.test.class_counts.tolist(),
            floor=sets.real_baseline.class_counts.tolist(),
            synthetic=requested.tolist(),
            floor_held_out=sets.real_baseline_held_out,
            groups_in_train_and_test=sets.leak.groups_in_train_and_test,
            leak=sets.leak,
            largest_group_of_test=max(Counter(sets.test.groups).values(), default=0),
            synthetic_left_out=sets.train.left_out + sets.test.left_out,
            without_group=sum(each.without_group for each in (sets.train, sets.test)),
        )
        verdict = reach_verdict(
            figures,
            leak=sets.leak,
            equal_to_real=None if folder is None else folder.equal_to_real,
            utility=self.utility,
        )
        return EvaluationResults(
            **vars(provenance),
            **vars(figures),
            images=images,
            fidelity=fidelity,
            utility=self.utility,
            privacy=self.privacy,
            warnings=(*on_ancestors(self.run), *warnings(provenance, images)),
            verdict=verdict,
            summary=summary(figures, fidelity, verdict, self.utility, self.privacy),
        )

    def pictures(self) -> Pictures:
        """Returns the arrays that the report shows."""
        sets, measurements = self.sets, self.measurements
        real, _, synthetic = measurements.appearances
        shown = (real, sets.test.labels, synthetic, sets.requested_labels, sets.test.class_names)
        plots = {"appearance.png": charts.appearance_plot(*shown)}
        if self.utility is not None:
            plots["utility.png"] = utility_charts.utility_plot(self.utility)
        return Pictures(
            real=sets.test,
            synthetic=sets.synthetic,
            requested_labels=sets.requested_labels,
            train=sets.train.images,
            nearest=measurements.nearest.index[:, 0],
            distance=measurements.nearest.distance[:, 0],
            held_out_distance=measurements.held_out.distance[:, 0],
            realism=measurements.realism(),
            plots=plots,
        )
