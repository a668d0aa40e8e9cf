"""The convolution that halves the resolution and its adjoint, which doubles it.

Both are TensorFlow's own, except for what oneDNN does slowly on a CPU and a product of matrices
does in half the time or less: in float32 what has to do with the few channels of an image, doubling
to them and the derivative by the kernel that sees them; in bfloat16 the derivative by the kernel
for images of a few pixels. Larger images have too many patches for a product.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import tensorflow as tf

STRIDE = 2
SIDE = 4
"""Height and width of the kernels."""
FEW = 4
"""Channels of the larger images up to which a product is the quicker in float32."""
SMALL = 16
"""Side of the larger images up to which it is in bfloat16; at twice that it is not."""

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@tf.custom_gradient
def halve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """A 4x4 convolution of stride two: `tf.nn.conv2d` with padding "SAME".

    Args:
        x: [n, 2 height, 2 width, inputs], of any float dtype.
        kernel: [4, 4, inputs, outputs], of the same.

    Returns:
        [n, height, width, outputs]; has derivatives of every order.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return double(upstream, kernel), kernel_gradient(x, upstream)

    return tf.nn.conv2d(x, kernel, STRIDE, "SAME"), gradient


@tf.custom_gradient
def double(y: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """The adjoint of `halve` by its first argument: `tf.nn.conv2d_transpose`.

    Args:
        y: [n, height, width, outputs], of any float dtype.
        kernel: [4, 4, inputs, outputs], of the same.

    Returns:
        [n, 2 height, 2 width, inputs]; has derivatives of every order.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return halve(upstream, kernel), kernel_gradient(upstream, y)

    few = _has_few_channels(kernel.shape[2], kernel.dtype)
    return (_double_by_product if few else double_plainly)(y, kernel), gradient


def double_plainly(y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """As `double`, with TensorFlow's own derivatives: what is served must need nothing of ours."""
    count, height, width, _ = y.shape
    count = tf.shape(y)[0] if count is None else count
    shape = [count, STRIDE * height, STRIDE * width, kernel.shape[2]]
    return tf.nn.conv2d_transpose(y, kernel, shape, STRIDE, "SAME")


def _has_few_channels(channels: int, dtype: tf.DType) -> bool:
    """Whether products are quicker for them here."""
    return channels <= FEW and dtype.size >= 4 and _on_cpu()


def _on_cpu() -> bool:
    return not tf.config.list_logical_devices("GPU")


def _double_by_product(y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """As `double`: the patches that each y paints, added up where they overlap."""
    _, height, width, outputs = y.shape
    inputs = kernel.shape[2]
    by_cell = tf.reshape(_rows_and_cells_swapped(kernel, inputs, outputs), [-1, outputs])
    painted = tf.matmul(tf.reshape(y, [-1, outputs]), by_cell, transpose_b=True)
    corners = tf.split(tf.reshape(painted, [-1, height, width, SIDE * SIDE * inputs]), 4, axis=-1)
    places = itertools.product((0, 1), repeat=2)
    moved = [
        tf.pad(corner, [[0, 0], [row, 1 - row], [column, 1 - column], [0, 0]])
        for corner, (row, column) in zip(corners, places, strict=True)
    ]
    cells = tf.add_n(moved)
    return tf.nn.depth_to_space(cells, 2)[:, 1:-1, 1:-1]


def kernel_gradient(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """The derivative of sum(y * halve(x, kernel)) by the kernel.

    Args:
        x: [n, 2 height, 2 width, inputs], of any float dtype.
        y: [n, height, width, outputs], of the same.

    Returns:
        [4, 4, inputs, outputs]; has derivatives of every order.
    """
    return _by_product(x, y) if _product_is_quicker(x) else _by_library(x, y)


def _product_is_quicker(x: tf.Tensor) -> bool:
    small = x.dtype == tf.bfloat16 and max(x.shape[1:3]) <= SMALL
    return (small and _on_cpu()) or _has_few_channels(x.shape[-1], x.dtype)


def _by_library(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    sizes = [SIDE, SIDE, x.shape[-1], y.shape[-1]]
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x,
        filter_sizes=sizes,
        out_backprop=y,
        strides=[1, STRIDE, STRIDE, 1],
        padding="SAME",
    )


def _by_product(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    inputs, outputs = x.shape[-1], y.shape[-1]
    product = tf.matmul(
        tf.reshape(_patches(x), [-1, SIDE * SIDE * inputs]),
        tf.reshape(y, [-1, outputs]),
        transpose_a=True,
    )
    swapped = _rows_and_cells_swapped(product, inputs, outputs)
    return tf.reshape(swapped, [SIDE, SIDE, inputs, outputs])


def _rows_and_cells_swapped(kernel: tf.Tensor, inputs: int, outputs: int) -> tf.Tensor:
    """From rows and columns of a kernel to its 2x2 cells of 2x2 taps, or back.

    A row is (cell, row within the cell), and a column likewise: the middle two change places.
    """
    parts = tf.reshape(kernel, [2, 2, 2, 2, inputs, outputs])
    return tf.transpose(parts, [0, 2, 1, 3, 4, 5])


def _patches(x: tf.Tensor) -> tf.Tensor:
    """What each output sees, as 2x2 cells of 2x2 pixels: [n, height, width, 16 inputs]."""
    cells = tf.nn.space_to_depth(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
    above, below = cells[:, :-1], cells[:, 1:]
    corners = (above[:, :, :-1], above[:, :, 1:], below[:, :, :-1], below[:, :, 1:])
    return tf.concat(corners, axis=-1)
