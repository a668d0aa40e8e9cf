"""The model card of an exported generator: data, classes, figures, intended use, limits.

After Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

import dataclasses
import html
import os
import re
from collections.abc import Sequence
from pathlib import Path

from skin_synth.saved_model.origin import Origin
from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError
from tfrecords_tools.json_reading import Part, parse_json, typed
from tfrecords_tools.text import escaped

MODEL_CARD_FILE = "model_card.md"
REPORT_FILE = "report.json"

MARKDOWN_MARKS = re.compile(
    r"[\\`*\[\]|~@]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=#>]|:(?=//)|(?<=www)\."
)
"""Characters that mean something in Markdown; an underscore inside a word means nothing."""
HTML_MARKS = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?[A-Za-z0-9]+;)")

INTENDED_USE = """\
For research: to study class imbalance, augmentation and generative models on skin images. The
images are drawn by a neural network. They show no person, and they are no evidence of anything.

Not for diagnosis. Not for training a product without a separate study on real images of the people
whom the product serves. Not to be shown as photographs.
"""
LIMITS = """\
- A label is the requested class, not a finding: some images show another class, or none.
- The generator knows only its training images: their cameras, skin types, body sites and errors of
  annotation. What is rare there is rare or wrong here.
- Rare classes were learnt from few lesions. Their images vary less than real ones.
- An image can be close to a training image. Compare before you publish images of a private data
  set: `skin-synth balance` drops images that are closer than real images are to each other.
- Truncation below 1 gives more typical and less varied images.
- The licence of the training images also binds the images made from them.
"""


HUB_HEAD = """\
---
license: {licence}
library_name: skin-synth
pipeline_tag: unconditional-image-generation
tags:
- gan
- tensorflow
- medical
- dermatology
- synthetic-data
---
"""
"""The head that the Hugging Face Hub reads."""
UNKNOWN_LICENCE = "unknown"


def model_card(
    origin: Origin,
    class_names: Sequence[str],
    class_counts: Sequence[int] | None,
    figures: Sequence[str] | None,
    *,
    licence: str = UNKNOWN_LICENCE,
) -> str:
    """Returns the model card of a generator as Markdown, with the head of the Hugging Face Hub.

    Args:
        origin: of the generator.
        class_names: in the order of their labels.
        class_counts: the training images of each class; None if they are not known.
        figures: the sentences of `read_report`; None without a report.
        licence: one of the Hub's identifiers, such as cc-by-nc-4.0.

    Raises:
        InputError: the licence is no identifier.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", licence):
        raise InputError(
            f"the licence must be an identifier such as cc-by-nc-4.0 or other, got {licence!r}"
        )
    size, seen = origin.image_size, origin.images_seen
    text = {name: plain(value) for name, value in vars(origin).items() if isinstance(value, str)}
    data = code(origin.data_name) or "unknown"
    return f"""\
{HUB_HEAD.format(licence=licence)}
# {text["preset_name"]}, trained on {text["data_name"] or "images not named"}

A class-conditional generator of {size}x{size} skin images, after {seen:,} training images.

- run `{code(origin.run_id) or "none"}`, checkpoint `{code(origin.checkpoint_hash)}`
- data set `{data}`, fingerprint `{code(origin.data_fingerprint) or "unknown"}`
- exported with {text["software"]}

## Classes

{_classes(class_names, class_counts)}

## Figures

{_figures(figures)}

## Intended use

{INTENDED_USE}
## Limits

{LIMITS}"""


def read_report(directory: str | os.PathLike[str], origin: Origin) -> list[str]:
    """Reads the sentences of summary and warnings of a report on the generator of an origin.

    `directory` is the --out of `skin-synth evaluate`.

    Raises:
        InputError: there is no report, or it is on another checkpoint.
    """
    path = Path(directory) / REPORT_FILE
    if not path.exists():
        raise InputError(f"{path} does not exist: give the --out of a `skin-synth evaluate`")
    try:
        report = typed(parse_json(read_bounded(path)), _Report)
    except (OSError, InputError) as error:
        raise InputError(f"{path} cannot be read as a report ({error})") from error
    if (judged := report.run.checkpoint_hash) != origin.checkpoint_hash:
        raise InputError(
            f"{path} is a report on checkpoint {judged[:12]}, this is "
            f"{origin.checkpoint_hash[:12]}: evaluate the run again"
        )
    return [*report.summary, *report.warnings]


@dataclasses.dataclass(frozen=True)
class _Judged(Part):
    checkpoint_hash: str


@dataclasses.dataclass(frozen=True)
class _Report(Part):
    run: _Judged
    summary: tuple[str, ...]
    warnings: tuple[str, ...]


def _classes(names: Sequence[str], counts: Sequence[int] | None) -> str:
    if counts is None:
        return "\n".join(f"- {plain(name)}" for name in names)
    rows = [f"| {plain(name)} | {count:,} |" for name, count in zip(names, counts, strict=True)]
    return "\n".join(["| class | training images |", "|---|---|", *rows])


def _figures(figures: Sequence[str] | None) -> str:
    if figures is None:
        return (
            "None: this generator was exported without a report. `skin-synth evaluate` makes one, "
            "and `skin-synth export --report DIR` copies its figures here."
        )
    return "\n".join(f"- {plain(sentence)}" for sentence in figures)


def plain(text: str) -> str:
    """Returns a text as Markdown that shows exactly it: no emphasis, link, image, table or HTML."""
    marked = MARKDOWN_MARKS.sub(r"\\\g<0>", escaped(text))
    return HTML_MARKS.sub(lambda mark: html.escape(mark[0]), marked)


def code(text: str) -> str:
    """Returns a text for a place between backticks."""
    return escaped(text).replace("`", "'").replace("<", "\\x3c")
