"""Results of the attacks on a generator: figures and words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from skin_synth.evaluation.by_class import ByClass

PRIVACY_SCHEMA_VERSION = 1
TOLD, NOT_TOLD, OPEN = "can tell", "cannot tell", "open"
"""Whether an attacker recognises training images; `OPEN`: too few images to decide."""


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure of an attack.

    Attributes:
        low, high: interval at `LEVEL`, over lesions.
        corrected_low, corrected_high: at `1 - (1 - LEVEL) / comparisons` (Bonferroni).
    """

    estimate: float
    low: float
    high: float
    corrected_low: float
    corrected_high: float


@dataclasses.dataclass(frozen=True)
class AttackFigures:
    """How well an attack recognises training images.

    Attributes:
        auroc: probability that a training image has a larger score than another image; 0.5 is
            chance.
        true_positives: share of the training images that it finds at 1 % false positives; None
            with too few other lesions.
    """

    auroc: Estimate
    true_positives: Estimate | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attack(ByClass[AttackFigures | None]):
    """One attack; `whole` is the mean over classes, None with too few images.

    Attributes:
        needs_discriminator: False if the attacker sees only images.
        comparisons: by which the intervals of the means are corrected; those of a class are also
            corrected for the number of classes.
    """

    needs_discriminator: bool
    comparisons: int


@dataclasses.dataclass(frozen=True)
class JudgedCounts:
    """Numbers of judged real images of each class, and of their lesions."""

    members: Mapping[str, int]
    member_lesions: Mapping[str, int]
    others: Mapping[str, int]
    other_lesions: Mapping[str, int]


@dataclasses.dataclass(frozen=True)
class PrivacyVerdict:
    """What attackers can do, in words.

    Attributes:
        words: `TOLD`, `NOT_TOLD` or `OPEN`, for an attacker with images only.
        classes: the classes whose training images this attacker recognises.
        sentence: the same with figures.
        discriminator: the words for an attacker with the discriminator; None without one.
        discriminator_sentence: the same with figures and advice.
    """

    words: str
    classes: tuple[str, ...]
    sentence: str
    discriminator: str | None
    discriminator_sentence: str


@dataclasses.dataclass(frozen=True)
class PrivacyResults:
    """What a generator gives away of its training images (membership inference).

    Attributes:
        images_per_class: synthetic images of each class.
        features: name and provenance of the features.
        images: the real images that are judged.
        left_out: held-out images that are not judged because their lesion is in training.
        false_positive_rate: of `true_positives`.
        replicates: of the bootstrap.
        attacks: by name.
        untested: by class, the reason for no figures.
        untested_rates: by class, the reason for an AUROC without `true_positives`.
    """

    images_per_class: int
    features: Mapping[str, str]
    images: JudgedCounts
    left_out: int
    false_positive_rate: float
    replicates: int
    attacks: Mapping[str, Attack]
    untested: Mapping[str, str]
    untested_rates: Mapping[str, str]
    verdict: PrivacyVerdict
    schema_version: int = PRIVACY_SCHEMA_VERSION

    def highest_rate(self, name: str | None) -> Estimate | None:
        """Returns the largest true positive rate of a class over all attacks; None: of the mean."""
        figures = [dict(attack.items())[name] for attack in self.attacks.values()]
        rates = [each.true_positives for each in figures if each and each.true_positives]
        return max(rates, key=lambda rate: rate.estimate, default=None)
