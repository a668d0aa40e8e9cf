"""Finds the generators that installed distributions bring; loads no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from importlib.metadata import entry_points
from pathlib import Path

from skin_synth.saved_model.labels import read_labels
from skin_synth.saved_model.model_card import MODEL_CARD_FILE
from skin_synth.saved_model.origin import read_origin
from tfrecords_tools.errors import InputError

ENTRY_POINTS = "skin_synth.generators"
"""Group of the entry points `NAME = PACKAGE`; the generator is in PACKAGE/NAME/1."""
PRETRAINED_VERSION = "1"
KNOWN_DISTRIBUTIONS = {
    "derm-64-ham10000": "skin-synth-ham10000",
    "derm-128-ham10000": "skin-synth-ham10000",
}
"""Generators of this project, and the distributions that bring them."""


def known_names() -> tuple[str, ...]:
    """Returns the names of all installed generators, sorted."""
    return tuple(sorted({point.name for point in entry_points(group=ENTRY_POINTS)}))


def names_for(image_size: int) -> tuple[str, ...]:
    """Returns the names of installed generators of images of this size, sorted.

    Those whose files are damaged are left out.
    """

    def fits(name: str) -> bool:
        try:
            return read_origin(find_generator(name)[0]).image_size == image_size
        except InputError:
            return False

    return tuple(filter(fits, known_names()))


def find_generator(name: str) -> tuple[Path, str]:
    """Returns the SavedModel of an installed generator, and how to repair it.

    Raises:
        InputError: no installed generator has this name, several have it, or its files are missing.
    """
    points = tuple(entry_points(group=ENTRY_POINTS, name=name))
    if not points:
        raise InputError(f"unknown pretrained generator {name!r}: {_advice(name)}")
    brought_by = [point.dist.name if point.dist else point.value for point in points]
    if len(points) > 1:
        raise InputError(
            f"{' and '.join(sorted(brought_by))} both bring a generator {name!r}: uninstall one"
        )
    repair = f"install {brought_by[0]} again (pip install --force-reinstall {brought_by[0]})"
    try:
        package = Path(str(resources.files(points[0].module)))
    except (ImportError, TypeError) as error:
        raise InputError(f"generator {name!r} cannot be found ({error}): {repair}") from error
    directory = package / name / PRETRAINED_VERSION
    if not directory.is_dir():
        raise InputError(f"generator {name!r} is missing in {package}: {repair}")
    return directory, repair


def descriptions() -> Iterator[list[str]]:
    """Yields lines on each generator: name, images, classes, data, model card, first command.

    Generators of this project that are not installed come last, with how to install them.

    Raises:
        InputError: the files of one are damaged.
    """
    known = known_names()
    for name in known:
        directory, repair = find_generator(name)
        origin = read_origin(directory, repair=repair)
        try:
            labels = read_labels(directory)
        except (OSError, ValueError) as error:
            raise InputError(f"{directory} is damaged ({error}): {repair}") from error
        yield [
            name,
            f"  images      {origin.image_size}x{origin.image_size} pixels",
            f"  classes     {', '.join(labels)}",
            f"  trained on  {origin.data_name}, {origin.images_seen:,} images",
            f"  model card  {directory / MODEL_CARD_FILE} (figures, limits, licence)",
            f"  try         skin-synth generate --pretrained {name} --label all --count 20 "
            f"--out runs/{name}",
        ]
    for name, distribution in KNOWN_DISTRIBUTIONS.items():
        if name not in known:
            yield [f"{name}: not installed; pip install {distribution}"]


def _advice(name: str) -> str:
    known = known_names()
    there = f"there are {', '.join(known)}" if known else "none is installed"
    missing = {each: by for each, by in KNOWN_DISTRIBUTIONS.items() if each not in known}
    wanted = [missing[name]] if name in missing else [*dict.fromkeys(missing.values())]
    return "; ".join([there, *(f"pip install {by}" for by in wanted)])
