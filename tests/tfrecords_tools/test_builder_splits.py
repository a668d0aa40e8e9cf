"""Builds keep lesions together, and splits apart: shares, known groups, given splits, leaks."""

from __future__ import annotations

import csv
import json
from collections import defaultdict

import pytest
from PIL import Image

from tests.data_sets import LESION_COLUMNS, everything, lesions, records, rejected, save, split_by
from tests.images import noise, picture
from tfrecords_tools.builder import build, build_folds
from tfrecords_tools.errors import InputError
from tfrecords_tools.verifier import verify


def test_csv_keeps_lesions_together(tmp_path):
    images, labels = lesions(tmp_path)
    report = build(images, tmp_path / "out", name="x", labels=labels, size=8, **LESION_COLUMNS)
    splits_of = defaultdict(set)
    for split, members in records(tmp_path / "out").items():
        for record in members:
            number = int(record.image_id.removeprefix("ISIC_"))
            assert record.group == f"HAM_{number // 3}"
            assert report.info.class_names[record.label] == ("mel" if number < 15 else "nv")
            splits_of[record.group].add(split)
    assert len(splits_of) == 20
    assert all(len(splits) == 1 for splits in splits_of.values())
    assert {split: files.num_records for split, files in report.info.splits.items()} == {
        "train": 42,
        "validation": 9,
        "test": 9,
    }


def test_a_shared_image_joins_lesions(tmp_path):
    images, labels = lesions(tmp_path)
    save(images / "bridge1.png", noise(500))
    save(images / "bridge2.png", noise(500))
    with labels.open("a") as table:
        table.write("bridge1,HAM_7,nv,1\nbridge2,HAM_19,nv,1\n")
    build(images, tmp_path / "out", name="x", labels=labels, size=8, **LESION_COLUMNS)
    assert rejected(tmp_path / "out") == {"bridge2.png": "duplicate"}
    groups = {record.image_id: record.group for record in everything(tmp_path / "out")}
    joined = {groups[f"ISIC_{number:03d}"] for number in (21, 22, 23, 57, 58, 59)}
    assert joined == {groups["bridge1"]} == {"HAM_19"}


def test_known_groups_keep_their_splits(tmp_path):
    images, labels = lesions(tmp_path)
    build(images, tmp_path / "old", name="x", labels=labels, size=8, **LESION_COLUMNS)
    before = split_by("group", tmp_path / "old")
    with labels.open("a") as table:
        for number in range(100, 130):
            save(images / f"ISIC_{number}.jpg", noise(number, 20, 20))
            table.write(f"ISIC_{number},HAM_{number},nv,60\n")
    options = {"name": "x", "labels": labels, "size": 8, **LESION_COLUMNS}
    build(images, tmp_path / "new", keep_splits=tmp_path / "old", seed=5, **options)
    after = split_by("group", tmp_path / "new")
    assert {group: after[group] for group in before} == before
    assert len(after) == 50
    build(images, tmp_path / "free", seed=5, **options)
    free = split_by("group", tmp_path / "free")
    assert {group: free[group] for group in before} != before


def test_keeping_the_splits_of_what_is_replaced(folders, tmp_path):
    build(folders, tmp_path / "out", name="x", size=16)
    before = split_by("image_id", tmp_path / "out")
    options = {"keep_splits": tmp_path / "out", "overwrite": True, "seed": 8}
    build(folders, tmp_path / "out", name="x", size=16, **options)
    assert split_by("image_id", tmp_path / "out") == before


def test_given_splits_are_respected_and_checked_for_leaks(tmp_path):
    root = tmp_path / "images"
    for number, split in enumerate(("train", "val", "test")):
        for label in ("mel", "nv"):
            for index in range(3):
                save(
                    root / split / label / f"{index}.png",
                    noise(10 * number + index + 100 * (label == "nv")),
                )
    save(root / "train" / "mel" / "leak.png", noise(5000))
    save(root / "test" / "mel" / "kept.png", noise(5000))
    save(root / "val" / "nv" / "leak.bmp", noise(5001))
    save(root / "test" / "nv" / "kept.png", noise(5001))
    report = build(root, tmp_path / "out", name="x", size=16, max_rejected=0.2)
    assert rejected(tmp_path / "out") == {"train/mel/leak.png": "leak", "val/nv/leak.bmp": "leak"}
    for split, members in records(tmp_path / "out").items():
        folder = {"validation": "val"}.get(split, split)
        assert all(record.image_id.startswith(f"{folder}/") for record in members)
    assert {split: files.num_records for split, files in report.info.splits.items()} == {
        "train": 6,
        "validation": 6,
        "test": 8,
    }
    shares = json.loads((tmp_path / "out" / "build_report.json").read_text())["options"]["splits"]
    assert shares == "as the source gives them"
    for options in ({"splits": {"train": 1}}, {"keep_splits": tmp_path / "out"}):
        with pytest.raises(InputError, match="gives the split of each image: leave splits and"):
            build(root, tmp_path / "no", name="x", **options)


def test_lesion_in_two_given_splits_leaks(tmp_path):
    images, labels = lesions(tmp_path)
    rows = labels.read_text().splitlines()
    numbered = [f"{row},{'test' if i % 10 == 0 else 'train'}" for i, row in enumerate(rows[1:])]
    labels.write_text("\n".join([f"{rows[0]},split", *numbered]))
    build(
        images,
        tmp_path / "out",
        name="x",
        labels=labels,
        split_column="split",
        max_rejected=0.3,
        **LESION_COLUMNS,
    )
    reasons = rejected(tmp_path / "out")
    assert set(reasons.values()) == {"leak"}
    assert len(reasons) == 12  # two companions of each of six test images
    assert verify(tmp_path / "out").problems == ()


def test_near_duplicates_across_splits_are_reported(tmp_path):
    root = tmp_path / "images"
    for split in ("train", "test"):
        for number, label in enumerate(("mel", "nv")):
            for index in range(4):
                seed = 100 * number + index + (50 if split == "test" else 0)
                path = root / split / label / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                picture(seed).save(path)
    picture(2).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        root / "test" / "mel" / "again.jpg", quality=70
    )
    report = build(root, tmp_path / "out", name="x", size=32)
    assert report.near_duplicates == 1
    with (tmp_path / "out" / "near_duplicates.csv").open(newline="") as table:
        (pair,) = csv.DictReader(table)
    assert (pair["split"], pair["image_id"]) == ("train", "train/mel/2.png")
    assert (pair["other_split"], pair["other_image_id"]) == ("test", "test/mel/again.jpg")
    assert pair["symmetry"] == "flip_left_right"
    assert not report.findings


def test_a_class_whose_test_images_are_saved_again_is_named(tmp_path):
    root = tmp_path / "images"
    for split, label, seeds in (
        *(("train", "mel", range(4)), ("train", "nv", range(100, 104))),
        *(("test", "mel", range(50, 54)), ("test", "nv", range(100, 104))),
    ):
        (root / split / label).mkdir(parents=True)
        for seed in seeds:
            copy = {"quality": 70} if split == "test" else {"quality": 95}
            picture(seed).save(root / split / label / f"{seed}.jpg", **copy)
    report = build(root, tmp_path / "out", name="x", size=32)
    assert [finding.kind for finding in report.findings] == ["look_alikes"]
    assert report.findings[0].text.startswith("class nv (4 of 4 in test) with mostly images that")


def test_images_without_a_group_are_counted(tmp_path):
    images, labels = lesions(tmp_path)
    labels.write_text(labels.read_text().replace("HAM_7,", "NA,").replace("HAM_9,", ","))
    report = build(images, tmp_path / "out", name="x", labels=labels, size=8, **LESION_COLUMNS)
    written = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert report.without_group == written["images_without_group"] == 6
    assert sum(written["groups"].values()) == 24
    alone = {r.image_id for r in everything(tmp_path / "out") if r.group == r.image_id}
    assert alone == {f"ISIC_{number:03d}" for number in (21, 22, 23, 27, 28, 29)}
    options = {"label_column": "dx", "labels": labels, "size": 8}
    assert build(images, tmp_path / "none", name="x", **options).without_group is None
    written = json.loads((tmp_path / "none" / "build_report.json").read_text())
    assert written["images_without_group"] is None


def with_column(labels, name: str, values) -> None:
    """Adds a column to the table of `lesions`."""
    rows = labels.read_text().splitlines()
    cells = [f"{row},{value}" for row, value in zip(rows[1:], values, strict=True)]
    labels.write_text("\n".join([f"{rows[0]},{name}", *cells]))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["MSK"] * 60, "no image for split validation and test, .* group 'MSK' has 60 of all 60"),
        (["mel"] * 15 + ["nv"] * 45, r"no class has 3 groups \(largest group: nv, 45 images\)"),
        (["?A"] * 55 + list("bcdef"), r"group '\?A' has 55 of all 60 images"),
    ],
)
def test_groups_that_spoil_the_splits_are_refused(values, message, tmp_path):
    images, labels = lesions(tmp_path)
    with_column(labels, "site", values)
    options = {"labels": labels, "label_column": "dx", "group_column": "site", "size": 8}
    with pytest.raises(InputError, match=f"would mislead: .*{message}.*--accept_findings"):
        build(images, tmp_path / "out", name="x", **options)
    assert not (tmp_path / "out").exists()
    report = build(images, tmp_path / "out", name="x", accept_findings=True, **options)
    written = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert written["findings"] == [vars_of(finding) for finding in report.findings]
    assert any(finding["trap"] for finding in written["findings"])
    assert "accept_findings" not in written["options"]


def vars_of(finding) -> dict:
    return {"kind": finding.kind, "text": finding.text, "trap": finding.trap}


def test_class_without_training_images_is_refused(tmp_path):
    for split in ("train", "val"):
        for number, label in enumerate(("mel", "nv")):
            for index in range(3):
                seed = 100 * number + index + (50 if split == "val" else 0)
                save(tmp_path / "in" / split / label / f"{index}.png", noise(seed))
    for index in range(3):
        save(tmp_path / "in" / "test" / "images" / f"{index}.png", noise(1000 + index))
    with pytest.raises(InputError, match="class images without an image in train, but in test"):
        build(tmp_path / "in", tmp_path / "out", name="x", size=8)


def test_a_picture_of_many_patients_joins_none(tmp_path):
    images, labels = lesions(tmp_path)
    with labels.open("a") as table:
        for number in range(8):
            save(images / f"gone{number}.png", noise(500))
            table.write(f"gone{number},HAM_{number},{'mel' if number < 5 else 'nv'},1\n")
    options = {"labels": labels, "size": 8, "max_rejected": 0.2, **LESION_COLUMNS}
    report = build(images, tmp_path / "out", name="x", **options)
    assert set(rejected(tmp_path / "out").values()) == {"placeholder"}
    written = json.loads((tmp_path / "out" / "build_report.json").read_text())
    assert written["joined_groups"] == {}
    assert written["lost_by_class"] == {"mel": 5, "nv": 3}
    texts = {finding.kind: finding.text for finding in report.findings}
    assert texts["placeholder"].startswith("8 images are left out")
    assert texts["lost_images"] == "rejected images by class: mel 5 (25%), nv 3 (6%)"


def test_kept_splits_hold_for_uneven_groups(tmp_path):
    images, labels = lesions(tmp_path)
    sizes = (30, 8, 5, 4, 3, 3, 3, 2, 2)
    patients = [f"P{number}" for number, size in enumerate(sizes) for _ in range(size)]
    with_column(labels, "patient", patients)
    options = {"labels": labels, "size": 8, "label_column": "dx", "group_column": "patient"}
    build(images, tmp_path / "old", name="x", **options)
    before = split_by("group", tmp_path / "old")
    assert before["P0"] == "train"
    with labels.open("a") as table:
        for number in range(100, 112):
            save(images / f"ISIC_{number}.png", noise(number, 20, 20))
            table.write(f"\nISIC_{number},HAM_{number},mel,60,{'Q' if number < 110 else 'P0'}")
    build(images, tmp_path / "new", name="x", keep_splits=tmp_path / "old", seed=4, **options)
    after = split_by("group", tmp_path / "new")
    assert {group: after[group] for group in before} == before


def test_folds_are_data_sets_with_a_table(tmp_path):
    images, labels = lesions(tmp_path)
    options = {"name": "x", "labels": labels, "size": 8, **LESION_COLUMNS}
    reports = build_folds(images, tmp_path / "out", folds=4, **options)
    assert [report.info.directory.name for report in reports] == [f"fold_{n}" for n in (1, 2, 3, 4)]
    with (tmp_path / "out" / "folds.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 60
    for number, report in enumerate(reports, 1):
        assert verify(report.info.directory).problems == ()
        tested = split_by("image_id", report.info.directory)
        of_fold = {row["image_id"] for row in rows if row["fold"] == str(number)}
        assert of_fold == {image_id for image_id, split in tested.items() if split == "test"}
        written = json.loads((report.info.directory / "build_report.json").read_text())
        assert (written["options"]["folds"], written["options"]["fold"]) == (4, number)
    folds_of = defaultdict(set)
    for row in rows:
        folds_of[row["group"]].add(row["fold"])
    assert all(len(folds) == 1 for folds in folds_of.values())
    with pytest.raises(InputError, match="exists already"):
        build_folds(images, tmp_path / "out", folds=3, **options)
    build_folds(images, tmp_path / "out", folds=3, overwrite=True, **options)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("fold_1", "fold_2", "fold_3", "folds.csv"),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"splits": {"train": 1}}, "leave splits and keep_splits out"),
        ({"split_column": "age"}, "gives the split of each image: leave folds out"),
        ({"folds": 2}, "folds must be from 3"),
    ],
)
def test_folds_with_other_splits(more, message, tmp_path):
    images, labels = lesions(tmp_path)
    labels.write_text(labels.read_text().replace(",50", ",train"))
    options = {"labels": labels, "size": 8, "folds": 3, **LESION_COLUMNS, **more}
    with pytest.raises(InputError, match=message):
        build_folds(images, tmp_path / "out", name="x", **options)
    assert not (tmp_path / "out").exists()
