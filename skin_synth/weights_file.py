"""Saves weights as HDF5 if there is room, and loads them if the file holds what it claims.

A full disk while HDF5 writes ends the process. This module imports no TensorFlow.
"""

from __future__ import annotations

import errno
import math
import os
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skin_synth.hdf5_check import check_archived_arrays, check_arrays
from tfrecords_tools.errors import InputError
from tfrecords_tools.text import first_line

if TYPE_CHECKING:
    import keras

NO_FALLOCATE_ERRNOS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
ZEROS_AT_A_TIME = 2**20
HDF5_OVERHEAD = 1_024
"""Bytes that a variable takes in a file in addition to its values; about half is used."""
ARCHIVE_SUFFIX = ".keras"


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
        raise InputError(
            f"{file} holds no weights for {network.name}: {first_line(error)}"
        ) from error


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
