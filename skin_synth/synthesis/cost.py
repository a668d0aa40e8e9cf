"""The room that synthetic images take in memory and on the disk, before any is generated."""

from __future__ import annotations

import logging
import os
import shutil

from skin_synth.data.streaming import machine_memory
from tfrecords_tools.errors import InputError
from tfrecords_tools.paths import real_path

ROW_BYTES = 2**11
"""Bytes of memory and of disk for what is known of an image; its pixels are on the disk only."""
LARGEST_COUNT = 2**40
"""More images than any disk holds; their seeds would leave 64 bits."""
MIB, GIB = 2**20, 2**30
_LOG = logging.getLogger("skin_synth")


def check_room(out: str | os.PathLike[str], images: int, image_size: int, *, copies: int) -> None:
    """Logs the room that images take, and checks that it is there.

    Args:
        out: where they are written.
        images: their number.
        image_size: height and width, in pixels.
        copies: times that each is on the disk before the work is done.

    Raises:
        InputError: the disk or the memory cannot hold so many.
    """
    pixels = 3 * image_size**2
    there = next(path for path in (real_path(out), *real_path(out).parents) if path.exists())
    needed = {
        "memory": (images * ROW_BYTES, machine_memory()),
        f"disk of {there}": (images * (ROW_BYTES + pixels * copies), shutil.disk_usage(there).free),
    }
    text = ", ".join(f"{_size(size)} of {what}" for what, (size, _) in needed.items())
    if images >= 1000:
        _LOG.info(f"{images:,} synthetic images of {image_size} pixels take up to {text}")
    for what, (size, room) in needed.items():
        if size > room or images > LARGEST_COUNT:
            raise InputError(
                f"{images:,} synthetic images of {image_size} pixels take up to {text}; there are "
                f"{_size(room)} of {what}: request fewer"
            )


def _size(count: float) -> str:
    return f"{count / GIB:,.1f} GiB" if count >= GIB else f"{count / MIB:,.0f} MiB"
