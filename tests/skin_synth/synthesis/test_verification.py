"""Images generated again from a manifest: equal, altered and missing ones."""

from __future__ import annotations

import dataclasses
import io
import os
import shutil
import weakref

import numpy as np
import pytest
from PIL import Image

from skin_synth.evaluation.image_folder import load_image_folder
from skin_synth.provenance import (
    MANIFEST,
    encode_synthetic,
    manifest_csv,
    pixels_sha256,
    read_manifest,
)
from skin_synth.synthesis import (
    BalanceOptions,
    GenerationOptions,
    balance,
    generate_images,
    verification,
    verify_manifest,
)
from skin_synth.synthesis.generation import image_file, labels_of
from tests.encoding import encoded
from tests.skin_synth.rewriting import rewritten
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_records
from tfrecords_tools.records.schema import SPLITS, parse_record, serialize_record

COUNT = 12


@pytest.fixture(scope="module")
def honest(fake_run):
    return dataclasses.replace(fake_run, tricks=False)


@pytest.fixture
def folder(honest, tmp_path):
    return generate_images(honest, tmp_path / "star", GenerationOptions(label="star", count=COUNT))


def test_all_images_are_made_again(folder, honest):
    found = verify_manifest(folder, honest)
    assert (found.rows, found.equal, found.near, found.problems) == (COUNT, COUNT, 0, ())
    found.check()


@pytest.fixture(scope="module")
def balanced(honest, phantom_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced") / "out"
    balance(honest, phantom_data, out, BalanceOptions(target=20, filters="copies"))
    return out


def test_a_sample_is_made_again_from_a_data_set(balanced, honest):
    found = verify_manifest(balanced, honest, count=10, seed=3)
    assert (found.equal, found.problems) == (10, ())
    assert found.rows > 10


def test_real_records_are_compared_with_the_originals(balanced, honest, phantom_data, tmp_path):
    splits = {split: list(read_records(phantom_data, split)) for split in SPLITS}
    found = verify_manifest(balanced, honest, count=1, data=phantom_data)
    assert (found.real, found.problems) == (sum(map(len, splits.values())), ())
    assert f"{found.real:,} real records as they were; 0 problems" in found.describe(balanced)
    # A file that was saved again, a missing record, and an additional one.
    splits["train"][3] = saved_again(splits["train"][3])
    splits["validation"].pop()
    splits["test"].append(splits["test"][0])
    rewritten(phantom_data, splits, tmp_path / "other")
    problems = verify_manifest(balanced, honest, count=1, data=tmp_path / "other").problems
    assert [problem.split(" is not")[0] for problem in problems] == [
        f"split test: real record {len(splits['test']) - 1}",
        "split train: real record 3",
        f"split validation: real record {len(splits['validation'])}",
    ]


def test_labels_and_splits_of_synthetic_records_are_checked(
    balanced, honest, phantom_data, tmp_path
):
    splits = {split: list(read_records(balanced, split)) for split in SPLITS}
    record = parse_record(splits["train"][-1])
    other = dataclasses.replace(record, label=(record.label + 1) % len(honest.class_names))
    splits["train"][-1] = serialize_record(other)
    moved = splits["train"].pop(-2)
    splits["test"].append(moved)
    shutil.copy(balanced / MANIFEST, rewritten(balanced, splits, tmp_path / "other"))
    problems = verify_manifest(tmp_path / "other", honest, count=1, data=phantom_data).problems
    names, moved_id = honest.class_names, parse_record(moved).image_id
    now, before = names[other.label], names[record.label]
    assert set(problems) == {
        f"{moved_id}: is synthetic, but in split test",
        f"{record.image_id}: has label {now}, its row says {before}",
    }
    assert len(problems) == 2


def test_an_image_or_a_row_that_is_twice_there_is_named(balanced, honest, tmp_path):
    splits = {split: list(read_records(balanced, split)) for split in SPLITS}
    splits["train"].append(splits["train"][-1])
    out = rewritten(balanced, splits, tmp_path / "other")
    rows = read_manifest(balanced / MANIFEST)
    (out / MANIFEST).write_bytes(manifest_csv([*rows, dataclasses.replace(rows[0], seed=5)]))
    assert verify_manifest(out, honest, count=1).problems == (
        f"{rows[0].image_id}: has several rows in {MANIFEST}",
        f"{parse_record(splits['train'][-1]).image_id}: has several images",
    )


@pytest.mark.parametrize("made", ["folder", "balanced"])
def test_few_images_are_in_memory_at_a_time(made, honest, monkeypatch, request):
    images, all_of_them, most = verification._images, [], 0

    def watched(*arguments):
        nonlocal most
        for name, image in images(*arguments):
            all_of_them.append(weakref.ref(image))
            most = max(most, sum(each() is not None for each in all_of_them))
            yield name, image

    monkeypatch.setattr(verification, "_images", watched)
    monkeypatch.setattr(verification, "IMAGES_AT_A_TIME", 3)
    found = verify_manifest(request.getfixturevalue(made), honest)
    assert (found.equal, found.problems) == (found.rows, ())
    assert found.rows >= COUNT
    assert 3 <= most <= 3 + 3  # of a chunk, while the next one is read


def saved_again(serialized):
    record = parse_record(serialized)
    with Image.open(io.BytesIO(record.image)) as image:
        content = encoded(image, "PNG", compress_level=1)
    return serialize_record(dataclasses.replace(record, image=content))


def shifted(fake_run, by):
    """A run whose images differ by this many grey levels, as those of another machine might."""
    honest = type(fake_run).generate

    class Other(type(fake_run)):
        def generate(self, *arguments, **options):
            images = honest(self, *arguments, **options)
            return np.where(images > 127, images - by, images + by).astype(np.uint8)

    return Other(**{f.name: getattr(fake_run, f.name) for f in dataclasses.fields(fake_run)})


def test_one_grey_level_is_near_and_two_are_not(folder, honest):
    near = verify_manifest(folder, shifted(honest, 1))
    assert (near.equal, near.near, near.problems) == (0, COUNT, ())
    far = verify_manifest(folder, shifted(honest, 2))
    assert len(far.problems) == COUNT
    with pytest.raises(InputError, match=r"differs by 2 grey levels.* and 7 more"):
        far.check()


def test_images_of_all_classes_are_in_class_folders(honest, phantom_data, tmp_path):
    options = GenerationOptions(label="all", count=2, seed=4)
    out = generate_images(honest, tmp_path / "all", options, data=phantom_data)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert files == sorted(f"{name}/{seed}.png" for name in honest.class_names for seed in (4, 5))
    rows = read_manifest(out / MANIFEST)
    assert [row.label for row in rows[::2]] == [*honest.class_names]
    star = dataclasses.replace(options, label="star")
    one = generate_images(honest, tmp_path / "star", star, data=phantom_data)
    assert (one / "5.png").read_bytes() == (out / "star" / "5.png").read_bytes()
    found = verify_manifest(out, honest)
    assert (found.equal, found.problems) == (2 * len(honest.class_names), ())
    (out / "star" / "4.png").rename(out / "ring" / "40.png")
    (out / "ring" / "4.png").rename(out / "4.png")
    problems = "\n".join(verify_manifest(out, honest).problems)
    for part in ("ring/40.png: has no row", "4.png: has no row", "ring/4: is in manifest.csv only"):
        assert part in problems


def test_a_folder_of_all_classes_is_one_for_evaluate(honest, phantom_data, tmp_path):
    options = GenerationOptions(label="all", count=3)
    out = generate_images(honest, tmp_path / "all", options, data=phantom_data)
    read = load_image_folder(out, phantom_data)
    assert read.class_counts.tolist() == [3] * len(honest.class_names)
    assert read.left_out == ("manifest.csv",)


def test_all_is_a_class_if_one_has_this_name(honest):
    odd = dataclasses.replace(honest, class_names=("all", "star"))
    options = GenerationOptions(label="all", count=1)
    assert [*labels_of(odd, options)] == ["all"]
    assert labels_of(honest, options) == honest.class_names
    with pytest.raises(InputError, match=r"unknown label 'ALL'; known are .*; all is all of them"):
        labels_of(honest, dataclasses.replace(options, label="ALL"))


def test_every_class_has_a_folder(honest, phantom_data, tmp_path):
    one = generate_images(
        honest, tmp_path / "one", GenerationOptions(label="star", count=1), data=phantom_data
    )
    row = read_manifest(one / MANIFEST)[0]
    names = ("a/b", "..", ".hidden", "%2F", "a", "a b", "é")
    files = [
        image_file(dataclasses.replace(row, label=name), several_classes=True) for name in names
    ]
    assert files[:4] == ["a%2Fb/0.png", "%2E./0.png", "%2Ehidden/0.png", "%252F/0.png"]
    assert files[4:] == ["a/0.png", "a b/0.png", "é/0.png"]


def test_files_that_do_not_fit_are_reported(folder, honest):
    rows = read_manifest(folder / "manifest.csv")
    with Image.open(folder / "0.png") as image:
        changed = np.array(image)
    changed[0, 0] ^= 1
    (folder / "0.png").write_bytes(encode_synthetic(changed, rows[0]))
    (folder / "1.png").unlink()
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:100])
    (folder / "stranger.png").write_bytes((folder / "3.png").read_bytes())
    found = verify_manifest(folder, honest)
    assert found.equal == COUNT - 3
    problems = "\n".join(found.problems)
    assert f"{rows[0].image_id}: its pixels are not those of its row" in problems
    assert f"{rows[1].image_id}: is in manifest.csv only" in problems
    assert f"{rows[2].image_id}: its image cannot be read" in problems
    assert "stranger.png: has no row" in problems
    assert len(found.problems) == 4


def test_a_row_with_a_forged_seed_is_found(folder, honest):
    rows = read_manifest(folder / "manifest.csv")
    with Image.open(folder / "5.png") as image:
        pixels = pixels_sha256(np.asarray(image))
    rows[5] = dataclasses.replace(rows[5], seed=77, pixels_sha256=pixels)
    (folder / "manifest.csv").write_bytes(manifest_csv(rows))
    (folder / "5.png").rename(folder / "77.png")
    found = verify_manifest(folder, honest)
    assert found.equal == COUNT - 1
    assert "generated again it differs" in found.problems[0]


@pytest.mark.parametrize("field", ["run_id", "checkpoint_hash"])
def test_another_generator_is_refused(folder, honest, field):
    origin = dataclasses.replace(honest.origin, **{field: "d" * 12})
    with pytest.raises(InputError, match="was generated by run 0123456789ab, checkpoint cccc"):
        verify_manifest(folder, dataclasses.replace(honest, origin=origin))


def test_a_folder_without_manifest_is_named(honest, tmp_path):
    with pytest.raises(InputError, match=r"manifest\.csv does not exist"):
        verify_manifest(tmp_path, honest)


def test_files_that_are_no_png_are_named(folder, honest, tmp_path):
    (seed, other, third) = sorted(path.stem for path in folder.glob("*.png"))[:3]
    (folder / f"{seed}.png").unlink()
    os.mkfifo(folder / f"{seed}.png")
    (folder / f"{other}.png").write_bytes(encoded(np.zeros((32, 32, 3), np.uint8), "EPS"))
    (folder / f"{third}.png").write_bytes(encoded(np.zeros((32, 32, 3), np.uint8), "BMP"))
    problems = verify_manifest(folder, honest).problems
    assert any(f"{seed}.png: cannot be read (a pipe" in problem for problem in problems)
    assert any("cannot be read (no known image format)" in problem for problem in problems)
    assert any("a BMP image, where only JPEG or PNG" in problem for problem in problems)


def test_training_names_can_be_left_out(honest, phantom_data, tmp_path):
    options = GenerationOptions(label="star", count=3, training_names=False)
    out = generate_images(honest, tmp_path / "star", options, data=phantom_data)
    names = {row.nearest_image_id for row in read_manifest(out / MANIFEST)}
    assert all(names)
    files = [path.read_bytes() for path in out.glob("*.png")]
    assert not any(name.encode() in file for name in names for file in files)
    assert verify_manifest(out, honest).problems == ()
    balanced = BalanceOptions(target=20, filters="copies", training_names=False)
    balance(honest, phantom_data, tmp_path / "balanced", balanced)
    names = {row.nearest_image_id for row in read_manifest(tmp_path / "balanced" / MANIFEST)}
    images = [
        record.image
        for record in map(parse_record, read_records(tmp_path / "balanced", "train"))
        if record.origin == "synthetic"
    ]
    assert images
    assert not any(name.encode() in image for name in names for image in images)
