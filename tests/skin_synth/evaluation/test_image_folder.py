"""Images of another program: drawn without replacement, judged whole, refused with all reasons."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
from PIL import Image

from skin_synth.data.pipeline import load_split
from skin_synth.evaluation import evaluate, load_image_folder
from skin_synth.evaluation.cache import default_cache
from skin_synth.evaluation.features.extractors import of_classifier
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.study import study_run
from tests.data_sets import save, write_records
from tests.skin_synth.evaluation.conftest import OPTIONS, SIZE, fresh_phantom
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.reader import read_info
from tfrecords_tools.records.schema import Record

PAINTED = 40
"""Images of each class: enough for two sets."""


@pytest.fixture(scope="module")
def painted(large_phantom_data, tmp_path_factory):
    """Class folders of fresh phantoms, as another program would write them."""
    folder = tmp_path_factory.mktemp("painted") / "stylegan"
    for name in read_info(large_phantom_data).class_names:
        for number in range(PAINTED):
            save(folder / name / f"{number:04d}.png", fresh_phantom(name, number))
    return folder


@pytest.fixture(scope="module")
def loaded(painted, large_phantom_data):
    return load_image_folder(painted, large_phantom_data)


@pytest.fixture
def copied(painted, tmp_path):
    return shutil.copytree(painted, tmp_path / "copied")


@pytest.fixture(scope="module")
def report(painted, large_phantom_data, written, tmp_path_factory):
    """The report of a folder with four real images and one that is twice as large."""
    root = tmp_path_factory.mktemp("folder_report")
    folder, cache = shutil.copytree(painted, root / "r3gan"), root / "cache"
    for split, numbers in {"train": range(3), "test": range(1)}.items():
        real = load_split(large_phantom_data, split)
        for number in numbers:
            name = real.class_names[real.labels[number]]
            save(folder / name / f"{split}{number}.png", real.images[number])
    (folder / "log.txt").write_text("FID 3.2")
    save(folder / "ring/0000.png", fresh_phantom("ring", 0).repeat(2, 0).repeat(2, 1))
    cache.mkdir()
    for entry in default_cache(written.path).glob("classifier-*"):
        shutil.copy(entry, cache)
    images = load_image_folder(folder, large_phantom_data)
    return evaluate(images, large_phantom_data, root / "out", OPTIONS, cache=cache)


def test_the_whole_report_without_a_run(report):
    assert report["run"]["run_id"] == "r3gan"
    assert report["run"]["preset"] == "another program"
    found = report["image_folder"]
    assert sum(found["images"]) == 7 * PAINTED + 4
    assert found["sets"] == report["fidelity"]["seeds"] == 2
    assert found["resized"] == {"64x64": 1}
    assert found["left_out"] == ["log.txt"]
    assert found["provenance"] == (
        "made by another program; the training split of phantoms is taken as its training images"
    )
    page = " ".join((report.path / "report.html").read_text("utf-8").split())
    assert "images r3gan · painted by another program · 32×32 pixels" in page
    assert "made by another program" in page
    assert "others were resized as tfrecords-tools does" in page
    assert "left out: log.txt." in page


def test_real_images_among_them_are_a_fault(report):
    equal = report["image_folder"]["equal_to_real"]
    assert {split: len(files) for split, files in equal.items()} == {
        "train": 3,
        "validation": 0,
        "test": 1,
    }
    assert all("train" in file for file in equal["train"])
    first = report["verdict"]["faults"][0]
    assert first["fault"] == "real_images"
    assert "4 files equal a real image" in first["sentence"]
    assert "3 of train, 1 of test" in first["sentence"]
    assert equal["train"][0] in first["sentence"]


def test_a_folder_of_copies_is_found_by_the_copies_part(
    large_phantom_data, written, tmp_path, make_run
):
    train = load_split(large_phantom_data, "train")
    for row, label in enumerate(train.labels):
        save(tmp_path / f"copies/{train.class_names[label]}/{row}.png", train.images[row])
    images = load_image_folder(tmp_path / "copies", large_phantom_data)
    cache = tmp_path / "cache"
    cache.mkdir()
    for entry in default_cache(written.path).glob("classifier-*"):
        shutil.copy(entry, cache)
    options = dataclasses.replace(OPTIONS, seeds=1)
    found = evaluate(images, large_phantom_data, tmp_path / "out", options, cache=cache)
    faults = [fault["fault"] for fault in found["verdict"]["faults"]]
    assert faults[:2] == ["real_images", "copies"]


def test_images_are_drawn_without_replacement_by_the_seeds(loaded):
    labels = np.repeat([0, 3], PAINTED)
    seeds = np.arange(len(labels))
    drawn = loaded.generate(labels, seeds)
    np.testing.assert_array_equal(drawn, loaded.generate(labels, seeds))
    assert len({image.tobytes() for image in drawn}) == len(drawn)
    for label in (0, 3):
        of_folder = {image.tobytes() for image in loaded.images[loaded.labels == label]}
        assert {image.tobytes() for image in drawn[labels == label]} == of_folder
    np.testing.assert_array_equal(
        loaded.generate(labels[:PAINTED], seeds[:PAINTED]), drawn[:PAINTED]
    )
    assert not np.array_equal(loaded.generate(labels, seeds + 1), drawn)


def test_parts_share_no_image(loaded):
    needed = np.full(7, PAINTED // 2)
    first, second = loaded.parts(needed, at_most=5, seed=0)
    assert not set(first.files) & set(second.files)
    assert first.class_counts.tolist() == second.class_counts.tolist() == needed.tolist()
    assert first.origin.checkpoint_hash != second.origin.checkpoint_hash
    assert first.files == loaded.parts(needed, at_most=2, seed=0)[0].files
    assert first.files != loaded.parts(needed, at_most=2, seed=1)[0].files
    assert len(loaded.parts(needed + 1, at_most=5, seed=0)) == 1


def test_the_hash_is_of_labels_and_pixels(loaded, copied, large_phantom_data):
    shutil.copytree(copied, copied.with_name("moved"))
    again = load_image_folder(copied.with_name("moved"), large_phantom_data)
    assert again.origin.checkpoint_hash == loaded.origin.checkpoint_hash
    save(copied / "disc/0000.png", 255 - fresh_phantom("disc", 0))
    changed = load_image_folder(copied, large_phantom_data)
    assert changed.origin.checkpoint_hash != loaded.origin.checkpoint_hash


def test_grey_transparent_and_oblong_images_are_read_as_the_builder_reads_them(
    copied, large_phantom_data
):
    grey = np.full((SIZE, SIZE), 99, np.uint8)
    save(copied / "disc/a_grey.png", grey)
    Image.fromarray(np.zeros((SIZE, SIZE, 4), np.uint8), "RGBA").save(copied / "disc/b_clear.png")
    oblong = np.zeros((SIZE, 2 * SIZE, 3), np.uint8)
    oblong[:, SIZE // 2 : -SIZE // 2] = 7
    save(copied / "disc/c_oblong.png", oblong)
    found = load_image_folder(copied, large_phantom_data)
    read = {file: found.images[row] for row, file in enumerate(found.files)}
    assert (read["disc/a_grey.png"] == 99).all()
    assert (read["disc/b_clear.png"] == 255).all()
    assert (read["disc/c_oblong.png"] == 7).all()
    assert found.resized == {f"{2 * SIZE}x{SIZE}": 1}


def test_the_attacks_say_how_many_images_they_need(loaded, large_phantom_data, tmp_path):
    options = dataclasses.replace(OPTIONS, privacy=True)
    with pytest.raises(InputError, match=r"for --privacy \(--privacy_images\): .* of 2,000"):
        evaluate(loaded, large_phantom_data, tmp_path / "out", options)


def test_the_utility_study_takes_a_folder(loaded, large_phantom_data, trained):
    options = UtilityOptions(seeds=2, ratios=(1.0,), steps=2, pool=3)
    found = study_run(loaded, large_phantom_data, options, features=of_classifier(trained))
    assert found.protocol.pool == 3


def test_too_few_images_are_refused_with_the_numbers(copied, large_phantom_data, tmp_path):
    shutil.rmtree(copied / "ring")
    save(copied / "ring/only.png", fresh_phantom("ring", 0))
    images = load_image_folder(copied, large_phantom_data)
    with pytest.raises(InputError, match="images for the evaluation: ring has 1 of 20: paint more"):
        evaluate(images, large_phantom_data, tmp_path / "out")
    options = dataclasses.replace(OPTIONS, utility=True)
    with pytest.raises(InputError, match=r"for the utility study: .*ring has 1 of \d+, .*: paint"):
        evaluate(images, large_phantom_data, tmp_path / "out", options)
    assert not (tmp_path / "out").exists()


def test_wrong_requests_are_refused(loaded):
    for labels, seeds, options, message in (
        ([0, 1], [0], {}, "two vectors of one length"),
        ([7], [0], {}, r"in \[0, 7\), got 7 to 7"),
        ([0], [0], {"truncation": 0.5}, "no truncation, got 0.5"),
        ([0] * 41, range(41), {}, "one set of images: .* 40 of 41: paint more"),
    ):
        with pytest.raises(InputError, match=message):
            loaded.generate(labels, np.array(seeds), **options)


def test_class_folders_must_be_those_of_the_data_set(copied, large_phantom_data):
    (copied / "ring").rename(copied / "rings")
    with pytest.raises(InputError, match=r"has folders rings, which are no classes .* ring"):
        load_image_folder(copied, large_phantom_data)
    shutil.rmtree(copied / "rings")
    with pytest.raises(InputError, match=r"has no images of ring; the classes are .*: paint"):
        load_image_folder(copied, large_phantom_data)


def test_all_files_that_cannot_be_read_are_named(copied, large_phantom_data):
    whole = (copied / "ring/0001.png").read_bytes()
    (copied / "ring/0001.png").write_bytes(whole[: len(whole) // 2])
    (copied / "disc/0002.jpg").write_bytes(b"no image")
    save(copied / "grid.png", fresh_phantom("disc", 0))
    with pytest.raises(InputError, match="3 files that cannot be used") as refusal:
        load_image_folder(copied, large_phantom_data)
    for file in ("ring/0001.png: truncated", "disc/0002.jpg: not_an_image", "grid.png: label_miss"):
        assert file in str(refusal.value)


def test_folders_that_are_missing_or_empty(large_phantom_data, tmp_path):
    with pytest.raises(InputError, match="nowhere is not a folder"):
        load_image_folder(tmp_path / "nowhere", large_phantom_data)
    with pytest.raises(InputError, match="is empty"):
        load_image_folder(tmp_path, large_phantom_data)


def test_a_data_set_without_a_test_split(painted, tmp_path):
    record = Record(encode_png(np.zeros((16, 16, 3), np.uint8)), 0, "i", "g")
    data = write_records(tmp_path / "data", {"train": [record]})
    with pytest.raises(InputError, match="has no split 'test'"):
        load_image_folder(painted, data)


def test_a_report_must_not_lie_among_the_images(loaded, large_phantom_data):
    with pytest.raises(InputError, match="lies in the images"):
        evaluate(loaded, large_phantom_data, loaded.folder / "report")
