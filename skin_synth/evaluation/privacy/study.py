"""Attacks a generator: do its images or its discriminator give training images away?"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.classifier import cached_classifier
from skin_synth.evaluation.features.extractors import Extractor, of_classifier
from skin_synth.evaluation.privacy.candidates import Candidates, choose_candidates
from skin_synth.evaluation.privacy.distances import generate_class, measure_distances
from skin_synth.evaluation.privacy.figures import (
    FALSE_POSITIVE_RATE,
    FEWEST_FOR_RATE,
    FEWEST_LESIONS,
    REPLICATES,
    Bootstrap,
)
from skin_synth.evaluation.privacy.results import Attack, JudgedCounts, PrivacyResults
from skin_synth.evaluation.privacy.words import reach_privacy_verdict
from skin_synth.generator import ImageGenerator, discriminator_of
from skin_synth.provenance import content_hash
from tfrecords_tools.errors import InputError

DEFAULT_PRIVACY_IMAGES = 2000
FEWEST_PRIVACY_IMAGES = 100
MOST_LEARNT = 500
"""Largest number of synthetic images of a class that the attacker's classifier learns from."""


@dataclasses.dataclass(frozen=True)
class PrivacyOptions:
    """Settings of the attacks.

    Attributes:
        images_per_class: synthetic images of each class, at least 100. With more, the attacks are
            stronger.
        steps: batches of the attacker's classifier, if it is needed; None: see
            `classifier.default_steps`.
        seed: of the evaluation.
    """

    images_per_class: int = DEFAULT_PRIVACY_IMAGES
    steps: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.images_per_class < FEWEST_PRIVACY_IMAGES:
            raise InputError(
                f"privacy_images must be {FEWEST_PRIVACY_IMAGES} or more, "
                f"got {self.images_per_class}"
            )


def study_privacy(
    run: ImageGenerator,
    train: LabelledImages,
    held_out: Sequence[LabelledImages],
    options: PrivacyOptions,
    *,
    features: Extractor | None = None,
    cache: Cache | None = None,
) -> PrivacyResults:
    """Tries all attacks that the generator allows.

    Args:
        run: the generator. If it has a discriminator, this is also used for an attack.
        train: its training images.
        held_out: the other splits.
        options: see `PrivacyOptions`.
        features: features for the comparison, not learnt from the training images. None: those of
            a classifier that learns from synthetic images, as an attacker can train it.
        cache: of slow stages; None: no cache.
    """
    cache = Cache(None) if cache is None else cache
    seed, images_per_class = options.seed, options.images_per_class
    candidates = choose_candidates(train, held_out, seed=seed)
    bootstrap = Bootstrap.of(candidates, seed=seed)
    extractor = features or _attackers_features(run, candidates.class_names, options, cache)
    attacks: dict[str, Attack] = {}
    if bootstrap.tested:
        spaces = measure_distances(
            run, candidates, extractor, images_per_class=images_per_class, seed=seed, cache=cache
        )
        for name, space in zip(("pixels", "features"), spaces, strict=True):
            for suffix, scores in (("", space.score), (", calibrated", space.calibrated)):
                attacks[name + suffix] = bootstrap.attack(
                    scores, needs_discriminator=False, attacks=2 * len(spaces)
                )
        found = _discriminator_scores(run, candidates, cache)
        if found is not None:
            attacks["discriminator"] = bootstrap.attack(found, needs_discriminator=True, attacks=1)
    counts = _counts(candidates)
    untested = _untested(counts)
    return PrivacyResults(
        images_per_class=images_per_class,
        features={"name": extractor.name, **extractor.provenance},
        images=counts,
        left_out=candidates.left_out,
        false_positive_rate=FALSE_POSITIVE_RATE,
        replicates=REPLICATES,
        attacks=attacks,
        untested=untested,
        untested_rates=_untested_rates(counts, untested),
        verdict=reach_privacy_verdict(attacks),
    )


def _attackers_features(
    run: ImageGenerator, class_names: tuple[str, ...], options: PrivacyOptions, cache: Cache
) -> Extractor:
    count = min(options.images_per_class, MOST_LEARNT)
    labels = np.repeat(np.arange(len(class_names)), count)
    images = [
        generate_class(run, label, count, seed=options.seed) for label in range(len(class_names))
    ]
    names = tuple(map(str, range(len(labels))))
    synthetic = LabelledImages(np.concatenate(images), labels, names, names, class_names)
    classifier = cached_classifier(
        synthetic, seed=2 * options.seed, steps=options.steps, cache=cache
    )
    extractor = of_classifier(classifier)
    weights = extractor.provenance["weights"].replace("the real training", "synthetic")
    return dataclasses.replace(extractor, provenance={**extractor.provenance, "weights": weights})


def _discriminator_scores(
    run: ImageGenerator, candidates: Candidates, cache: Cache
) -> np.ndarray | None:
    judge = discriminator_of(run)
    if judge is None:
        return None
    images, labels = candidates.images, candidates.labels
    parts = (run.origin.run_id, run.origin.checkpoint_hash, content_hash(images, labels))
    found = cache.arrays("discriminator", parts, lambda: {"scores": judge(images, labels)})
    return found["scores"]


def _counts(candidates: Candidates) -> JudgedCounts:
    names = candidates.class_names
    lesions = [candidates.lesions(label) for label in range(len(names))]
    members, others = (
        np.bincount(candidates.labels[chosen], minlength=len(names)).tolist()
        for chosen in (candidates.member, ~candidates.member)
    )
    return JudgedCounts(
        dict(zip(names, members, strict=True)),
        {name: count for name, (count, _) in zip(names, lesions, strict=True)},
        dict(zip(names, others, strict=True)),
        {name: count for name, (_, count) in zip(names, lesions, strict=True)},
    )


def _untested(counts: JudgedCounts) -> dict[str, str]:
    return {
        name: f"{learnt:,} training and {other:,} held-out lesions; {FEWEST_LESIONS} of each are "
        "needed"
        for (name, learnt), other in zip(
            counts.member_lesions.items(), counts.other_lesions.values(), strict=True
        )
        if min(learnt, other) < FEWEST_LESIONS
    }


def _untested_rates(counts: JudgedCounts, untested: Container[str]) -> dict[str, str]:
    return {
        name: f"{count:,} held-out lesions; {FEWEST_FOR_RATE} are needed for "
        f"{FALSE_POSITIVE_RATE:.0%} false positives"
        for name, count in counts.other_lesions.items()
        if count < FEWEST_FOR_RATE and name not in untested
    }
