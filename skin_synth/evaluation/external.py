"""Other data sets, from other clinics or cameras: as further tests, or as the site of a study."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from PIL import Image

from skin_synth.data.pipeline import LabelledImages
from skin_synth.provenance import pixels_sha256
from tfrecords_tools.build_steps.near_duplicates import find_across_splits, small_grey
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode_square, size_in_file
from tfrecords_tools.images.perceptual_hash import perceptual_hash
from tfrecords_tools.records.reader import DatasetInfo, read, read_info
from tfrecords_tools.records.schema import ORIGIN_SYNTHETIC, TEST, VALIDATION, Record
from tfrecords_tools.text import abbreviate

FEWEST_CLASSES = 2
"""A test needs two classes, because classifiers are compared by their separation."""


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Numbers of images that are not used in an external test.

    Attributes:
        of_other_classes: images of none of our classes, by the class name in the data set.
        synthetic: synthetic images.
        duplicates: images that look like one of ours: equal, resized, flipped or turned.
        of_known_lesions: other images of the lesions of these duplicates.
        search_cut_short: whether there were too many similar pairs to compare all.
    """

    of_other_classes: Mapping[str, int]
    synthetic: int
    duplicates: int
    of_known_lesions: int
    search_cut_short: bool


@dataclasses.dataclass(frozen=True, eq=False)
class ExternalTest:
    """Another data set, with our class names and our image size.

    Attributes:
        name: the name in reports.
        splits: the splits of the images.
        images: the images, with the ids and groups of the data set.
        resized: number of images by size in the record, for sizes other than ours.
        left_out: images that are not used.
        same_names: images whose lesion has the name of a lesion from training.
    """

    name: str
    splits: tuple[str, ...]
    images: LabelledImages
    resized: Mapping[str, int]
    left_out: LeftOut
    same_names: int = 0

    @property
    def present(self) -> tuple[str, ...]:
        """Our classes with images in it; macro figures are means over these."""
        counts = zip(self.images.class_names, self.images.class_counts, strict=True)
        return tuple(name for name, count in counts if count)

    def sentences(self) -> list[str]:
        """Returns the facts that a report must state."""
        of, lesions = self.images, len({*self.images.groups})
        text = [
            f"{self.name}: {len(of):,} images of {lesions:,} lesions, from its "
            f"{' and '.join(self.splits)} split{'s' if len(self.splits) > 1 else ''}."
        ]
        if lacking := [name for name in of.class_names if name not in self.present]:
            text.append(
                f"It has no images of {', '.join(lacking)}: means over classes are those of "
                f"{', '.join(self.present)}."
            )
        if self.resized:
            sizes = ", ".join(f"{count:,} of {size}" for size, count in self.resized.items())
            text.append(
                f"Images of another size were cropped to the central square and resized: {sizes}."
            )
        if self.same_names:
            text.append(
                f"The lesion names of {self.same_names:,} of its images are also names of lesions "
                "from training. They count as other lesions: if they are the same, leave them out."
            )
        return text + self._on_left_out()

    def _on_left_out(self) -> list[str]:
        left_out, text = self.left_out, []
        if left_out.of_other_classes:
            counts = [f"{count:,} of {name}" for name, count in left_out.of_other_classes.items()]
            text.append(f"Left out, because they are of no class here: {', '.join(counts)}.")
        if left_out.synthetic:
            text.append(f"Left out, because they are synthetic: {left_out.synthetic:,}.")
        if left_out.duplicates:
            text.append(
                f"Left out, because they look like an image from training: "
                f"{left_out.duplicates:,}, and {left_out.of_known_lesions:,} more of their lesions."
            )
        if left_out.search_cut_short:
            text.append(
                "So many images look alike that not all pairs were compared: some images may "
                "still be images from training."
            )
        return text


@dataclasses.dataclass(frozen=True, eq=False)
class ExternalSite:
    """Another data set as the site of `small-site`.

    Attributes:
        own: its validation split, from which the own images are drawn.
        test: its test split, which judges.
    """

    own: ExternalTest
    test: ExternalTest

    @property
    def name(self) -> str:
        """The name in reports."""
        return self.test.name

    def sentences(self) -> list[str]:
        """Returns the facts that a report must state."""
        return self.own.sentences() + self.test.sentences()


def load_site(
    name: str,
    directory: str | os.PathLike[str],
    class_names: Sequence[str],
    label_map: Mapping[str, str] | None = None,
    image_size: int = 64,
    *,
    ours: Sequence[LabelledImages] = (),
) -> ExternalSite:
    """Reads the validation and the test split of another data set; see `load_external`.

    Raises:
        InputError: see `load_external`; it has no validation or no test split.
    """
    present = read_info(directory).splits
    if missing := [split for split in (VALIDATION, TEST) if split not in present]:
        raise InputError(
            f"{directory} has no {' and no '.join(missing)} split: the own images of a site are "
            "drawn from its validation split, and its test split judges"
        )
    own, test = (
        load_external(
            name, directory, class_names, label_map, image_size, ours=ours, splits=(split,)
        )
        for split in (VALIDATION, TEST)
    )
    return ExternalSite(own, test)


def load_external(
    name: str,
    directory: str | os.PathLike[str],
    class_names: Sequence[str],
    label_map: Mapping[str, str] | None = None,
    image_size: int = 64,
    *,
    ours: Sequence[LabelledImages] = (),
    splits: Sequence[str] | None = None,
) -> ExternalTest:
    """Reads another data set as a test.

    Images of another size are cropped to the central square and resized.

    Args:
        name: the name in reports.
        directory: a data set directory, written by `tfrecords-tools build`.
        class_names: our classes, in the order of their labels.
        label_map: our class by the class of the data set; "" leaves a class out. Other classes
            keep their names. Those that are not among our classes are left out.
        image_size: our height and width, in pixels.
        ours: images from training, of this size. Images that look like one of them are left out
            with all images of their lesion.
        splits: splits to read; None: its test split, or all splits if it has none.

    Raises:
        InputError: no such data set, a wrong label map, damaged images, or fewer than two of our
            classes.
    """
    info = read_info(directory)
    label_of = _label_of(name, info, tuple(class_names), label_map or {})
    if splits is None:
        splits = (TEST,) if TEST in info.splits else tuple(info.splits)
    records, others, synthetic = [], Counter[str](), 0
    for split in splits:
        for record in read(directory, split):
            if not 0 <= record.label < len(info.class_names):
                raise InputError(
                    f"{directory}: record {record.image_id!r} has label {record.label} of "
                    f"{len(info.class_names)} classes: build the data set again"
                )
            if record.origin == ORIGIN_SYNTHETIC:
                synthetic += 1
            elif label_of[record.label] is None:
                others[info.class_names[record.label]] += 1
            else:
                records.append(record)
    pixels, resized = _decode(directory, records, image_size)
    labels = np.array([label_of[record.label] for record in records], np.int64)
    ids, groups = (tuple(getattr(r, each) for r in records) for each in ("image_id", "group"))
    images = LabelledImages(pixels, labels, ids, groups, tuple(class_names))
    duplicates, cut_short = _look_alikes(images, ours)
    lesions = {images.groups[row] for row in np.flatnonzero(duplicates)}
    known = np.array([group in lesions for group in images.groups], bool)
    left_out = LeftOut(
        of_other_classes=dict(others.most_common()),
        synthetic=synthetic,
        duplicates=int(duplicates.sum()),
        of_known_lesions=int((known & ~duplicates).sum()),
        search_cut_short=cut_short,
    )
    kept, names = images.subset(~known), {group for split in ours for group in split.groups}
    same_names = sum(group in names for group in kept.groups)
    found = ExternalTest(name, tuple(splits), kept, resized, left_out, same_names)
    if len(found.present) < FEWEST_CLASSES:
        raise InputError(
            f"external data set {name} ({directory}) has images of "
            f"{', '.join(found.present) or 'none'} of the classes {', '.join(class_names)} after "
            f"{sum(others.values()) + synthetic + int(known.sum()):,} were left out; a test needs "
            f"two classes: give a label map, its classes are {', '.join(info.class_names)}"
        )
    return found


def _label_of(
    name: str, info: DatasetInfo, class_names: tuple[str, ...], label_map: Mapping[str, str]
) -> list[int | None]:
    """Returns our label for each label of a data set; None for another class."""
    if unknown := [theirs for theirs in label_map if theirs not in info.class_names]:
        raise InputError(
            f"the label map of {name} names {abbreviate(unknown)}, which {info.directory} does not "
            f"have; it has {', '.join(info.class_names)}"
        )
    if unknown := sorted({ours for ours in label_map.values() if ours} - {*class_names}):
        raise InputError(
            f"the label map of {name} leads to {abbreviate(unknown)}, which are no classes of "
            f"the generator's data set; it has {', '.join(class_names)}"
        )
    ours = [label_map.get(theirs, theirs) for theirs in info.class_names]
    return [class_names.index(each) if each in class_names else None for each in ours]


def _decode(
    directory: str | os.PathLike[str], records: Sequence[Record], side: int
) -> tuple[np.ndarray, dict[str, int]]:
    """Returns uint8[n, side, side, 3], and the number of images of each other size."""
    images = np.empty((len(records), side, side, 3), np.uint8)
    sizes: Counter[str] = Counter()
    damaged = []
    for row, record in enumerate(records):
        try:
            images[row] = decode_square(record.image, side)
        except Rejected as rejected:
            damaged.append(f"{record.image_id} ({rejected.reason}: {rejected.detail})")
            continue
        width, height = size_in_file(record.image)
        if (width, height) != (side, side):
            sizes[f"{width}x{height}"] += 1
    if damaged:
        raise InputError(
            f"{directory} has {len(damaged):,} images that cannot be read, {'; '.join(damaged)}: "
            "build the data set again"
        )
    return images, dict(sizes.most_common())


def _look_alikes(images: LabelledImages, ours: Sequence[LabelledImages]) -> tuple[np.ndarray, bool]:
    """Finds images that look like one of ours: bool[n], and whether the search was cut short."""
    same = {pixels_sha256(image) for split in ours for image in split.images}
    found = np.array([pixels_sha256(image) in same for image in images.images], bool)
    all_images = [*images.images, *(image for split in ours for image in split.images)]
    hashes = np.array([perceptual_hash(Image.fromarray(each)) for each in all_images], np.uint64)

    def greys(rows: Sequence[int]) -> Iterable[np.ndarray]:
        return (small_grey(Image.fromarray(all_images[row])) for row in rows)

    new = np.flatnonzero(~found).tolist()
    members = {"theirs": new, "ours": range(len(images), len(all_images))}
    alike = find_across_splits(members, hashes, greys)
    found[[pair.row for pair in alike.pairs]] = True
    return found, alike.cut_short
