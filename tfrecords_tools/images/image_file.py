"""Reads and verifies an image file, makes it upright 8-bit RGB, resizes and encodes it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import zlib
from typing import Any

import numpy as np
from google_crc32c import value as crc32c
from PIL import Image, ImageChops

from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images import jpeg_file, kinds, metadata, png_file
from tfrecords_tools.images.bit_depth import check_upper_bytes, decode_16_bit_png, grey_to_8_bits
from tfrecords_tools.images.jpeg_tables import own_quality
from tfrecords_tools.images.metadata import Metadata
from tfrecords_tools.images.opening import MAX_PIXELS, explain_failure, opened, pillow_settings
from tfrecords_tools.images.perceptual_hash import perceptual_hash
from tfrecords_tools.images.two_colours import has_two_colours
from tfrecords_tools.options import CROP, JPEG, PAD, PNG, SQUASH, ImageOptions

PLAIN_MODES = ("RGB", "L", "P", "1")
"""Modes that every reader turns into the same 8-bit RGB."""
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
RGB_PROFILE = b"RGB "
"""Bytes 16 to 19 of the colour profile of an RGB image."""
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


@dataclasses.dataclass(frozen=True)
class PreparedImage:
    """An image in the form of the data set.

    Attributes:
        encoded: PNG or JPEG.
        untouched: whether `encoded` holds the compressed pixels of the file.
        num_encoded: bytes of `encoded`.
        synthetic: whether the file says that a program made the image.
        identifying: which of `metadata.IDENTIFYING` the file holds.
        two_colours: whether it has two colours only, as a mask has.
        has_profile: whether the file has a colour profile other than sRGB; it is not applied.
        scale: the image was decoded at 1/scale of its size; 1 except for JPEGs.
        probe: checksum of a grid of pixels; equal for equal images decoded at one scale.
        perceptual: see `perceptual_hash.perceptual_hash`.
        num_bytes, checksum: size and CRC-32C of the file.
        thumbnail: the image cropped to a square, uint8[side, side, 3]; None if not requested.
    """

    encoded: bytes
    untouched: bool
    num_encoded: int
    synthetic: bool
    identifying: frozenset[str]
    two_colours: bool
    has_profile: bool
    scale: int
    probe: int
    perceptual: int
    num_bytes: int
    checksum: int
    thumbnail: np.ndarray | None


@pillow_settings
def prepare(content: bytes, options: ImageOptions, *, thumbnail: int = 0) -> PreparedImage:
    """Checks and encodes one image.

    A JPEG is decoded at a reduced size if it gets smaller or keeps its bytes. `thumbnail` is
    the side of a thumbnail in pixels; 0 for none.

    Raises:
        Rejected: the file is not a single, whole image of sufficient size.
    """
    read = _read(content, options, whole=False)
    if read.bare is not None:
        encoded = content if options.keep_metadata else read.bare
        if encoded.startswith(png_file.SIGNATURE):
            _check_by_tensorflow(encoded)
    elif options.size is None:
        encoded = _encode(read.upright, options, profile=read.profile, jpeg=read.jpeg_options)
    else:
        encoded = _encode(resize(read.upright, options.size, options.resize), options)
    if read.metadata.says_synthetic and encoded is not content:
        encoded = metadata.marked_synthetic(encoded)
    grid = read.upright.resize((PROBE_SIDE, PROBE_SIDE), Image.Resampling.NEAREST)
    return PreparedImage(
        encoded=encoded,
        untouched=read.bare is not None,
        num_encoded=len(encoded),
        synthetic=read.metadata.says_synthetic,
        identifying=read.metadata.identifying,
        two_colours=has_two_colours(np.asarray(grid.convert("RGB"))),
        has_profile=read.has_profile,
        scale=read.scale,
        probe=zlib.crc32(grid.tobytes(), zlib.crc32(repr(read.upright.size).encode())),
        perceptual=perceptual_hash(grid),
        num_bytes=len(content),
        checksum=crc32c(content),
        thumbnail=_thumbnail(content, options, thumbnail) if thumbnail else None,
    )


@pillow_settings
def decode(content: bytes, options: ImageOptions) -> Image.Image:
    """Decodes a file to an upright 8-bit RGB image, in full size.

    Raises:
        Rejected: as `prepare`.
    """
    return _read(content, options, whole=True).upright


@pillow_settings
def decode_square(content: bytes, side: int) -> np.ndarray:
    """Decodes a file to uint8[side, side, 3]: the pixels that a build with `size=side` records.

    Raises:
        Rejected: as `prepare`.
    """
    return _thumbnail(content, ImageOptions(), side)


@pillow_settings
def decode_record(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decodes the image of a record to RGB.

    Raises:
        Rejected: it is damaged or too large, or readers would drop its alpha, 16 bits or CMYK.
    """
    try:
        file = metadata.take_apart(content)
        with opened(file.drawn, allowed=kinds.RECORD_KINDS, max_pixels=max_pixels) as image:
            if not is_plain(image):
                raise Rejected("damaged", "it has alpha, 16 bits or CMYK, which readers drop")
            # Files that kept their bytes may be grey or have a palette; readers expand them.
            return image.convert("RGB")
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error) from error


@pillow_settings
def read_metadata(content: bytes) -> Metadata:
    """Reads the metadata of an image file, which must decode to its end.

    Raises:
        Rejected: as `prepare`, except for images that are small or hold several frames.
    """
    try:
        file = metadata.take_apart(content)
        with opened(file.drawn) as image:
            found = file.metadata or metadata.of_image(image)
            image.load()
            return found
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error) from error


def size_in_file(content: bytes) -> tuple[int, int]:
    """Returns width and height of an image as its file says, before it is made upright.

    Raises:
        Rejected: it is no image, or its header cannot be read.
    """
    with opened(metadata.take_apart(content).drawn) as image:
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
    return _png(Image.fromarray(image))


def is_plain(image: Image.Image) -> bool:
    """Returns whether all readers get the same RGB from a file that was just opened."""
    return image.mode in PLAIN_MODES and "transparency" not in image.info and not is_16_bit(image)


def is_16_bit(image: Image.Image) -> bool:
    """Returns whether an image that was not yet loaded has 16 bits; Pillow then drops eight."""
    return ";16" in str(getattr(image, "tile", ""))


def _thumbnail(content: bytes, options: ImageOptions, side: int) -> np.ndarray:
    wanted = dataclasses.replace(options, size=side, resize=CROP)
    return np.asarray(resize(_read(content, wanted, whole=False).upright, side, CROP))


@dataclasses.dataclass(frozen=True)
class _DecodedFile:
    """The upright image of a file, and facts about the file.

    Attributes:
        upright: RGB; grey if decoded at a reduced size only for hashes.
        bare: the file without metadata, if a record can hold it; else None.
        profile: colour profile of `upright`, or None.
        jpeg_options: how Pillow encodes `upright` as JPEG with the quality of the file; None if
            the file is no JPEG.
        has_profile, scale: as in `PreparedImage`.
    """

    upright: Image.Image
    bare: bytes | None
    metadata: Metadata
    profile: bytes | None
    jpeg_options: dict[str, Any] | None
    has_profile: bool
    scale: int


def _read(content: bytes, options: ImageOptions, *, whole: bool) -> _DecodedFile:
    try:
        return _decode_file(content, options, whole=whole)
    except Rejected:
        raise
    except Exception as error:
        raise explain_failure(error) from error


def _decode_file(content: bytes, options: ImageOptions, *, whole: bool) -> _DecodedFile:
    file = metadata.take_apart(content)
    with opened(file.drawn, max_pixels=options.max_pixels) as opened_image:
        image: Any = opened_image  # each format has further attributes
        _check(image, options)
        found = file.metadata or metadata.of_image(image)
        deep, is_jpeg = is_16_bit(image), image.format == kinds.JPEG
        turn = UPRIGHT_TRANSPOSES.get(found.orientation)
        untouched = image.format in kinds.RECORD_KINDS and is_plain(image) and turn is None
        scale, grey = 1, False
        if is_jpeg and image.mode in SCALABLE_MODES and not whole and (options.size or untouched):
            scale = _scale(image, options)
        if scale > 1:
            grey = options.size is None  # enough for hashes
            image.draft("L" if grey else image.mode, (image.width // scale, image.height // scale))
        image.decodermaxblock = len(content)  # in one piece, because it is in memory
        image.load()
        if is_jpeg:
            _check_end(image, file.drawn, scale)
        if image.format == kinds.TIFF:
            turn = None  # because loading turned it
        profile = file.profile or image.info.get("icc_profile")
        converted = image if grey else _as_rgb(image, file.drawn, deep=deep)
        return _DecodedFile(
            upright=converted if turn is None else converted.transpose(turn),
            bare=file.bare if untouched and options.size is None and not whole else None,
            metadata=found,
            profile=profile if profile and profile[16:20] == RGB_PROFILE else None,
            jpeg_options=own_quality(image, turn) if is_jpeg else None,
            has_profile=not any(name in (profile or SRGB_NAMES[0]) for name in SRGB_NAMES),
            scale=scale,
        )


def _check(image: Image.Image, options: ImageOptions) -> None:
    width, height = image.size
    if min(width, height) < (side := options.min_side):
        raise Rejected("too_small", f"{width}x{height}, the shorter side must be {side}")
    # A phone's HEIC file may hold more images; the first one is the photograph.
    if image.format != "HEIF" and getattr(image, "is_animated", False):
        raise Rejected("animated", "several frames or pages: save only the one you need")


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
    # One row, because the last row of blocks may have only one.
    corner = image.crop((max(width - JPEG_BLOCK_SIDE // scale, 0), height - 1, width, height))
    luma = corner.convert("L").tobytes()
    missing = MID_GREY_RANGE[0] <= min(luma) and max(luma) <= MID_GREY_RANGE[1]
    if not (missing or image.info.get("progressive")):
        return
    # The end marker is last, because the metadata are taken off.
    filled = content[: -len(jpeg_file.END)] + JPEG_FILLER + jpeg_file.END
    with Image.open(io.BytesIO(filled), formats=(kinds.JPEG,)) as other:
        if scale > 1:
            other.draft(image.mode, (other.width // scale, other.height // scale))
        other.load()
        if other.tobytes() != image.tobytes():
            raise Rejected("truncated", "its data end before the end marker")


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


def _encode(
    image: Image.Image,
    options: ImageOptions,
    *,
    profile: bytes | None = None,
    jpeg: dict[str, Any] | None = None,
) -> bytes:
    """Encodes RGB; `jpeg` are Pillow's options for JPEG, None for those of `options`."""
    if options.encoding == PNG:
        return _png(image, profile)
    buffer = io.BytesIO()
    # Colours at full resolution, because they are diagnostic in skin.
    quality = jpeg or {"quality": options.jpeg_quality, "subsampling": 0}
    image.save(buffer, JPEG, icc_profile=profile, **quality)
    return buffer.getvalue()


def _png(image: Image.Image, profile: bytes | None = None) -> bytes:
    buffer = io.BytesIO()
    # Photographs have few repetitions. A search for runs only is five times as fast and makes files
    # 5 % larger.
    image.save(buffer, "PNG", compress_type=zlib.Z_RLE, icc_profile=profile)
    return buffer.getvalue()
