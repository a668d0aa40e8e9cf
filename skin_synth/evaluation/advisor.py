"""`advise`: does a generator help on own images? Writes a report and a classifier."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform

import numpy as np

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.cache import Cache, default_cache
from skin_synth.evaluation.look_alikes import load_joined
from skin_synth.evaluation.report.advice import (
    ADVICE_SCHEMA_VERSION,
    AdviceReport,
    todo,
    training_code,
    write_advice,
)
from skin_synth.evaluation.report.provenance import DISTRIBUTIONS
from skin_synth.evaluation.report.writer import REPORT_JSON
from skin_synth.evaluation.results import DataInfo, RunInfo
from skin_synth.evaluation.utility.advice import AdviceStudy
from skin_synth.evaluation.utility.advice_options import AdviceOptions
from skin_synth.evaluation.utility.advice_results import Advice
from skin_synth.evaluation.utility.arm_training import ArmTraining
from skin_synth.evaluation.utility.classifiers.saving import as_keras_model, save_classifier
from skin_synth.evaluation.utility.classifiers.training import make_trainer
from skin_synth.evaluation.utility.forecast import Forecast, measure_speed
from skin_synth.evaluation.utility.small_site import AdaptGenerator
from skin_synth.generator import RUN, ImageGenerator, inputs_of
from skin_synth.training_overlap import images_from_training
from tfrecords_tools.atomic import check_apart, new_directory
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint, read, read_info
from tfrecords_tools.records.schema import ORIGIN_REAL, TEST


@dataclasses.dataclass(frozen=True, kw_only=True)
class AdviceForecast(Forecast):
    """The cost of an advice; `images` and `lesions` are numbers of own images and lesions."""

    images: int
    lesions: int

    def lines(self) -> list[str]:
        """Returns the forecast in words."""
        return [f"own images       {self.images:,} of {self.lesions:,} lesions", *super().lines()]


def advise(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    options: AdviceOptions | None = None,
    *,
    policy: str,
    loader: str,
    adapt: AdaptGenerator | None = None,
    adapting: str = "",
    cache: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> AdviceReport:
    """Compares uses of a generator on own images; writes a report and a classifier.

    Each training is kept in the cache, so that the same call resumes after a stop.

    Args:
        generator: trained on other lesions.
        data_dir: the own images; all splits together, see `load_own_images`.
        out_dir: new directory of report.json, report.html, classifier.keras and classifier.json.
        options: of the study; None: the defaults.
        policy: dtype policy of Keras for the trainings.
        loader: Python code that loads the generator, for the report.
        adapt: adapts the generator, with `adapt_images`.
        adapting: Python code that adapts it to the data set, for the report.
        cache: directory of intermediate results; None: `OUT.cache` next to the report.
        overwrite: whether to replace `out_dir` if it is a report.

    Raises:
        InputError: images that the generator was trained on, synthetic images, or images that do
            not fit the generator; too few lesions; `out_dir` exists or overlaps with an input.
    """
    options = options or AdviceOptions()
    if options.adapt_images and adapt is None:
        raise InputError(f"adapt_images is {options.adapt_images}, but no `adapt` was given")
    check_apart(
        out_dir,
        {**inputs_of(generator, data_dir), "the weights": options.weights},
        may_lie_in={RUN},
    )
    kept = Cache(default_cache(out_dir) if cache is None else cache)
    with new_directory(out_dir, overwrite=overwrite, marker=REPORT_JSON) as directory:
        study = _study(generator, data_dir, options, policy, kept, adapt)
        advice = study.advise()
        advice = dataclasses.replace(
            advice, warnings=(*advice.warnings, *_data_warnings(generator, data_dir, options))
        )
        code = {"loader": loader, "adapting": adapting}
        report = _report(advice, generator, data_dir, options, code)
        model = as_keras_model(
            study.training.trainer.classifier,
            study.fitted(advice.advised),
            study.own.images.shape[1],
            len(study.own.class_names),
        )
        about = {"trained_by": advice.advised, "advice": advice.sentence}
        save_classifier(directory, model, study.own.class_names, about)
        write_advice(directory, report)
    return report


def forecast(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: AdviceOptions | None = None,
    *,
    policy: str,
) -> AdviceForecast:
    """Measures a few steps and images, and estimates the cost of `advise`; writes nothing.

    Raises:
        InputError: see `advise`.
    """
    options = options or AdviceOptions()
    study = _study(generator, data_dir, options, policy, Cache(None))
    own, synthetic = study.own, int(study.synthetic.class_counts.sum())
    speed = measure_speed(study.training.trainer, own, generator)
    steps = options.most_steps(len(own))
    seconds = steps * speed.step + synthetic * speed.synthetic
    return AdviceForecast(
        trainings=options.trainings,
        steps=steps,
        batch_size=options.batch_size,
        synthetic=synthetic,
        hours=seconds / 3600,
        images=len(own),
        lesions=len(set(own.groups)),
    )


def load_own_images(data_dir: str | os.PathLike[str], *, keep_test: bool = False) -> LabelledImages:
    """Reads all splits of a data set together.

    Args:
        data_dir: a data set directory.
        keep_test: whether to leave out the test split.

    Raises:
        InputError: no such data set, no image, or synthetic images in it.
    """
    info = read_info(data_dir)
    names = [name for name in info.splits if not (keep_test and name == TEST)]
    for name in names:
        if any(record.origin != ORIGIN_REAL for record in read(data_dir, name)):
            raise InputError(
                f"split {name} of {data_dir} has synthetic images: give the original data set of "
                "real images"
            )
    # Images of one picture must be in one fold of a cross-validation.
    joined = load_joined(data_dir)
    splits = [joined[name] for name in names]
    if not sum(map(len, splits)):
        raise InputError(f"{data_dir} has no image outside its test split: leave out --keep_test")
    return LabelledImages(
        np.concatenate([split.images for split in splits]),
        np.concatenate([split.labels for split in splits]),
        tuple(name for split in splits for name in split.image_ids),
        tuple(name for split in splits for name in split.groups),
        info.class_names,
    )


def _study(
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: AdviceOptions,
    policy: str,
    cache: Cache,
    adapt: AdaptGenerator | None = None,
) -> AdviceStudy:
    if 2 * (images_from_training(generator, data_dir) or 0) > _num_images(data_dir):
        raise InputError(
            f"the generator was trained on the images of {data_dir}, or on most of them: its "
            "images may repeat the lesions that would judge them. Give a generator that was "
            "trained on other lesions; for its training data use `skin-synth evaluate --utility`"
        )
    own = load_own_images(data_dir, keep_test=options.keep_test)
    trainer = make_trainer(
        options.classifier,
        own,
        weights=options.weights,
        batch_size=options.batch_size,
        policy=policy,
    )
    training = ArmTraining(trainer, options.steps_for(len(own)), cache)
    return AdviceStudy(own, generator, options, training, adapt)


def _num_images(data_dir: str | os.PathLike[str]) -> int:
    return sum(files.num_records for files in read_info(data_dir).splits.values())


def _data_warnings(
    generator: ImageGenerator, data_dir: str | os.PathLike[str], options: AdviceOptions
) -> list[str]:
    name, found = read_info(data_dir).name, []
    trained_on = images_from_training(generator, data_dir)
    if trained_on is None:
        found.append(
            "nobody checked whether the generator was trained on your images: it comes without a "
            "list of its training images, and its data set is not at hand. If it was, the advice "
            "is worthless"
        )
    elif trained_on:
        found.append(
            f"the generator was trained on {trained_on:,} of your images, by their image ids or "
            "pixels: leave their lesions out of the data set"
        )
    if generator.origin.data_name == name:
        found.append(
            f"the generator was trained on a data set that is also called {name}: if it was "
            "trained on your lesions, the advice is worthless"
        )
    if not options.keep_test and TEST in read_info(data_dir).splits:
        found.append(
            "the test split is part of the own images, so it cannot test classifier.keras; "
            "--keep_test leaves it out"
        )
    return found


def _report(
    advice: Advice,
    generator: ImageGenerator,
    data_dir: str | os.PathLike[str],
    options: AdviceOptions,
    code: dict[str, str],
) -> AdviceReport:
    info, origin = read_info(data_dir), generator.origin
    splits = {
        name: split.num_records
        for name, split in info.splits.items()
        if not (options.keep_test and name == TEST)
    }
    largest = max(splits, key=splits.__getitem__)
    versions = {name: importlib.metadata.version(name) for name in DISTRIBUTIONS}
    return AdviceReport(
        ADVICE_SCHEMA_VERSION,
        advice,
        todo(advice),
        training_code(advice, **code, data_dir=str(data_dir), split=largest),
        RunInfo(
            origin.run_id,
            origin.checkpoint_hash,
            origin.images_seen,
            preset=origin.preset_name,
            image_size=generator.image_size,
        ),
        DataInfo(info.name, fingerprint(data_dir), tuple(info.class_names), splits=splits),
        {"python": platform.python_version(), **versions},
    )
