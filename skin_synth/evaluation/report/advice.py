"""The report of `advise`: report.json and report.html."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from skin_synth.evaluation.report.formatting import signed
from skin_synth.evaluation.report.page import render_page
from skin_synth.evaluation.report.writer import REPORT_HTML, REPORT_JSON
from skin_synth.evaluation.results import DataInfo, RunInfo
from skin_synth.evaluation.utility.advice_options import ALL_ADVICE_ARMS
from skin_synth.evaluation.utility.advice_results import Advice
from skin_synth.evaluation.utility.classifiers.saving import CLASSIFIER_FILE
from skin_synth.evaluation.utility.small_site import ADAPTED

ADVICE_SCHEMA_VERSION = 1
ADVICE_PAGE = "advice.html"


@dataclasses.dataclass(frozen=True)
class AdviceReport:
    """The advice, its generator and its data.

    Attributes:
        schema_version: of report.json.
        advice: the result.
        todo: the next steps, in order.
        code: Python code that trains another Keras network in the advised way.
        run: the generator.
        data: the own images; `splits` holds the splits that were used.
        software: versions by name.
    """

    schema_version: int
    advice: Advice
    todo: tuple[str, ...]
    code: str
    run: RunInfo
    data: DataInfo
    software: dict[str, str]


def write_advice(directory: Path, report: AdviceReport) -> None:
    """Writes report.json and report.html."""
    text = json.dumps(dataclasses.asdict(report), indent=2, allow_nan=False, ensure_ascii=False)
    (directory / REPORT_JSON).write_text(text + "\n", encoding="utf-8")
    (directory / REPORT_HTML).write_text(render_advice(report), encoding="utf-8")


def render_advice(report: AdviceReport) -> str:
    """Returns one page that needs no network."""
    filters: dict[str, Callable[..., str]] = {
        "hundredth": "{:.2f}".format,
        "signed": signed,
        "count": "{:,}".format,
        "probability": lambda value: "below 0.001" if value < 0.001 else f"{value:.3f}",
    }
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    return render_page(ADVICE_PAGE, filters=filters, **fields)


def todo(advice: Advice) -> tuple[str, ...]:
    """Returns the next steps of the site."""
    compared = advice.comparison
    best = f"{CLASSIFIER_FILE} next to this page was trained on all your images"
    test = (
        f"Test {CLASSIFIER_FILE} on images that are not in this data set before you use it: it was "
        "trained on all images of this data set."
    )
    if advice.use_generator:
        return (
            f"Use the classifier: {best} in the advised way.",
            "To train another network in this way, use the code below.",
            test,
        )
    other = (
        "Look for a generator of images like yours: the images of this one make your classifier "
        "worse."
        if compared.harms
        else "Ask again with more lesions or with another generator: these images cannot show a "
        f"gain below about {compared.macro_auroc.corrected_high:.2f}."
    )
    return (f"Use the classifier: {best} without synthetic images ({advice.advised}).", other, test)


def training_code(
    advice: Advice, *, loader: str, adapting: str = "", data_dir: str, split: str
) -> str:
    """Returns Python code that trains the Keras classifier `model` in the advised way.

    Args:
        advice: has the name of the arm.
        loader: Python code that loads the generator.
        adapting: Python code that adapts it to the data set; needed if the arm uses that.
        data_dir: the data set.
        split: the split for the training.
    """
    arm = next(arm for arm in ALL_ADVICE_ARMS if arm.name == advice.advised)
    batch, (*first, last) = advice.protocol.batch_size, arm.steps(advice.protocol.steps)
    own = arm.phases[-1].parts[0]
    lines = [
        "from skin_synth.data import batches, load_split",
        f"own = load_split({data_dir!r}, {split!r})",
        f"real = batches(own, batch_size={batch}, seed=0, exponent={0.0 if own.equal else 1.0})",
    ]
    if arm.method.mixup:
        lines.append("# Also mix pairs of images and of labels (MixUp), which is left out here.")
    if advice.use_generator:
        adapted = ADAPTED in arm.sources
        lines = [
            "from skin_synth.training import TrainingOptions, train"
            if adapted
            else "import skin_synth",
            "import tensorflow as tf",
            *lines,
            f"generator = {adapting if adapted else loader}",
            "names = [name for name in generator.class_names if name in own.class_names]",
            "label = tf.constant([own.class_names.index(name) if name in names else -1",
            "                     for name in generator.class_names])",
            f"synthetic = generator.dataset({batch}, class_shares=dict.fromkeys(names, 1.0))",
            "synthetic = synthetic.map(lambda images, labels: (images, tf.gather(label, labels)))",
        ]
    drawn = "real"
    if first:
        steps = f"steps_per_epoch={len(first[0])}, shuffle=False"
        lines.append(f"model.fit(synthetic, {steps})")
    elif advice.use_generator:
        share = arm.phases[0].parts[-1].share
        weights = f"[{1 - share:g}, {share:g}]"
        lines += [
            "parts = [real.unbatch(), synthetic.unbatch()]",
            f"mixed = tf.data.Dataset.sample_from_datasets(parts, {weights}).batch({batch})",
        ]
        drawn = "mixed"
    lines.append(f"model.fit({drawn}, steps_per_epoch={len(last)}, shuffle=False)")
    return "\n".join(lines) + "\n"
