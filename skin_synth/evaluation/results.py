"""Results of an evaluation. `to_json` of them is report.json, see `docs/evaluation.md`.

Results of a metric are in the module of the metric. Those of the utility study are in
`utility.results`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from skin_synth.evaluation.by_class import ByClass, T
from skin_synth.evaluation.look_alikes import NO_LEAK, Leak
from skin_synth.evaluation.metrics.comparison import Fidelity
from skin_synth.evaluation.metrics.copies import FEW_HELD_OUT, CopyFigures, Nearness
from skin_synth.evaluation.metrics.drift import AppearanceFigures
from skin_synth.evaluation.metrics.faithfulness import Faithfulness
from skin_synth.evaluation.metrics.permutation_tests import DifferenceTest, VarietyTest
from skin_synth.evaluation.metrics.texture import TextureTest
from skin_synth.evaluation.privacy.results import PrivacyResults
from skin_synth.evaluation.utility.results import UtilityResults

REPORT_SCHEMA_VERSION = 6
FIRST_KEYS = ("schema_version", "seed", "run", "data", "features", "software", "images", "fidelity")
"""Keys at the top of report.json."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class NeighbourSearch(ByClass[T]):
    """Nearness of the whole set and of each class by one distance, described by `metric`."""

    metric: str


@dataclasses.dataclass(frozen=True)
class Copies:
    """Nearness to training images, by pixels and by features, and among the synthetic images.

    Attributes:
        duplicates: by pixels; `same` counts images nearer than half a grey level to another image.
        few_held_out: with fewer held-out images, training images are the yardstick.
    """

    pixels: NeighbourSearch[CopyFigures | None]
    features: NeighbourSearch[CopyFigures | None]
    duplicates: NeighbourSearch[Nearness | None]
    few_held_out: int = FEW_HELD_OUT


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredFigures:
    """The figures on which the verdict depends; None if there are too few images.

    `variety` and `difference` are of the extractor's features, `profiles` is variety by profiles.
    """

    variety: ByClass[VarietyTest | None]
    profiles: ByClass[VarietyTest | None]
    difference: ByClass[DifferenceTest | None]
    texture: ByClass[TextureTest | None]
    faithfulness: Faithfulness
    copies: Copies
    appearance: ByClass[AppearanceFigures]

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in the order of their labels."""
        return tuple(self.appearance.classes)


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault that is proven.

    Attributes:
        fault: a slug: real_images, copies, duplicates, missing_class, swapped_labels, weak_class,
            little_variety, blur, noise, no_lesion, drift, unlike_real, leak.
        classes: the classes that have it; empty for a fault of the whole set.
        test: name of the test; of several classes, the test with the smallest p-value.
        p_value: None for a count.
    """

    fault: str
    classes: tuple[str, ...]
    sentence: str
    test: str
    statistic: float
    p_value: float | None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The faults that the figures prove.

    Attributes:
        alpha: largest probability of a false fault.
        threshold: p-value below which a fault is proven.
        faults: the most serious first.
        untested: by kind of test, the classes with too few images to prove anything.
        use: verdict of the utility study, or "not measured".
        unmeasured: the part of `untested` with enough images, in too few of which the measure
            could be taken, as no lesion or skin was found.
    """

    alpha: float
    threshold: float
    faults: tuple[Fault, ...]
    untested: dict[str, list[str]]
    use: str
    unmeasured: dict[str, list[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """The run; `images_seen` counts training images with repeats, `image_size` is in pixels."""

    run_id: str
    checkpoint_hash: str
    images_seen: int
    preset: str
    image_size: int


@dataclasses.dataclass(frozen=True)
class DataInfo:
    """The data set, its classes in the order of the labels, and the records of each split."""

    name: str
    fingerprint: str
    class_names: tuple[str, ...]
    splits: dict[str, int]


@dataclasses.dataclass(frozen=True)
class ImageFolderInfo:
    """Where images that another program generated come from.

    Attributes:
        images: in the folder, by class.
        sets: of synthetic images that were compared; no two share an image.
        resized: number of images by their size in the file, where it is not that of the data set.
        left_out: files that are no images.
        equal_to_real: by split of the data set, the files whose pixels equal a real image.
        provenance: what is known of the program, in words.
    """

    images: list[int]
    sets: int
    resized: dict[str, int]
    left_out: tuple[str, ...]
    equal_to_real: dict[str, list[str]]
    provenance: str


@dataclasses.dataclass(frozen=True)
class FeatureInfo:
    """The features: numbers per image, source of the weights, resize of images."""

    name: str
    dimension: int
    weights: str
    sha256: str
    resize: str


@dataclasses.dataclass(frozen=True)
class ImageCounts:
    """Numbers of images; lists are by (requested) class, in the order of the labels.

    Attributes:
        floor: images of the real baseline.
        floor_held_out: images of the real baseline that are from the validation split.
        leak: what the splits share; `test` and `floor` are without it.
        largest_group_of_test: most test images of one lesion.
        synthetic_left_out: synthetic images of the training and test splits of the data set.
        without_group: images of `train` and `test` that the data set gives no lesion or patient.
    """

    train: list[int]
    test: list[int]
    floor: list[int]
    synthetic: list[int]
    floor_held_out: int
    groups_in_train_and_test: int
    leak: Leak = NO_LEAK
    largest_group_of_test: int = 0
    synthetic_left_out: int = 0
    without_group: int = 0


@dataclasses.dataclass(frozen=True)
class Provenance:
    """The provenance of an evaluation: seed, run, data set, features and software versions.

    `image_folder` is None if a generator made the images for this evaluation.
    """

    seed: int
    run: RunInfo
    data: DataInfo
    features: FeatureInfo
    software: dict[str, str]
    image_folder: ImageFolderInfo | None = None


@dataclasses.dataclass(frozen=True)
class Summary:
    """The report in a few sentences.

    Attributes:
        headline: the number of proven faults.
        caveat: the meaning of no proven fault; empty with faults.
        faults: a sentence for each.
        privacy: empty if it was not measured.
    """

    headline: str
    caveat: str
    faults: tuple[str, ...]
    use: str
    classes: str
    distance: str
    variety: str
    copies: str
    privacy: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Returns all sentences, the verdict first."""
        verdict = f"{self.headline} {self.caveat}".strip()
        figures = [self.use, self.classes, self.distance, self.variety, self.copies]
        return [verdict, *self.faults, *figures, *self.privacy]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationResults(Provenance, MeasuredFigures):
    """All results of an evaluation; `utility` and `privacy` are None if they were not measured."""

    images: ImageCounts
    fidelity: Fidelity
    utility: UtilityResults | None
    privacy: PrivacyResults | None
    warnings: tuple[str, ...]
    verdict: Verdict
    summary: Summary
    schema_version: int = REPORT_SCHEMA_VERSION


def to_json(results: EvaluationResults) -> dict[str, Any]:
    """Returns report.json: lists for tuples, and no key for what there is not."""
    found = _lists(dataclasses.asdict(results))
    found["summary"] = results.summary.sentences()
    for name in ("utility", "privacy", "image_folder"):
        if found[name] is None:
            del found[name]
    return {**{name: found[name] for name in FIRST_KEYS}, **found}


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _lists(each) for name, each in value.items()}
    return [_lists(each) for each in value] if isinstance(value, list | tuple) else value
