"""Folds of whole lesions with about equal class shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError


def lesion_folds(groups: Sequence[str], labels: np.ndarray, *, folds: int, seed: int) -> np.ndarray:
    """Assigns each image to a fold; all images of a lesion are in the same one.

    Lesions are assigned class by class, the rarest class first. Within a class large lesions come
    first; a hash of seed and name orders lesions of equal size. Each lesion goes to the fold with
    the fewest images of its class; of equal folds, to the one with the fewest images. So the result
    depends on names, labels and seed, not on the order of the images.

    Args:
        groups: n lesions or patients. A group counts as its rarest class.
        labels: int[n].
        folds: number of folds, 2 or more.
        seed: of the order.

    Returns:
        int64[n], from 0 to folds - 1.

    Raises:
        InputError: fewer lesions than folds.
    """
    names, code = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < folds:
        raise InputError(f"{folds} folds need {folds} lesions or more, got {len(names)}")
    counts = np.zeros((len(names), int(labels.max()) + 1), np.int64)
    np.add.at(counts, (code, labels), 1)
    in_class = counts.sum(axis=0)
    rarest = np.where(counts > 0, in_class, len(labels) + 1).argmin(axis=1)
    sizes = counts.sum(axis=1)

    def place(group: int) -> tuple[int, int, int, str]:
        digest = hashlib.sha256(f"{seed} {names[group]}".encode()).hexdigest()
        return int(in_class[rarest[group]]), int(rarest[group]), -int(sizes[group]), digest

    filled = np.zeros((folds, counts.shape[1]), np.int64)
    fold_of_group = np.empty(len(names), np.int64)
    for group in sorted(range(len(names)), key=place):
        order = np.lexsort([filled.sum(axis=1), filled[:, rarest[group]]])
        fold_of_group[group] = order[0]
        filled[order[0]] += counts[group]
    return fold_of_group[code]
