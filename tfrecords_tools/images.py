"""One image file, read whole and verified: upright, 8-bit RGB, cropped, resized, encoded."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from tfrecords_tools.sources import ImageRecord

MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: decompression bombs."""
UNTOUCHED_FORMATS = ("JPEG", "PNG")
WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112


class Rejected(Exception):
    """An image that is not taken: a reason (slug) and a detail for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """An image as it goes into the data set.

    Attributes:
        encoded: PNG, or the untouched bytes of a JPEG.
        pixels_hash: sha256 over size and pixels of the upright RGB image, before any cropping.
        bytes_hash: sha256 over the file.
    """

    encoded: bytes
    pixels_hash: str
    bytes_hash: str


def prepare(record: ImageRecord, *, size: int | None, min_side: int) -> PreparedImage:
    """Reads, checks and encodes one image.

    Args:
        record: names the file.
        size: side of the square that it is cropped (about the centre) and resized to; None keeps
            its size, and its bytes where they are an upright 8-bit RGB JPEG or PNG already.
        min_side: shorter images are rejected, in pixels.

    Raises:
        Rejected: the file is not a single, whole image of sufficient size.
        OSError: the file cannot be read.
    """
    content = record.path.read_bytes()
    with _opened(content) as image:
        _check_size(image, min_side)
        _load(image)
        untouched = size is None and _needs_nothing(image)
        upright = to_rgb(ImageOps.exif_transpose(image))
    pixels_hash = hashlib.sha256(repr(upright.size).encode() + upright.tobytes()).hexdigest()
    if untouched:
        encoded = content
    else:
        encoded = encode(upright if size is None else crop_and_resize(upright, size))
    return PreparedImage(encoded, pixels_hash, hashlib.sha256(content).hexdigest())


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB: 16 bits scaled, alpha composited on white, palettes and CMYK converted."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bit(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba).convert("RGB")
    return image.convert("RGB")


def crop_and_resize(image: Image.Image, size: int) -> Image.Image:
    """The largest square about the centre, resized to `size` with antialiasing (Lanczos)."""
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((size, size), Image.Resampling.LANCZOS)


def encode(image: Image.Image) -> bytes:
    """The PNG of an RGB image; equal images give equal bytes."""
    buffer = io.BytesIO()
    # A bare image: what the file said of itself is not copied along.
    Image.frombytes("RGB", image.size, image.tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def _opened(content: bytes) -> Image.Image:
    if not content:
        raise Rejected("empty", "the file has no byte")
    try:
        with warnings.catch_warnings():
            # Ours is the limit; Pillow's own warning would only repeat it.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(content))
    except UnidentifiedImageError:
        raise Rejected("not_an_image", "no known image format") from None
    except Image.DecompressionBombError as error:
        raise Rejected("too_large", str(error)) from None
    except Exception as error:
        raise Rejected("damaged", _one_line(error)) from error


def _check_size(image: Image.Image, min_side: int) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Rejected("too_large", f"{width}x{height} pixels, the limit is {MAX_PIXELS}")
    if min(width, height) < min_side:
        raise Rejected("too_small", f"{width}x{height}, the shorter side must be {min_side}")
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception as error:
        raise Rejected("damaged", _one_line(error)) from error
    if frames > 1:
        raise Rejected("animated", f"{frames} frames: save the one that is meant")


def _load(image: Image.Image) -> None:
    try:
        image.load()
    except OSError as error:
        reason = "truncated" if "truncated" in str(error) else "damaged"
        raise Rejected(reason, _one_line(error)) from error
    except Exception as error:
        # Decoders fail in their own ways (struct.error, SyntaxError, ...) on damaged input.
        raise Rejected("damaged", _one_line(error)) from error


def _needs_nothing(image: Image.Image) -> bool:
    upright = image.getexif().get(ORIENTATION, 1) == 1
    plain = image.mode == "RGB" and "transparency" not in image.info
    return image.format in UNTOUCHED_FORMATS and plain and upright


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits: 16-bit values scaled by 257, floats in [0, 1] by 255."""
    values = np.asarray(image, np.float64)
    scale = 255.0 if image.mode == "F" and values.max(initial=0.0) <= 1.0 else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8), "L")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
