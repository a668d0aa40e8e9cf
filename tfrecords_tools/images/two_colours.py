"""Tells masks from photographs."""

from __future__ import annotations

import numpy as np

MASK_RANGE, MASK_EDGES = 96, 0.03
"""Least distance in grey levels between the two colours of a mask, and the largest share of pixels
between them."""


def has_two_colours(grid: np.ndarray) -> bool:
    """Returns whether uint8[side, side, 3] has two colours, or two levels of grey almost only.

    A mask has two colours. If it is stored as JPEG or resized, it also has some between them at its
    edges. An image of a single colour is no mask.
    """
    colours = grid.astype(np.uint32) @ np.array([1, 2**8, 2**16], np.uint32)
    if (distinct := len(np.unique(colours))) <= 2:
        return distinct == 2
    grey = grid.mean(-1)
    least, greatest = grey.min(), grey.max()
    margin = (greatest - least) / 8
    between = (grey > least + margin) & (grey < greatest - margin)
    return greatest - least >= MASK_RANGE and between.mean() <= MASK_EDGES
