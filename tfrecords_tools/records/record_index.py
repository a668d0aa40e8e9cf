"""The position and label of each record of a split, to read records in any order."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path

import numpy as np

from tfrecords_tools.atomic import new_file
from tfrecords_tools.errors import InputError
from tfrecords_tools.npz_reading import read_npz
from tfrecords_tools.records.reader import SplitFiles, check_label, read_info, read_records
from tfrecords_tools.records.schema import ORIGIN_SYNTHETIC, parse_record
from tfrecords_tools.records.tfrecord import DamagedRecord, framed_length, read_at

INDEX_COLUMNS = ("shard", "offset", "label", "synthetic")
"""Arrays of the file of an index."""


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """The positions of the records of one split, in shard order, 21 bytes each.

    Attributes:
        shards: the files, in order.
        shard: int32[n], the file of each record, an index into `shards`.
        offset: int64[n], its first byte in the file.
        label: int64[n], index of its class.
        synthetic: bool[n], whether its image is synthetic.
    """

    shards: tuple[Path, ...]
    shard: np.ndarray
    offset: np.ndarray
    label: np.ndarray
    synthetic: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def class_counts(self, classes: int) -> list[int]:
        """Returns the number of records of each of `classes` classes."""
        return np.bincount(self.label, minlength=classes).tolist()

    def subset(self, rows: np.ndarray) -> RecordIndex:
        """Returns the index of some rows, int[k] or bool[n]."""
        columns = (self.shard, self.offset, self.label, self.synthetic)
        return RecordIndex(self.shards, *(column[rows] for column in columns))

    def read(self, row: int) -> bytes:
        """Reads the serialized record of a row, its checksums checked.

        Raises:
            InputError: the shard is missing, or the record is damaged.
        """
        try:
            return read_at(self.shards[self.shard[row]], int(self.offset[row]))
        except (OSError, DamagedRecord) as error:
            raise self.damaged(row, f"cannot be read ({error})") from error

    def damaged(self, row: int, what: str) -> InputError:
        """Returns the error for a damaged record; `what` completes its sentence."""
        shard, offset = self.shards[self.shard[row]], int(self.offset[row])
        place = f"shard {shard}: the record at byte {offset:,}"
        return InputError(f"{place} {what}: build the data set again")


def index_records(directory: str | os.PathLike[str], split: str) -> RecordIndex:
    """Reads a split of a data set directory once and notes the positions of its records.

    Raises:
        InputError: as `reader.read_records`, or a record has no label or that of no class.
    """
    info = read_info(directory)
    label, length, synthetic = [], [], []
    for record in read_records(directory, split):
        parsed = parse_record(record)
        check_label(parsed, info)
        label.append(parsed.label)
        synthetic.append(parsed.origin == ORIGIN_SYNTHETIC)
        length.append(framed_length(record))
    files = info.splits[split]
    shard = np.repeat(np.arange(len(files.shards), dtype=np.int32), files.shard_lengths)
    ends = np.cumsum(np.array(length, np.int64))
    starts = ends - length
    first = np.cumsum(files.shard_lengths) - files.shard_lengths
    # An empty shard begins where the next one does; no row is in it.
    base = np.append(starts, 0)[first]
    facts = np.array(label, np.int64), np.array(synthetic, np.bool_)
    return RecordIndex(files.shards, shard, starts - base[shard], *facts)


def load_index(
    file: Path, directory: str | os.PathLike[str], split: str, fingerprint: str
) -> RecordIndex | None:
    """Reads an index that `save_index` wrote for the same data set.

    Returns None if the file is missing, damaged or of other data, because an index is quickly made
    again.

    Raises:
        InputError: `directory` is no data set.
    """
    info = read_info(directory)
    files = info.splits[split]
    with contextlib.suppress(OSError, InputError, KeyError):
        found = read_npz(file)
        index = RecordIndex(files.shards, *(found[name] for name in INDEX_COLUMNS))
        if str(found["fingerprint"]) == fingerprint and _fits(index, files):
            return index
    return None


def _fits(index: RecordIndex, files: SplitFiles) -> bool:
    """Returns whether an index may be that of a split: types, lengths, records of each shard."""
    columns = (index.shard, index.offset, index.label, index.synthetic)
    return (
        [column.dtype.name for column in columns] == ["int32", "int64", "int64", "bool"]
        and {column.shape for column in columns} == {(files.num_records,)}
        and np.array_equal(
            index.shard, np.repeat(np.arange(len(files.shards)), files.shard_lengths)
        )
        and bool((index.offset >= 0).all())
    )


def save_index(index: RecordIndex, file: Path, fingerprint: str) -> None:
    """Writes an index with the fingerprint of its data set to an `.npz`, whole or not at all."""
    with new_file(file) as temporary:
        np.savez(
            temporary,
            fingerprint=np.array(fingerprint),
            shard=index.shard,
            offset=index.offset,
            label=index.label,
            synthetic=index.synthetic,
        )
