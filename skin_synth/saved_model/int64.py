"""Whole numbers as TensorFlow is to get them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfrecords_tools.errors import InputError


def as_int64(values: Sequence[int] | np.ndarray, name: str) -> np.ndarray:
    """The values as int64, said aloud: TensorFlow takes Python's numbers for int32.

    Args:
        values: int[...]; an empty list, which NumPy takes for floats, is as good as any.
        name: of the values, for the message.

    Raises:
        InputError: a value that is no whole number, or does not fit.
    """
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iu":
        raise InputError(f"{name} must be whole numbers that fit 64 bits, got {array.dtype} values")
    if array.dtype.kind == "u" and array.size and array.max() > np.iinfo(np.int64).max:
        raise InputError(f"{name} must fit int64, got {array.max()}")
    return array.astype(np.int64)
