"""Describes a data set in Croissant, the vocabulary of MLCommons for data sets: a JSON-LD file.

Akhtar et al., "Croissant: a metadata format for ML-ready datasets", NeurIPS 2024, version 1.0.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from tfrecords_tools.atomic import new_file
from tfrecords_tools.records.reader import DatasetInfo, read_info
from tfrecords_tools.records.schema import FLOAT, INT, TEXT

CROISSANT_FILE = "croissant.json"
FORMAT = "http://mlcommons.org/croissant/1.0"
RECORD_TYPE = "application/x-tfrecord"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "conformsTo": "dct:conformsTo",
    **{
        name: f"cr:{name}"
        for name in (
            *("citeAs", "column", "equivalentProperty", "extract", "field", "fileObject"),
            *("fileProperty", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key"),
            *("md5", "parentField", "path", "recordSet", "references", "regex", "repeated"),
            *("replace", "samplingRate", "separator", "source", "subField", "transform"),
        )
    },
}
"""The context of the standard, whole, because readers compare it."""
SPLIT_TYPES = {
    "train": "cr:TrainingSplit",
    "validation": "cr:ValidationSplit",
    "test": "cr:TestSplit",
}
FEATURES = {
    "image": ("sc:ImageObject", "the encoded image, 8-bit RGB"),
    "label": ("sc:Integer", "position of the class in labels"),
    "image_id": ("sc:Text", "unique in the data set"),
    "group": ("sc:Text", "lesion or patient; no group is in two splits"),
    "origin": ("sc:Text", "real or synthetic"),
}
"""Type and meaning of the features that each data set has."""
COLUMN_TYPES = {TEXT: "sc:Text", INT: "sc:Integer", FLOAT: "sc:Float"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Publication:
    """What a data set does not say of itself; an empty text is left out.

    Attributes:
        license: address of the licence, or its SPDX name.
        url: page of the data set.
        creator: a person or an institution.
        citation: how to cite it.
        description: in a sentence.
        date: of the publication, such as 2026-11-30.
    """

    license: str = ""
    url: str = ""
    creator: str = ""
    citation: str = ""
    description: str = ""
    date: str = ""


def write_croissant(
    directory: str | os.PathLike[str], publication: Publication | None = None
) -> Path:
    """Writes `CROISSANT_FILE` into a data set directory; returns its path.

    The same data set and publication give the same bytes. An older file is replaced.

    Raises:
        InputError: there is no data set.
        OSError: a shard cannot be read.
    """
    described = croissant(read_info(directory), publication or Publication())
    path = Path(directory) / CROISSANT_FILE
    with new_file(path) as file:
        file.write_text(json.dumps(described, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return path


def croissant(info: DatasetInfo, publication: Publication) -> dict[str, Any]:
    """Returns the description of a data set as JSON-LD.

    Raises:
        OSError: a shard cannot be read.
    """
    splits = ", ".join(f"{name} {files.num_records:,}" for name, files in info.splits.items())
    given = {
        "license": publication.license,
        "url": publication.url,
        "datePublished": publication.date,
        "citeAs": publication.citation,
        "creator": publication.creator
        and {"@type": "sc:Organization", "name": publication.creator},
    }
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": FORMAT,
        "name": info.name,
        "description": publication.description
        or f"Skin images of {len(info.class_names)} classes as TFRecords ({splits}).",
        "version": "1.0.0",
        **{name: value for name, value in given.items() if value},
        "distribution": [*_files(info), _file_set(info)],
        "recordSet": [_splits(info), _labels(info), _records(info)],
    }


def _files(info: DatasetInfo) -> list[dict[str, Any]]:
    found = []
    for shard in (shard for files in info.splits.values() for shard in files.shards):
        with shard.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found.append(
            {
                "@type": "cr:FileObject",
                "@id": shard.name,
                "name": shard.name,
                "contentUrl": shard.name,
                "contentSize": f"{shard.stat().st_size} B",
                "encodingFormat": RECORD_TYPE,
                "sha256": digest,
            }
        )
    return found


def _file_set(info: DatasetInfo) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "shards",
        "name": "shards",
        "description": "The split of a record is in the name of its file.",
        "includes": f"{info.name}-*.tfrecord-*",
        "encodingFormat": RECORD_TYPE,
    }


def _splits(info: DatasetInfo) -> dict[str, Any]:
    rows = [{"splits/name": name, "splits/url": SPLIT_TYPES[name]} for name in info.splits]
    fields = [_field("splits/name", "sc:Text"), _field("splits/url", "sc:URL")]
    return _record_set("splits", fields, dataType="cr:Split", key="splits/name", data=rows)


def _labels(info: DatasetInfo) -> dict[str, Any]:
    rows = [
        {"labels/label": label, "labels/name": name} for label, name in enumerate(info.class_names)
    ]
    fields = [_field("labels/label", "sc:Integer"), _field("labels/name", "sc:Text")]
    return _record_set("labels", fields, dataType="sc:Enumeration", key="labels/label", data=rows)


def _records(info: DatasetInfo) -> dict[str, Any]:
    columns = {column.name: (COLUMN_TYPES[column.kind], "") for column in info.columns}
    fields = []
    for name, (kind, text) in {**FEATURES, **columns}.items():
        field = _field(f"records/{name}", kind, text)
        field["source"] = {"fileSet": {"@id": "shards"}, "extract": {"column": name}}
        if name == "label":
            field["references"] = {"field": {"@id": "labels/label"}}
        fields.append(field)
    return _record_set("records", fields, description="Each record is a tf.train.Example.")


def _record_set(
    name: str, fields: list[dict[str, Any]], key: str = "", **others: Any
) -> dict[str, Any]:
    keys = {"key": {"@id": key}} if key else {}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "field": fields, **keys, **others}


def _field(name: str, kind: str, text: str = "") -> dict[str, Any]:
    described = {"description": text} if text else {}
    return {"@type": "cr:Field", "@id": name, "name": name, "dataType": kind, **described}
