"""Kept splits: an image stays in its split, even if its group has a new name."""

from __future__ import annotations

import json
from collections import defaultdict

import pytest

from tests.data_sets import LESION_COLUMNS, lesions, save, split_by
from tests.images import noise
from tests.listings import COMPOSED, DECOMPOSED
from tfrecords_tools.build_steps.kept_splits import KeptSplits, read_kept_splits
from tfrecords_tools.builder import build
from tfrecords_tools.errors import InputError
from tfrecords_tools.sources import ImageRecord


def image(image_id: str, group: str | None = None) -> ImageRecord:
    return ImageRecord(f"{image_id}.png", image_id, "nv", group or image_id)


def test_pins_by_group_and_by_image():
    kept = KeptSplits({"g": "test", "gone": "train"}, {"a": "train", "lost": "test"})
    sources = [image("a", "new"), image("b", "new"), image("c", "g"), image("d")]
    assert kept.pins(sources, {}) == {"g": "test", "gone": "train", "new": "train"}
    assert kept.pins(sources, {"gone": "new"})["new"] == "train"


def test_images_of_one_group_in_two_splits():
    kept = KeptSplits({}, {"a": "train", "b": "test"})
    message = r"image 'a' and image 'b' are in splits train and test .* are one group now, 'g'"
    with pytest.raises(InputError, match=message):
        kept.pins([image("a", "g"), image("b", "g")], {})
    with pytest.raises(InputError, match="are one group now, 'a'"):
        kept.pins([image("a"), image("b")], {"b": "a"})


def test_image_and_its_new_group_in_two_splits():
    kept = KeptSplits({"g": "train"}, {"a": "test"})
    with pytest.raises(InputError, match="group 'g' and image 'a' are in splits train and test"):
        kept.pins([image("a", "g")], {})


@pytest.mark.parametrize("records", [[image("a")], [image("x", "g")]])
def test_something_that_is_known_is_enough(records):
    KeptSplits({"g": "train"}, {"a": "train"}).check_met([image("y"), *records], "old")


def test_nothing_that_is_known():
    kept = KeptSplits({"g": "train"}, {"a": "train"})
    with pytest.raises(InputError, match=r"no image and no group of old .* has a, .* has a\.jpg: "):
        kept.check_met([image("a.jpg")], "old")


@pytest.mark.parametrize(("old", "new"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)])
def test_forms_of_unicode(old, new, tmp_path):
    for label in ("mel", "nv"):
        for name in (old, "x", "y", "z"):
            save(
                tmp_path / "images" / label / f"{name}.png", noise(len(label) * 99 + ord(name[-1]))
            )
    build(tmp_path / "images", tmp_path / "old", name="x", size=8)
    kept = read_kept_splits(tmp_path / "old")
    pins = kept.pins([image(f"nv/{new}.png", "g")], {})
    assert pins["g"] == split_by("image_id", tmp_path / "old")[f"nv/{old}.png"]


def test_group_that_was_joined_stays_when_the_copy_is_gone(tmp_path):
    images, labels = lesions(tmp_path)
    save(images / "bridge1.png", noise(500))
    save(images / "bridge2.png", noise(500))
    text = labels.read_text()
    labels.write_text(text + "bridge1,HAM_7,nv,1\nbridge2,HAM_19,nv,1\n")
    options = {"name": "x", "labels": labels, "size": 8, **LESION_COLUMNS}
    build(images, tmp_path / "old", **options)
    before = split_by("image_id", tmp_path / "old")
    (images / "bridge1.png").unlink()
    (images / "bridge2.png").unlink()
    save(images / "later.png", noise(501))
    labels.write_text(text + "later,HAM_7,nv,1\n")
    for seed in range(3):
        out = tmp_path / f"new{seed}"
        build(images, out, keep_splits=tmp_path / "old", seed=seed, **options)
        after = split_by("image_id", out)
        assert {i: after[i] for i in before if i in after} == {
            i: s for i, s in before.items() if i in after
        }
        assert split_by("group", out)["HAM_7"] == before["ISIC_021"]
        assert after["later"] == before["ISIC_021"]
    # A data set of which only the report knows the joined group.
    kept = read_kept_splits(tmp_path / "old")
    assert kept.groups["HAM_7"] == kept.groups["HAM_19"]


def test_old_data_without_groups(tmp_path):
    images, labels = lesions(tmp_path)
    plain = {"name": "x", "labels": labels, "size": 8, "label_column": "dx"}
    build(images, tmp_path / "old", **plain)
    kept = {"keep_splits": tmp_path / "old"}
    with pytest.raises(InputError, match=r"'HAM_.*', and a group stays in one split"):
        build(images, tmp_path / "new", group_column="lesion_id", **plain, **kept)
    assert not (tmp_path / "new").exists()
    # Groups that the old splits happen to keep whole, under new names.
    whole = defaultdict(list)
    for image_id, split in split_by("image_id", tmp_path / "old").items():
        whole[split].append(image_id)
    group_of = {i: f"{s}{n // 3}" for s, ids in whole.items() for n, i in enumerate(ids)}
    rows = labels.read_text().splitlines()
    cells = [row.split(",") for row in rows[1:]]
    labels.write_text(
        "\n".join([rows[0], *(",".join((c[0], group_of[c[0]], *c[2:])) for c in cells)])
    )
    build(images, tmp_path / "new", group_column="lesion_id", seed=3, **plain, **kept)
    assert split_by("image_id", tmp_path / "new") == split_by("image_id", tmp_path / "old")


def test_build_of_other_images(folders, small_data, tmp_path):
    for path in list(folders.rglob("*.png")):
        path.rename(path.with_name(f"other{path.name}"))
    with pytest.raises(InputError, match="so that no split can be kept"):
        build(folders, tmp_path / "out", name="x", keep_splits=small_data)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"joined_groups": 3}'])
def test_damaged_report(content, damageable):
    (damageable / "build_report.json").write_text(content)
    with pytest.raises(InputError, match=r"build_report\.json is damaged"):
        read_kept_splits(damageable)


def test_data_set_without_a_report(damageable):
    report = damageable / "build_report.json"
    assert json.loads(report.read_text())["joined_groups"] == {}
    report.unlink()
    assert len(read_kept_splits(damageable).images) == 32
