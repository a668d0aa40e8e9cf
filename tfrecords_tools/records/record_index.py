"""Where each record of a split begins, and its label: what reading in any order needs."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import zipfile
from pathlib import Path

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info, read_records
from tfrecords_tools.records.schema import parse_record
from tfrecords_tools.records.tfrecord import DamagedRecord, framed_length, read_at

SHARD, OFFSET, LABEL, FINGERPRINT = "shard", "offset", "label", "fingerprint"
"""Arrays in the file of an index, as `save_index` names them."""


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """The records of one split, in shard order, 20 bytes each.

    Attributes:
        shards: the files, in order.
        shard: int32[n], the file of each record, an index into `shards`.
        offset: int64[n], where in its file it begins.
        label: int64[n], its class.
    """

    shards: tuple[Path, ...]
    shard: np.ndarray
    offset: np.ndarray
    label: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def class_counts(self, classes: int) -> list[int]:
        """Records of each of so many classes."""
        return np.bincount(self.label, minlength=classes).tolist()

    def read(self, row: int) -> bytes:
        """The serialized record of a row, its checksums checked.

        Raises:
            InputError: its shard is gone, or the record is damaged.
        """
        try:
            return read_at(self.shards[self.shard[row]], int(self.offset[row]))
        except (OSError, DamagedRecord) as error:
            raise self.damaged(row, f"cannot be read ({error})") from error

    def damaged(self, row: int, what: str) -> InputError:
        """The error to raise of a record.

        Args:
            row: of the record.
            what: is wrong with it, as the rest of a sentence.
        """
        shard, offset = self.shards[self.shard[row]], int(self.offset[row])
        return InputError(
            f"shard {shard}: the record at byte {offset:,} {what}: build the data set again"
        )


def index_records(directory: str | os.PathLike[str], split: str) -> RecordIndex:
    """Reads a split once and notes where its records are.

    Args:
        directory: data set directory.
        split: one of its splits.

    Raises:
        InputError: as `reader.read_records`, or a record without a label.
    """
    info = read_info(directory)
    label, length = [], []
    for record in read_records(directory, split):
        label.append(parse_record(record).label)
        length.append(framed_length(record))
    files = info.splits[split]
    shard = np.repeat(np.arange(len(files.shards), dtype=np.int32), files.shard_lengths)
    ends = np.cumsum(np.array(length, np.int64))
    starts = ends - length
    first = np.cumsum(files.shard_lengths) - files.shard_lengths
    # A shard without records begins where the next one does, and no row asks for it.
    base = np.append(starts, 0)[first]
    return RecordIndex(files.shards, shard, starts - base[shard], np.array(label, np.int64))


def load_index(
    file: Path, directory: str | os.PathLike[str], split: str, fingerprint: str
) -> RecordIndex | None:
    """The index that `save_index` wrote; None where there is none of this very data set.

    Args:
        file: that may hold it. A damaged one counts as none: an index is quickly made anew.
        directory: data set directory.
        split: one of its splits.
        fingerprint: of the data set as it is now.

    Raises:
        InputError: no data set there.
    """
    files = read_info(directory).splits[split]
    with (
        contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile),
        file.open("rb") as opened,  # NumPy leaves a damaged file open that it opened itself
        np.load(opened, allow_pickle=False) as found,
    ):
        if str(found[FINGERPRINT]) == fingerprint and len(found[LABEL]) == files.num_records:
            return RecordIndex(files.shards, found[SHARD], found[OFFSET], found[LABEL])
    return None


def save_index(index: RecordIndex, file: Path, fingerprint: str) -> None:
    """Writes an index, whole or not at all.

    Args:
        index: of a split.
        file: to write; `.npz`.
        fingerprint: of the data set.
    """
    with new_file(file) as temporary:
        np.savez(
            temporary,
            fingerprint=np.array(fingerprint),
            shard=index.shard,
            offset=index.offset,
            label=index.label,
        )
