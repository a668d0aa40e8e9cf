"""Saves weights as HDF5 if there is room, and loads them if the file holds what it claims.

A full disk while HDF5 writes ends the process. A small file may claim arrays of any size, and may
name other files. This module imports no TensorFlow.
"""

from __future__ import annotations

import errno
import math
import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from tfrecords_tools.errors import InputError

if TYPE_CHECKING:
    import h5py
    import keras

NO_FALLOCATE_ERRNOS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
ZEROS_AT_A_TIME = 2**20
HDF5_OVERHEAD = 1_024
"""Bytes that a variable takes in a file in addition to its values; about half is used."""
DEEPEST = 64
"""Groups in groups of a file; networks in networks of Keras take two for each."""
ARCHIVE_SUFFIX = ".keras"
ARCHIVED_WEIGHTS = "model.weights.h5"


def save_weights(model: keras.Model, variables: Iterable[keras.Variable], file: Path) -> None:
    """Saves a model into a new file whose name ends in `.weights.h5`.

    Args:
        model: has `save_weights`, as Keras models do.
        variables: all variables that it saves.
        file: does not exist yet.

    Raises:
        OSError: there is no room, or so large a file is not allowed.
    """
    sizes = [math.prod(v.shape) * np.dtype(v.dtype).itemsize + HDF5_OVERHEAD for v in variables]
    reserve(file, sum(sizes))
    model.save_weights(file)


def load_weights(network: keras.Model, file: Path) -> None:
    """Loads the weights of a network from a file of Keras: HDF5, or a saved model.

    Raises:
        InputError: the file holds no weights of this network.
    """
    try:
        if file.suffix == ARCHIVE_SUFFIX:
            with zipfile.ZipFile(file) as archive:
                check_archived_arrays(archive)
        else:
            check_arrays(file, file.stat().st_size)
        network.load_weights(file)
    except Exception as error:  # zip, h5py and Keras raise many types
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"{file} holds no weights for {network.name}: {reason}") from error


def check_archived_arrays(archive: zipfile.ZipFile) -> None:
    """Checks the weights in a saved model of Keras, as `check_arrays` does.

    Raises:
        KeyError: there are none.
        ValueError: they are compressed, which Keras does not write.
    """
    member = archive.getinfo(ARCHIVED_WEIGHTS)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{ARCHIVED_WEIGHTS} in it is compressed")
    with archive.open(member) as content:
        check_arrays(content, member.file_size)


def check_arrays(file: Path | IO[bytes], size: int) -> None:
    """Reads every array of an HDF5 file once, after a look at what it claims.

    Args:
        file: a regular file, or its content.
        size: its bytes.

    Raises:
        OSError: HDF5 cannot read it; also RuntimeError or KeyError.
        ValueError: arrays that take more bytes than the file has, are compressed, hold no numbers
            or are in other files; links; deep groups. Keras writes none of these.
    """
    import h5py

    claimed = 0
    with h5py.File(file, "r", **({"locking": False} if isinstance(file, Path) else {})) as weights:
        for array in _arrays(weights):
            _check_layout(array)
            claimed += int(array.nbytes)
            if claimed > size:
                raise ValueError(f"its arrays claim {claimed:,} bytes, the file has {size:,}")
            array[()]


def _arrays(weights: h5py.File) -> Iterator[h5py.Dataset]:
    """Yields each array once; groups may hold each other."""
    import h5py

    left, seen = [(weights, 0)], set()
    while left:
        group, depth = left.pop()
        if depth > DEEPEST:
            raise ValueError(f"it has {depth} groups in groups")
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ValueError(f"{name[:100]!r} in it is a link, which may lead to other files")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Group):
                left.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield item


def _check_layout(array: h5py.Dataset) -> None:
    import h5py

    checksum = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
    made = array.id.get_create_plist()
    wrong = (
        "is in another file"
        if array.external or array.is_virtual
        else "is compressed"
        if any(made.get_filter(each)[0] not in checksum for each in range(made.get_nfilters()))
        else "holds no numbers"
        if array.dtype.hasobject
        else ""
    )
    if wrong:
        raise ValueError(f"the array {str(array.name)[-100:]!r} in it {wrong}")


def reserve(file: Path, size: int) -> None:
    """Checks that a file of this many bytes has room: makes one and removes it.

    Args:
        file: the file to be written next; it does not exist yet.
        size: in bytes.

    Raises:
        OSError: there is no room, or so large a file is not allowed.
    """
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _fill(handle, max(size, 1))
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), str(file)) from error
    finally:
        os.close(handle)
        file.unlink()


def _fill(handle: int, size: int) -> None:
    """Takes the room of a file; writes zeros where the system or the file system cannot do it."""
    if hasattr(os, "posix_fallocate"):  # not on macOS
        try:
            os.posix_fallocate(handle, 0, size)
            return
        except OSError as error:
            if error.errno not in NO_FALLOCATE_ERRNOS:
                raise
    for start in range(0, size, ZEROS_AT_A_TIME):
        os.pwrite(handle, bytes(min(ZEROS_AT_A_TIME, size - start)), start)
