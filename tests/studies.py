"""Results of a utility study, written by hand."""

from __future__ import annotations

from skin_synth.evaluation.utility.differences import NEITHER, Difference
from skin_synth.evaluation.utility.planned import FoundOfHundred, MeasureVerdict, PlannedVerdict
from skin_synth.evaluation.utility.results import (
    ArmFigures,
    ClassifierInfo,
    ClassifierResult,
    ComparedArm,
    Comparison,
    Curve,
    HeldOutSet,
    ImageCounts,
    MeasureDifferences,
    OverSeeds,
    ScreenedArm,
    StudyProtocol,
    UtilityResults,
    UtilityVerdict,
)

CLASSES = ("mole", "ring")
USE, CONTROL, MATCHED = "25 % synthetic", "real, augmented", "real, 25 % at equal shares"


def difference(low=-0.02, high=0.02):
    """A difference with a corrected interval that is wider by 0.01 at both ends."""
    return Difference((low + high) / 2, 0.01, 9.0, low, high, low - 0.01, high + 0.01)


def figures(area):
    found = OverSeeds(area, 0.002, (area - 0.001, area + 0.001))
    by_class = dict.fromkeys(CLASSES, found)
    return ArmFigures(found, found, found, found, found, found, by_class, by_class)


def comparison(words=NEITHER, low=-0.02, high=0.02, name="test"):
    area, loss = difference(low, high), difference(-high, -low)
    both = MeasureDifferences(area, loss)
    verdict = PlannedVerdict(
        words, MeasureVerdict(area, 0.2, 0.4, words), MeasureVerdict(loss, 0.2, 0.4, words)
    )
    arms = (
        ComparedArm(USE, "use", figures(0.9), None),
        ComparedArm(CONTROL, "control", figures(0.8), both),
        ComparedArm(MATCHED, "control", figures(0.85), both),
        ComparedArm(f"2 networks of “{CONTROL}”, averaged", "information", figures(0.87), None),
    )
    found = tuple(
        FoundOfHundred(each, area, f"of 100 images of {each}, 1 more are found at the same false")
        for each in CLASSES
    )
    return Comparison(HeldOutSet(name, (9, 8), (9, 8)), arms, verdict, found)


def classifier_result(*comparisons, name="resnet"):
    curve = Curve((0, 5, 10), (None, 1.2, 0.5), (1.4, 1.0, 0.9))
    screened = tuple(
        ScreenedArm(arm, kind, OverSeeds(0.8, 0.01, (0.79, 0.81)), figures(0.8), curve)
        for arm, kind in ((CONTROL, "control"), (USE, "use"), ("synthetic alone", "information"))
    )
    curves = {USE: curve, CONTROL: curve}
    warnings = ("the classifier learns too little",)
    return ClassifierResult(name, USE, CONTROL, screened, comparisons, curves, warnings)


def study_of(*classifiers, words=NEITHER, low=-0.02, high=0.02):
    """A study with these classifiers, or with one whose only comparison has these words."""
    classifiers = classifiers or (classifier_result(comparison(words, low, high)),)
    protocol = StudyProtocol(
        seeds=2,
        screening_seeds=2,
        teachers=3,
        classifiers=(ClassifierInfo("resnet", 700_000, 2e-3, ""),),
        steps=10,
        batch_size=4,
        pool=5,
        policy="float32",
        replicates=100,
        augmentation="flips",
    )
    return UtilityResults(
        protocol=protocol,
        images=ImageCounts(CLASSES, (40, 10), (9, 9), (9, 8), (9, 8), 0),
        classifiers=classifiers,
        verdict=UtilityVerdict.of(classifiers[0]),
        warnings=("2 seeds were trained; 5 or more are usual",),
    )
