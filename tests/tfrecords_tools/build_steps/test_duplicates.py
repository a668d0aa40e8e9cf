"""Equal images: found, kept once, in conflict, or a reason to join groups."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from tests.encoding import encoded
from tests.images import picture
from tfrecords_tools.build_steps import duplicates
from tfrecords_tools.build_steps.duplicates import ImageHashes, find_duplicates, resolve_duplicates
from tfrecords_tools.images.image_file import decode, pixels_hash, prepare
from tfrecords_tools.options import ImageOptions
from tfrecords_tools.sources import ImageRecord


def image(
    name: str, label: str = "nv", group: str | None = None, split: str | None = None
) -> ImageRecord:
    return ImageRecord(f"{name}.png", name, label, group or name, split)


def reasons(resolved) -> dict[str, str]:
    return {rejection.file: rejection.reason for rejection in resolved.rejections.values()}


def hashes(*images: tuple[int, int, int]) -> ImageHashes:
    """Hashes of images of these probes, perceptual hashes and scales."""
    found = ImageHashes.empty(len(images))
    found.good[:] = True
    for row, (probe, perceptual, scale) in enumerate(images):
        found.probe[row], found.perceptual[row], found.scale[row] = probe, perceptual, scale
    return found


def compared(found: ImageHashes, pixels: str) -> tuple[list[list[int]], list[int]]:
    """Copies where row i has pixels[i], and the rows that were compared in full."""
    requested = []

    def pixels_hashes(rows):
        requested.extend(rows)
        return [pixels[row].encode() for row in rows]

    return find_duplicates(found, pixels_hashes), requested


def test_no_image_is_compared_that_no_other_is_like():
    assert compared(hashes((1, 0, 1), (2, 2**30 - 1, 1), (3, 2**60 - 1, 1)), "xxx") == ([], [])


def test_equal_probes_alone_make_no_copies():
    assert compared(hashes((7, 0, 1), (7, 0, 1), (7, 0, 1), (8, 0, 1)), "abax") == (
        [[0, 2]],
        [0, 1, 2],
    )


def test_image_that_was_no_good_is_no_copy():
    found = hashes((7, 0, 1), (7, 0, 1))
    found.good[1] = False
    assert compared(found, "xx") == ([], [])


@pytest.mark.parametrize(("bits", "alike"), [(0, True), (10, True), (11, False)])
def test_images_decoded_at_two_scales_are_compared_by_their_looks(bits, alike):
    found = hashes((7, 0, 1), (8, 2**bits - 1, 8), (9, 2**64 - 1, 8))
    assert compared(found, "xxy") == ([[0, 1]] if alike else [], [0, 1] if alike else [])


def found_in(files: list[bytes], options: ImageOptions) -> list[list[int]]:
    prepared = [prepare(content, options) for content in files]
    return find_duplicates(
        hashes(*((image.probe, image.perceptual, image.scale) for image in prepared)),
        lambda rows: [pixels_hash(decode(files[row], options)) for row in rows],
    )


@pytest.mark.parametrize("size", [None, 32])
def test_one_image_in_two_formats_is_found(size):
    options = ImageOptions(size=size)
    jpegs = [encoded(picture(seed, (400, 400)), "JPEG", quality=90) for seed in range(4)]
    again = [encoded(Image.open(io.BytesIO(jpegs[seed])), "PNG") for seed in (2, 0)]
    files = [*jpegs, *again, encoded(Image.open(io.BytesIO(jpegs[0])), "BMP")]
    scales = [prepare(content, options).scale for content in files]
    assert set(scales[:4]) != set(scales[4:])
    assert sorted(found_in(files, options)) == [[0, 5, 6], [2, 4]]


def test_one_pixel_makes_another_image():
    pixels = np.array(picture(0))
    pixels[50, 50, 0] ^= 1
    files = [encoded(image, "PNG") for image in (picture(0), Image.fromarray(pixels))]
    assert found_in(files, ImageOptions()) == []


def test_images_of_two_scales_are_all_compared_where_they_are_too_many(monkeypatch):
    monkeypatch.setattr(duplicates, "MAX_COMPARISONS", 3)
    found = hashes((7, 0, 1), (8, 2**60 - 1, 1), (9, 2**63 - 1, 8), (1, 2**40 - 1, 8))
    assert compared(found, "xyzx") == ([[0, 3]], [0, 1, 2, 3])


def test_different_images_stay():
    resolved = resolve_duplicates((image("a"), image("b", group="lesion")), [])
    assert resolved.rejections == resolved.joined == {}


def test_copies_within_a_group_are_kept_once():
    records = [image(name, group="lesion") for name in "abc"]
    resolved = resolve_duplicates(records, [[0, 1, 2]])
    assert reasons(resolved) == {"b.png": "duplicate", "c.png": "duplicate"}
    assert list(resolved.rejections) == [1, 2]
    assert resolved.rejections[1].detail == "the same pixels as a.png"
    assert resolved.joined == {}


def test_one_image_with_two_labels_goes():
    resolved = resolve_duplicates([image("a"), image("b", label="mel"), image("c")], [[0, 1]])
    assert reasons(resolved) == {"a.png": "label_conflict", "b.png": "label_conflict"}
    assert "labels mel, nv: a.png, b.png" in resolved.rejections[0].detail


def test_conflict_joins_no_groups():
    records = [image("a", "nv", "one"), image("b", "mel", "two"), image("c", "nv", "two")]
    assert resolve_duplicates(records, [[0, 1]]).joined == {}


def test_shared_image_joins_groups_and_chains_of_groups():
    groups = ("g3", "g2", "g2", "g1", "g3", "g4")
    records = [image(name, group=group) for name, group in zip("abcdef", groups, strict=True)]
    resolved = resolve_duplicates(records, [[0, 1], [2, 3]])
    assert list(resolved.rejections) == [1, 3]
    assert resolved.joined == {"g2": "g1", "g3": "g1"}


def test_long_chain_of_groups():
    count = 500
    records = [
        image(f"{i:04d}{side}", group=f"g{i + (side == 'b'):04d}")
        for i in range(count)
        for side in "ab"
    ]
    resolved = resolve_duplicates(records, [[2 * i, 2 * i + 1] for i in range(count)])
    assert set(resolved.joined.values()) == {"g0000"}
    assert len(resolved.joined) == count


def test_copy_in_the_weightiest_split_stays():
    records = [
        image("a", split="train"),
        image("b", split="validation"),
        image("c", split="test"),
        image("d", split="test"),
    ]
    resolved = resolve_duplicates(records, [[0, 1, 2, 3]])
    assert reasons(resolved) == {"a.png": "leak", "b.png": "leak", "d.png": "duplicate"}
    assert resolved.rejections[0].detail == "the same pixels as c.png, which is in split test"


def test_copies_within_a_given_split_are_no_leak():
    records = [image("a", split="test"), image("b", split="test"), image("c", split="train")]
    assert reasons(resolve_duplicates(records, [[0, 1]])) == {"b.png": "duplicate"}


def test_leak_joins_the_groups():
    records = [image("a", group="g1", split="train"), image("b", group="g2", split="test")]
    resolved = resolve_duplicates(records, [[0, 1]])
    assert reasons(resolved) == {"a.png": "leak"}
    assert resolved.joined == {"g2": "g1"}


def test_conflict_across_given_splits_goes_from_both():
    records = [image("a", "nv", split="train"), image("b", "mel", split="test")]
    assert set(reasons(resolve_duplicates(records, [[0, 1]])).values()) == {"label_conflict"}


def of_groups(count: int, labels: str = "nv", **changes) -> list[ImageRecord]:
    """The same picture in so many groups, and another one in the first of them."""
    fields = {"has_group": True} | changes
    records = [
        image(f"{n}", labels.split()[n % len(labels.split())], f"G{n}") for n in range(count)
    ]
    return [
        dataclasses.replace(record, **fields) for record in [*records, image("own", group="G0")]
    ]


@pytest.mark.parametrize("labels", ["nv", "nv mel"])
@pytest.mark.parametrize("splits", [{}, {"split": "train"}])
def test_picture_of_many_groups_shows_no_patient(labels, splits):
    resolved = resolve_duplicates(of_groups(50, labels, **splits), [list(range(50))])
    assert set(resolved.rejections) == set(range(50))
    assert set(reasons(resolved).values()) == {"placeholder"}
    assert resolved.joined == {}
    detail = resolved.rejections[0].detail
    assert detail.startswith("50 groups have these pixels")
    assert detail.endswith("0.png, 1.png, 2.png, 3.png, 4.png and 45 more")


def test_picture_of_few_groups_joins_them():
    assert len(resolve_duplicates(of_groups(3), [[0, 1, 2]]).joined) == 2
    assert resolve_duplicates(of_groups(4), [[0, 1, 2, 3]]).joined == {}


def test_many_copies_in_one_group_or_without_groups_are_duplicates():
    one = [dataclasses.replace(record, group="G") for record in of_groups(9)]
    for records in (one, of_groups(9, has_group=False)):
        found = reasons(resolve_duplicates(records, [list(range(9))]))
        assert set(found.values()) == {"duplicate"}
        assert len(found) == 8


def test_conflict_of_many_files_names_a_few():
    records = of_groups(2000, "nv mel", has_group=False)
    resolved = resolve_duplicates(records, [list(range(2000))])
    assert resolved.rejections[7].detail.endswith("and 1995 more")
