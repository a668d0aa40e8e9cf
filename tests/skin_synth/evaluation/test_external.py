"""Other data sets as tests: our classes only, one size, no image from training."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.external import load_external, load_site
from tests.data_sets import write_records
from tests.images import picture
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record

OURS = ("mel", "nv", "df")
THEIRS = ("df", "nevus", "scar")
SIDE = 32


def record(seed, label, *, size=SIDE, group=None, **fields):
    image = encode_png(np.asarray(picture(seed, (size, size))))
    return Record(image, label, f"i{seed}", group or f"g{seed}", **fields)


def data_set(directory, *records, **splits):
    splits = splits or {"test": records}
    return write_records(directory, splits, class_names=THEIRS, image_shape=(None, None, 3))


def load(directory, label_map=None, **options):
    return load_external("clinic", directory, OURS, label_map, SIDE, **options)


@pytest.fixture
def mixed(tmp_path):
    """Two df, three nevus of two lesions, one of them large, a scar, and a synthetic df."""
    return data_set(
        tmp_path / "data",
        *(record(0, 0), record(1, 0), record(2, 1, group="x"), record(3, 1, group="x")),
        *(record(4, 1, size=2 * SIDE), record(5, 2), record(6, 0, origin="synthetic")),
    )


def test_classes_are_mapped_to_ours(mixed):
    found = load(mixed, {"nevus": "nv"})
    assert found.name == "clinic"
    assert found.images.class_names == OURS
    assert found.images.labels.tolist() == [2, 2, 1, 1, 1]
    assert found.images.image_ids == ("i0", "i1", "i2", "i3", "i4")
    assert found.images.groups == ("g0", "g1", "x", "x", "g4")
    assert found.present == ("nv", "df")
    assert found.left_out.of_other_classes == {"scar": 1}
    assert found.left_out.synthetic == 1
    np.testing.assert_array_equal(found.images.images[1], np.asarray(picture(1, (SIDE, SIDE))))


def test_it_says_what_it_is(mixed):
    assert load(mixed, {"nevus": "nv"}).sentences() == [
        "clinic: 5 images of 4 lesions, from its test split.",
        "It has no images of mel: means over classes are those of nv, df.",
        "Images of another size were cropped to the central square and resized: 1 of 64x64.",
        "Left out, because they are of no class here: 1 of scar.",
        "Left out, because they are synthetic: 1.",
    ]


def test_an_empty_name_leaves_a_class_out(mixed):
    found = load(mixed, {"nevus": "nv", "df": "", "scar": "mel"})
    assert found.images.labels.tolist() == [1, 1, 1, 0]
    assert found.left_out.of_other_classes == {"df": 2}


def test_images_of_another_size_are_resized_as_the_builder_resizes(mixed):
    found = load(mixed, {"nevus": "nv"})
    expected = picture(4, (2 * SIDE, 2 * SIDE)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    assert np.abs(found.images.images[4] - np.asarray(expected).astype(int)).mean() < 1
    assert found.resized == {"64x64": 1}


def test_only_the_test_split_is_used_if_there_is_one(tmp_path):
    train, test = [record(0, 0), record(1, 1)], [record(2, 0), record(3, 1)]
    both = load(data_set(tmp_path / "a", train=train, test=test), {"nevus": "nv"})
    assert (both.splits, both.images.image_ids) == (("test",), ("i2", "i3"))
    others = load(data_set(tmp_path / "b", train=train, validation=test), {"nevus": "nv"})
    assert others.splits == ("train", "validation")
    assert others.images.image_ids == ("i0", "i1", "i2", "i3")
    assert others.sentences()[0].endswith("from its train and validation splits.")


def test_images_from_training_are_left_out_with_their_lesions(mixed):
    known = np.stack([np.asarray(picture(seed, (SIDE, SIDE))) for seed in (0, 2, 99)])
    known[1] = known[1][:, ::-1]  # a flipped copy
    names = ("a", "b", "c")
    ours = LabelledImages(known, np.zeros(3, np.int64), names, names, OURS)
    found = load(mixed, {"nevus": "nv"}, ours=[ours])
    assert found.images.image_ids == ("i1", "i4")
    assert (found.left_out.duplicates, found.left_out.of_known_lesions) == (2, 1)
    assert not found.left_out.search_cut_short
    assert "from training: 2, and 1 more of their lesions" in found.sentences()[-1]


def test_too_few_of_our_classes(mixed):
    with pytest.raises(InputError, match=r"images of df of the classes .* after 5 were left out"):
        load(mixed)
    with pytest.raises(InputError, match=r"images of none of the classes .* are df, nevus, scar"):
        load(mixed, {"df": "", "nevus": ""})


@pytest.mark.parametrize(
    ("label_map", "message"),
    [
        ({"naevus": "nv"}, "names naevus, which .* does not have; it has df, nevus, scar"),
        ({"nevus": "nv", "scar": "burn"}, "leads to burn, which .* it has mel, nv, df"),
    ],
)
def test_a_label_map_must_fit_both_sides(mixed, label_map, message):
    with pytest.raises(InputError, match=message):
        load(mixed, label_map)


def test_damaged_images_are_all_named(tmp_path):
    bad = [Record(b"no image", 0, "first", "g"), Record(b"", 1, "second", "h")]
    with pytest.raises(InputError, match=r"2 images that cannot be read, first \(.*second \(empty"):
        load(data_set(tmp_path / "data", *bad, record(0, 0)), {"nevus": "nv"})


def test_a_label_without_a_class(tmp_path):
    with pytest.raises(InputError, match="image 'i0' has label 3, there are 3 classes"):
        load(data_set(tmp_path / "data", record(0, 3)))


def test_a_data_set_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        load(tmp_path / "nowhere")


@pytest.mark.parametrize(("names", "count"), [("xyz", 2), ("abc", 0)])
def test_equal_names_of_lesions_are_said(mixed, names, count):
    """They may be chance, or another photograph of a lesion from training."""
    known = np.stack([np.asarray(picture(seed, (SIDE, SIDE))) for seed in (97, 98, 99)])
    ours = LabelledImages(known, np.zeros(3, np.int64), tuple(names), tuple(names), OURS)
    found = load(mixed, {"nevus": "nv"}, ours=[ours])
    assert len(found.images) == 5
    assert found.same_names == count
    said = [each for each in found.sentences() if "lesion names of 2 of its images" in each]
    assert bool(said) == bool(count)


def test_a_site_has_its_own_images_from_validation_and_its_test(tmp_path):
    shared = record(9, 1, group="ours")
    directory = data_set(
        tmp_path / "data",
        train=[record(0, 0)],
        validation=[record(1, 0), record(2, 1), shared],
        test=[record(3, 0), record(4, 1), record(5, 2)],
    )
    image = np.asarray(picture(9, (SIDE, SIDE)))[None]
    train = LabelledImages(image, np.array([1]), ("t",), ("t",), OURS)
    site = load_site("clinic", directory, OURS, {"nevus": "nv"}, SIDE, ours=[train])
    assert site.name == "clinic"
    assert site.own.images.image_ids == ("i1", "i2")
    assert site.test.images.image_ids == ("i3", "i4")
    sentences = " ".join(site.sentences())
    assert "2 images of 2 lesions, from its validation split" in sentences
    assert "because they look like an image from training: 1" in sentences
    assert "2 images of 2 lesions, from its test split" in sentences


@pytest.mark.parametrize("missing", ["validation", "test"])
def test_a_site_needs_both_splits(tmp_path, missing):
    splits = {"train", "validation", "test"} - {missing}
    data_set(tmp_path / "d", **{name: [record(i, i)] for i, name in enumerate(sorted(splits))})
    with pytest.raises(InputError, match=f"no {missing} split: the own images"):
        load_site("clinic", tmp_path / "d", OURS, None, SIDE)
