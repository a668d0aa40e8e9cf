"""Checks that a file of weights holds what it claims, before Keras reads it.

A small HDF5 file may claim arrays of any size, and may name other files.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import h5py

DEEPEST = 64
"""Groups in groups of a file; networks in networks of Keras take two for each."""
ARCHIVED_WEIGHTS = "model.weights.h5"


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
