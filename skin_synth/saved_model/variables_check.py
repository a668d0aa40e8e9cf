"""Checks the variables of an exported generator before TensorFlow loads its graph.

TensorFlow takes the memory that `variables.index` claims, and names a damage only after seconds.
"""

from __future__ import annotations

import itertools
import math
import stat
from pathlib import Path

import numpy as np
import tensorflow as tf

from skin_synth.provenance import content_hash
from skin_synth.saved_model.origin import ORIGIN_FILE
from tfrecords_tools.errors import InputError

DIRECTORY = "variables"
NAME = "variables_of_generator/{}/.ATTRIBUTES/VARIABLE_VALUE"


def check_variables(version: Path, content: str) -> None:
    """Checks the variables in the directory of a version against their `content_hash`.

    Raises:
        OSError: a file is missing.
        InputError: a file is no regular file, the variables claim more bytes than the files have,
            or they are others.
        Exception: TensorFlow cannot read them; of many types.
    """
    directory = version / DIRECTORY
    found = [path.stat() for path in directory.iterdir()]
    if not all(stat.S_ISREG(each.st_mode) for each in found):
        raise InputError(f"{DIRECTORY} holds other things than files")
    reader = tf.train.load_checkpoint(str(directory / DIRECTORY))
    types = reader.get_variable_to_dtype_map()
    # The only text is TensorFlow's list of objects, which is longer than its item of 8 bytes.
    claimed = sum(
        math.prod(shape) * np.dtype(types[name].as_numpy_dtype).itemsize
        for name, shape in reader.get_variable_to_shape_map().items()
    )
    if claimed > (size := sum(each.st_size for each in found)):
        raise InputError(f"{DIRECTORY} claims {claimed:,} bytes, its files have {size:,}")
    numbers = itertools.takewhile(lambda each: NAME.format(each) in types, itertools.count())
    if content_hash(*(reader.get_tensor(NAME.format(each)) for each in numbers)) != content:
        raise InputError(f"{DIRECTORY} has other weights than {ORIGIN_FILE} says")
