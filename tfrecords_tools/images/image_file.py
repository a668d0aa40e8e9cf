"""Reads and verifies an image file, makes it upright 8-bit RGB, resizes and encodes it."""

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
from PIL import ExifTags, Image, ImageChops, UnidentifiedImageError

from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.bit_depth import check_upper_bytes, decode_16_bit_png, grey_to_8_bits
from tfrecords_tools.images.perceptual_hash import perceptual_hash
from tfrecords_tools.options import CROP, PAD, PNG, SQUASH, ImageOptions

Image.init()  # all plugins, once, because threads would race for it
READABLE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "JPEG2000")
"""Accepted formats. For others Pillow may run programs (EPS) or load other files."""
IMAGE_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
"""First bytes of images: a file with these bytes that cannot be opened has a broken header."""
JPEG_FORMATS = ("JPEG", "MPO")
"""Pillow's names of a JPEG; an MPO, which phones write, holds more images."""
RECORD_FORMATS = ("JPEG", "PNG")
"""Formats that a record may hold."""
PLAIN_MODES = ("RGB", "L", "P", "1")
"""Modes that every reader turns into the same 8-bit RGB."""
JPEG_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""A marker in the data of a JPEG that is neither a stuffed byte nor a restart marker."""
JPEG_END = b"\xff\xd9"
JPEG_FILLER = bytes(range(64))
"""Bytes without a marker: they change the image if a JPEG decoder still waits for data."""
MID_GREY_RANGE = (127, 129)
"""Luma of a JPEG where the decoder has no data; colours may come from neighbouring blocks."""
JPEG_BLOCK_SIDE = 8
JPEG_SCALES = (8, 4, 2)
"""A JPEG can be decoded at 1/8, 1/4 and 1/2 of its size: all data are read, with less work."""
MIN_SHRINKING = 3.0
"""After a reduced decoding the image still shrinks by at least this factor, because the decoding
drops other details than an antialiasing filter does."""
MIN_HASHED_SIDE = 48
"""Shorter side, in pixels, of an image that is decoded only to find duplicates."""
SCALABLE_MODES = ("RGB", "L")
PROBE_SIDE = 64
"""Side of the grid of pixels whose checksum finds duplicates."""
REDUCING_GAP = 1.75
"""Shrinking by a larger factor begins with averages over whole pixels. This takes half the time and
differs from Lanczos alone by less than one grey level in the mean, even for noise."""
SRGB_NAMES = (b"sRGB", "sRGB".encode("utf-16-be"))
"""Name of the sRGB profile in a file, in both encodings."""
UPRIGHT_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The operation that makes an image upright, by EXIF orientation."""


class _WithoutPillowLimit(contextlib.ContextDecorator):
    """Lifts Pillow's pixel limit while a thread is inside; `max_pixels` is checked instead."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._limit: int | None = None

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                Image.MAX_IMAGE_PIXELS = self._limit


without_pillow_limit = _WithoutPillowLimit()


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """An image in the form of the data set.

    Attributes:
        encoded: PNG or JPEG.
        untouched: whether `encoded` is the file itself.
        has_profile: whether the file has a colour profile other than sRGB; it is not applied.
        scale: the image was decoded at 1/scale of its size; 1 except for JPEGs.
        probe: checksum of a grid of pixels; equal for equal images decoded at one scale.
        perceptual: see `perceptual_hash.perceptual_hash`.
        num_bytes, checksum: size and CRC-32C of the file.
        thumbnail: the image cropped to a square, uint8[side, side, 3]; None if not requested.
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


@without_pillow_limit
def prepare(content: bytes, options: ImageOptions, *, thumbnail: int = 0) -> PreparedImage:
    """Checks and encodes one image.

    A JPEG is decoded at a reduced size if it gets smaller or keeps its bytes. `thumbnail` is
    the side of a thumbnail in pixels; 0 for none.

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


@without_pillow_limit
def decode(content: bytes, options: ImageOptions) -> Image.Image:
    """Decodes a file to an upright 8-bit RGB image, in full size.

    Raises:
        Rejected: as `prepare`.
    """
    return _read(content, options, whole=True).upright


@without_pillow_limit
def decode_square(content: bytes, side: int) -> np.ndarray:
    """Decodes a file to uint8[side, side, 3]: the pixels that a build with `size=side` records.

    Raises:
        Rejected: as `prepare`.
    """
    return _thumbnail(content, ImageOptions(), side)


@without_pillow_limit
def size_in_file(content: bytes) -> tuple[int, int]:
    """Returns width and height of an image as its file says, before it is made upright."""
    with Image.open(io.BytesIO(content), formats=READABLE_FORMATS) as image:
        return image.size


def pixels_hash(image: Image.Image) -> bytes:
    """Computes the SHA-256 of size and pixels of an RGB image."""
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).digest()


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts to 8-bit RGB: scales 16 bits, composites alpha on white, expands palettes and CMYK.

    Raises:
        Rejected: the range of 16 or 32 bits is unclear.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return grey_to_8_bits(image).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, size: int, mode: str) -> Image.Image:
    """Resizes 8-bit RGB to a square of `size` pixels by Lanczos interpolation with antialiasing.

    `CROP` takes the largest central square, `PAD` the whole image between black bars, `SQUASH` the
    whole image with other proportions.
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
    # Cropped first, because the filter would use pixels outside the region.
    return _scaled(image.crop((left, top, left + side, top + side)), (size, size))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes an image, uint8[height, width, 3], as PNG; equal images give equal bytes.

    Raises:
        InputError: the array is of another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise InputError(
            f"an image must be uint8[height, width, 3], got {image.dtype}{list(image.shape)}"
        )
    buffer = io.BytesIO()
    # Photographs have few repetitions. A search for runs only is five times as fast and makes files
    # 5 % larger.
    Image.fromarray(image).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def is_plain(image: Image.Image) -> bool:
    """Returns whether all readers get the same RGB from a file that was just opened."""
    return image.mode in PLAIN_MODES and "transparency" not in image.info and not is_16_bit(image)


def is_16_bit(image: Image.Image) -> bool:
    """Returns whether an image that was not yet loaded has 16 bits; Pillow then drops eight."""
    return ";16" in str(getattr(image, "tile", ""))


def explain_failure(error: Exception, content: bytes) -> Rejected:
    """Returns the rejection for the error of a decoder, which may be of any type."""
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        if content.startswith(IMAGE_SIGNATURES):
            return Rejected("damaged", "it begins like an image, but its header cannot be read")
        return Rejected("not_an_image", "no known image format")
    if isinstance(error, Image.DecompressionBombError):
        return Rejected("too_large", detail)
    return Rejected("truncated" if "truncated" in detail.lower() else "damaged", detail)


def _thumbnail(content: bytes, options: ImageOptions, side: int) -> np.ndarray:
    wanted = dataclasses.replace(options, size=side, resize=CROP)
    return np.asarray(resize(_read(content, wanted, whole=False).upright, side, CROP))


@dataclasses.dataclass(frozen=True)
class _DecodedFile:
    """The upright image of a file, with fields of `PreparedImage`."""

    upright: Image.Image  # RGB; grey if decoded at a reduced size only for hashes
    untouched: bool
    has_profile: bool
    scale: int


def _read(content: bytes, options: ImageOptions, *, whole: bool) -> _DecodedFile:
    if not content:
        raise Rejected("empty", "the file has no byte")
    try:
        return _decode_file(content, options, whole=whole)
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error, content) from error


def _decode_file(content: bytes, options: ImageOptions, *, whole: bool) -> _DecodedFile:
    with Image.open(io.BytesIO(content), formats=READABLE_FORMATS) as image:
        _check(image, options)
        deep, plain = is_16_bit(image), is_plain(image)
        is_jpeg = image.format in JPEG_FORMATS
        untouched = plain and _turn(image) is None and (is_jpeg or image.format in RECORD_FORMATS)
        scale, grey = 1, False
        if is_jpeg and image.mode in SCALABLE_MODES and not whole and (options.size or untouched):
            scale = _scale(image, options)
        if scale > 1:
            grey = options.size is None  # enough for hashes
            image.draft("L" if grey else image.mode, (image.width // scale, image.height // scale))
        image.decodermaxblock = len(content)  # in one piece, because it is in memory
        image.load()
        if is_jpeg:
            _check_end(image, content, scale)
        if image.format == "PNG":
            with Image.open(io.BytesIO(content), formats=("PNG",)) as other:
                other.verify()  # to the end of the file, because decoding stops at the last pixel
            if untouched and options.size is None and not whole:
                _check_by_tensorflow(content)
        converted = image if grey else _as_rgb(image, content, deep=deep)
        turn = _turn(image)  # again, because loading turns a TIFF
        upright = converted if turn is None else converted.transpose(turn)
        profile = image.info.get("icc_profile") or SRGB_NAMES[0]
        has_profile = not any(name in profile for name in SRGB_NAMES)
        return _DecodedFile(upright, untouched, has_profile, scale)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """Returns the operation that makes an image upright; None if it is upright."""
    return UPRIGHT_TRANSPOSES.get(image.getexif().get(ExifTags.Base.Orientation, 1))


def _check(image: Image.Image, options: ImageOptions) -> None:
    width, height = image.size
    if width * height > options.max_pixels:
        raise Rejected("too_large", f"{width}x{height} pixels, the limit is {options.max_pixels:,}")
    if min(width, height) < (side := options.min_side):
        raise Rejected("too_small", f"{width}x{height}, the shorter side must be {side}")
    # The second image of an MPO is a preview or a depth map.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Rejected("animated", f"{frames} frames: save only the one you need")


def _scale(image: Image.Image, options: ImageOptions) -> int:
    """Returns n to decode a JPEG at 1/n of its size."""
    short, long = sorted(image.size)
    if image.info.get("progressive"):
        return 1  # a reduced decoding would use only its first scans
    if options.size is None:
        return next((scale for scale in JPEG_SCALES if short / scale >= MIN_HASHED_SIDE), 1)
    shrinking = (long if options.resize == PAD else short) / options.size
    return 2 if shrinking / 2 >= MIN_SHRINKING else 1


def _check_end(image: Image.Image, content: bytes, scale: int) -> None:
    """Rejects a JPEG whose data end before its end marker.

    The decoder makes missing blocks mid-grey without an error. Bytes inserted before the end show
    whether blocks are missing or really grey, because a decoder that has all blocks ignores these
    bytes.
    """
    width, height = image.size
    if not content.endswith(JPEG_END):
        _end_of_jpeg(content)
    # One row, because the last row of blocks may have only one.
    corner = image.crop((max(width - JPEG_BLOCK_SIDE // scale, 0), height - 1, width, height))
    luma = corner.convert("L").tobytes()
    missing = MID_GREY_RANGE[0] <= min(luma) and max(luma) <= MID_GREY_RANGE[1]
    if not (missing or image.info.get("progressive")):
        return
    end = _end_of_jpeg(content)
    with Image.open(io.BytesIO(content[:end] + JPEG_FILLER + content[end:])) as other:
        if scale > 1:
            other.draft(image.mode, (other.width // scale, other.height // scale))
        other.load()
        if other.tobytes() != image.tobytes():
            raise Rejected("truncated", "its data end before the end marker")


def _end_of_jpeg(content: bytes) -> int:
    """Returns the position of the end marker of a JPEG, which other decoders require."""
    position = 2
    while found := JPEG_MARKER.search(content, position):
        marker, position = found[0], found.end()
        if marker == JPEG_END:
            return found.start()
        if not 0xD0 <= marker[1] <= 0xD8 and marker[1] != 1:  # all others have a length
            position += int.from_bytes(content[position : position + 2])
    raise Rejected("truncated", "it has no end marker")


def _check_by_tensorflow(content: bytes) -> None:
    """Rejects a PNG that only Pillow can read, because its bytes go into the record."""
    import tensorflow as tf

    try:
        tf.io.decode_png(content)
    except tf.errors.InvalidArgumentError as error:
        raise Rejected("damaged", "its parts are incomplete or in disorder") from error


def _as_rgb(image: Image.Image, content: bytes, *, deep: bool) -> Image.Image:
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow inverts all CMYK JPEGs, but only those of Adobe are stored inverted.
        return to_rgb(ImageChops.invert(image))
    if deep and image.format == "PNG":
        return decode_16_bit_png(content, transparent_colour="transparency" in image.info)
    if deep:
        check_upper_bytes(image)
    return to_rgb(image)


def _scaled(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def _encode(image: Image.Image, options: ImageOptions) -> bytes:
    if options.encoding == PNG:
        return encode_png(np.asarray(image))
    buffer = io.BytesIO()
    # Colours at full resolution, because they are diagnostic in skin.
    image.save(buffer, "JPEG", quality=options.jpeg_quality, subsampling=0)
    return buffer.getvalue()
