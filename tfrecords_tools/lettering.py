"""Fonts for the text in pictures: every letter is drawn, or its number is written.

Pillow's own font has few letters beyond ASCII and draws a box for others. Matplotlib brings DejaVu
Sans with Latin, Greek, Cyrillic, Arabic and Hebrew; fonts of the system have more.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path

from PIL import ImageFont

FONT_FOLDERS = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts"),
    *("/System/Library/Fonts", "/Library/Fonts", "~/Library/Fonts", "C:/Windows/Fonts"),
)
FONT_SUFFIXES = (".ttf", ".ttc", ".otf")
UNKNOWN_LETTER = "\U0010ffff"
"""A code without a letter: a font draws its sign for a missing letter."""
_PROBE_SIZE = 15


def lettering(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Returns a text and a font that has all its letters.

    ASCII text keeps Pillow's font. If no font has a letter, its number replaces it, as in [U+5149].

    Args:
        text: to draw.
        size: of the font, in pixels.
    """
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # pragma: no cover
        raise RuntimeError("this Pillow was built without FreeType; install the wheel from PyPI")
    if text.isascii():
        return text, font
    path = font_file(text)
    found = ImageFont.truetype(str(path), size) if path else font
    return legible(text, path), found


@functools.lru_cache(256)
def font_file(text: str) -> Path | None:
    """Returns the file of the font that has most letters of a text; the first of equal ones."""
    best, most = None, -1
    for path in _font_files():
        count = sum(letter in _letters(path, text) for letter in text)
        if count > most:
            best, most = path, count
        if most == len(text):
            break
    return best


def legible(text: str, path: Path | None = None) -> str:
    """Replaces the letters that a font lacks (None: Pillow's) by their numbers, as in [U+5149]."""
    has = _letters(path, text)
    return "".join(each if each in has else f"[U+{ord(each):04X}]" for each in text)


@functools.lru_cache(4096)
def _letters(path: Path | None, text: str) -> frozenset[str]:
    """Returns the letters of a text that a font has; ASCII is in every font."""
    try:
        font = _probe(path)
        lacking = _drawn(font, UNKNOWN_LETTER)
        return frozenset(
            each
            for each in set(text)
            if each.isprintable() and (each.isascii() or _drawn(font, each) != lacking)
        )
    except (OSError, ValueError):  # a font that FreeType cannot use
        return frozenset()


@functools.cache
def _probe(path: Path | None) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    if path is None:
        return ImageFont.load_default(_PROBE_SIZE)
    return ImageFont.truetype(str(path), _PROBE_SIZE)


def _drawn(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, letter: str) -> tuple[object, bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


def _font_files() -> Iterator[Path]:
    """Yields DejaVu Sans, then the fonts of the system."""
    spec = importlib.util.find_spec("matplotlib")  # it is not imported, which takes long
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).with_name("mpl-data") / "fonts" / "ttf" / "DejaVuSans.ttf"
    yield from _system_fonts()


@functools.cache
def _system_fonts() -> tuple[Path, ...]:
    folders = (Path(folder).expanduser() for folder in FONT_FOLDERS)
    files = (path for folder in folders if folder.is_dir() for path in folder.rglob("*"))
    return tuple(sorted(path for path in files if path.suffix.lower() in FONT_SUFFIXES))
