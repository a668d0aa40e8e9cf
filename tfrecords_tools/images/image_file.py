"""One image file, read whole and verified: upright, 8-bit RGB, resized, encoded."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import re
import threading
import zlib

import numpy as np
from google_crc32c import value as crc32c
from PIL import Image, ImageChops, UnidentifiedImageError

from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.bit_depth import check_upper_bytes, deep_grey, deep_png
from tfrecords_tools.images.perceptual_hash import perceptual_hash
from tfrecords_tools.options import CROP, PAD, PNG, SQUASH, ImageOptions

Image.init()  # all plugins, once: threads would race for it
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")
"""Formats that are opened: others that Pillow knows run programs (EPS) or fetch files."""
SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
"""First bytes that tell an image whose header is broken from a file that is none."""
JPEG_FORMATS = ("JPEG", "MPO")
"""What Pillow calls a JPEG; MPO is one that further pictures follow, as telephones write it."""
RECORD_FORMATS = ("JPEG", "PNG")
"""Formats that a record may hold."""
PLAIN_MODES = ("RGB", "L", "P", "1")
"""Modes that every reader turns into the same 8-bit RGB."""
JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker among the data of a JPEG: neither a byte of ones in them nor one to restart at."""
JPEG_END = b"\xff\xd9"
JPEG_FILLER = bytes(range(64))
"""Bytes that mean something to a JPEG decoder that still waits for data, and no marker."""
MID_GREY = (127, 129)
"""Range of luma where a JPEG decoder has no data; colours may reach in from other blocks."""
BLOCK = 8
"""Side of the blocks of a JPEG, in pixels."""
JPEG_SCALES = (8, 4, 2)
"""Parts of its size at which a JPEG can be decoded: all data are read, and arithmetic is saved."""
SCALING_GAP = 3.0
"""Where an image is wanted, this much of the shrinking is left to do: what the decoder drops is not
what an antialiasing filter would drop."""
LEAST_SIDE = 48
"""Where none is wanted, the shorter side keeps so many pixels, for duplicates to be found by."""
SCALABLE_MODES = ("RGB", "L")
PROBE_SIDE = 64
"""Pixels of a grid over the image that stand for it when duplicates are looked for."""
REDUCING_GAP = 1.75
"""Shrinking by more than this begins with averages over whole pixels: half the time, and within
one grey level of Lanczos alone, in the mean, even for noise."""
SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
"""What a profile calls itself, in both ways to write it."""
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


class _LimitLifted(contextlib.ContextDecorator):
    """While any thread is within, Pillow has no limit of pixels of its own: ours is checked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._within == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._within += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                Image.MAX_IMAGE_PIXELS = self._limit


pillows_limit_lifted = _LimitLifted()
"""A context in which the images may be larger than Pillow takes by itself."""


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """An image as it goes into the data set.

    Attributes:
        encoded: PNG or JPEG, or the untouched bytes of the file.
        untouched: whether they are the file's.
        has_profile: whether the file has a colour profile other than sRGB; it is not applied.
        scale: the image was decoded at 1/scale of its size; 1 for all but JPEGs.
        probe: checksum of a grid of pixels: equal images decoded at one scale have equal ones.
        perceptual: see `perceptual.perceptual_hash`.
        num_bytes: of the file.
        checksum: CRC-32C of the file.
        thumbnail: the image cropped to a small square, uint8[side, side, 3]; None where not asked.
    """

    encoded: bytes
    untouched: bool
    has_profile: bool
    scale: int
    probe: int
    perceptual: int
    num_bytes: int
    checksum: int
    thumbnail: np.ndarray | None


@pillows_limit_lifted
def prepare(content: bytes, options: ImageOptions, *, thumbnail: int = 0) -> PreparedImage:
    """Checks and encodes one image.

    A JPEG of which a smaller image is wanted, or none at all, is decoded at a part of its size.

    Args:
        content: the file.
        options: what is asked of the image.
        thumbnail: side of a thumbnail in pixels; 0 for none.

    Raises:
        Rejected: the file is not a single, whole image of sufficient size.
    """
    read = _read(content, options, whole=False)
    if options.size is None:
        encoded = content if read.untouched else encode_png(np.asarray(read.upright))
    else:
        encoded = _encode(resize(read.upright, options.size, options.resize), options)
    grid = read.upright.resize((PROBE_SIDE, PROBE_SIDE), Image.Resampling.NEAREST)
    return PreparedImage(
        encoded=encoded,
        untouched=read.untouched and options.size is None,
        has_profile=read.has_profile,
        scale=read.scale,
        probe=zlib.crc32(grid.tobytes(), zlib.crc32(repr(read.upright.size).encode())),
        perceptual=perceptual_hash(grid),
        num_bytes=len(content),
        checksum=crc32c(content),
        thumbnail=_thumbnail(content, options, thumbnail) if thumbnail else None,
    )


@pillows_limit_lifted
def decode(content: bytes, options: ImageOptions) -> Image.Image:
    """The upright 8-bit RGB image of a file, in full size.

    Raises:
        Rejected: as `prepare`.
    """
    return _read(content, options, whole=True).upright


def pixels_hash(image: Image.Image) -> bytes:
    """Sha256 over size and pixels of an RGB image."""
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).digest()


def to_rgb(image: Image.Image) -> Image.Image:
    """8-bit RGB: 16 bits scaled, alpha composited on white, palettes and CMYK converted.

    Raises:
        Rejected: the range of 16 or 32 bits is unclear.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return deep_grey(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, WHITE), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, size: int, mode: str) -> Image.Image:
    """A square of `size` pixels a side, by Lanczos interpolation with antialiasing.

    Args:
        image: 8-bit RGB.
        size: in pixels.
        mode: `CROP` for the largest square about the centre, `PAD` for all of the image between
            black bars, `SQUASH` for all of it without regard to its proportions.
    """
    width, height = image.size
    if mode == PAD:
        scale = size / max(width, height)
        inner = (max(round(width * scale), 1), max(round(height * scale), 1))
        square = Image.new("RGB", (size, size))
        corner = ((size - inner[0]) // 2, (size - inner[1]) // 2)
        square.paste(_scaled(image, inner), corner)
        return square
    if mode == SQUASH or width == height:
        return _scaled(image, (size, size))
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    # Cropped first: the filter would look beyond the border of a region.
    return _scaled(image.crop((left, top, left + side, top + side)), (size, size))


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
    # Photographs hardly repeat themselves: looking for runs only is five times as fast as looking
    # for all repetitions, and the files grow by a twentieth.
    Image.fromarray(image).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def is_plain(image: Image.Image) -> bool:
    """Whether every reader makes the same 8-bit RGB of a file: no alpha, no CMYK, not 16 bits.

    Args:
        image: just opened; loading it loses what is asked here.
    """
    return image.mode in PLAIN_MODES and "transparency" not in image.info and not is_deep(image)


def is_deep(image: Image.Image) -> bool:
    """Whether a file, just opened, has 16 bits a channel, which Pillow narrows while it loads."""
    return ";16" in str(getattr(image, "tile", ""))


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


def _thumbnail(content: bytes, options: ImageOptions, side: int) -> np.ndarray:
    wanted = dataclasses.replace(options, size=side, resize=CROP)
    return np.asarray(resize(_read(content, wanted, whole=False).upright, side, CROP))


@dataclasses.dataclass(frozen=True)
class _Read:
    """The upright image of a file, and what is known of the file (see `PreparedImage`).

    It is RGB. Only one that is decoded at a part of its size, and of which no image is wanted, is
    grey.
    """

    upright: Image.Image
    untouched: bool
    has_profile: bool
    scale: int


def _read(content: bytes, options: ImageOptions, *, whole: bool) -> _Read:
    if not content:
        raise Rejected("empty", "the file has no byte")
    try:
        return _decoded(content, options, whole=whole)
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error, content) from error


def _decoded(content: bytes, options: ImageOptions, *, whole: bool) -> _Read:
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        _check(image, options)
        deep, plain = is_deep(image), is_plain(image)
        is_jpeg = image.format in JPEG_FORMATS
        untouched = plain and _turn(image) is None and (is_jpeg or image.format in RECORD_FORMATS)
        scale, grey = 1, False
        if is_jpeg and image.mode in SCALABLE_MODES and not whole and (options.size or untouched):
            scale = _scale(image, options)
        if scale > 1:
            grey = options.size is None  # where no image is wanted, it will do
            image.draft("L" if grey else image.mode, (image.width // scale, image.height // scale))
        image.decodermaxblock = len(content)  # one piece, for it is in memory already
        image.load()
        if is_jpeg:
            _check_end(image, content, scale)
        if image.format == "PNG":
            _check_chunks(content)
            if untouched and options.size is None and not whole:
                _check_for_others(content)
        as_wanted = image if grey else _as_rgb(image, content, deep=deep)
        turn = _turn(image)  # once more, for a TIFF has been turned by loading it
        upright = as_wanted if turn is None else as_wanted.transpose(turn)
        return _Read(upright, untouched, _has_profile(image), scale)


def _has_profile(image: Image.Image) -> bool:
    """Whether the file has a colour profile that does not call itself sRGB."""
    profile = image.info.get("icc_profile") or SRGB[0]
    return not any(name in profile for name in SRGB)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What makes an image upright; None where it is."""
    return TURNS.get(image.getexif().get(ORIENTATION, UPRIGHT))


def _check(image: Image.Image, options: ImageOptions) -> None:
    width, height = image.size
    if width * height > options.max_pixels:
        raise Rejected("too_large", f"{width}x{height} pixels, the limit is {options.max_pixels:,}")
    if min(width, height) < options.min_side:
        raise Rejected(
            "too_small", f"{width}x{height}, the shorter side must be {options.min_side}"
        )
    # The second picture of an MPO is a preview or a depth map.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Rejected("animated", f"{frames} frames: save the one that is meant")


def _scale(image: Image.Image, options: ImageOptions) -> int:
    """At which part of its size a JPEG is decoded; 1 for all of it."""
    short, long = sorted(image.size)
    if image.info.get("progressive"):
        return 1  # smaller ones would be made of its first scans
    if options.size is None:
        return next((scale for scale in JPEG_SCALES if short / scale >= LEAST_SIDE), 1)
    shrinking = (long if options.resize == PAD else short) / options.size
    return 2 if shrinking / 2 >= SCALING_GAP else 1


def _check_end(image: Image.Image, content: bytes, scale: int) -> None:
    """Finds a JPEG whose data break off although it has an end.

    The decoder leaves what is missing mid-grey and says nothing. Images that are grey there by
    themselves are told apart by bytes put before the end: a decoder that has all its blocks takes
    no notice of them.
    """
    width, height = image.size
    if not content.endswith(JPEG_END):
        _end_of_jpeg(content)
    # The last row alone: of the last row of blocks there may be no more.
    corner = image.crop((max(width - BLOCK // scale, 0), height - 1, width, height))
    luma = corner.convert("L").tobytes()
    missing = MID_GREY[0] <= min(luma) and max(luma) <= MID_GREY[1]
    if not (missing or image.info.get("progressive")):
        return
    end = _end_of_jpeg(content)
    with Image.open(io.BytesIO(content[:end] + JPEG_FILLER + content[end:])) as other:
        if scale > 1:
            other.draft(image.mode, (other.width // scale, other.height // scale))
        other.load()
        if other.tobytes() != image.tobytes():
            raise Rejected("truncated", "its data break off before the end marker")


def _end_of_jpeg(content: bytes) -> int:
    """Where the end marker of a JPEG stands; other decoders than Pillow's insist on it."""
    position = 2
    while found := JPEG_MARKER.search(content, position):
        marker, position = found[0], found.end()
        if marker == JPEG_END:
            return found.start()
        if not 0xD0 <= marker[1] <= 0xD8 and marker[1] != 1:  # all others have a length
            position += int.from_bytes(content[position : position + 2])
    raise Rejected("truncated", "it has no end marker")


def _check_chunks(content: bytes) -> None:
    """Reads a PNG to its end: decoding stops with the last pixel."""
    with Image.open(io.BytesIO(content), formats=("PNG",)) as image:
        image.verify()


def _check_for_others(content: bytes) -> None:
    """Finds a PNG that Pillow reads and others do not, where they are to get its bytes."""
    import tensorflow as tf

    try:
        tf.io.decode_png(content)
    except tf.errors.InvalidArgumentError as error:
        raise Rejected("damaged", "its parts are incomplete or in disorder") from error


def _as_rgb(image: Image.Image, content: bytes, *, deep: bool) -> Image.Image:
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow takes all CMYK JPEGs for inverted, but only Adobe's are.
        return to_rgb(ImageChops.invert(image))
    if deep and image.format == "PNG":
        return deep_png(content, transparent_colour="transparency" in image.info)
    if deep:
        check_upper_bytes(image)
    return to_rgb(image)


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def _encode(image: Image.Image, options: ImageOptions) -> bytes:
    if options.encoding == PNG:
        return encode_png(np.asarray(image))
    buffer = io.BytesIO()
    # Colours at full resolution: in skin they are diagnostic.
    image.save(buffer, "JPEG", quality=options.jpeg_quality, subsampling=0)
    return buffer.getvalue()
