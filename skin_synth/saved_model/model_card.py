"""The model card beside an exported generator: data, classes, figures, intended use, limits.

After Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skin_synth.saved_model.origin import Origin
from tfrecords_tools.errors import InputError

MODEL_CARD = "model_card.md"
REPORT = "report.json"

USE = """\
For research: to study class imbalance, augmentation and generative models on skin images. The
images are drawn by a neural network. They show no person, and they are no evidence of anything.

Not for diagnosis, not for the training of a product without a study of its own on real images of
the people that it is to serve, and not to be passed off as photographs.
"""
LIMITS = """\
- A label is what was asked for, not a finding: some images show another class, or none.
- The generator knows what its training images show: their cameras, skin types, body sites and
  errors of annotation. What is rare there is rare or wrong here.
- Rare classes were learnt from few lesions. Their images vary less than real ones.
- An image can come close to a training image. Compare before you publish images of a private data
  set: `skin-synth balance` drops what is closer than real images are to each other.
- Truncation below 1 gives more typical and less varied images.
- The licence of the training images binds what is made from them.
"""


def model_card(
    origin: Origin,
    class_names: Sequence[str],
    class_counts: Sequence[int] | None,
    report: Mapping[str, Any] | None,
) -> str:
    """Markdown that tells what a generator is, and what it is not.

    Args:
        origin: of the generator.
        class_names: in the order of the labels.
        class_counts: training images of each class; None where they are not known.
        report: what `read_report` gave; None where there is no report.
    """
    return "\n".join(
        [
            f"# {origin.preset_name}, trained on {origin.data_name or 'images not named'}",
            "",
            f"A class-conditional generator of {origin.image_size}x{origin.image_size} skin "
            f"images, after {origin.images_seen:,} training images.",
            "",
            f"- run `{origin.run_id or 'none'}`, checkpoint `{origin.checkpoint_hash}`",
            f"- data set `{origin.data_name or 'unknown'}`, fingerprint "
            f"`{origin.data_fingerprint or 'unknown'}`",
            f"- exported with {origin.software}",
            "",
            "## Classes",
            "",
            *_classes(class_names, class_counts),
            "",
            "## Figures",
            "",
            *_figures(report),
            "",
            "## Intended use",
            "",
            USE,
            "## Limits",
            "",
            LIMITS,
        ]
    )


def read_report(directory: str | os.PathLike[str], origin: Origin) -> Mapping[str, Any]:
    """The report that `skin-synth evaluate` wrote about the very generator.

    Args:
        directory: of the report.
        origin: of the generator.

    Raises:
        InputError: no report there, or one about another checkpoint.
    """
    path = Path(directory) / REPORT
    try:
        report: dict[str, Any] = json.loads(path.read_text("utf-8"))
        judged = report["run"]["checkpoint_hash"]
        report["summary"], report["warnings"], report["run"]["images_seen"]
    except FileNotFoundError as error:
        raise InputError(
            f"{path} is not there: give the --out of a `skin-synth evaluate`"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read as a report ({error!r})") from error
    if judged != origin.checkpoint_hash:
        raise InputError(
            f"{path} judges checkpoint {judged[:12]}, this is {origin.checkpoint_hash[:12]}: "
            "evaluate the run anew"
        )
    return report


def _classes(names: Sequence[str], counts: Sequence[int] | None) -> list[str]:
    if counts is None:
        return [f"- {name}" for name in names]
    rows = [f"| {name} | {count:,} |" for name, count in zip(names, counts, strict=True)]
    return ["| class | training images |", "|---|---|", *rows]


def _figures(report: Mapping[str, Any] | None) -> list[str]:
    if report is None:
        return [
            "None: this generator was exported without a report. `skin-synth evaluate` makes one, "
            "and `skin-synth export --report DIR` takes its figures in here."
        ]
    return [f"- {sentence}" for sentence in (*report["summary"], *report["warnings"])]
