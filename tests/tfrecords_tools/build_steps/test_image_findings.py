"""What a build says of its images: masks, synthetic ones, names in files, files that grow."""

from __future__ import annotations

import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests import encoding
from tests.data_sets import rejected, write_class_folders
from tests.images import noise, photograph, prepared, seen
from tests.tfrecords_tools import metadata_files
from tfrecords_tools import build, read, verify
from tfrecords_tools.builder import build_folds
from tfrecords_tools.errors import InputError
from tfrecords_tools.image_folder import write_image_folder
from tfrecords_tools.records.reader import read_info

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def ours(seed: int) -> bytes:
    """A PNG that skin_synth painted."""
    text = b"skin_synth:label\0\0\0\0\0naevus"
    return metadata_files.with_chunks(encoding.encoded(noise(seed), "PNG"), iTXt=text)


def others(seed: int) -> bytes:
    """A JPEG of another program that says that it is synthetic."""
    packet = metadata_files.XMP + metadata_files.xmp_of_source("trainedAlgorithmicMedia")
    content = encoding.encoded(noise(seed), "JPEG", quality=95)
    return metadata_files.with_segments(content, metadata_files.segment(0xE1, packet))


def findings(report) -> dict[str, str]:
    return {finding.kind: finding.text for finding in report.findings}


def origins(directory) -> dict[str, tuple[str, str]]:
    """(split, origin) by image id."""
    return {
        record.image_id: (split, record.origin)
        for split in read_info(directory).splits
        for record in read(directory, split)
    }


@pytest.fixture
def mixed(tmp_path):
    """Real images, and ten that say that they are synthetic."""
    folder = write_class_folders(tmp_path / "mixed")
    for seed in range(5):
        (folder / "naevus" / f"painted{seed}.png").write_bytes(ours(5000 + seed))
        (folder / "melanoma" / f"painted{seed}.jpg").write_bytes(others(6000 + seed))
    return folder


@pytest.mark.parametrize("size", ["original", 16])
def test_synthetic_images_are_for_training_only(mixed, size, tmp_path):
    real = build(write_class_folders(tmp_path / "real"), tmp_path / "a", name="x", size=size)
    report = build(mixed, tmp_path / "b", name="x", size=size)
    before, after = origins(real.info.directory), origins(report.info.directory)
    painted = {name: found for name, found in after.items() if "painted" in name}
    assert set(painted.values()) == {("train", "synthetic")}
    assert len(painted) == 10
    # They fill no quota: the real images keep their splits.
    assert {name: after[name] for name in before} == before
    assert findings(report)["synthetic_images"].startswith("10 images say in their metadata")
    assert json.loads((tmp_path / "b/build_report.json").read_text())["synthetic"] == 10
    assert verify(tmp_path / "b").problems == ()


@pytest.mark.parametrize("alone", ["naevus", "melanoma"])
def test_a_class_of_synthetic_images_only(mixed, alone, tmp_path):
    for file in (mixed / alone).iterdir():
        if "painted" not in file.name:
            file.unlink()
    report = build(mixed, tmp_path / "out", name="x")
    assert f"class {alone} with synthetic images only" in findings(report)["synthetic_only"]
    assert verify(tmp_path / "out").problems == ()


def test_a_folder_of_synthetic_images_only(mixed, tmp_path):
    for file in [path for path in mixed.rglob("*") if path.is_file()]:
        if "painted" not in file.name:
            file.unlink()
    report = build(mixed, tmp_path / "out", name="x")
    assert {found for found in origins(tmp_path / "out").values()} == {("train", "synthetic")}
    assert set(findings(report)) == {"synthetic_only", "synthetic_images"}
    assert verify(tmp_path / "out").problems == ()


@pytest.mark.parametrize("size", ["original", 16])
def test_a_data_set_written_as_files_and_built_again(mixed, size, tmp_path):
    build(mixed, tmp_path / "first", name="x", size=size)
    write_image_folder(tmp_path / "first", tmp_path / "files")
    report = build(tmp_path / "files", tmp_path / "again", name="x", size=size)
    tables = {f"{split}/metadata.csv" for split in ("train", "validation", "test")}
    assert {rejection.file for rejection in report.rejections} == {"images.csv", *tables}
    first, again = (origins(tmp_path / name) for name in ("first", "again"))
    assert sorted(first.values()) == sorted(again.values())


def test_synthetic_images_in_a_given_test_split(tmp_path):
    for split in ("train", "test"):
        write_class_folders(tmp_path / "images" / split)
    (tmp_path / "images/train/naevus/painted.png").write_bytes(ours(9001))
    (tmp_path / "images/test/naevus/painted.png").write_bytes(ours(9002))
    for file in (tmp_path / "images/test").rglob("*.png"):
        if "painted" not in file.name:
            file.write_bytes(encoding.encoded(noise(zlib.crc32(str(file).encode())), "PNG"))
    build(tmp_path / "images", tmp_path / "out", name="x", max_rejected=0.5)
    assert rejected(tmp_path / "out") == {"test/naevus/painted.png": "synthetic"}
    assert origins(tmp_path / "out")["train/naevus/painted.png"] == ("train", "synthetic")


def test_groups_of_synthetic_images_go_to_training(mixed, tmp_path):
    files = sorted(path for path in mixed.rglob("*") if path.is_file())
    rows = [
        f"{path.relative_to(mixed).as_posix()},{path.parent.name},"
        f"{'p' + path.stem[-1] if path.stem[-1] in '01' else path.stem + path.parent.name}"
        for path in files
    ]
    (tmp_path / "t.csv").write_text("\n".join(["image_id,label,patient", *rows]))
    options = {"labels": tmp_path / "t.csv", "group_column": "patient", "name": "x"}
    build(mixed, tmp_path / "out", **options)
    found = origins(tmp_path / "out")
    assert {found[name][0] for name in found if name.rpartition(".")[0][-1] in "01"} == {"train"}
    assert {split for split, _ in found.values()} == {"train", "validation", "test"}
    assert verify(tmp_path / "out").problems == ()
    options |= {"splits": {"test": "1"}, "max_rejected": 0.5}
    only_test = build(mixed, tmp_path / "test", **options)
    assert sum(r.reason == "synthetic" for r in only_test.rejections) == 10


def test_synthetic_images_in_folds(mixed, tmp_path):
    build_folds(mixed, tmp_path / "out", folds=3, name="x")
    for fold in (tmp_path / "out").glob("fold_*"):
        painted = {name: found for name, found in origins(fold).items() if "painted" in name}
        assert set(painted.values()) == {("train", "synthetic")}
        assert len(painted) == 10


def test_folds_with_groups_of_real_and_synthetic_images(mixed, tmp_path):
    """A synthetic image never leaves training; where its real group is elsewhere it is rejected."""
    files = sorted(path for path in mixed.rglob("*") if path.is_file())
    patient = {
        path.relative_to(mixed).as_posix(): f"p{path.stem[-1]}"
        if path.stem != "painted4"
        else "alone"
        for path in files
    }
    rows = [f"{name},{name.partition('/')[0]},{group}" for name, group in patient.items()]
    (tmp_path / "t.csv").write_text("\n".join(["image_id,label,patient", *rows]))
    options = {"labels": tmp_path / "t.csv", "group_column": "patient", "name": "x"}
    build_folds(mixed, tmp_path / "out", folds=4, max_rejected=0.5, **options)
    tested, reasons = [], []
    for fold in sorted((tmp_path / "out").glob("fold_*")):
        found = origins(fold)
        home = {patient[name]: split for name, (split, origin) in found.items() if origin == "real"}
        for name in filter(lambda name: "painted" in name, patient):
            expected = home.get(patient[name], "train")
            assert (name in found) == (expected == "train"), name
            assert found.get(name, ("train", "synthetic")) == ("train", "synthetic")
        reasons += rejected(fold).values()
        tested += [group for group, split in home.items() if split == "test"]
        assert {home[patient[name]] for name, (split, _) in found.items() if split != "train"} <= {
            *("validation", "test")
        }
    assert set(reasons) == {"synthetic"}
    assert sorted(tested) == sorted({group for group in patient.values() if group != "alone"})


def test_kept_splits_that_hold_synthetic_images(mixed, tmp_path):
    """An earlier build took the painted images for real ones."""
    bare = write_class_folders(tmp_path / "bare")
    for file in mixed.rglob("painted*"):
        with Image.open(file) as image:
            image.save(
                bare / file.relative_to(mixed), **{"quality": 95} if "jpg" in file.name else {}
            )
    build(bare, tmp_path / "old", name="x")
    before = origins(tmp_path / "old")
    report = build(
        mixed, tmp_path / "new", name="x", keep_splits=tmp_path / "old", max_rejected=0.5
    )
    outside = {
        name for name, (split, _) in before.items() if "painted" in name and split != "train"
    }
    assert {r.file for r in report.rejections} == outside
    assert outside


def test_a_copy_without_its_mark_is_not_real(mixed, tmp_path):
    with Image.open(mixed / "naevus/painted0.png") as image:
        image.save(mixed / "naevus/00copy.png")
    build(mixed, tmp_path / "out", name="x")
    assert rejected(tmp_path / "out") == {"naevus/00copy.png": "duplicate"}
    assert origins(tmp_path / "out")["naevus/painted0.png"] == ("train", "synthetic")


def mask(seed: int, side: int = 96) -> Image.Image:
    image = Image.new("1", (side, side))
    corner = 10 + 3 * (seed % 7)
    ImageDraw.Draw(image).ellipse((corner, 12, corner + 30 + seed, 50 + seed), fill=1)
    return image


def anyhow(image: Image.Image, kind: str) -> bytes:
    """A mask in one of the forms in which masks come."""
    if kind == "jpeg":
        return encoding.encoded(image.convert("L"), "JPEG", quality=90)
    if kind == "smooth":
        return encoding.encoded(image.convert("L").resize((150, 150), 1), "PNG")
    if kind == "0 and 1":
        return encoding.encoded(Image.fromarray(np.asarray(image, np.uint8)), "PNG")
    if kind == "palette":
        image = image.convert("P")
        image.putpalette([10, 20, 30] * 255 + [200, 30, 30])
    return encoding.encoded(image, "PNG")


@pytest.mark.parametrize("kind", ["one bit", "jpeg", "smooth", "0 and 1", "palette"])
@pytest.mark.parametrize("size", ["original", 16])
def test_masks_among_photographs(kind, size, tmp_path):
    images = tmp_path / "images"
    for label in ("mel", "nv"):
        (images / label).mkdir(parents=True)
        for number in range(6):
            photo = photograph(number + 10 * (label == "nv"), 96, 96)
            (images / label / f"{number}.png").write_bytes(encoding.encoded(photo, "PNG"))
            content = anyhow(mask(number + 7 * (label == "nv")), kind)
            (images / label / f"{number}mask.png").write_bytes(content)
    with pytest.raises(InputError, match=r"12 of 24 images are rejected.*two_colours"):
        build(images, tmp_path / "out", name="x", size=size)
    report = build(images, tmp_path / "out", name="x", size=size, max_rejected=0.5)
    assert set(rejected(tmp_path / "out").values()) == {"two_colours"}
    assert findings(report)["two_colours"].startswith("12 images of two colours are left out")
    assert not any("mask" in name for name in origins(tmp_path / "out"))


def test_a_data_set_of_masks_only(tmp_path):
    for label in ("mel", "nv"):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number in range(6):
            mask(number + 7 * (label == "nv")).save(tmp_path / f"images/{label}/{number}.png")
    report = build(tmp_path / "images", tmp_path / "out", name="x")
    assert report.rejections == ()
    assert findings(report) == {}


@pytest.fixture
def turned(tmp_path):
    """Photographs of a telephone that was held upright."""
    for label in ("mel", "nv"):
        (tmp_path / "phone" / label).mkdir(parents=True)
        for number in range(3):
            image = photograph(number + 10 * (label == "nv"), 300, 400)
            content = encoding.encoded(image, "JPEG", quality=88, exif=orientation(6))
            (tmp_path / f"phone/{label}/{number}.jpg").write_bytes(content)
    return tmp_path / "phone"


def orientation(number: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def test_growth_of_turned_images_is_said(turned, tmp_path):
    report = build(turned, tmp_path / "out", name="x")
    assert "6 images could not keep their bytes" in findings(report)["larger_images"]
    assert "--encoding jpeg keeps them small" in findings(report)["larger_images"]
    sizes = json.loads((tmp_path / "out/build_report.json").read_text())["re_encoded_bytes"]
    assert sizes["files"] == sum(file.stat().st_size for file in turned.rglob("*.jpg"))
    assert sizes["images"] == sum(len(record.image) for record in everything(tmp_path / "out"))
    assert "larger_images" not in findings(build(turned, tmp_path / "small", name="x", size=16))


def everything(directory):
    return [record for split in read_info(directory).splits for record in read(directory, split)]


@pytest.mark.parametrize("number", range(2, 9))
@pytest.mark.parametrize("subsampling", ["4:2:0", "4:2:2", "4:4:4", "4:1:1", "grey"])
def test_turned_jpegs_stay_jpegs_by_choice(number, subsampling):
    image = photograph(number, 304, 400)
    image = image[..., 0] if subsampling == "grey" else image
    options = {} if subsampling == "grey" else {"subsampling": subsampling}
    exif = orientation(number)
    content = encoding.encoded(image, "JPEG", quality=88, exif=exif, **options)
    exact, small = prepared(content), prepared(content, encoding="jpeg")
    assert small.encoded.startswith(b"\xff\xd8")
    assert len(small.encoded) < 1.5 * len(content)
    difference = np.abs(seen(small.encoded) - seen(exact.encoded))
    # Nearly without loss, because the blocks of both files are the same pixels.
    assert difference.mean() < 1
    with Image.open(io.BytesIO(small.encoded)) as found:
        assert not found.getexif()


def test_names_in_files_are_counted(tmp_path):
    images = write_class_folders(tmp_path / "images")
    for number in range(7):
        content = metadata_files.named_jpeg(photograph(number, 40, 56))
        (images / "naevus" / f"named{number}.jpg").write_bytes(content)
    said = findings(build(images, tmp_path / "out", name="x"))["identifying_metadata"]
    assert "(7 files), a place (7), a serial number (7): not in the data set" in said
    name = metadata_files.NAME.encode()
    assert not any(name in record.image for record in everything(tmp_path / "out"))
    kept = build(images, tmp_path / "kept", name="x", keep_metadata=True)
    assert findings(kept)["identifying_metadata"].endswith("kept by --keep_metadata")
    assert sum(name in record.image for record in everything(tmp_path / "kept")) == 7
