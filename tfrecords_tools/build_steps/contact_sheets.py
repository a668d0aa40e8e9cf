"""Makes a sheet of thumbnails for each class, so that people see what a data set holds."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tfrecords_tools.build_steps.plan import Plan
from tfrecords_tools.build_steps.runners import Runner
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.lettering import lettering
from tfrecords_tools.records.schema import CONTACT_SHEETS
from tfrecords_tools.sources import ImageRecord

SHEET_COLUMNS = 8
SHEET_IMAGES = 3 * SHEET_COLUMNS
"""Number of thumbnails on a sheet."""
THUMBNAIL_SIDE, SHEET_GAP, TITLE_HEIGHT, TITLE_SIZE = 96, 4, 24, 15
"""In pixels."""
MAX_NAME_BYTES = 200
"""Most bytes of a class name in a file name; file systems allow 255 for the whole name."""
UNSAFE_IN_NAMES = re.compile(r"[^\w.-]+")
PAPER_COLOUR, INK_COLOUR = (255, 255, 255), (40, 40, 40)


@dataclasses.dataclass(frozen=True)
class Sheet:
    """The content of a sheet of one class.

    Attributes:
        thumbnails: uint8[THUMBNAIL_SIDE, THUMBNAIL_SIDE, 3] each, at most `SHEET_IMAGES`.
    """

    label: int
    class_name: str
    title: str
    thumbnails: Sequence[np.ndarray]

    @property
    def file(self) -> str:
        """Name of the file."""
        return f"{numbered_name(self.label, self.class_name)}.png"


def numbered_name(label: int, class_name: str, *, digits: int = 2) -> str:
    """Returns NN_CLASS, the start of a file name; _ replaces what a file name cannot hold."""
    name = UNSAFE_IN_NAMES.sub("_", class_name)[:64].encode()[:MAX_NAME_BYTES]
    return f"{label:0{digits}d}_{name.decode(errors='ignore')}"


def contact_sheet(sheet: Sheet) -> bytes:
    """Returns the PNG of a sheet: thumbnails row by row below the title."""
    rows = -(-len(sheet.thumbnails) // SHEET_COLUMNS)
    step = THUMBNAIL_SIDE + SHEET_GAP
    title, font = lettering(sheet.title, TITLE_SIZE)
    width = max(SHEET_COLUMNS * step, round(font.getlength(title)) + SHEET_GAP) + SHEET_GAP
    paper = Image.new("RGB", (width, TITLE_HEIGHT + rows * step + SHEET_GAP), PAPER_COLOUR)
    ImageDraw.Draw(paper).text((SHEET_GAP, SHEET_GAP), title, fill=INK_COLOUR, font=font)
    for number, thumbnail in enumerate(sheet.thumbnails):
        row, column = divmod(number, SHEET_COLUMNS)
        corner = (SHEET_GAP + column * step, TITLE_HEIGHT + row * step)
        paper.paste(Image.fromarray(thumbnail), corner)
    return encode_png(np.asarray(paper))


def write_contact_sheets(
    directory: Path,
    records: Sequence[ImageRecord],
    plan: Plan,
    thumbnails: Mapping[int, np.ndarray],
    runner: Runner,
) -> None:
    """Writes a contact sheet for each class of a data set; `thumbnails` are by row."""
    rows = [row for of_split in plan.members.values() for row in of_split]
    counts = Counter(records[row].label for row in rows)
    shown: dict[str, list[np.ndarray]] = {name: [] for name in plan.class_names}
    for row in rows:
        if row in thumbnails:
            shown[records[row].label].append(thumbnails[row])
    sheets = [
        Sheet(label, name, f"{name}: {len(shown[name])} of {counts[name]:,} images", shown[name])
        for label, name in enumerate(plan.class_names)
    ]
    (directory / CONTACT_SHEETS).mkdir()
    for sheet, png in zip(sheets, runner.map(contact_sheet, sheets), strict=True):
        (directory / CONTACT_SHEETS / sheet.file).write_bytes(png)
