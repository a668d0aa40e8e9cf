"""Checks the variables of an exported generator before TensorFlow loads them."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from skin_synth.provenance import content_hash
from skin_synth.saved_model.origin import ORIGIN_FILE
from skin_synth.saved_model.variables_index import Place, read_index
from tfrecords_tools.bounded_reading import open_at_once, read_bounded
from tfrecords_tools.errors import InputError

DIRECTORY = "variables"
INDEX_FILE, VALUES_FILE = "variables.index", "variables.data-00000-of-00001"
NAME = "variables_of_generator/{}/.ATTRIBUTES/VARIABLE_VALUE"
OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


def check_variables(version: Path, content: str) -> None:
    """Checks the variables in the directory of a version against their `content_hash`.

    Raises:
        OSError: a file is missing.
        InputError: the files are damaged or no files, or hold other weights.
    """
    directory = version / DIRECTORY
    if not all(stat.S_ISREG(path.stat().st_mode) for path in directory.iterdir()):
        raise InputError(f"{DIRECTORY} holds other things than files")
    values = directory / VALUES_FILE
    places = read_index(read_bounded(directory / INDEX_FILE), values.stat().st_size)
    objects = places.pop(OBJECTS, None)
    names = [NAME.format(each) for each in range(len(places))]
    with open_at_once(values) as file:
        if objects is None or not objects.text or not _whole_text(file, objects):
            raise InputError(f"{VALUES_FILE} has no list of objects")
        if {*names} != {*places} or any(places[name].text for name in names):
            raise InputError(f"{INDEX_FILE} has other variables than a generator")
        if content_hash(*_arrays(file, [places[name] for name in names])) != content:
            raise InputError(f"{VALUES_FILE} has other weights than {ORIGIN_FILE} says")


def _arrays(file: BinaryIO, places: list[Place]) -> Iterator[np.ndarray]:
    for place in places:
        file.seek(place.offset)
        yield np.frombuffer(file.read(place.size), "<f4").reshape(place.shape)


def _whole_text(file: BinaryIO, place: Place) -> bool:
    """Whether a text has the length that it claims: a number of 7 bits a byte, and a checksum."""
    file.seek(place.offset)
    content = file.read(place.size)
    digits = next((at + 1 for at, each in enumerate(content) if each < 128), 0)
    length = sum((each & 127) << 7 * at for at, each in enumerate(content[:digits]))
    return 0 < digits <= 4 and digits + 4 + length == len(content)
