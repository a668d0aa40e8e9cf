"""Flags that several commands share, and the types of their values.

A type is a converter for argparse. It takes the text of a value. If the value is not allowed, it
raises `argparse.ArgumentTypeError`, which quotes the text.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from skin_synth.presets import PRESET_FIELDS
from skin_synth.training.checkpoints import CHECKPOINT_CHOICES, LAST
from tfrecords_tools.errors import InputError
from tfrecords_tools.sources.label_map import read_label_map
from tfrecords_tools.text import normalise

if TYPE_CHECKING:
    from skin_synth.evaluation.external import ExternalSite, ExternalTest
    from skin_synth.generator import ImageGenerator

Options = TypeVar("Options")
CLASS_GOAL = re.compile(
    r'\s*(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<label>.+?))=(?P<count>[0-9]+)(?:,|\Z)'
)
"""A class and its number of images; the shortest name that a number follows."""
EXTERNAL_NAME = r"[A-Za-z0-9_.-]+"


def options_of(kind: type[Options], flags: argparse.Namespace, **others: object) -> Options:
    """Builds a dataclass of options from `others` and the flags with the names of its fields.

    Fields without a flag keep their defaults.
    """
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    named = [field.name for field in fields if hasattr(flags, field.name)]
    return kind(**{name: getattr(flags, name) for name in named}, **others)


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        metavar="DIR",
        help="data set directory that `tfrecords-tools build` wrote",
    )


def add_training_names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--no_training_names",
        dest="training_names",
        action="store_false",
        help="leave the name of the nearest training image out of the PNGs; manifest.csv still has "
        "it (default: the PNGs have it)",
    )


def add_seed(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares --seed; `what` is for its help."""
    parser.add_argument(
        "--seed",
        type=seed_number,
        default=0,
        metavar="S",
        help=f"seed of {what} (default: %(default)s)",
    )


def add_adapt_images(parser: argparse.ArgumentParser, what: str) -> None:
    """Declares --adapt_images; `what` are the images that the generator learns from."""
    text = f"also adapt the generator to {what} by training on N images (default: do not)"
    parser.add_argument("--adapt_images", type=positive_int, default=0, metavar="N", help=text)


def add_out(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--out", required=True, metavar="DIR", help=what)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace --out if it is the result of an earlier call (default: refuse)",
    )


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        choices=CHECKPOINT_CHOICES,
        default=LAST,
        metavar="last|best",
        help="the last checkpoint, or the best one by validation (default: %(default)s)",
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Adds --set, which changes fields of a preset."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="another value of a field of a new run's preset, such as gamma=1 or "
        "learning_rate=4e-4:1e-4, its start and end; may be repeated (default: the preset's). "
        f"Fields: {', '.join(PRESET_FIELDS)}",
    )


def add_generator(parser: argparse.ArgumentParser, *, images: bool = False) -> None:
    """Declares --run with --checkpoint, --pretrained, and --images if a command takes them.

    Exactly one of them is required.
    """
    generator = parser.add_mutually_exclusive_group(required=True)
    generator.add_argument(
        "--run",
        metavar="RUN",
        help="run directory of a training (no default: one generator is needed)",
    )
    generator.add_argument(
        "--pretrained",
        metavar="NAME|MODELDIR",
        help="an installed generator, such as derm-64-ham10000 (`skin-synth pretrained` lists "
        "them), or a directory that `skin-synth export` wrote (no default)",
    )
    if images:
        generator.add_argument(
            "--images",
            metavar="FOLDER",
            help="images of any program, FOLDER/CLASS/*.png or .jpg, with the classes of --data "
            "(no default)",
        )
    add_checkpoint(parser)


def load_generator(options: argparse.Namespace) -> ImageGenerator:
    """Loads the run, the pretrained generator or the images that the command line names.

    Raises:
        InputError: it does not exist, cannot be used, or --checkpoint is given without --run.
    """
    if options.run is None and options.checkpoint != LAST:
        flag = "--images" if options.pretrained is None else "--pretrained"
        raise InputError(
            f"{flag} has no checkpoints, got --checkpoint {options.checkpoint}: leave it out, or "
            "give a --run"
        )
    if getattr(options, "images", None) is not None:
        from skin_synth.evaluation.image_folder import load_image_folder

        return load_image_folder(options.images, options.data)
    if options.pretrained is not None:
        from skin_synth.pretrained import load_pretrained

        return load_pretrained(options.pretrained)
    from skin_synth.training.runs import load_run

    return load_run(options.run, options.checkpoint)


def positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, got {text!r}")
    return int(text)


def part(text: str) -> tuple[int, int]:
    """Converts I/N, such as 1/16, to both numbers."""
    number, _, count = text.partition("/")
    try:
        found = positive_int(number), positive_int(count)
    except argparse.ArgumentTypeError:
        found = 1, 0
    if found[0] > found[1]:
        raise argparse.ArgumentTypeError(f"needs I/N from 1/N to N/N, got {text!r}")
    return found


def device_count(text: str) -> int | str:
    """Converts `all`, or a whole number above 0."""
    return text if text == "all" else positive_int(text)


def mebibytes(text: str) -> int:
    """Converts a number of MiB, 0 or more, to bytes."""
    number = _float_or(text, -1.0)
    if not 0 <= number < 2**40:
        raise argparse.ArgumentTypeError(f"needs a number of MiB from 0 up, got {text!r}")
    return int(number * 2**20)


def seed_number(text: str) -> int:
    """Converts a whole number from 0 to 2**63 - 1."""
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"needs a whole number from 0 to 2**63 - 1, got {text!r}")
    return int(text)


def positive_float(text: str) -> float:
    number = _float_or(text, 0.0)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"needs a number above 0, got {text!r}")
    return number


def _float_or(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def names(text: str) -> tuple[str, ...]:
    """Converts names, separated by commas."""
    return tuple(text.split(","))


def size_list(text: str) -> tuple[int, ...]:
    """Converts whole numbers above 0 with commas between them."""
    return tuple(positive_int(part) for part in text.split(","))


def balance_target(text: str) -> int | str | dict[str, int]:
    """Converts `max`, `median`, a whole number above 0, or CLASS=N,CLASS=N.

    Class names may hold commas and "="; one that holds "=N," must be in quotation marks.
    """
    if text in ("max", "median"):
        return text
    if "=" not in text:
        return positive_int(text)
    goals: dict[str, int] = {}
    end = 0
    while end < len(text):
        goal = CLASS_GOAL.match(text, end)
        if goal is None:
            raise argparse.ArgumentTypeError(f"needs CLASS=N,CLASS=N, got {text!r}")
        quoted = goal["quoted"]
        label = goal["label"].strip() if quoted is None else quoted.replace('""', '"')
        if label in goals:
            raise argparse.ArgumentTypeError(f"class {label!r} occurs twice in {text!r}")
        goals[label] = positive_int(goal["count"])
        end = goal.end()
    return goals


@dataclasses.dataclass(frozen=True)
class ExternalSet:
    """A further data set that the command line names.

    Attributes:
        name: in reports.
        directory: of the data set.
        label_map: our class by the class of the data set; "" leaves a class out.
    """

    name: str
    directory: str
    label_map: Mapping[str, str]


def add_classifier_study(parser: argparse.ArgumentParser, *, pool: int) -> None:
    """Declares the flags of a study that trains classifiers; `pool` is the default of --pool."""
    parser.add_argument(
        "--classifier",
        choices=("resnet", "finetuned", "small"),
        default="resnet",
        help="resnet from scratch, finetuned MobileNet, or small, a quick network for "
        "tests (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        help="ImageNet weights of finetuned (default: they are downloaded)",
    )
    parser.add_argument(
        "--batch_size",
        type=positive_int,
        default=64,
        metavar="N",
        help="images in a step (default: %(default)s)",
    )
    parser.add_argument(
        "--pool",
        type=positive_int,
        default=pool,
        metavar="N",
        help="synthetic images of each class (default: %(default)s)",
    )
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="directory of finished trainings, for a later start (default: OUT.cache)",
    )
    parser.add_argument(
        "--dry_run",
        action="store_true",
        help="only print trainings, steps and time; write nothing",
    )


def add_external(parser: argparse.ArgumentParser) -> None:
    """Declares --external and --external_labels; `load_site_and_tests` reads them."""
    parser.add_argument(
        "--external",
        action="append",
        type=named_directory,
        default=[],
        metavar="NAME=DIR",
        help="another data set as a separate test, for example of another clinic: its test split, "
        "or all images if it has none; may be given several times (default: none)",
    )
    parser.add_argument(
        "--external_labels",
        action="append",
        type=named_label_map,
        default=[],
        metavar="NAME:THEIRS=OURS,...",
        help="our class for a class of the data set NAME with another name, or NAME:FILE, a CSV "
        "with columns from,to; an empty OURS leaves a class out (default: equal names)",
    )


def add_site(parser: argparse.ArgumentParser) -> None:
    """Declares --site; `load_site_and_tests` reads it."""
    parser.add_argument(
        "--site",
        type=named_directory,
        metavar="NAME=DIR",
        help="another data set as the site, for example of another clinic: its validation split "
        "gives the own images, its test split judges (default: these splits of --data)",
    )


def external_sets(options: argparse.Namespace) -> list[ExternalSet]:
    """Returns the data sets that --site, --external and --external_labels name.

    The site is the first one, if there is one.

    Raises:
        InputError: a name occurs twice, labels are of no data set, or a CSV cannot be read.
    """
    site = getattr(options, "site", None)
    named = [*([site] if site else []), *options.external]
    directories, labels = dict(named), dict(options.external_labels)
    for flag, pairs in (
        ("--site and --external have" if site else "--external has", named),
        ("--external_labels has", options.external_labels),
    ):
        names = [name for name, _ in pairs]
        if twice := {name for name in names if names.count(name) > 1}:
            raise InputError(f"{flag} {', '.join(sorted(twice))} twice: give each name once")
    if unknown := [name for name in labels if name not in directories]:
        raise InputError(
            f"--external_labels names {', '.join(unknown)}; there is "
            f"{', '.join(directories) or 'no other data set'}: give --external {unknown[0]}=DIR"
        )
    return [
        ExternalSet(name, directory, _label_map(labels.get(name, {})))
        for name, directory in directories.items()
    ]


def load_external_tests(
    options: argparse.Namespace, generator: ImageGenerator
) -> list[ExternalTest]:
    """Loads the further test sets, without images of the splits that take part in training.

    Raises:
        InputError: as `external_sets` and `load_external`.
    """
    return load_site_and_tests(options, generator)[1]


def load_site_and_tests(
    options: argparse.Namespace, generator: ImageGenerator
) -> tuple[ExternalSite | None, list[ExternalTest]]:
    """Loads the other data sets of a study: its site, and further test sets.

    Images that look like one from training are left out. With a site, its validation split takes
    part in training, instead of that of the data set.

    Raises:
        InputError: as `external_sets`, `load_site` and `load_external`.
    """
    sets = external_sets(options)
    if not sets:
        return None, []
    from skin_synth.evaluation.external import load_external, load_site
    from skin_synth.evaluation.utility.study import load_study_splits

    train, validation, _ = load_study_splits(options.data)
    classes, side = generator.class_names, generator.image_size
    site = None
    if getattr(options, "site", None):
        first, *sets = sets
        site = load_site(first.name, first.directory, classes, first.label_map, side, ours=[train])
        validation = site.own.images
    ours = [train, validation]
    return site, [
        load_external(each.name, each.directory, classes, each.label_map, side, ours=ours)
        for each in sets
    ]


def classifier_policy() -> str:
    """Returns the fast dtype policy for classifiers: float16 would need loss scaling."""
    from skin_synth.models.hardware import choose_policy

    policy = choose_policy()
    return "float32" if policy == "mixed_float16" else policy


def _label_map(given: Mapping[str, str] | str) -> Mapping[str, str]:
    return read_label_map(Path(given)) if isinstance(given, str) else given


def named_directory(text: str) -> tuple[str, str]:
    """Converts NAME=DIR."""
    name, _, directory = text.partition("=")
    if not re.fullmatch(EXTERNAL_NAME, name) or not directory:
        raise argparse.ArgumentTypeError(
            f"needs NAME=DIR, NAME of letters, digits, _, . and -, got {text!r}"
        )
    return name, directory


def named_label_map(text: str) -> tuple[str, dict[str, str] | str]:
    """Converts NAME:THEIRS=OURS,THEIRS=OURS, or NAME:FILE."""
    name, _, rest = text.partition(":")
    if not re.fullmatch(EXTERNAL_NAME, name) or not rest:
        raise argparse.ArgumentTypeError(f"needs NAME:THEIRS=OURS,... or NAME:FILE, got {text!r}")
    if "=" not in rest:
        return name, rest
    label_map: dict[str, str] = {}
    for part in rest.split(","):
        theirs, equals, ours = part.partition("=")
        if not equals or not normalise(theirs):
            raise argparse.ArgumentTypeError(
                f"needs THEIRS=OURS after {name}:, got {part!r} in {text!r}"
            )
        if normalise(theirs) in label_map:
            raise argparse.ArgumentTypeError(f"class {theirs!r} occurs twice in {text!r}")
        label_map[normalise(theirs)] = normalise(ours)
    return name, label_map
