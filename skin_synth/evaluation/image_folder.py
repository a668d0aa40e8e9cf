"""Images that any program generated, in class folders, as an `ImageGenerator`."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from skin_synth.data.pipeline import LabelledImages, check_square
from skin_synth.provenance import content_hash, pixels_sha256
from skin_synth.random_streams import EvaluationStream
from skin_synth.saved_model.int64 import as_int64
from skin_synth.saved_model.origin import Origin
from tfrecords_tools.errors import InputError, Rejected
from tfrecords_tools.images.image_file import decode_square, size_in_file
from tfrecords_tools.images.opening import read_file
from tfrecords_tools.paths import real_path
from tfrecords_tools.progress import track
from tfrecords_tools.records.reader import fingerprint, read_info
from tfrecords_tools.records.schema import TEST
from tfrecords_tools.sources.files import HIDDEN_FOLDER, MACHINE_MADE, list_files
from tfrecords_tools.sources.listing import Rejection, check_collisions
from tfrecords_tools.text import abbreviate, normalise

OTHER_PROGRAM = "another program"
"""The preset and the software in the origin of a folder."""
LEFT_OUT_REASONS = ("not_an_image", HIDDEN_FOLDER, MACHINE_MADE)
"""Files of these kinds are left out and listed; all other files without an image are errors."""


@dataclasses.dataclass(frozen=True, eq=False)
class ImageFolder:
    """Synthetic images in memory; `generate` chooses from them.

    Attributes:
        folder: contains one folder of images for each class.
        data_dir: the data set; the program is assumed to be trained on its training split.
        images: uint8[n, side, side, 3].
        labels: int64[n], indices into `class_names`.
        files: n paths below `folder`.
        class_names: of the data set, in the order of their labels.
        origin: the name of the folder as run, and a hash of labels and pixels.
        resized: number of images by size in the file, for sizes other than that of the data set.
        left_out: files that are not images, such as text.
    """

    folder: Path
    data_dir: Path
    images: np.ndarray
    labels: np.ndarray
    files: tuple[str, ...]
    class_names: tuple[str, ...]
    origin: Origin
    resized: Mapping[str, int]
    left_out: tuple[str, ...]

    @property
    def image_size(self) -> int:
        """Height and width of the images, in pixels."""
        return self.origin.image_size

    @property
    def class_counts(self) -> np.ndarray:
        """Images of each class: int64[classes]."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    def generate(
        self,
        label_ids: Sequence[int] | np.ndarray,
        seeds: Sequence[int] | np.ndarray,
        *,
        truncation: float = 1.0,
    ) -> np.ndarray:
        """Chooses an image for each label, without replacement: uint8[n, side, side, 3].

        The choice in a class depends only on the seeds of that class in this call.

        Raises:
            InputError: too few images, an unknown label, unequal lengths, or a truncation.
        """
        label_ids, seeds = as_int64(label_ids, "label_ids"), as_int64(seeds, "seeds")
        if label_ids.ndim != 1 or label_ids.shape != seeds.shape:
            raise InputError(
                f"label_ids and seeds must be two vectors of one length, got shapes "
                f"{label_ids.shape} and {seeds.shape}"
            )
        if truncation != 1:
            raise InputError(
                f"images of a folder have no truncation, got {truncation}: leave it at 1"
            )
        classes = len(self.class_names)
        if len(label_ids) and (label_ids.min() < 0 or label_ids.max() >= classes):
            raise InputError(
                f"label ids must be in [0, {classes}), got {label_ids.min()} to {label_ids.max()}"
            )
        self.check_enough(np.bincount(label_ids, minlength=classes), "one set of images")
        rows = np.empty(len(label_ids), np.int64)
        for label in np.unique(label_ids):
            drawn = label_ids == label
            rng = np.random.default_rng([label, *seeds[drawn].view(np.uint64).tolist()])
            rows[drawn] = rng.permutation(np.flatnonzero(self.labels == label))[: drawn.sum()]
        return self.images[rows]

    def check_enough(self, needed: Sequence[int] | np.ndarray, purpose: str) -> None:
        """Checks that each class has enough images for a purpose.

        Raises:
            InputError: too few images; the message names all such classes.
        """
        counts = zip(self.class_names, self.class_counts.tolist(), needed, strict=True)
        few = [f"{name} has {n:,} of {need:,}" for name, n, need in counts if n < need]
        if few:
            raise InputError(
                f"{self.folder} has too few images for {purpose}: {', '.join(few)}: generate more"
            )

    def parts(self, needed: np.ndarray, *, at_most: int, seed: int) -> list[ImageFolder]:
        """Divides the images at random into disjoint folders.

        Args:
            needed: int[classes], smallest number of images of each class in every part.
            at_most: largest number of parts; with too few images there are fewer.
            seed: of the choice.

        Raises:
            InputError: too few images for one part.
        """
        self.check_enough(needed, "the evaluation")
        requested = needed > 0
        number = min(at_most, int((self.class_counts[requested] // needed[requested]).min()))
        rng = np.random.default_rng([seed, EvaluationStream.FOLDER_PARTS])
        order = rng.permutation(len(self.labels))
        part_of = np.empty(len(self.labels), np.int64)
        for label in range(len(self.class_names)):
            rows = order[self.labels[order] == label]
            part_of[rows] = np.arange(len(rows)) % number
        return [self._subset(np.flatnonzero(part_of == part)) for part in range(number)]

    def _subset(self, rows: np.ndarray) -> ImageFolder:
        images, labels = self.images[rows], self.labels[rows]
        origin = dataclasses.replace(self.origin, checkpoint_hash=content_hash(images, labels))
        files = tuple(self.files[row] for row in rows)
        return dataclasses.replace(self, images=images, labels=labels, files=files, origin=origin)

    def equal_to(self, real: LabelledImages) -> list[str]:
        """Returns the files whose pixels equal those of a real image."""
        known = {pixels_sha256(image) for image in real.images}
        pairs = zip(self.files, self.images, strict=True)
        return [file for file, image in pairs if pixels_sha256(image) in known]


def load_image_folder(
    folder: str | os.PathLike[str], data_dir: str | os.PathLike[str]
) -> ImageFolder:
    """Reads FOLDER/CLASS/*.png (or .jpg ...) with the classes and image size of a data set.

    Images are read as by `tfrecords_tools.build`: upright, RGB, alpha on white. Images of another
    size are cropped to the largest central square and resized by Lanczos interpolation.

    Raises:
        InputError: no such folder or data set; a folder that is no class; a class without images;
            or files that cannot be read. The message names all of them.
    """
    folder, info = Path(folder), read_info(data_dir)
    side = check_square(info, TEST)
    listed = list_files(folder)
    if listed.unfollowed:
        raise InputError(
            f"{folder} has links to folders: {abbreviate(listed.unfollowed)}. They are not "
            "followed: put the images themselves there"
        )
    found = listed.found
    left_out = tuple(each.file for each in listed.rejections if not _is_meant(each))
    meant = filter(_is_meant, listed.rejections)
    wrong = [(each.file, each.reason, each.detail) for each in meant]
    files = [file for file in found if "/" in file]
    wrong += [
        (file, "label_missing", "it is in no class folder") for file in found if "/" not in file
    ]
    labels = _labels(folder, files, info.class_names)
    images = np.empty((len(files), side, side, 3), np.uint8)
    sizes: Counter[str] = Counter()
    for row, read in enumerate(
        track(_read_all(folder, files, side), total=len(files), unit="images", description="read")
    ):
        if isinstance(read, Rejected):
            wrong.append((files[row], read.reason, read.detail))
        else:
            images[row], size = read
            sizes[size] += 1
    if wrong:
        named = "; ".join(f"{file}: {reason}, {detail}" for file, reason, detail in wrong)
        raise InputError(
            f"{folder} has {len(wrong):,} files that cannot be used ({named}): repair them or take "
            "them out"
        )
    del sizes[_size_name(side, side)]
    origin = Origin(
        run_id=real_path(folder).name,
        data_name=info.name,
        data_fingerprint=fingerprint(data_dir),
        checkpoint_hash=content_hash(images, labels),
        images_seen=0,
        preset_name=OTHER_PROGRAM,
        image_size=side,
        software=OTHER_PROGRAM,
    )
    return ImageFolder(
        folder=folder,
        data_dir=Path(data_dir),
        images=images,
        labels=labels,
        files=tuple(files),
        class_names=info.class_names,
        origin=origin,
        resized=dict(sizes.most_common()),
        left_out=left_out,
    )


def _is_meant(rejection: Rejection) -> bool:
    """Returns whether a rejected file is in the place of an image, such as a placeholder."""
    return rejection.wanted or rejection.reason not in LEFT_OUT_REASONS


def _labels(folder: Path, files: Iterable[str], class_names: tuple[str, ...]) -> np.ndarray:
    """Returns the label of each file, by its first folder: int64[n]."""
    names_of: dict[str, set[str]] = defaultdict(set)
    names = [file.partition("/")[0] for file in files]
    for name in names:
        names_of[normalise(name)].add(name)
    check_collisions(names_of)
    known = ", ".join(class_names)
    if unknown := sorted(set(names_of) - set(class_names)):
        raise InputError(
            f"{folder} has folders {', '.join(unknown)}, which are no classes of the data set; its "
            f"classes are {known}: rename the folders, or take them out"
        )
    if missing := [name for name in class_names if name not in names_of]:
        raise InputError(
            f"{folder} has no images of {', '.join(missing)}; the classes are {known}: generate "
            "images of each class"
        )
    return np.array([class_names.index(normalise(name)) for name in names], np.int64)


def _read_all(
    folder: Path, files: Sequence[str], side: int
) -> Iterator[tuple[np.ndarray, str] | Rejected]:
    """Yields the pixels and the size of each file, or the reason for an error."""

    def read(file: str) -> tuple[np.ndarray, str] | Rejected:
        try:
            content = read_file(folder / file)
            pixels = decode_square(content, side)
        except Rejected as rejected:
            return rejected
        except OSError as error:
            return Rejected("unreadable", error.strerror or str(error))
        return pixels, _size_name(*size_in_file(content))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(read, files)


def _size_name(width: int, height: int) -> str:
    return f"{width}x{height}"
