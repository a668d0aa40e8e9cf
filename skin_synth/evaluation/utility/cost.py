"""The cost of a utility study: trainings, steps and hours, from a few measured steps."""

from __future__ import annotations

import os

from skin_synth.evaluation.utility.arm_training import CURVE_IMAGES, CURVE_POINTS
from skin_synth.evaluation.utility.comparison import SCREENING_SEEDS, most_trainings
from skin_synth.evaluation.utility.forecast import Forecast, measure_speed
from skin_synth.evaluation.utility.options import UtilityOptions
from skin_synth.evaluation.utility.same_data import TEACHER_SEEDS, make_arms
from skin_synth.evaluation.utility.study import load_study_splits, pool_size, utility_trainer
from skin_synth.generator import ImageGenerator, check_same_data


def measure_cost(
    run: ImageGenerator, data_dir: str | os.PathLike[str], options: UtilityOptions
) -> Forecast:
    """Measures a few steps, predictions and synthetic images; writes nothing.

    Raises:
        InputError: see `study_run`.
    """
    check_same_data(run, data_dir)
    train, validation, test = load_study_splits(data_dir)
    arms = most_trainings(len(make_arms(train.class_counts)), options.seeds)
    trainings = arms + len(TEACHER_SEEDS)
    synthetic = pool_size(options, train) * len(train.class_names)
    synthetic *= SCREENING_SEEDS + options.seeds
    predicted = arms * (len(validation) + len(test) + (CURVE_POINTS + 1) * CURVE_IMAGES)
    predicted += len(TEACHER_SEEDS) * (synthetic + len(train))
    seconds = 0.0
    for name in options.classifiers:
        speed = measure_speed(utility_trainer(name, train, options), train, run)
        seconds += synthetic * speed.synthetic + predicted * speed.prediction
        seconds += trainings * options.steps * speed.step
    trainings *= len(options.classifiers)
    synthetic *= len(options.classifiers)
    steps = trainings * options.steps
    return Forecast(trainings, steps, options.batch_size, synthetic, seconds / 3600)
