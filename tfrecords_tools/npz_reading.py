"""Reads arrays that `numpy.savez` wrote: the one door for `.npz` files.

NumPy would take the memory that a header promises, and unpack what a few bytes are packed from. The
product writes its arrays unpacked, so that every size is known from the file.
"""

from __future__ import annotations

import io
import math
import os
import stat
import zipfile
from pathlib import Path

import numpy as np

from tfrecords_tools.bounded_reading import open_at_once
from tfrecords_tools.errors import InputError

SUFFIX = ".npy"


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays by name; takes about twice the memory of the file.

    Raises:
        FileNotFoundError: there is no such file.
        InputError: it is damaged, or is no file of plain unpacked arrays.
    """
    try:
        with open_at_once(path) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError("it is not a regular file")
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, ast and NumPy raise many types
        raise InputError(f"{path} cannot be read ({error})") from error


def _arrays(archive: zipfile.ZipFile, size: int) -> dict[str, np.ndarray]:
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError("its arrays are packed; Skin Synth writes them unpacked")
    if sum(member.file_size for member in members) > size:
        raise InputError("its arrays promise more bytes than the file has")
    if len({member.filename for member in members}) < len(members):
        raise InputError("an array occurs twice")
    return {each.filename.removesuffix(SUFFIX): _array(archive.read(each)) for each in members}


def _array(content: bytes) -> np.ndarray:
    """Parses an array of the NPY format; its checksum was checked."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise InputError("an array has another version of the NPY format")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise InputError("an array holds Python objects, which are never read")
    start = file.tell()
    if math.prod(shape) * dtype.itemsize != len(content) - start or min(shape, default=0) < 0:
        raise InputError("the shape of an array does not fit its bytes")
    if 0 in shape:  # an empty array has no buffer
        return np.empty(shape, dtype)
    flat = np.frombuffer(content, dtype, offset=start)
    return flat.reshape(shape, order="F" if fortran_order else "C").copy()
