"""The real images that an attacker judges: training images and held-out images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.metrics.copies import sample_each_class
from skin_synth.random_streams import EvaluationStream

JUDGED_LIMIT = 1000
"""Largest number of judged images of a class and split."""


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """Real images that an attacker classifies as training images (members) or others.

    Attributes:
        images: uint8[n, side, side, 3].
        labels: int64[n].
        member: bool[n], whether the generator was trained on the image.
        groups: n lesions or patients. A group has only members or only others.
        apart: n lesions. An image is compared with real images of all lesions except this one. It
            is the lesion of the image, or a random other lesion for a member. So both kinds are
            compared with equally many images.
        class_names: in the order of the labels.
        left_out: held-out images that are not judged because their lesion is in training.
    """

    images: np.ndarray
    labels: np.ndarray
    member: np.ndarray
    groups: np.ndarray
    apart: np.ndarray
    class_names: tuple[str, ...]
    left_out: int

    def rows(self, label: int) -> np.ndarray:
        """Returns the row numbers of a class: int64[m]."""
        return np.flatnonzero(self.labels == label)

    def lesions(self, label: int) -> tuple[int, int]:
        """Returns the numbers of lesions of a class, of members and of others."""
        of_class = self.labels == label
        members, others = (
            np.unique(self.groups[of_class & chosen]) for chosen in (self.member, ~self.member)
        )
        return len(members), len(others)


def choose_candidates(
    train: LabelledImages, held_out: Sequence[LabelledImages], *, seed: int
) -> Candidates:
    """Chooses at most `JUDGED_LIMIT` images of each class and split.

    The choice does not depend on the order of the images.

    Args:
        train: the training images of the generator.
        held_out: other splits; images of lesions in training are left out.
        seed: of the evaluation.
    """
    rng = np.random.default_rng([seed, EvaluationStream.PRIVACY_CHOICE])
    members = _some(train, np.arange(len(train)), rng)
    known, left_out, others = set(train.groups), 0, []
    for split in held_out:
        new = np.flatnonzero([group not in known for group in split.groups])
        left_out += len(split) - len(new)
        others.append(_some(split, new, rng))
    parts = [members, *others]
    labels = np.concatenate([part.labels for part in parts])
    member = np.repeat([True, False], [len(members), len(labels) - len(members)])
    groups = np.concatenate([np.array(part.groups, np.str_) for part in parts])
    return Candidates(
        np.concatenate([part.images for part in parts]),
        labels,
        member,
        groups,
        _apart(labels, member, groups, seed),
        train.class_names,
        left_out,
    )


def _some(split: LabelledImages, rows: np.ndarray, rng: np.random.Generator) -> LabelledImages:
    ordered = rows[np.argsort(np.array(split.image_ids, np.str_)[rows], kind="stable")]
    chosen = sample_each_class(split.labels[ordered], JUDGED_LIMIT, rng)
    return split.subset(ordered[chosen])


def _apart(labels: np.ndarray, member: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng([seed, EvaluationStream.PRIVACY_REFERENCE])
    apart = groups.copy()
    for label in np.unique(labels):
        members = np.flatnonzero(member & (labels == label))
        others = np.flatnonzero(~member & (labels == label))
        if len(others):
            apart[members] = groups[rng.choice(others, len(members))]
    return apart
