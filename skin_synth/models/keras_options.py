"""Refuses what Keras' `compile` and `fit` take and a GAN would ignore."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from skin_synth.keras_backend import keras
from tfrecords_tools.errors import InputError

SCHEDULE_ADVICE = (
    "the schedule of the preset sets the learning rate before each step: choose it with "
    "dataclasses.replace(preset, learning_rate=Ramp(4e-4, 1e-4)) or --set learning_rate=4e-4:1e-4"
)
OF_THE_PRESET = "the preset has optimizers and loss: change its fields with dataclasses.replace"
NO_METRICS = (
    "a metric compares predictions with targets, and a GAN has none: read the history, or measure "
    "the images with `skin-synth evaluate`"
)
NO_WEIGHTS = (
    "no loss of the GAN weighs its images: choose the share of each class with the "
    "sampling_exponent of `skin_synth.data.batches`, or repeat images"
)
COMPILE_ADVICE = {
    **dict.fromkeys(("optimizer", "loss", "loss_weights", "auto_scale_loss"), OF_THE_PRESET),
    **dict.fromkeys(("metrics", "weighted_metrics"), NO_METRICS),
}
FIT_ADVICE = dict.fromkeys(("class_weight", "sample_weight"), NO_WEIGHTS)
RATE_CALLBACKS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_compile(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Refuses options of `compile` that a GAN would ignore; the arguments are those of the call.

    Raises:
        InputError: there is one.
    """
    _refuse(_named(keras.Model.compile, args, options), COMPILE_ADVICE)


def check_fit(args: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Refuses options of `fit` that a GAN would ignore; the arguments are those of the call.

    Raises:
        InputError: there is one.
    """
    named = _named(keras.Model.fit, args, options)
    _refuse(named, FIT_ADVICE)
    given = named.get("callbacks")
    callbacks = getattr(given, "callbacks", given)  # a CallbackList or a list
    for callback in callbacks if isinstance(callbacks, Iterable) else [callbacks]:
        if isinstance(callback, RATE_CALLBACKS):
            raise InputError(f"{type(callback).__name__} has no effect: {SCHEDULE_ADVICE}")


def _named(
    method: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> dict[str, Any]:
    return inspect.signature(method).bind(None, *args, **options).arguments


def _refuse(named: dict[str, Any], advice: dict[str, str]) -> None:
    for name, what_to_do in advice.items():
        if named.get(name) is not None:
            raise InputError(f"{name} has no effect on a ConditionalGAN: {what_to_do}")
