"""Differentiable augmentation of what the discriminator sees (Zhao et al., Karras et al. 2020).

Every operation is a pure function of its parameters, acts on float32[n, height, width, 3] images
in [-1, 1], and has exact first and second derivatives: warps are written as a gather and four
bilinear weights, because TensorFlow's own resize and projective transform have no second
derivative or a wrong first one. Colour is diagnostic in skin: hue turns by a few degrees at most,
saturation and contrast move little.
"""

from __future__ import annotations

from collections.abc import Mapping

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
PI = 3.141592653589793

Parameters = Mapping[str, tf.Tensor]


def draw(seed: tf.Tensor, count: int | tf.Tensor, probability: tf.Tensor) -> dict[str, tf.Tensor]:
    """Parameters of one augmentation per image, neutral where the coin says no.

    Args:
        seed: int[2], of a stateless generator; the same seed gives the same parameters.
        count: number of images, n.
        probability: float32[], with which each of symmetry, shift, warp, colour and cutout is
            applied.

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
        "angle": warp * PI * u[3],
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
    """Turns, warps, recolours and cuts each image by its parameters; see `draw` for their meaning.

    Args:
        images: float32[n, height, width, 3] in [-1, 1].
        parameters: as `draw` gives them.

    Returns:
        float32[n, height, width, 3]; colour shifts may leave [-1, 1].
    """
    images = warp(turn(images, parameters["symmetry"]), parameters)
    return cutout(colour(images, parameters), parameters)


def turn(images: tf.Tensor, symmetry: tf.Tensor) -> tf.Tensor:
    """Each image under one of the eight symmetries of the square.

    Args:
        images: [n, side, side, channels].
        symmetry: int32[n] in [0, 8): bit 0 mirrors rows, bit 1 columns, bit 2 transposes.

    Returns:
        As `images`.
    """

    def where(bit: int, changed: tf.Tensor, kept: tf.Tensor) -> tf.Tensor:
        chosen = tf.bitwise.bitwise_and(symmetry, bit) > 0
        return tf.where(chosen[:, None, None, None], changed, kept)

    images = where(1, tf.reverse(images, [1]), images)
    images = where(2, tf.reverse(images, [2]), images)
    return where(4, tf.transpose(images, [0, 2, 1, 3]), images)


def colour(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Hue and saturation about each pixel's grey, contrast about the mean, brightness added.

    Hue turns the three channels about the axis of greys (Rodrigues' formula): what stands
    perpendicular to that axis keeps its length.
    """
    grey = tf.reduce_mean(images, axis=3, keepdims=True)
    chroma = images - grey
    across = (tf.roll(chroma, 1, axis=3) - tf.roll(chroma, -1, axis=3)) / 3**0.5
    hue = _per_image(parameters["hue"])
    turned = tf.cos(hue) * chroma + tf.sin(hue) * across
    images = grey + turned * _per_image(parameters["saturation"])
    mean = tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
    images = mean + (images - mean) * _per_image(parameters["contrast"])
    return images + _per_image(parameters["brightness"])


def cutout(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Mid-grey square of side `cutout` about (`cutout_y`, `cutout_x`)."""
    _, height, width, _ = images.shape
    half = parameters["cutout"][:, None] / 2
    y = (tf.range(height, dtype=tf.float32) + 0.5) / height
    x = (tf.range(width, dtype=tf.float32) + 0.5) / width
    inside_y = tf.abs(y - parameters["cutout_y"][:, None]) < half
    inside_x = tf.abs(x - parameters["cutout_x"][:, None]) < half
    inside = inside_y[:, :, None] & inside_x[:, None, :]
    return images * tf.cast(~inside, images.dtype)[..., None]


def warp(images: tf.Tensor, parameters: Parameters) -> tf.Tensor:
    """Rotates, scales and shifts about the centre, bilinear, mirrored beyond the edge.

    Args:
        images: float32[n, height, width, 3].
        parameters: `scale`, `anisotropy`, `angle`, `shift_y`, `shift_x`, as `draw` gives them.

    Returns:
        float32[n, height, width, 3].
    """
    _, height, width, _ = images.shape
    y = (tf.range(height, dtype=tf.float32) - (height - 1) / 2)[None, :, None]
    x = (tf.range(width, dtype=tf.float32) - (width - 1) / 2)[None, None, :]
    y = y - (parameters["shift_y"] * height)[:, None, None]
    x = x - (parameters["shift_x"] * width)[:, None, None]
    cos, sin = tf.cos(parameters["angle"]), tf.sin(parameters["angle"])
    scale_y = parameters["scale"]
    scale_x = parameters["scale"] * parameters["anisotropy"]
    source_y = (cos / scale_y)[:, None, None] * y - (sin / scale_y)[:, None, None] * x
    source_x = (sin / scale_x)[:, None, None] * y + (cos / scale_x)[:, None, None] * x
    return _sample(images, source_y + (height - 1) / 2, source_x + (width - 1) / 2)


def _sample(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Bilinear values of the images at (y, x), float32[n, height, width] in pixels."""
    top, left = tf.floor(y), tf.floor(x)
    below, right = (y - top)[..., None], (x - left)[..., None]
    upper = _pixel(images, top, left) * (1 - right) + _pixel(images, top, left + 1) * right
    lower = _pixel(images, top + 1, left) * (1 - right) + _pixel(images, top + 1, left + 1) * right
    return upper * (1 - below) + lower * below


def _pixel(images: tf.Tensor, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = images.shape
    flat = tf.reshape(images, [-1, height * width, channels])
    index = _mirror(y, height) * width + _mirror(x, width)
    pixels = tf.gather(flat, tf.reshape(index, [-1, height * width]), batch_dims=1)
    return tf.reshape(pixels, [-1, height, width, channels])


def _mirror(position: tf.Tensor, size: int) -> tf.Tensor:
    """Whole positions of any size folded into [0, size), the edge pixel not repeated."""
    period = max(2 * (size - 1), 1)
    folded = tf.math.floormod(tf.cast(position, tf.int32), period)
    return tf.minimum(folded, period - folded)


def _per_image(values: tf.Tensor) -> tf.Tensor:
    return values[:, None, None, None]
