"""Differentiable augmentation of the discriminator's images (Zhao et al., Karras et al. 2020).

Every operation is a pure function of its parameters, acts on float32[n, height, width, 3] images
in [-1, 1], and has exact first and second derivatives. TensorFlow's resize and projective transform
have no second derivative or a wrong first one, so warps are a gather with four bilinear weights.
One map of coordinates moves pixels, and one 3x3 matrix per image changes colours, so that an image
is read as few times as possible. Colour is diagnostic in skin, so it changes little.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping

import tensorflow as tf

BRIGHTNESS = 0.2
CONTRAST = 0.3
SATURATION = 0.3
HUE = 0.1
"""Radians, about 6 degrees."""
SHIFT = 0.125
LOG2_SCALE = 0.25
CUTOUT = 0.35
SYMMETRIES = 8
"""Flips and quarter turns of a square; they keep the label of a dermoscopic image."""

Parameters = Mapping[str, tf.Tensor]
Corners = list[tuple[tf.Tensor, tf.Tensor]]
"""The four pixels around points: index in all images, int32[n], and weight, float32[n, 1]."""


def draw(seed: tf.Tensor, count: int | tf.Tensor, probability: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draws the parameters of one augmentation per image; neutral if it is not applied.

    Args:
        seed: int[2], for stateless random numbers; the same seed gives the same parameters.
        count: number of images, n.
        probability: float32[], of each of symmetry, shift, warp, colour and cutout.

    Returns:
        `symmetry`: int32[n], see `turn`. All others float32[n]: `shift_y`, `shift_x` (share of the
        side), `scale` (factor), `angle` (radians), `anisotropy` (factor of x against y),
        `brightness` (added), `contrast`, `saturation` (factors), `hue` (radians), `cutout` (side as
        a share; 0 is none), `cutout_y`, `cutout_x` (centre as a share).
    """
    uniform = tf.random.stateless_uniform([count, 12], seed, -1.0, 1.0)
    coins = tf.random.stateless_uniform([count, 5], tf.bitwise.invert(seed)) < probability
    on = tf.cast(coins, tf.float32)
    shift, warp, colour, cut, symmetry = tf.unstack(on, axis=1)
    u = tf.unstack(uniform, axis=1)
    return {
        "shift_y": shift * SHIFT * u[0],
        "shift_x": shift * SHIFT * u[1],
        "scale": tf.pow(2.0, warp * LOG2_SCALE * u[2]),
        "angle": warp * math.pi * u[3],
        "anisotropy": tf.pow(2.0, warp * LOG2_SCALE * u[4]),
        "brightness": colour * BRIGHTNESS * u[5],
        "contrast": 1.0 + colour * CONTRAST * u[6],
        "saturation": 1.0 + colour * SATURATION * u[7],
        "cutout": cut * CUTOUT,
        "cutout_y": 0.5 + 0.5 * u[8],
        "cutout_x": 0.5 + 0.5 * u[9],
        "hue": colour * HUE * u[10],
        "symmetry": tf.cast(symmetry * SYMMETRIES * (0.5 + 0.5 * u[11]), tf.int32),
    }


def apply(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Turns, warps, recolours and cuts float32[n, side, side, 3] images in [-1, 1].

    The parameters are those of `draw`; colour shifts may leave [-1, 1].
    """
    return cutout(colour(warp(images, parameters), parameters), parameters)


def turn(images: tf.Tensor, symmetry: tf.Tensor) -> tf.Tensor:
    """Applies one of the eight symmetries of the square to each image, [n, side, side, channels].

    `symmetry` is int32[n] in [0, 8): bit 0 mirrors rows, bit 1 columns, bit 2 transposes.
    """

    def where(bit: int, changed: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        chosen = tf.bitwise.bitwise_and(symmetry, bit) > 0
        return tf.where(chosen[:, None, None, None], changed, kept)

    images = where(1, tf.reverse(images, [1]), images)
    images = where(2, tf.reverse(images, [2]), images)
    return where(4, tf.transpose(images, [0, 2, 1, 3]), images)


def colour(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Changes hue and saturation about each pixel's grey, contrast about the mean, and brightness.

    Hue rotates the three channels about the axis of greys (Rodrigues' formula); the part
    perpendicular to this axis keeps its length. The mean is over all channels, so hue and
    saturation do not change it. GPUs that multiply in TF32 round to a tenth of a grey level.
    """
    _, height, width, _ = images.shape
    same, grey = tf.eye(3), tf.fill([3, 3], 1 / 3)
    across = (tf.roll(same, 1, axis=0) - tf.roll(same, -1, axis=0)) / 3**0.5
    hue, saturation, contrast = (
        parameters[name][:, None, None] for name in ("hue", "saturation", "contrast")
    )
    turned = tf.cos(hue) * (same - grey) + tf.sin(hue) * across
    matrix = contrast * (grey + saturation * turned)
    mean = tf.reduce_mean(images, axis=[1, 2, 3])
    added = (1.0 - parameters["contrast"]) * mean + parameters["brightness"]
    pixels = tf.reshape(images, [-1, height * width, 3])
    recoloured = tf.matmul(pixels, matrix, transpose_b=True) + added[:, None, None]
    return tf.reshape(recoloured, [-1, height, width, 3])


def cutout(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Draws a mid-grey square of side `cutout` around (`cutout_y`, `cutout_x`)."""
    _, height, width, _ = images.shape
    half = parameters["cutout"][:, None] / 2
    y = (tf.range(height, dtype=tf.float32) + 0.5) / height
    x = (tf.range(width, dtype=tf.float32) + 0.5) / width
    inside_y = tf.abs(y - parameters["cutout_y"][:, None]) < half
    inside_x = tf.abs(x - parameters["cutout_x"][:, None]) < half
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    return images * tf.cast(~inside, images.dtype)[..., None]


def warp(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Turns (as `turn` does), then rotates, scales and shifts about the centre, mirrored at edges.

    Images are float32[n, side, side, 3], interpolated bilinearly. It uses `symmetry`, `scale`,
    `anisotropy`, `angle`, `shift_y` and `shift_x` of `draw`.
    """
    side, channels = images.shape[2:]
    centred = tf.range(side, dtype=tf.float32) - (side - 1) / 2
    y = centred[:, None] - (parameters["shift_y"] * side)[:, None, None]
    x = centred[None, :] - (parameters["shift_x"] * side)[:, None, None]
    source_y, source_x = (
        from_y[:, None, None] * y + from_x[:, None, None] * x + (side - 1) / 2
        for from_y, from_x in _source_of(parameters)
    )
    pixels = tf.reshape(images, [-1, channels])
    sampled = _gathered(pixels, _corners(source_y, source_x, side))
    return tf.reshape(sampled, [-1, side, side, channels])


def _source_of(parameters: Parameters) -> tuple[tuple[tf.Tensor, tf.Tensor], ...]:
    """Returns rows of the matrices from output to source coordinates, (y, x) about the centre."""
    cos, sin = tf.cos(parameters["angle"]), tf.sin(parameters["angle"])
    scale_y = parameters["scale"]
    scale_x = parameters["scale"] * parameters["anisotropy"]
    straight = (cos / scale_y, -sin / scale_y), (sin / scale_x, cos / scale_x)

    def has(bit: int) -> tf.Tensor:
        return tf.bitwise.bitwise_and(parameters["symmetry"], bit) > 0

    # A symmetry swaps the rows if it transposes, and changes their signs if it mirrors.
    return tuple(
        tuple(
            tf.where(has(4), other, own) * tf.where(has(mirrors), -1.0, 1.0)
            for own, other in zip(row, swapped, strict=True)
        )
        for row, swapped, mirrors in zip(straight, straight[::-1], (1, 2), strict=True)
    )


def _corners(y: tf.Tensor, x: tf.Tensor, side: int) -> Corners:
    """Returns the pixels around points (y, x), float32[n, side, side] in pixels."""
    top, left = tf.floor(y), tf.floor(x)
    below, right = y - top, x - left
    first = tf.reshape(tf.range(tf.shape(y)[0]) * side * side, [-1, 1, 1])
    starts = [first + row * side for row in _mirrored_pair(top, side)]
    indices = itertools.product(starts, _mirrored_pair(left, side))
    weights = itertools.product((1.0 - below, below), (1.0 - right, right))
    return [
        (tf.reshape(start + column, [-1]), tf.reshape(weight_y * weight_x, [-1, 1]))
        for (start, column), (weight_y, weight_x) in zip(indices, weights, strict=True)
    ]


def _gathered(pixels: tf.Tensor, corners: Corners) -> tf.Tensor:
    """Interpolates pixels float32[m, channels] at n points: float32[n, channels].

    It is linear in the pixels, and `_scattered` is its adjoint. Each is the derivative of the
    other, with a third of the operations of TensorFlow's derivative.
    """

    @tf.custom_gradient
    def gathered(pixels: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        values = tf.add_n([tf.gather(pixels, index) * weight for index, weight in corners])
        return values, lambda upstream: _scattered(upstream, corners)

    return gathered(pixels)


def _scattered(values: tf.Tensor, corners: Corners) -> tf.Tensor:
    """Applies the adjoint of `_gathered`."""

    @tf.custom_gradient
    def scattered(values: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        count = tf.shape(values)[0]
        sums = [
            tf.math.unsorted_segment_sum(values * weight, index, count) for index, weight in corners
        ]
        return tf.add_n(sums), lambda upstream: _gathered(upstream, corners)

    return scattered(values)


def _mirrored_pair(position: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Folds integer positions and the next ones into [0, size), int32; repeats no edge pixel."""
    period = max(2 * (size - 1), 1)
    folded = tf.math.floormod(tf.cast(position, tf.int32), period)
    after = folded + 1  # at most the period, which is mirrored to 0
    return tf.minimum(folded, period - folded), tf.minimum(after, period - after)
