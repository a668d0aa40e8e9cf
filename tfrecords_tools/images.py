"""One image file, read whole and verified: upright, 8-bit RGB, cropped, resized, encoded."""

from __future__ import annotations

import dataclasses
import hashlib
import io

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from tfrecords_tools.errors import InputError
from tfrecords_tools.sources import ImageRecord

Image.init()  # all plugins, once: threads would race for it
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")
"""Formats that are opened: others that Pillow knows run programs (EPS) or fetch files."""
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
"""First bytes that tell an image whose header is broken from a file that is none."""
MAX_PIXELS = 100_000_000
"""Larger images are refused before they are decoded: decompression bombs."""
RECORD_FORMATS = ("JPEG", "PNG")
"""Formats that a record may hold."""
WHITE = (255, 255, 255, 255)
ORIENTATION = 0x0112
UPRIGHT = 1
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation."""


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
    if not content:
        raise Rejected("empty", "the file has no byte")
    try:
        upright, untouched = _decoded(content, size, min_side)
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error, content) from error
    pixels_hash = hashlib.sha256(repr(upright.size).encode() + upright.tobytes()).hexdigest()
    if untouched:
        encoded = content
    else:
        encoded = encode_png(
            np.asarray(upright if size is None else crop_and_resize(upright, size))
        )
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


def encode_png(image: np.ndarray) -> bytes:
    """The PNG of an image: uint8[height, width, 3]; equal images give equal bytes.

    Raises:
        InputError: the array is of another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"an image must be uint8[height, width, 3], got {image.dtype}{list(image.shape)}"
        )
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def explain_failure(error: Exception, content: bytes) -> Rejected:
    """What is wrong with a file, from what a decoder said of it.

    Decoders fail in their own ways (struct.error, SyntaxError, ...) on damaged files.
    """
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        if content.startswith(SIGNATURES):
            return Rejected("damaged", "it begins like an image, but its header cannot be read")
        return Rejected("not_an_image", "no known image format")
    if isinstance(error, Image.DecompressionBombError):
        return Rejected("too_large", detail)
    return Rejected("truncated" if "truncated" in detail.lower() else "damaged", detail)


def _decoded(content: bytes, size: int | None, min_side: int) -> tuple[Image.Image, bool]:
    """The upright RGB image, and whether the file may stay as it is."""
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _check(image, min_side)
        # Pillow narrows 16-bit colours while it loads: the file's own depth shows only before.
        deep = ";16" in str(image.tile)
        image.load()
        if image.format == "PNG":
            _check_chunks(content)
        turn = TURNS.get(image.getexif().get(ORIENTATION, UPRIGHT))
        plain = image.mode == "RGB" and "transparency" not in image.info and not deep
        untouched = size is None and plain and turn is None and image.format in RECORD_FORMATS
        if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
            # Pillow takes all CMYK JPEGs for inverted, but only Adobe's are.
            rgb = to_rgb(ImageChops.invert(image))
        else:
            rgb = to_rgb(image)
        return (rgb if turn is None else rgb.transpose(turn)), untouched


def _check(image: Image.Image, min_side: int) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Rejected("too_large", f"{width}x{height} pixels, the limit is {MAX_PIXELS}")
    if min(width, height) < min_side:
        raise Rejected("too_small", f"{width}x{height}, the shorter side must be {min_side}")
    # The second picture of an MPO, as telephones write it, is a preview or a depth map.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Rejected("animated", f"{frames} frames: save the one that is meant")


def _check_chunks(content: bytes) -> None:
    """Reads a PNG to its end: decoding stops with the last pixel."""
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        image.verify()


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits: 16-bit values scaled by 257, floats in [0, 1] by 255."""
    values = np.nan_to_num(np.asarray(image, np.float64))
    scale = 255.0 if image.mode == "F" and values.max(initial=0.0) <= 1.0 else 1 / 257
    return Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
