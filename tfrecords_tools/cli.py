"""The command `tfrecords-tools`: build, inspect and verify data set directories.

Parsing loads no TensorFlow: each sub-command imports what it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from absl.flags import argparse_flags

from tfrecords_tools import command_line, quiet
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import ORIGINAL, BuildOptions
from tfrecords_tools.schema import REJECTED
from tfrecords_tools.sources import printable
from tfrecords_tools.splits import DEFAULT_SPLITS

DEFAULT_SPLITS_TEXT = ",".join(f"{split}={share}" for split, share in DEFAULT_SPLITS.items())


def main() -> None:
    """Entry point of the console script; leaves by `sys.exit` with 0, 1 or 2."""
    command_line.run(run_command, make_parser)


def main_with(argv: Sequence[str]) -> int:
    """Runs one command line in this process.

    Args:
        argv: the words after `tfrecords-tools`.

    Returns:
        0 done, 1 work failed, 2 wrong usage.
    """
    return command_line.run_with(run_command, make_parser, argv)


def run_command(options: argparse.Namespace) -> None:
    """Runs the sub-command that the command line chose."""
    quiet.load_tensorflow()
    options.work(options)


def make_parser() -> argparse_flags.ArgumentParser:
    """The parser of all sub-commands."""
    parser = argparse_flags.ArgumentParser(
        prog="tfrecords-tools",
        description="Turn folders of labelled images into TFRecord data sets that can be trusted.",
        epilog="example: tfrecords-tools build photos --out data/photos64 --name photos --size 64",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_build(commands)
    for name, work, summary in (
        ("inspect", _inspect, "show classes by split, sizes and provenance"),
        ("verify", _verify, "check every record, image and promise of a data set"),
    ):
        command = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        command.add_argument("directory", metavar="DIR", help="data set directory")
        command.set_defaults(work=work)
    return parser


def split_shares(text: str) -> dict[str, str]:
    """Shares by split from train=0.7,validation=0.15,test=0.15, for argparse.

    Raises:
        argparse.ArgumentTypeError: it does not read like that.
    """
    shares = {}
    for part in text.split(","):
        split, equals, share = (word.strip() for word in part.partition("="))
        if not equals or split in shares:
            raise argparse.ArgumentTypeError(f"needs {DEFAULT_SPLITS_TEXT} or so, got {text!r}")
        shares[split] = share
    return shares


def image_size(text: str) -> int | str:
    """A side in pixels, or original, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    if text == ORIGINAL:
        return text
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"needs a number of pixels or {ORIGINAL}, got {text!r}")
    return int(text)


def _add_build(commands: argparse._SubParsersAction) -> None:
    summary = "build a data set from class folders, or from images and a CSV"
    command = commands.add_parser("build", help=summary, description=summary, allow_abbrev=False)
    add = command.add_argument
    add("images", metavar="IMAGES", help="folder of class folders, or any with --labels")
    add("--out", required=True, metavar="DIR", help="data set directory to be made")
    add("--name", required=True, help="name of the data set: [a-z][a-z0-9_]*")
    add("--labels", metavar="CSV", help="CSV with one row an image")
    add(
        "--id_column",
        default=BuildOptions.id_column,
        help="names the image file (default: %(default)s)",
    )
    add(
        "--label_column",
        default=BuildOptions.label_column,
        help="names the class (default: %(default)s)",
    )
    add("--group_column", help="names lesion or patient: kept within one split")
    add(
        "--size",
        type=image_size,
        default=BuildOptions.size,
        help="side in pixels (default: %(default)s)",
    )
    add(
        "--splits",
        type=split_shares,
        default=DEFAULT_SPLITS_TEXT,
        help="share of each split (default: %(default)s)",
    )
    add("--keep_splits", metavar="OLD_DIR", help="data set whose groups keep their splits")
    add(
        "--min_side",
        type=int,
        default=BuildOptions.min_side,
        help="least side in pixels (default: %(default)s)",
    )
    add(
        "--max_rejected",
        type=float,
        default=BuildOptions.max_rejected,
        help="fail when a larger share of the images is rejected (default: %(default)s)",
    )
    add("--seed", type=int, default=BuildOptions.seed, help="of the splits (default: %(default)s)")
    add("--workers", type=int, help="threads (default: one a core)")
    add("--runner", choices=("threads",), default="threads", help="what does the work")
    add("--overwrite", action="store_true", help="replace DIR where it is there already")
    command.set_defaults(work=_build)


def _build(options: argparse.Namespace) -> None:
    from tfrecords_tools.builder import build

    fields = {
        name: value for name, value in vars(options).items() if name not in ("work", "runner")
    }
    report = build(fields.pop("images"), fields.pop("out"), **fields)
    counts = ", ".join(f"{n} {files.num_records:,}" for n, files in report.info.splits.items())
    out = printable(options.out)
    print(f"{out}: {counts} images in {len(report.info.class_names)} classes")
    if report.rejections:
        print(f"{len(report.rejections):,} files rejected: see {out}/{REJECTED}")
    if report.lost_classes:
        print(f"classes without a single good image, left out: {', '.join(report.lost_classes)}")


def _inspect(options: argparse.Namespace) -> None:
    from tfrecords_tools.inspector import inspect

    print("\n".join(inspect(options.directory)))


def _verify(options: argparse.Namespace) -> None:
    from tfrecords_tools.verifier import verify

    report = verify(options.directory)
    for problem in report.problems:
        print(problem)
    if report.problems:
        raise InputError(
            f"{options.directory} has {len(report.problems)} problems, listed above: "
            "build it again from the images"
        )
    print(f"{options.directory} is sound: {report.records:,} records")


if __name__ == "__main__":
    main()
