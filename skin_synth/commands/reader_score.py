"""`skin-synth reader-score`; loads no TensorFlow."""

from __future__ import annotations

import argparse
from pathlib import Path

from tfrecords_tools.command_line import show


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "answers", nargs="+", metavar="ANSWERS", help="CSV with the answers of a reader"
    )
    parser.add_argument("key", metavar="KEY", help="key.csv of the study")
    parser.add_argument(
        "--out",
        metavar="DIR",
        help="new directory for report.html and report.json (default: score, next to the key)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace an earlier result (default: leave it alone)",
    )


def run(options: argparse.Namespace) -> None:
    from skin_synth.evaluation.report import reader_score

    scores = reader_score.write_reader_score(
        options.answers, options.key, options.out, overwrite=options.overwrite
    )
    out = options.out or Path(options.key).parent / reader_score.SCORE_FOLDER
    show(*reader_score.lines(scores), f"{Path(out) / reader_score.SCORE_HTML}: the whole result")
