"""Parses the metadata files of a data set directory, and accepts our kinds of features alone.

TFDS imports the Python class that `features.json` names. So this module parses these files itself,
and no other code of ours gives TFDS metadata that came with data.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

from tfrecords_tools.records import schema
from tfrecords_tools.records.schema import Column

_TFDS = "tensorflow_datasets.core.features"
FEATURES_DICT = f"{_TFDS}.features_dict.FeaturesDict"
IMAGE, LABEL, TEXT, TENSOR = "image", "classLabel", "text", "tensor"
"""Kinds of features, as `features.json` names their content."""
CLASS_OF_KIND = {
    IMAGE: f"{_TFDS}.image_feature.Image",
    LABEL: f"{_TFDS}.class_label_feature.ClassLabel",
    TEXT: f"{_TFDS}.text_feature.Text",
    TENSOR: f"{_TFDS}.scalar.Scalar",
}
KIND_OF_FEATURE = {
    **{"image": IMAGE, "label": LABEL},
    **dict.fromkeys(("image_id", "group", "origin"), TEXT),
}
"""Kind of the features that every data set has."""
KIND_OF_DTYPE = {"int64": schema.INT, "float32": schema.FLOAT}
"""Kind of column by TFDS's name of its type."""
FILE_FORMAT = "tfrecord"
SHARD_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
NAME = re.compile(r"\w[\w.-]*")
"""Names of data sets and splits: a part of the names of their files, which stay in the folder."""
OTHER_INFO = frozenset(
    (
        *("alternativeFileFormats", "citation", "configDescription", "configName", "configTags"),
        *("dataSourceAccesses", "description", "downloadChecksums", "downloadSize", "isBlocked"),
        *("location", "moduleName", "redistributionInfo", "releaseNotes", "schema"),
        "supervisedKeys",
    )
)
"""Fields of `dataset_info.json` that TFDS may write, and that no reader of ours uses."""


@dataclasses.dataclass(frozen=True)
class Features:
    """The content of `features.json`.

    Attributes:
        image_shape: (height, width, 3); height and width are None if they vary.
        image_format: png, jpeg, or None if both may occur.
        num_classes: number of class names.
        columns: the extra features, sorted by name.
    """

    image_shape: tuple[int | None, int | None, int]
    image_format: str | None
    num_classes: int
    columns: tuple[Column, ...]


def parse_features(content: Any) -> Features:
    """Parses the JSON value of `features.json`.

    Raises:
        ValueError: it is damaged, or has features that this package does not write.
    """
    top = _object("features.json", content, ("pythonClassName", "featuresDict"))
    _expect("pythonClassName", top["pythonClassName"], (FEATURES_DICT,))
    [features] = _object("featuresDict", top["featuresDict"], ("features",)).values()
    if not isinstance(features, dict):
        raise ValueError("features is no object")
    if missing := sorted(KIND_OF_FEATURE.keys() - features.keys()):
        raise ValueError(f"it has no feature {missing[0]}")
    parsed = {name: _feature(name, feature) for name, feature in features.items()}
    for name, kind in KIND_OF_FEATURE.items():
        _expect(f"the kind of {name}", parsed[name][0], (kind,))
    shape, image_format = _image(parsed["image"][1])
    num_classes = _object("classLabel", parsed["label"][1], ("numClasses",))["numClasses"]
    columns = tuple(
        _column(name, *parsed[name]) for name in sorted(parsed.keys() - KIND_OF_FEATURE.keys())
    )
    return Features(shape, image_format, whole_number("numClasses", num_classes), columns)


def parse_info(content: Any) -> tuple[str, dict[str, tuple[int, ...]]]:
    """Parses the JSON value of `dataset_info.json`; returns the name, and shard lengths by split.

    Raises:
        ValueError: it is damaged, or its shards have other names than this package gives.
    """
    info = _object(
        "dataset_info.json", content, ("name", "splits", "version"), {"fileFormat", *OTHER_INFO}
    )
    _expect("fileFormat", info.get("fileFormat", FILE_FORMAT), (FILE_FORMAT,))
    if not isinstance(info["splits"], list):
        raise ValueError("splits is no list")
    lengths = {}
    for split in info["splits"]:
        parsed = _object(
            "a split", split, ("name", "shardLengths"), ("numBytes", "filepathTemplate")
        )
        template = parsed.get("filepathTemplate", SHARD_TEMPLATE)
        _expect("filepathTemplate", template, (SHARD_TEMPLATE,))
        if not isinstance(parsed["shardLengths"], list) or not parsed["shardLengths"]:
            raise ValueError("shardLengths is no list of numbers; a split without records is none")
        whole_number("numBytes", parsed.get("numBytes", 0))
        lengths[_name("a split", parsed["name"])] = tuple(
            whole_number("a shard length", length) for length in parsed["shardLengths"]
        )
    if len(lengths) < len(info["splits"]):
        raise ValueError("a split occurs twice")
    if not re.fullmatch(r"\d+\.\d+\.\d+", str(info["version"])):
        raise ValueError(f"version is {info['version']!r}")
    return _name("the data set", info["name"]), lengths


def whole_number(what: str, value: Any) -> int:
    """Returns a number that JSON may hold as a text, as protocol buffers do.

    Raises:
        ValueError: it is no whole number from 0 to 2**63.
    """
    text = str(value) if type(value) in (int, str) else ""
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) >= 2**63:
        raise ValueError(f"{what} is {str(value)[:40]!r}, it must be a whole number")
    return int(text)


def _feature(name: str, feature: Any) -> tuple[str, Any]:
    """Returns kind and content of a feature."""
    if not isinstance(feature, dict):
        raise ValueError(f"feature {name} is no object")
    kinds = feature.keys() - {"pythonClassName"}
    [kind] = kinds if len(kinds) == 1 else [""]
    if kind not in CLASS_OF_KIND or "pythonClassName" not in feature:
        raise ValueError(f"feature {name} is of an unknown kind")
    _expect(f"the class of feature {name}", feature["pythonClassName"], (CLASS_OF_KIND[kind],))
    return kind, feature[kind]


def _image(content: Any) -> tuple[tuple[int | None, int | None, int], str | None]:
    image = _object("image", content, ("shape",), ("dtype", "encodingFormat"))
    _expect("the dtype of image", image.get("dtype", "uint8"), ("uint8",))
    image_format = image.get("encodingFormat") or None
    _expect("encodingFormat", image_format, ("png", "jpeg", None))
    [dimensions] = _object("shape", image["shape"], ("dimensions",)).values()
    if not isinstance(dimensions, list) or len(dimensions) != 3:
        raise ValueError("the shape of image is not that of height, width and 3")
    # TFDS writes an unknown side as -1.
    height, width = (
        None if str(side) in ("-1", "0") else whole_number("a side of image", side)
        for side in dimensions[:2]
    )
    _expect("the channels of image", str(dimensions[2]), ("3",))
    return (height, width, 3), image_format


def _column(name: str, kind: str, content: Any) -> Column:
    if kind == TEXT:
        _object(f"feature {name}", content, ())
        return Column(name, schema.TEXT)
    _expect(f"the kind of {name}", kind, (TEXT, TENSOR))
    tensor = _object(f"feature {name}", content, ("dtype",), ("shape", "encoding"))
    _expect(f"the encoding of {name}", tensor.get("encoding", "none"), ("none",))
    _expect(f"the shape of {name}", tensor.get("shape", {}), ({}, {"dimensions": []}))
    _expect(f"the dtype of {name}", tensor["dtype"], tuple(KIND_OF_DTYPE))
    return Column(name, KIND_OF_DTYPE[tensor["dtype"]])


def _object(
    what: str, value: Any, required: Collection[str], optional: Collection[str] = ()
) -> Mapping[str, Any]:
    """Checks that a value is an object with these fields."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no object")
    if missing := sorted(set(required) - value.keys()):
        raise ValueError(f"{what} has no {missing[0]}")
    if unknown := sorted(value.keys() - {*required, *optional}):
        raise ValueError(f"{what} has an unknown field {unknown[0][:40]!r}")
    return value


def _expect(what: str, value: Any, known: tuple[Any, ...]) -> None:
    if not any(type(value) is type(each) and value == each for each in known):
        expected = " or ".join(map(str, known))
        raise ValueError(f"{what} is {str(value)[:80]!r}, it must be {expected}")


def _name(what: str, value: Any) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError(f"the name of {what} is {str(value)[:80]!r}")
    return value
