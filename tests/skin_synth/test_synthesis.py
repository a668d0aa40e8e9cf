"""New images: reproducible from the manifest, real records untouched, honest refusals."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import tfrecords_tools
from skin_synth import synthesis
from skin_synth.data import load_split
from skin_synth.evaluation.memorization import nearest
from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis import balance, generate_images
from tfrecords_tools.errors import InputError
from tfrecords_tools.reader import read_info, read_records
from tfrecords_tools.schema import parse_record

LABEL = "star"


def manifest(directory):
    with (directory / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("generated") / "star"
    return generate_images(tiny_run, label=LABEL, count=70, seed=5, out=out)


@pytest.fixture(scope="module")
def balanced(tiny_run, phantom_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced") / "data"
    balance(tiny_run, phantom_data, out, target=30, seed=3)
    return out


def test_every_png_has_its_row_and_every_row_its_png(folder):
    seeds = {int(path.stem) for path in folder.glob("*.png")}
    assert seeds == {int(row["seed"]) for row in manifest(folder)}
    assert len(seeds) == 70
    assert min(seeds) == 5


def test_an_image_is_made_again_from_its_row(folder, tiny_run):
    for row in manifest(folder)[::10]:
        label_id = tiny_run.class_names.index(row["label"])
        again = tiny_run.generate(
            [label_id], [int(row["seed"])], truncation=float(row["truncation"])
        )[0]
        with Image.open(folder / f"{row['seed']}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), again)
        assert pixels_sha256(again) == row["pixels_sha256"]
        assert row["checkpoint_hash"] == tiny_run.checkpoint_hash


def test_the_nearest_training_image_is_the_nearest(folder, tiny_run, phantom_data):
    training = load_split(phantom_data, "train")
    row = manifest(folder)[0]
    image = tiny_run.generate([tiny_run.class_names.index(LABEL)], [int(row["seed"])])
    index, distance = nearest(image, training.images)
    assert row["nearest_image_id"] == training.image_ids[index[0]]
    assert float(row["nearest_distance"]) == pytest.approx(float(distance[0]), abs=1e-3)


def test_an_unknown_label_lists_the_known_and_leaves_nothing(tiny_run, tmp_path):
    with pytest.raises(InputError, match="unknown label 'nevus'; known are blotch"):
        generate_images(tiny_run, label="nevus", count=1, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_alone(tiny_run, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        generate_images(tiny_run, label=LABEL, count=1, out=tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_count_below_one_is_refused(tiny_run, tmp_path):
    with pytest.raises(InputError, match="at least 1, got 0"):
        generate_images(tiny_run, label=LABEL, count=0, out=tmp_path / "out")


def test_data_that_moved_are_asked_for(tiny_run, tmp_path):
    identity = dataclasses.replace(tiny_run.config.data, directory=str(tmp_path / "gone"))
    moved = dataclasses.replace(
        tiny_run, config=dataclasses.replace(tiny_run.config, data=identity)
    )
    with pytest.raises(InputError, match="by --data"):
        generate_images(moved, label=LABEL, count=1, out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_training_is_filled_up_and_the_rest_stays(balanced, phantom_data):
    for split in ("validation", "test"):
        assert list(read_records(balanced, split)) == list(read_records(phantom_data, split))
    records = [parse_record(serialized) for serialized in read_records(balanced, "train")]
    counts = Counter(record.label for record in records)
    assert set(counts.values()) == {30}
    assert sorted(counts) == list(range(7))


def test_real_records_come_first_byte_for_byte(balanced, phantom_data):
    real = list(read_records(phantom_data, "train"))
    assert list(read_records(balanced, "train"))[: len(real)] == real


def test_synthetic_records_say_so_and_have_their_row(balanced):
    records = [parse_record(serialized) for serialized in read_records(balanced, "train")]
    synthetic = {record.image_id: record for record in records if record.origin == "synthetic"}
    rows = {row["image_id"]: row for row in manifest(balanced)}
    assert synthetic.keys() == rows.keys()
    assert len(synthetic) > 0
    for image_id, record in synthetic.items():
        assert record.group == image_id
        with Image.open(io.BytesIO(record.image)) as image:
            assert image.text["skin_synth:image_id"] == image_id
            assert pixels_sha256(np.asarray(image)) == rows[image_id]["pixels_sha256"]


def test_no_synthetic_image_occurs_twice(balanced):
    hashes = [row["pixels_sha256"] for row in manifest(balanced)]
    assert len(hashes) == len(set(hashes))


def test_the_balanced_set_is_sound_and_tfds_reads_it(balanced):
    import tensorflow_datasets as tfds

    report = tfrecords_tools.verify(balanced)
    assert report.problems == ()
    builder = tfds.builder_from_directory(balanced)
    origins = [example["origin"] for example in tfds.as_numpy(builder.as_dataset(split="train"))]
    assert Counter(origins)[b"synthetic"] == len(manifest(balanced))
    assert len(origins) == 210


def test_the_same_seed_gives_the_same_bytes(balanced, tiny_run, phantom_data, tmp_path):
    balance(tiny_run, phantom_data, tmp_path / "again", target=30, seed=3)
    for path in balanced.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_max_fills_up_to_the_largest_class(tiny_run, phantom_data, tmp_path):
    info = balance(tiny_run, phantom_data, tmp_path / "max")
    largest = max(tiny_run.config.data.class_counts)
    assert info.splits["train"].num_records == 7 * largest
    report = json.loads((tmp_path / "max" / "balance_report.json").read_text())
    assert report["target"] == largest
    assert all(c["real"] + c["synthetic"] == largest for c in report["classes"].values())


def test_classes_above_the_target_keep_all_they_have(tiny_run, phantom_data, tmp_path):
    info = balance(tiny_run, phantom_data, tmp_path / "one", target=1)
    assert info.splits["train"].num_records == read_info(phantom_data).splits["train"].num_records
    assert manifest(tmp_path / "one") == []


def test_a_collapsed_class_ends_with_its_name_and_leaves_nothing(
    tiny_run, phantom_data, tmp_path, monkeypatch
):
    one = np.zeros((1, 32, 32, 3), np.uint8)
    collapsed = dataclasses.replace(tiny_run)
    monkeypatch.setattr(
        type(tiny_run), "generate", lambda self, ids, seeds, **_: np.repeat(one, len(ids), axis=0)
    )
    with pytest.raises(InputError, match=r"class 'blotch': only 1 of \d+ images in \d+ draws"):
        balance(collapsed, phantom_data, tmp_path / "out", target=30)
    assert list(tmp_path.iterdir()) == []


def test_copies_of_training_images_are_dropped(tiny_run, phantom_data, tmp_path, monkeypatch):
    training = load_split(phantom_data, "train").images
    honest = type(tiny_run).generate

    def copying(self, ids, seeds, **options):
        images = honest(self, ids, seeds, **options)
        images[np.isin(seeds, (2, 5))] = training[0]
        return images

    monkeypatch.setattr(type(tiny_run), "generate", copying)
    painter = synthesis.Painter(tiny_run, load_split(phantom_data, "train"))
    painted = list(painter.paint(LABEL, 10, 0))
    assert len(painted) == 10
    assert painter.dropped == 2
    assert [p.provenance.seed for p in painted] == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    hashes = {pixels_sha256(image) for image in training}
    assert not hashes.intersection(p.provenance.pixels_sha256 for p in painted)


def test_another_data_set_is_refused(tiny_run, balanced, tmp_path):
    with pytest.raises(InputError, match="give the one it was trained on"):
        balance(tiny_run, balanced, tmp_path / "out", target=30)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", [0, -5, "most", 2.5])
def test_a_target_that_is_none_is_refused(tiny_run, phantom_data, tmp_path, target):
    with pytest.raises(InputError, match="target must be 'max' or a number above 0"):
        balance(tiny_run, phantom_data, tmp_path / "out", target=target)
