"""Folders of empty files, tables, and short forms of a source."""

from __future__ import annotations

from pathlib import Path

from tfrecords_tools.options import BuildOptions
from tfrecords_tools.sources import Source, list_source

ISIC = "image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK"
"""Columns of the table of the ISIC 2019 challenge."""
COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def touch(root: Path, *names: str) -> Path:
    """Empty files; sources do not open them."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def table(path: Path, *rows: str, head: str = "image_id,lesion_id,dx") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")
    return path


def summary(source: Source) -> list[tuple[str, str, str, str]]:
    return [(r.file, r.image_id, r.label, r.group) for r in source.records]


def read(root: Path, labels: Path, **options) -> Source:
    """What a folder and a table of `table` hold."""
    columns = {"label_column": "dx", "group_column": "lesion_id"}
    return list_source(root, BuildOptions(name="x", labels=labels, **(columns | options)))


def reasons(source: Source) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in source.rejections}


def read_isic(root: Path, labels: Path, metadata: Path | None = None, **options) -> Source:
    fields = {"id_column": "image", "one_hot": True, "metadata": metadata}
    return list_source(root, BuildOptions(name="x", labels=labels, **(fields | options)))


def marks(image_id: str, *classes: str, mark: str = "1.0") -> str:
    """A row of the ISIC 2019 challenge."""
    return ",".join([image_id, *(mark if c in classes else "0.0" for c in ISIC.split(",")[1:])])
