"""A data set in Croissant: what it says is true, and mlcroissant accepts it."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.data_sets import write_records
from tests.images import noise
from tfrecords_tools import cli
from tfrecords_tools.croissant import CROISSANT_FILE, Publication, write_croissant
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import FLOAT, TEXT, Column, Record

PUBLICATION = Publication(
    license="https://creativecommons.org/licenses/by-nc/4.0/",
    url="https://example.org/lesions",
    creator="Clinic of Dermatology",
    date="2026-11-30",
    citation='A citation with "quotes", commas and ä.',
)


@pytest.fixture
def data(tmp_path):
    def record(number):
        extras = {"age": 40.0 + number, "site": "arm"}
        return Record(
            encode_png(noise(number, 16, 16)), number % 2, f"i{number}", f"g{number}", extras=extras
        )

    columns = (Column("age", FLOAT), Column("site", TEXT))
    splits = {"train": [record(0), record(1)], "test": [record(2)]}
    names = ('naevus "blue"', "mélanome")
    return write_records(tmp_path / "data", splits, class_names=names, columns=columns)


def test_what_it_says_is_true(data):
    path = write_croissant(data, PUBLICATION)
    found = json.loads(path.read_text("utf-8"))
    files = {each["@id"]: each for each in found["distribution"] if "sha256" in each}
    shards = [shard for split in read_info(data).splits.values() for shard in split.shards]
    assert set(files) == {shard.name for shard in shards}
    for shard in shards:
        content = shard.read_bytes()
        assert files[shard.name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert files[shard.name]["contentSize"] == f"{len(content)} B"
    splits, labels, records = found["recordSet"]
    assert [row["splits/name"] for row in splits["data"]] == ["train", "test"]
    assert [row["labels/name"] for row in labels["data"]] == ['naevus "blue"', "mélanome"]
    names = ["image", "label", "image_id", "group", "origin", "age", "site"]
    assert [field["name"] for field in records["field"]] == [f"records/{name}" for name in names]
    assert found["license"] == PUBLICATION.license
    assert "train 2, test 1" in found["description"]


def test_the_same_data_set_gives_the_same_bytes(data):
    path = write_croissant(data)
    before = path.read_bytes()
    assert write_croissant(data).read_bytes() == before
    assert "license" not in json.loads(before)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_mlcroissant_accepts_it(data, caplog):
    mlcroissant = pytest.importorskip("mlcroissant")
    found = mlcroissant.Dataset(str(write_croissant(data, PUBLICATION)))
    assert not found.metadata.issues.errors
    assert not caplog.records
    assert {str(row["labels/name"]) for row in found.records("labels")} == {
        'naevus "blue"',
        "mélanome",
    }
    path = write_croissant(data)
    broken = json.loads(path.read_text("utf-8"))
    broken["recordSet"][2]["field"][0]["source"]["fileSet"] = {"@id": "no such files"}
    path.write_text(json.dumps(broken))
    with pytest.raises(mlcroissant.ValidationError, match="no such files"):
        mlcroissant.Dataset(str(path))


def test_the_command_writes_it(data, tmp_path, capsys):
    words = ["croissant", str(data), "--license", "CC-BY-4.0", "--url", "https://example.org"]
    assert cli.main_with([*words, "--creator", "A clinic", "--citation", "A paper"]) == 0
    assert str(data / CROISSANT_FILE) in capsys.readouterr().out
    found = json.loads((data / CROISSANT_FILE).read_text("utf-8"))
    assert (found["license"], found["url"]) == ("CC-BY-4.0", "https://example.org")
    assert (found["creator"]["name"], found["citeAs"]) == ("A clinic", "A paper")
    assert cli.main_with(["verify", str(data)]) == 0
    assert cli.main_with(["croissant", str(tmp_path)]) == 1
    with pytest.raises(InputError, match="not a data set directory"):
        write_croissant(tmp_path)
