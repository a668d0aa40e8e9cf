"""Shards of several jobs: together they are one data set, whatever their number and order."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from skin_synth.provenance import MANIFEST, read_manifest
from skin_synth.synthesis import (
    GenerationOptions,
    Shard,
    generate_records,
    merge_records,
    verify_manifest,
)
from skin_synth.synthesis.shards import GENERATION
from tests.origins import make_origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read, read_info
from tfrecords_tools.verifier import verify


class Generator:
    """Images that depend on label and seed; seeds in `equal` give the image of seed 0."""

    class_names, image_size, data_dir = ("mel", "nv"), 8, None

    def __init__(self, equal=(), **fields):
        self.equal, self.origin = equal, make_origin(**fields)

    def generate(self, label_ids, seeds, *, truncation=1.0):
        return np.stack(
            [
                np.random.default_rng(
                    [label, 0 if seed in self.equal else seed, round(100 * truncation)]
                ).integers(0, 256, (8, 8, 3), np.uint8)
                for label, seed in zip(label_ids, seeds, strict=True)
            ]
        )


GENERATOR = Generator()


def make_parts(folder, count, shards, generator=GENERATOR, label="mel", seed=0):
    parts = []
    for number in range(1, shards + 1):
        out = folder / f"{label}-{number}-of-{shards}"
        shard = Shard(number, shards)
        options = GenerationOptions(label=label, count=count, seed=seed, shard=shard)
        generate_records(generator, out, options)
        parts.append(out)
    return parts


def bytes_of(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("shards", [1, 3, 8])
def test_shards_together_are_the_same_as_one_call(tmp_path, shards):
    options = GenerationOptions(label="mel", count=8, seed=5)
    generate_records(GENERATOR, tmp_path / "whole", options)
    parts = make_parts(tmp_path, 8, shards, seed=5)
    np.random.default_rng(shards).shuffle(parts)
    found = merge_records(parts, tmp_path / "merged")
    assert bytes_of(tmp_path / "merged") == bytes_of(tmp_path / "whole")
    assert (found.images, found.dropped) == (8, 0)
    assert found.describe() == "8 images of mel"


def test_the_result_is_a_data_set_with_provenance(tmp_path):
    parts = [*make_parts(tmp_path, 7, 2), *make_parts(tmp_path, 5, 3, label="nv", seed=100)]
    merge_records(parts, tmp_path / "merged")
    verify(tmp_path / "merged")
    records = list(read(tmp_path / "merged", "train"))
    assert [(record.label, record.origin) for record in records] == [
        *([(0, "synthetic")] * 7),
        *([(1, "synthetic")] * 5),
    ]
    rows = read_manifest(tmp_path / "merged" / MANIFEST)
    assert [row.seed for row in rows] == [*range(7), *range(100, 105)]
    assert [record.image_id for record in records] == [row.image_id for row in rows]
    assert read_info(tmp_path / "merged").image_shape == (8, 8, 3)
    found = verify_manifest(tmp_path / "merged", GENERATOR)
    assert (found.rows, found.equal, found.problems) == (12, 12, ())


def test_all_classes_at_once(tmp_path):
    generate_records(GENERATOR, tmp_path / "whole", GenerationOptions(label="all", count=5))
    parts = make_parts(tmp_path, 5, 2, label="all")
    found = merge_records(parts[::-1], tmp_path / "merged")
    rows = read_manifest(tmp_path / "merged" / MANIFEST)
    expected = [(label, seed) for label in ("mel", "nv") for seed in range(5)]
    assert [(row.label, row.seed) for row in rows] == expected
    assert bytes_of(tmp_path / "merged") == bytes_of(tmp_path / "whole")
    assert found.describe() == "10 images of mel, nv"


def test_equal_images_are_dropped_within_shards_and_between_them(tmp_path):
    generator = Generator(equal=(1, 6, 7))  # as seed 0; the blocks are 0-4 and 5-9
    parts = make_parts(tmp_path, 10, 2, generator)
    facts = [json.loads((part / GENERATION).read_text()) for part in parts]
    assert [(each["images"], each["dropped"]) for each in facts] == [(4, 1), (4, 1)]
    found = merge_records(parts, tmp_path / "merged")
    assert (found.images, found.dropped) == (7, 3)
    assert found.describe() == "7 images of mel (3 equal ones dropped)"
    rows = read_manifest(tmp_path / "merged" / MANIFEST)
    assert [row.seed for row in rows] == [0, 2, 3, 4, 5, 8, 9]
    # Further seeds replace them, and the merged data set is a part, too.
    more = make_parts(tmp_path / "more", 3, 1, generator, seed=10)
    again = merge_records([tmp_path / "merged", *more], tmp_path / "all")
    assert (again.images, again.dropped) == (10, 3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda parts: parts[:2], "seed 0: shard 3 of 3 is missing: generate it, then"),
        (lambda parts: parts[2:], "seed 0: shards 1, 2 of 3 are missing: generate them"),
        (lambda parts: [*parts, parts[1]], "shard 2/3 is there twice"),
    ],
)
def test_missing_and_repeated_shards_are_refused(tmp_path, change, told):
    parts = change(make_parts(tmp_path, 9, 3))
    with pytest.raises(InputError, match=told):
        merge_records(parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_folder_of_png_files_is_refused_with_the_way_to_make_a_part(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / MANIFEST).write_text("image_id\n")
    with pytest.raises(InputError, match=r"folder holds images as PNG files: .*--format tfrecord"):
        merge_records([tmp_path / "folder"], tmp_path / "merged")


def test_parts_of_several_generators_are_refused(tmp_path):
    parts = make_parts(tmp_path, 4, 2)
    others = make_parts(tmp_path / "b", 4, 2, Generator(checkpoint_hash="d" * 64))
    with pytest.raises(InputError, match="are of several generators"):
        merge_records([parts[0], others[1]], tmp_path / "merged")


def test_what_is_no_part_or_is_damaged_is_refused(tmp_path):
    [part] = make_parts(tmp_path, 4, 1)

    def fails(told):
        with pytest.raises(InputError, match=told):
            merge_records([part], tmp_path / "merged")
        assert not (tmp_path / "merged").exists()

    manifest, facts = (part / name for name in (MANIFEST, GENERATION))
    text, fact_text = manifest.read_text(), facts.read_text()
    lines = text.splitlines(keepends=True)
    manifest.write_text("".join(lines[:-1]))
    fails(r"records are not those of manifest\.csv")
    manifest.write_text("".join([lines[0], lines[2], lines[1], *lines[3:]]))
    fails(r"records are not those of manifest\.csv")
    manifest.write_text(text.replace(",mel,", ",nevus,"))
    fails("unknown label 'nevus'")
    manifest.write_text("a,b\n1,2\n")
    fails("is not a manifest")
    manifest.write_text(text)
    facts.write_text(fact_text.replace('"images": 4', '"images": 5'))
    fails("another number of images")
    facts.write_text(fact_text.replace('"images"', '"pictures"'))
    fails("unknown fields: pictures")
    for forged in ("2/1", "0/1", "1/5", "-1/4"):
        shard, shards = forged.split("/")
        facts.write_text(
            fact_text.replace('"shard": 1', f'"shard": {shard}').replace(
                '"shards": 1', f'"shards": {shards}'
            )
        )
        fails(f"4 images have no shard {forged}")
    # A list of so many shards would fill the memory.
    facts.write_text(
        fact_text.replace('"count": 4', f'"count": {10**15}').replace(
            '"shards": 1', f'"shards": {10**15}'
        )
    )
    fails(r"shards 2, 3, .*, \.\.\. of 1000000000000000 are missing")
    facts.unlink()
    fails("no result of `skin-synth generate --format tfrecord`")
    shutil.rmtree(part)
    fails("does not exist")


def test_the_result_does_not_replace_a_part(tmp_path):
    parts = make_parts(tmp_path, 4, 2)
    with pytest.raises(InputError, match="which would be replaced"):
        merge_records(parts, tmp_path, overwrite=True)
    with pytest.raises(InputError, match="which would be replaced"):
        merge_records(parts, parts[0])
    merge_records(parts, tmp_path / "merged")
    with pytest.raises(InputError, match="exists already"):
        merge_records(parts, tmp_path / "merged")


@pytest.mark.parametrize(("count", "shards"), [(10, 3), (3, 3), (1_000_000, 7)])
def test_blocks_are_all_seeds_once_and_of_one_size(count, shards):
    blocks = [Shard(number, shards).block(count) for number in range(1, shards + 1)]
    assert [number for block in blocks for number in block] == list(range(count))
    assert max(map(len, blocks)) - min(map(len, blocks)) <= 1


@pytest.mark.parametrize("numbers", [(0, 3), (4, 3), (1, 0)])
def test_wrong_shards_are_refused(numbers):
    with pytest.raises(InputError, match="counts from 1/N to N/N"):
        Shard(*numbers)


def test_more_shards_than_images_are_refused():
    with pytest.raises(InputError, match="2 images have at most as many shards, got 1/3"):
        GenerationOptions(label="mel", count=2, shard=Shard(1, 3))


def test_two_truncations_of_one_seed_are_refused(tmp_path):
    """Their ids would be equal, and `verify` would refuse the data set."""
    parts = {}
    for name, seed, truncation in (("a", 0, 1.0), ("b", 2, 0.5), ("c", 3, 0.5)):
        parts[name] = tmp_path / name
        options = GenerationOptions(label="mel", count=3, seed=seed, truncation=truncation)
        generate_records(GENERATOR, parts[name], options)
    with pytest.raises(InputError, match=r"/mel/2 is there twice .* 1.0 and 0.5"):
        merge_records([parts["a"], parts["b"]], tmp_path / "both")
    assert not (tmp_path / "both").exists()
    merge_records([parts["a"], parts["c"]], tmp_path / "apart")
    assert verify(tmp_path / "apart").problems == ()
    assert verify_manifest(tmp_path / "apart", GENERATOR).problems == ()
