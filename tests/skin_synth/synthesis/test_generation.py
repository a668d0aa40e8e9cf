"""Images of one class: reproducible from the manifest, no copies, honest refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from skin_synth.evaluation.metrics.nearest import nearest
from skin_synth.provenance import MANIFEST, pixels_sha256, read_manifest
from skin_synth.synthesis import GenerationOptions, generate_images
from skin_synth.synthesis.generation import generate
from tfrecords_tools.errors import InputError

LABEL = "star"
ONE = GenerationOptions(label=LABEL, count=1)


@pytest.fixture(scope="module")
def folder(tiny_run, tmp_path_factory):
    out = tmp_path_factory.mktemp("generated") / "star"
    return generate_images(tiny_run, out, GenerationOptions(label=LABEL, count=70, seed=5))


def test_every_png_has_its_row_and_every_row_its_png(folder):
    seeds = {int(path.stem) for path in folder.glob("*.png")}
    assert seeds == {row.seed for row in read_manifest(folder / MANIFEST)}
    assert (len(seeds), min(seeds)) == (70, 5)


def test_an_image_is_made_again_from_its_row(folder, tiny_run):
    for row in read_manifest(folder / MANIFEST)[::10]:
        label_id = tiny_run.class_names.index(row.label)
        [again] = tiny_run.generate([label_id], [row.seed], truncation=row.truncation)
        with Image.open(folder / f"{row.seed}.png") as image:
            np.testing.assert_array_equal(np.asarray(image), again)
        assert pixels_sha256(again) == row.pixels_sha256
        assert row.checkpoint_hash == tiny_run.origin.checkpoint_hash


def test_the_nearest_training_image_is_the_nearest(folder, tiny_run, training):
    row = read_manifest(folder / MANIFEST)[0]
    image = tiny_run.generate([tiny_run.class_names.index(LABEL)], [row.seed])
    index, distance = nearest(image, training.images)
    assert row.nearest_image_id == training.image_ids[index[0]]
    assert row.nearest_distance == pytest.approx(float(distance[0]), abs=1e-3)


def test_an_unknown_label_lists_the_known_and_leaves_nothing(tiny_run, tmp_path):
    with pytest.raises(InputError, match="unknown label 'nevus'; known are blotch"):
        generate_images(tiny_run, tmp_path / "out", GenerationOptions(label="nevus", count=1))
    assert list(tmp_path.iterdir()) == []


def test_other_content_and_inputs_are_not_replaced(tiny_run, phantom_data, tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(InputError, match="exists already"):
        generate_images(tiny_run, tmp_path, ONE)
    with pytest.raises(InputError, match=r"something else \(no manifest\.csv\)"):
        generate_images(tiny_run, tmp_path, ONE, overwrite=True)
    assert (tmp_path / "notes.txt").read_text() == "text"
    for out in (tiny_run.directory, tiny_run.directory.parent, phantom_data):
        with pytest.raises(InputError, match="which would be replaced"):
            generate_images(tiny_run, out, ONE, overwrite=True)
    with pytest.raises(InputError, match="lies in the data set"):
        generate_images(tiny_run, phantom_data / "star", ONE)


def test_a_count_below_one_is_refused():
    with pytest.raises(InputError, match="at least 1, got 0"):
        GenerationOptions(label=LABEL, count=0)


def test_moved_data_must_be_named(tiny_run, tmp_path):
    identity = dataclasses.replace(tiny_run.config.data, directory=str(tmp_path / "gone"))
    config = dataclasses.replace(tiny_run.config, data=identity)
    with pytest.raises(InputError, match=r"no directory .*gone, .*: give its present place"):
        generate_images(dataclasses.replace(tiny_run, config=config), tmp_path / "out", ONE)
    assert list(tmp_path.iterdir()) == []


def test_a_collapsed_class_ends_with_its_name_and_leaves_nothing(tiny_run, tmp_path, monkeypatch):
    def collapsed(self, ids, seeds, **options):
        return np.zeros((len(ids), 32, 32, 3), np.uint8)

    monkeypatch.setattr(type(tiny_run), "generate", collapsed)
    with pytest.raises(InputError, match=r"class 'star': only 1 of 30 images in \d+ draws"):
        generate_images(tiny_run, tmp_path / "out", GenerationOptions(label=LABEL, count=30))
    assert list(tmp_path.iterdir()) == []


def test_copies_of_training_images_are_dropped(tiny_run, training, monkeypatch):
    honest = type(tiny_run).generate

    def copying(self, ids, seeds, **options):
        images = honest(self, ids, seeds, **options)
        images[np.isin(seeds, (2, 5))] = training.images[0]
        return images

    monkeypatch.setattr(type(tiny_run), "generate", copying)
    generated = list(generate(tiny_run, training, GenerationOptions(label=LABEL, count=10)))
    assert [p.provenance.seed for p in generated] == [0, 1, 3, 4, 6, 7, 8, 9, 10, 11]
    hashes = {pixels_sha256(image) for image in training.images}
    assert not hashes.intersection(p.provenance.pixels_sha256 for p in generated)


def test_without_training_images_the_nearest_is_left_open(tiny_run):
    [generated] = generate(tiny_run, None, ONE)
    assert generated.provenance.nearest_image_id == ""
    assert np.isnan(generated.provenance.nearest_distance)
