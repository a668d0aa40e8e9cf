"""What all drawings share: settings that are not the user's, fonts for every name, no failure.

A drawing is for people and nothing depends on it. So one that fails is left out with a warning, and
costs neither a training nor a report.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import ParamSpec, TypeVar

import matplotlib
from matplotlib import font_manager

from tfrecords_tools.lettering import font_file, legible

INK, GRID_COLOUR = "#1c1d22", "#dcdee3"
DEFAULT_FONT = "DejaVu Sans"
SETTINGS = {
    "axes.axisbelow": True,
    "axes.edgecolor": GRID_COLOUR,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "figure.constrained_layout.use": True,
    "font.size": 9.5,
    "grid.color": GRID_COLOUR,
    "svg.fonttype": "none",
    "svg.hashsalt": "skin_synth",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.major.size": 0,
    "ytick.color": INK,
    "ytick.major.size": 0,
}
"""Settings of the charts of a report."""
AS_WRITTEN = {"text.parse_math": False}
"""Names are drawn as they are: a dollar sign begins no formula."""
P = ParamSpec("P")
T = TypeVar("T")
_LOG = logging.getLogger("skin_synth")


@contextlib.contextmanager
def own_settings(settings: dict[str, object] | None = None) -> Iterator[None]:
    """Draws with some settings and Matplotlib's defaults, not with the settings of the user."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Only a PNG lacks these glyphs, because an SVG keeps names as text.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update({**(settings or {}), **AS_WRITTEN})
        yield


def in_known_letters(names: Iterable[str]) -> list[str]:
    """Chooses fonts that have the letters of names; returns the names, see `lettering.legible`.

    Call it inside `own_settings`, for a picture whose text is drawn and not kept as text.
    """
    names, families, shown = list(names), [DEFAULT_FONT], []
    for name in names:
        path = None if name.isascii() else font_file(name)
        if path is not None:
            font_manager.fontManager.addfont(path)
            families.append(font_manager.FontProperties(fname=path).get_name())
        shown.append(legible(name, path))
    matplotlib.rcParams["font.family"] = list(dict.fromkeys(families))
    return shown


@contextlib.contextmanager
def left_out_if_it_fails(what: str) -> Iterator[None]:
    """Logs a warning if the block, which draws a picture, fails."""
    try:
        yield
    except Exception as error:  # of Matplotlib, Pillow, a font or the disk
        _LOG.warning(
            "%s could not be drawn and is left out (%s: %s); nothing else is affected",
            *(what, type(error).__name__, " ".join(str(error).split())[:200]),
        )


def drawing(
    what: str, settings: dict[str, object] | None = None
) -> Callable[[Callable[P, T]], Callable[P, T | None]]:
    """Makes a function that draws `what` with `own_settings`; it returns None if it fails."""

    def decorate(function: Callable[P, T]) -> Callable[P, T | None]:
        @functools.wraps(function)
        def draw(*args: P.args, **options: P.kwargs) -> T | None:
            drawn: T | None = None
            with left_out_if_it_fails(what), own_settings(settings):
                drawn = function(*args, **options)
            return drawn

        return draw

    return decorate
