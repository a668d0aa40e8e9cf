"""Doors of a data set: its metadata, shards and records, and the index of them."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

from tests.fuzz.doors.made import CLASSES, REFUSALS, data_set, is_text
from tests.fuzz.runner import Door, Doors
from tfrecords_tools.errors import InputError


def _metadata(name: str, root: Path) -> Door:
    from skin_synth.data.pipeline import load_split

    data = data_set(root)

    def use():
        split = load_split(data, "train")
        return split.images, split.labels, split.class_names, split.image_ids

    return Door(data / name, use, REFUSALS, structure="json" if name.endswith("json") else "")


def _labels(root: Path) -> Door:
    door = _metadata("label.labels.txt", root)

    def sound(result) -> bool:
        names = result[2]
        plain = all(name and name == name.strip() for name in names)
        return plain and len({*names}) == len(names) == len(CLASSES)

    return dataclasses.replace(door, sound=sound)


def _build_report(root: Path) -> Door:
    from tfrecords_tools.build_steps.kept_splits import read_kept_splits
    from tfrecords_tools.inspector import inspect
    from tfrecords_tools.verifier import verify

    data = data_set(root)

    def use():
        found, refused = [], []
        for read in (lambda: verify(data).problems, lambda: inspect(data), _kept):
            try:
                found.append(read())
            except InputError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return found

    def _kept():
        read_kept_splits(data)
        return ()

    def sound(result) -> bool:
        problems, lines, _ = result
        return all(map(is_text, (*problems, *lines)))

    return Door(data / "build_report.json", use, REFUSALS, sound, structure="json")


def _shard(root: Path) -> Door:
    from tfrecords_tools.records.reader import read, read_info

    data = data_set(root)
    [shard] = read_info(data).splits["train"].shards
    return Door(shard, lambda: list(read(data, "train")), REFUSALS)


def _record(root: Path) -> Door:
    """A record with a true checksum."""
    from tfrecords_tools.records.reader import read_info, read_records
    from tfrecords_tools.records.schema import parse_record
    from tfrecords_tools.verifier import _check_record

    data = data_set(root)
    info = read_info(data)
    file = root / "record.bin"
    if not file.exists():
        file.write_bytes(next(read_records(data, "train")))

    def use():
        content = file.read_bytes()
        problems = _check_record(content, info).problems
        return problems, parse_record(content)

    def sound(result) -> bool:
        problems, record = result
        texts = (record.image_id, record.group, record.origin, *problems)
        return isinstance(record.label, int) and all(map(is_text, texts))

    return Door(file, use, REFUSALS, sound)


def _index(root: Path) -> Door:
    from tfrecords_tools.records.record_index import index_records, load_index, save_index

    data, file = data_set(root), root / "index.npz"
    if not file.exists():
        save_index(index_records(data, "train"), file, "f" * 64)

    def use():
        found = load_index(file, data, "train", "f" * 64)
        if found is None:
            raise InputError("it is made again")
        return found.shard, found.offset, found.label

    def sound(result) -> bool:
        shard, offset, label = result
        return shard.shape == offset.shape == label.shape and bool((offset >= 0).all())

    return Door(file, use, REFUSALS, sound, structure="npz")


DOORS: Doors = {
    "dataset_info.json": functools.partial(_metadata, "dataset_info.json"),
    "features.json": functools.partial(_metadata, "features.json"),
    "label.labels.txt": _labels,
    "build_report.json": _build_report,
    "shard": _shard,
    "record": _record,
    "index-train.npz": _index,
}
