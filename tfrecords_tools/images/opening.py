"""The one door through which image files reach a decoder: limits, formats, settings of Pillow.

The limits follow from `max_pixels`, so that a user who needs larger images changes one number.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import threading
from collections.abc import Collection, Iterator

from PIL import Image, ImageFile, PngImagePlugin, UnidentifiedImageError, features

from tfrecords_tools.bounded_reading import open_at_once
from tfrecords_tools.errors import Rejected
from tfrecords_tools.images import kinds

Image.init()  # all plugins, once, because threads would race for it
PILLOW_KINDS = (
    *(kinds.JPEG, kinds.PNG, kinds.WEBP, kinds.BMP, kinds.TIFF, kinds.GIF, kinds.PPM),
    kinds.JPEG2000,
)
"""Kinds that Pillow always decodes. For others it may run programs (EPS) or load other files."""
POINTERS = {
    b"version https://git-lfs.github.com/spec/": "a pointer of Git LFS: git lfs pull fetches it",
    b"/annex/objects/": "a pointer of git-annex: git annex get fetches it",
}
"""First bytes of small files in the place of images that are kept elsewhere."""
EXTRAS = {
    kinds.AVIF: ("avif", "pillow>=11.3 with AVIF"),
    kinds.HEIC: ("heic", "pillow-heif"),
    kinds.DICOM: ("dicom", "pydicom"),
}
"""Kinds that need another library: the extra of setup.cfg, and the library."""
MAX_PIXELS = 100_000_000
FILE_BYTES_PER_PIXEL = 8
"""A file may have as many bytes as `max_pixels` uncompressed pixels of four channels of 16 bits."""
MEMORY_BYTES_PER_PIXEL = 24
"""Decoding may take this many bytes of memory for each of `max_pixels`."""
SHARED_MEMORY = 2**31
"""Bytes that all threads together use for decoding; a larger image is decoded alone."""
MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Bytes of a pixel in Pillow's memory, by mode; all other modes take four."""
RGB_BYTES = 4
COPIES = 2
"""Converting and turning an image each hold one more copy of it, in RGB."""
LARGEST_TEXT = 2**26
"""Bytes of an image whose pixels are decimal numbers: Pillow reads 10 MB of them in a second."""
_COMMENT = re.compile(rb"#[^\r\n]*")
COEFFICIENT_BYTES = 2
WAVELET_BYTES = 4
TRUNCATED = "truncated"


class _PillowSettings(contextlib.ContextDecorator):
    """Sets Pillow's settings while a thread is inside, whatever the program has set.

    The limit of pixels is lifted, because `max_pixels` is checked instead. Texts of PNGs do not
    reach Pillow at all (see `png_file`). Truncated images are never accepted.
    """

    _SETTINGS = (
        (Image, "MAX_IMAGE_PIXELS", None),
        (ImageFile, "LOAD_TRUNCATED_IMAGES", False),
        (PngImagePlugin, "MAX_TEXT_CHUNK", 2**20),
        (PngImagePlugin, "MAX_TEXT_MEMORY", 2**26),
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[object] = []

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = [getattr(module, name) for module, name, _ in self._SETTINGS]
                for module, name, value in self._SETTINGS:
                    setattr(module, name, value)
            self._inside += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for (module, name, _), value in zip(self._SETTINGS, self._before, strict=True):
                    setattr(module, name, value)


pillow_settings = _PillowSettings()


class _MemoryBudget:
    """Lets threads decode at the same time as long as they need little memory together.

    A thread that is inside may enter again.
    """

    def __init__(self, total: int) -> None:
        self._total, self._used = total, 0
        self._changed = threading.Condition()
        self._inside = threading.local()

    @contextlib.contextmanager
    def of(self, num_bytes: int) -> Iterator[None]:
        """Waits until the memory is free, or nobody else uses any."""
        if getattr(self._inside, "yes", False):
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + num_bytes <= self._total)
            self._used += num_bytes
        self._inside.yes = True
        try:
            yield
        finally:
            self._inside.yes = False
            with self._changed:
                self._used -= num_bytes
                self._changed.notify_all()


memory_budget = _MemoryBudget(SHARED_MEMORY)


def read_file(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> bytes:
    """Reads an image file; does not wait for a pipe or device, and reads no file that is too large.

    Raises:
        Rejected: it is not a regular file, or has more bytes than an image of `max_pixels` needs.
        OSError: the system refuses to read it.
    """
    limit = FILE_BYTES_PER_PIXEL * max_pixels
    with open_at_once(path) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Rejected("not_a_file", "a pipe, a device or a folder")
        size = status.st_size
        content = file.read(limit + 1) if size <= limit else b""
        if max(size, len(content)) > limit:
            raise Rejected("too_large", f"{size:,} bytes, the limit is {limit:,}")
        return content


@contextlib.contextmanager
def opened(
    content: bytes,
    *,
    allowed: Collection[str] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Iterator[Image.Image]:
    """Opens an image file that is in memory; the image is not decoded yet.

    Metadata should be removed before (see `jpeg_file`, `png_file`), because Pillow has other limits
    for them.

    Args:
        content: the whole file.
        allowed: kinds that are accepted; None: all that can be decoded here.
        max_pixels: larger images are rejected.

    Raises:
        Rejected: it is empty, of no allowed kind, too large, or its header cannot be read.
    """
    kind = kinds.kind_of(content[: kinds.HEAD_BYTES])
    if not content:
        raise Rejected("empty", "the file has no byte")
    if kind is None or (allowed is not None and kind not in allowed):
        raise Rejected("not_an_image", _not_allowed(content, kind, allowed))
    with pillow_settings, contextlib.ExitStack() as stack:
        try:
            image = stack.enter_context(_open(content, kind))
        except Rejected:
            raise
        except Exception as error:  # decoders raise errors of many types
            raise explain_failure(error) from error
        check_size(image, kind, max_pixels)
        with memory_budget.of(decoding_bytes(image, kind)):
            yield image


def check_size(image: Image.Image, kind: str, max_pixels: int) -> None:
    """Checks an image that is not decoded yet.

    Raises:
        Rejected: it has too many pixels, or its decoding would take too much memory.
    """
    width, height = image.size
    if width * height > max_pixels:
        raise Rejected("too_large", f"{width}x{height} pixels, the limit is {max_pixels:,}")
    needed, limit = decoding_bytes(image, kind), MEMORY_BYTES_PER_PIXEL * max_pixels
    if needed > limit:
        raise Rejected(
            "too_large",
            f"decoding it would take {needed / 2**20:,.0f} MiB of memory, the limit is "
            f"{limit / 2**20:,.0f}: save it in another format or in small tiles",
        )


def decoding_bytes(image: Image.Image, kind: str) -> int:
    """Estimates from the header the memory that decoding to upright RGB takes, in bytes."""
    width, height = image.size
    pixels, channels = width * height, len(image.getbands())
    needed = pixels * (MODE_BYTES.get(image.mode, 4) + COPIES * RGB_BYTES)
    if kind == kinds.JPEG and image.info.get("progressive"):
        needed += pixels * channels * COEFFICIENT_BYTES
    if kind == kinds.JPEG2000:
        needed += pixels * channels * WAVELET_BYTES
    if kind == kinds.TIFF:
        needed += _tile_bytes(image)
    return needed


def explain_failure(error: Exception) -> Rejected:
    """Returns the rejection for the error of a decoder, which may be of any type."""
    detail = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UnidentifiedImageError):
        return Rejected("damaged", "it begins like an image, but its header cannot be read")
    return Rejected(TRUNCATED if TRUNCATED in detail.lower() else "damaged", detail)


def _open(content: bytes, kind: str) -> Image.Image:
    if kind == kinds.PPM and content[1:2] in b"123":
        content = _bounded_text(content)
    if kind in PILLOW_KINDS:
        return Image.open(io.BytesIO(content), formats=(kind,))
    try:
        if kind == kinds.DICOM:
            from tfrecords_tools.images.dicom import open_dicom

            return open_dicom(content)
        if kind == kinds.HEIC:
            from pillow_heif import HeifImageFile

            return HeifImageFile(io.BytesIO(content))
        if features.check("avif"):
            return Image.open(io.BytesIO(content), formats=(kind,))
    except ModuleNotFoundError:
        pass
    extra, library = EXTRAS[kind]
    raise Rejected(
        "needs_library",
        f"a {kind} image needs {library}: pip install 'skin-synth[{extra}]', or save it as JPEG",
    )


def _bounded_text(content: bytes) -> bytes:
    """Returns a PPM of decimal numbers without comments, of which Pillow reads many very slowly."""
    if len(content) > LARGEST_TEXT:
        raise Rejected(
            "too_large",
            f"its pixels are {len(content):,} bytes of text, the limit is {LARGEST_TEXT:,}: save "
            "it as PNG, or as a PPM of raw bytes",
        )
    return _COMMENT.sub(b"", content)


def _not_allowed(content: bytes, kind: str | None, allowed: Collection[str] | None) -> str:
    if kind is None:
        pointers = (what for start, what in POINTERS.items() if content.startswith(start))
        return next(pointers, "no known image format")
    return f"a {kind} image, where only {' or '.join(allowed or ())} is accepted"


def _tile_bytes(image: Image.Image) -> int:
    """Returns the bytes of one tile or strip of a TIFF, which a decoder holds as a whole."""
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(258, (1,))
    pixel_bits = tags.get(277, 1) * max(bits if isinstance(bits, tuple) else (bits,))
    if 322 in tags:  # tiles
        return tags[322] * tags.get(323, 1) * pixel_bits // 8
    return image.width * min(tags.get(278, image.height), image.height) * pixel_bits // 8
