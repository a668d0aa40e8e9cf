"""The command `tfrecords-tools`: builds, inspects and verifies data set directories.

Parsing loads no TensorFlow: each sub-command imports what it runs.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tfrecords_tools import command_line
from tfrecords_tools.build_steps.splits import DEFAULT_SPLITS
from tfrecords_tools.command_line import show
from tfrecords_tools.command_parser import CommandParser
from tfrecords_tools.errors import InputError
from tfrecords_tools.extra_columns import parse_columns
from tfrecords_tools.options import (
    ENCODINGS,
    ORIGINAL,
    RESIZE_MODES,
    RUNNERS,
    TRAINABLE_SIDES,
    BuildOptions,
    data_set_name,
)
from tfrecords_tools.records.schema import NEAR_DUPLICATES, REJECTED
from tfrecords_tools.tensorflow_import import load_tensorflow

if TYPE_CHECKING:
    from tfrecords_tools.builder import BuildReport

BUILD_EXAMPLE = "tfrecords-tools build photos --out runs/photos/data --size 64"
DEFAULT_SPLITS_TEXT = ",".join(f"{split}={share}" for split, share in DEFAULT_SPLITS.items())


def main() -> None:
    """Runs the console script; exits with 0, 1 or 2."""
    command_line.run(run_command, make_parser)


def main_with(argv: Sequence[str]) -> int:
    """Runs a command line in this process; returns the exit code."""
    return command_line.run_with(run_command, make_parser, argv)


def run_command(options: argparse.Namespace) -> None:
    """Runs the chosen sub-command."""
    load_tensorflow()
    options.work(options)


def make_parser() -> CommandParser:
    """Makes the parser of all sub-commands."""
    parser = CommandParser(
        prog="tfrecords-tools",
        description="Turn folders of labelled images into TFRecord data sets that can be trusted.",
        epilog="details: tfrecords-tools COMMAND --help; an example:\n  " + BUILD_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_version()
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    summary = "build a data set from class folders, or from images and a CSV"
    command = _add_command(commands, "build", summary, BUILD_EXAMPLE)
    _add_build(command)
    for name, work, summary in (
        ("inspect", _inspect, "show classes by split, sizes and provenance"),
        ("verify", _verify, "check every record, image and number of a data set"),
    ):
        command = _add_command(commands, name, summary, f"tfrecords-tools {name} runs/photos/data")
        command.add_argument("directory", metavar="DIR", help="data set directory")
        command.set_defaults(work=work)
    _add_croissant(commands)
    return parser


def _add_command(
    commands: argparse._SubParsersAction, name: str, summary: str, example: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def split_shares(text: str) -> dict[str, str]:
    """Parses shares by split, such as train=0.7,validation=0.15,test=0.15, for argparse."""
    shares = {}
    for part in text.split(","):
        split, equals, share = (word.strip() for word in part.partition("="))
        if not equals or split in shares:
            raise argparse.ArgumentTypeError(
                f"needs shares such as {DEFAULT_SPLITS_TEXT}, got {text!r}"
            )
        shares[split] = share
    return shares


def image_size(text: str) -> int | str:
    """Parses a side in pixels, or original, for argparse."""
    if text == ORIGINAL:
        return text
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a number of pixels or {ORIGINAL}, got {text!r}")
    return int(text)


def extra_columns(text: str) -> str:
    """Checks columns such as age:float,sex, for argparse."""
    try:
        parse_columns(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _add_build(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("images", metavar="IMAGES", help="folder of class folders, or with --labels any folder")
    add("--out", required=True, metavar="DIR", help="data set directory to make")
    add("--overwrite", action="store_true", help="replace DIR if it is a data set directory")
    text = "K data sets DIR/fold_1, ... for cross-validation; each fold is a test split once"
    add("--folds", type=int, metavar="K", help=text)
    add_build_options(command)
    command.set_defaults(work=_build)


def add_build_options(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of `BuildOptions`; `build_options` reads them, and IMAGES."""
    text = "name of the data set, [a-z][a-z0-9_]* (default: that of the folder)"
    parser.add_argument("--name", metavar="NAME", help=text)
    _add_folders(parser.add_argument_group("folders"))
    _add_tables(parser.add_argument_group("tables"))
    _add_images(parser.add_argument_group("images"))
    _add_splits(parser.add_argument_group("splits"))
    work = parser.add_argument_group("work")
    text = "threads (default: one per core)"
    work.add_argument("--workers", type=int, metavar="N", help=text)
    _add_option(work, "runner", "threads, or Apache Beam", choices=RUNNERS)
    text = "such as runner=DirectRunner,direct_num_workers=4"
    _add_option(work, "beam_pipeline_options", text, metavar="NAME=VALUE,...")


def build_options(options: argparse.Namespace) -> BuildOptions:
    """Returns the options of a build from parsed flags.

    Raises:
        InputError: a value cannot be used.
    """
    names = (field.name for field in dataclasses.fields(BuildOptions))
    values = {name: getattr(options, name) for name in names}
    return BuildOptions(**values | {"name": options.name or data_set_name(options.images)})


def _add_folders(group: argparse._ArgumentGroup) -> None:
    text = (
        "what each level of folders means, from the top: split, class, group or _, such as "
        "class/group for patients below classes (default: class or split/class, by the names)"
    )
    group.add_argument("--folders", metavar="LEVEL/...", help=text)
    text = "enter linked folders, and follow links out of IMAGES"
    group.add_argument("--follow_links", action="store_true", help=text)


def _add_tables(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--labels", metavar="CSV", help="one row per image; without it, labels are class folders")
    _add_option(group, "id_column", "names the image file", metavar="COLUMN")
    _add_option(group, "label_column", "names the class", metavar="COLUMN")
    add("--one_hot", action="store_true", help="labels are columns of 0 and 1, as in ISIC 2019")
    text = "the one-hot columns (default: all that no other flag names)"
    add("--one_hot_columns", metavar="NAME,...", help=text)
    text = "class of the rows that mark no class (default: they are rejected)"
    add("--unmarked_class", metavar="NAME", help=text)
    add("--metadata", metavar="CSV", help="second table, joined by the id")
    text = "joins the two tables (default: the id); if it is another, metadata name the images"
    add("--join_column", metavar="COLUMN", help=text)
    add("--group_column", metavar="COLUMN", help="names lesion or patient: kept within one split")
    add("--split_column", metavar="COLUMN", help="gives the split of each image")
    text = "what its values mean, such as 0=test,1=validation,2=train; 3= leaves images out"
    add("--split_values", metavar="VALUE=SPLIT,...", help=text)
    text = "columns to keep as features, of kind text, int or float, such as age:float,sex"
    add("--extra_columns", type=extra_columns, metavar="NAME[:KIND],...", help=text)
    add("--label_map", metavar="CSV", help="columns from,to: merges, renames, leaves out classes")


def _add_images(group: argparse._ArgumentGroup) -> None:
    text = f"side in pixels, or {ORIGINAL}"
    _add_option(group, "size", text, type=image_size, metavar=f"PIXELS|{ORIGINAL}")
    _add_option(group, "resize", "how an image becomes square", choices=RESIZE_MODES)
    _add_option(group, "encoding", "format of images that are encoded anew", choices=ENCODINGS)
    _add_option(group, "jpeg_quality", "quality of JPEGs, 1 to 100", type=int, metavar="Q")
    text = f"with size {ORIGINAL}: keep EXIF, XMP, IPTC and comments, with the names in them"
    group.add_argument("--keep_metadata", action="store_true", help=text)
    text = "images with a shorter side are rejected, in pixels"
    _add_option(group, "min_side", text, type=int, metavar="PIXELS")
    text = "images with more pixels are rejected"
    _add_option(group, "max_pixels", text, type=int, metavar="N")
    text = "fail if a larger share is rejected"
    _add_option(group, "max_rejected", text, type=float, metavar="SHARE")


def _add_splits(group: argparse._ArgumentGroup) -> None:
    text = f"share of each split (default: {DEFAULT_SPLITS_TEXT}, or the given splits)"
    group.add_argument("--splits", type=split_shares, metavar="SPLIT=SHARE,...", help=text)
    text = "data set whose groups and images keep their splits"
    group.add_argument("--keep_splits", metavar="OLD_DIR", help=text)
    _add_option(group, "seed", "seed of splits and orders", type=int, metavar="S")
    text = "build a data set that would mislead training or evaluation, knowingly"
    group.add_argument("--accept_findings", action="store_true", help=text)


def _add_option(group: argparse._ArgumentGroup, name: str, text: str, **details: Any) -> None:
    default = getattr(BuildOptions, name)
    shown = " (default: %(default)s)" if default != "" else ""
    group.add_argument(f"--{name}", default=default, help=text + shown, **details)


def _build(options: argparse.Namespace) -> None:
    from tfrecords_tools.builder import build, build_folds

    chosen = build_options(options)
    if options.folds is None:
        report = build(options.images, options.out, chosen, overwrite=options.overwrite)
        show_built(report, options.out)
        reports: Sequence[BuildReport] = [report]
    else:
        reports = build_folds(
            options.images, options.out, chosen, folds=options.folds, overwrite=options.overwrite
        )
        for report in reports:
            show_built(report, report.info.directory)
    if chosen.size == ORIGINAL and not _trainable(reports[0].info.image_shape):
        sides = ", ".join(map(str, TRAINABLE_SIDES[:-1]))
        show(
            f"the images keep their sizes; to train a GAN on them, build with --size {sides} or "
            f"{TRAINABLE_SIDES[-1]}"
        )


def _trainable(shape: Sequence[int | None]) -> bool:
    return shape[0] == shape[1] and shape[0] in TRAINABLE_SIDES


def show_built(
    report: BuildReport, out: str | os.PathLike[str], show: Callable[[str], object] = show
) -> None:
    """Shows line by line what a build made, and what a person should look at."""
    counts = ", ".join(f"{n} {files.num_records:,}" for n, files in report.info.splits.items())
    show(f"{out}: {counts} images in {len(report.info.class_names)} classes")
    if report.without_group is not None:
        show(f"images without a group, each counted as one group: {report.without_group:,}")
    for finding in report.findings:
        show(f"{'accepted: ' if finding.trap else ''}{finding.text}")
    if report.rejections:
        show(f"{len(report.rejections):,} files rejected: see {out}/{REJECTED}")
    if report.near_duplicates:
        show(
            f"{report.near_duplicates:,} pairs of images in different splits look the same: see "
            f"{out}/{NEAR_DUPLICATES}"
        )
    if report.near_duplicates_cut_short:
        show("the search for images that look the same was cut short: there may be more")
    if report.lost_classes:
        show(f"classes without a single good image, left out: {', '.join(report.lost_classes)}")


def _add_croissant(commands: argparse._SubParsersAction) -> None:
    summary = "describe a data set in Croissant (DIR/croissant.json), for repositories of data sets"
    example = "tfrecords-tools croissant runs/photos/data --license CC-BY-4.0"
    command = _add_command(commands, "croissant", summary, example)
    add = command.add_argument
    add("directory", metavar="DIR", help="data set directory")
    add("--license", default="", help="address of the licence, or its SPDX name")
    add("--url", default="", help="page of the data set")
    add("--creator", default="", metavar="NAME", help="who made it: a person or an institution")
    add("--citation", default="", metavar="TEXT", help="how to cite it")
    add(
        "--description", default="", metavar="TEXT", help="a sentence (default: classes and counts)"
    )
    add("--date", default="", metavar="YYYY-MM-DD", help="of the publication")
    command.set_defaults(work=_croissant)


def _croissant(options: argparse.Namespace) -> None:
    from tfrecords_tools.croissant import Publication, write_croissant

    names = (field.name for field in dataclasses.fields(Publication))
    publication = Publication(**{name: getattr(options, name) for name in names})
    show(f"{write_croissant(options.directory, publication)}: the data set in Croissant")


def _inspect(options: argparse.Namespace) -> None:
    from tfrecords_tools.inspector import inspect

    show(*inspect(options.directory))


def _verify(options: argparse.Namespace) -> None:
    from tfrecords_tools.verifier import verify

    report = verify(options.directory)
    if report.problems:
        show(*report.problems)
        raise InputError(
            f"{options.directory} has {len(report.problems)} problems, listed above: "
            "build it again from the images"
        )
    show(f"{options.directory} is sound: {report.records:,} records")
