"""The convolution that halves the resolution and its adjoint, which doubles it.

Both are TensorFlow's, except where oneDNN is slow on a CPU and a matrix product takes at most half
the time. In float32 these are the doubling to the few channels of an image, and the kernel gradient
of the convolution that reads them. In bfloat16 it is the kernel gradient for small images. Larger
images have too many patches for a product.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import tensorflow as tf

STRIDE = 2
KERNEL_SIDE = 4
FEW_CHANNELS = 4
"""In float32 a matrix product is faster if the larger images have at most this many channels."""
SMALL_SIDE = 16
"""In bfloat16 a matrix product is faster if the larger images have at most this side, in pixels,
and slower for twice the side."""

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


@tf.custom_gradient
def halve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """Convolves with a 4x4 kernel and stride two: `tf.nn.conv2d` with padding "SAME".

    x is [n, 2 height, 2 width, inputs], the kernel [4, 4, inputs, outputs], both of one float
    dtype. The result is [n, height, width, outputs]; it has derivatives of every order.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return double(upstream, kernel), kernel_gradient(x, upstream)

    return tf.nn.conv2d(x, kernel, STRIDE, "SAME"), gradient


@tf.custom_gradient
def double(y: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """Applies the adjoint of `halve` by its first argument: `tf.nn.conv2d_transpose`.

    y is [n, height, width, outputs], the kernel [4, 4, inputs, outputs], both of one float dtype.
    The result is [n, 2 height, 2 width, inputs]; it has derivatives of every order.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return halve(upstream, kernel), kernel_gradient(upstream, y)

    few = _has_few_channels(kernel.shape[2], kernel.dtype)
    return (_double_by_product if few else double_plainly)(y, kernel), gradient


def double_plainly(y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes `double` without a custom gradient, which an export would have to contain."""
    count, height, width, _ = y.shape
    count = tf.shape(y)[0] if count is None else count
    shape = [count, STRIDE * height, STRIDE * width, kernel.shape[2]]
    return tf.nn.conv2d_transpose(y, kernel, shape, STRIDE, "SAME")


def _has_few_channels(channels: int, dtype: tf.DType) -> bool:
    return channels <= FEW_CHANNELS and dtype.size >= 4 and _on_cpu()


def _on_cpu() -> bool:
    return not tf.config.list_logical_devices("GPU")


def _double_by_product(y: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Computes `double` as the sum of overlapping patches, one for each pixel of y."""
    _, height, width, outputs = y.shape
    inputs = kernel.shape[2]
    by_cell = tf.reshape(_rows_and_cells_swapped(kernel, inputs, outputs), [-1, outputs])
    patches = tf.matmul(tf.reshape(y, [-1, outputs]), by_cell, transpose_b=True)
    patches = tf.reshape(patches, [-1, height, width, KERNEL_SIDE * KERNEL_SIDE * inputs])
    places = itertools.product((0, 1), repeat=2)
    moved = [
        tf.pad(corner, [[0, 0], [row, 1 - row], [column, 1 - column], [0, 0]])
        for corner, (row, column) in zip(tf.split(patches, 4, axis=-1), places, strict=True)
    ]
    return tf.nn.depth_to_space(tf.add_n(moved), 2)[:, 1:-1, 1:-1]


def kernel_gradient(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns the derivative of sum(y * halve(x, kernel)) with respect to the kernel.

    x is [n, 2 height, 2 width, inputs], y [n, height, width, outputs], both of one float dtype.
    The result is [4, 4, inputs, outputs]; it has derivatives of every order.
    """
    return _by_product(x, y) if _product_is_faster(x) else _by_library(x, y)


def _product_is_faster(x: tf.Tensor) -> bool:
    small = x.dtype == tf.bfloat16 and max(x.shape[1:3]) <= SMALL_SIDE
    return (small and _on_cpu()) or _has_few_channels(x.shape[-1], x.dtype)


def _by_library(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.raw_ops.Conv2DBackpropFilter(
        input=x,
        filter_sizes=[KERNEL_SIDE, KERNEL_SIDE, x.shape[-1], y.shape[-1]],
        out_backprop=y,
        strides=[1, STRIDE, STRIDE, 1],
        padding="SAME",
    )


def _by_product(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    inputs, outputs = x.shape[-1], y.shape[-1]
    product = tf.matmul(
        tf.reshape(_patches(x), [-1, KERNEL_SIDE * KERNEL_SIDE * inputs]),
        tf.reshape(y, [-1, outputs]),
        transpose_a=True,
    )
    kernel = _rows_and_cells_swapped(product, inputs, outputs)
    return tf.reshape(kernel, [KERNEL_SIDE, KERNEL_SIDE, inputs, outputs])


def _rows_and_cells_swapped(kernel: tf.Tensor, inputs: int, outputs: int) -> tf.Tensor:
    """Reorders (cell, row in it, cell, column in it) to 2x2 cells of 2x2 taps, or back."""
    parts = tf.reshape(kernel, [2, 2, 2, 2, inputs, outputs])
    return tf.transpose(parts, [0, 2, 1, 3, 4, 5])


def _patches(x: tf.Tensor) -> tf.Tensor:
    """Returns the pixels that each output reads, as 2x2 cells: [n, height, width, 16 inputs]."""
    cells = tf.nn.space_to_depth(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
    above, below = cells[:, :-1], cells[:, 1:]
    corners = (above[:, :, :-1], above[:, :, 1:], below[:, :, :-1], below[:, :, 1:])
    return tf.concat(corners, axis=-1)
