"""Whole numbers as int64, for the sampler and for clients that do not load TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError


def as_int64(values: Sequence[int] | np.ndarray, name: str) -> np.ndarray:
    """Converts int[...] to int64 explicitly; TensorFlow would infer int32.

    An empty list is accepted, although NumPy makes it float64. `name` is for the message.

    Raises:
        InputError: a value is not a whole number, or does not fit.
    """
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{name} must be whole numbers that fit 64 bits, got {array.dtype} values")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name} must fit int64, got {array.max()}")
    return array.astype(np.int64)
