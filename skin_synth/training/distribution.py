"""Training on several devices of one machine, or on several machines: who computes, who writes."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages, batches
from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import Preset
from skin_synth.training.stop_signals import SharedStopWish
from tfrecords_tools.errors import InputError

ALL = "all"
TF_CONFIG = "TF_CONFIG"
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""What a step raises when another machine has gone."""
STEPS_BETWEEN_QUESTIONS = 10
"""After how many steps machines ask each other for a wish to stop: each time they wait."""
AGREEMENT_MODULUS = 2**31
"""Numbers that machines compare are cut to this: a sum over machines stays exact in int64."""


def make_strategy(devices: int | str = 1) -> tf.distribute.Strategy | None:
    """How training spreads over devices; None where there is one only.

    To be called before anything of TensorFlow is computed, where several machines train.

    Args:
        devices: how many of this machine, or "all": its GPUs, its CPUs where it has none. With
            several machines, named in the variable TF_CONFIG, all GPUs of each are taken.

    Raises:
        InputError: more than there are, or a TF_CONFIG that cannot be read.
    """
    if machines() > 1:
        if devices not in (1, ALL):
            raise InputError(
                f"--devices {devices} with {TF_CONFIG}: each machine gives all its GPUs; set "
                "CUDA_VISIBLE_DEVICES to give fewer"
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices == 1:
        return None
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = len(found) if devices == ALL else int(devices)
    if wanted > len(found):
        raise InputError(f"--devices {devices}: there are {len(found)} ({', '.join(found)})")
    return tf.distribute.MirroredStrategy(found[:wanted]) if wanted > 1 else None


def check_clocks(**minutes: float | None) -> None:
    """Checks that several machines are given no length in time: each has its own clock.

    Args:
        **minutes: by the names of their flags; None for no length.

    Raises:
        InputError: there are several machines, and a length.
    """
    for name, length in minutes.items():
        if length is not None and machines() > 1:
            raise InputError(
                f"--{name} {length:g} with {TF_CONFIG}: clocks differ, and machines must stop "
                f"after the same step: give --{name.replace('minutes', 'images')}"
            )


def machines() -> int:
    """How many machines train together, by the variable TF_CONFIG.

    Raises:
        InputError: it cannot be read.
    """
    try:
        cluster = json.loads(os.environ.get(TF_CONFIG) or "{}").get("cluster", {})
        return sum(len(cluster.get(kind, ())) for kind in ("chief", "worker"))
    except (ValueError, AttributeError, TypeError) as error:
        raise InputError(
            f"{TF_CONFIG} cannot be read ({error}): it must hold JSON such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}'
        ) from error


def writes(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether this process writes the run's files: the first machine does."""
    if strategy is None or not of_machines(strategy):
        return True
    place = strategy.cluster_resolver
    if "chief" in place.cluster_spec().as_dict():
        return place.task_type == "chief"
    return place.task_id == 0


def of_machines(strategy: tf.distribute.Strategy | None) -> bool:
    """Whether several machines train together."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def check_shares(strategy: tf.distribute.Strategy | None, preset: Preset) -> None:
    """Checks that a batch, and its rows under the penalty, can be shared evenly.

    Raises:
        InputError: they cannot.
    """
    count = 1 if strategy is None else strategy.num_replicas_in_sync
    if preset.batch_size % count or preset.penalty_rows % count:
        raise InputError(
            f"{count} devices cannot share batches of {preset.batch_size} images, "
            f"{preset.penalty_rows} of them under the penalty, evenly: give --devices a divisor "
            "of both, or another batch with --set batch_size=N"
        )


def check_agreement(strategy: tf.distribute.Strategy | None, what: str, number: int) -> None:
    """Checks that all machines start from the same.

    Args:
        strategy: of training.
        what: the number stands for.
        number: of this machine, 0 or more.

    Raises:
        InputError: another machine has another one.
    """
    if strategy is None or not of_machines(strategy):
        return
    own = number % AGREEMENT_MODULUS

    @tf.function
    def furthest() -> tf.Tensor:
        here = strategy.run(lambda: tf.constant(own, tf.int64))
        mean = strategy.reduce("SUM", here, axis=None) // strategy.num_replicas_in_sync
        away = strategy.run(lambda: tf.abs(tf.constant(own, tf.int64) - mean))
        return strategy.reduce("SUM", away, axis=None)

    if int(furthest()):
        raise InputError(
            f"the machines disagree about {what}, here it is {number:,}: give all of them the same "
            "command, data set and run directory (on a disk that they share)"
        )


class AgreeToStop(keras.callbacks.Callback):
    """Asks all machines every few steps whether a signal has come to one of them.

    It stands before the callbacks that look at the wish, so that all stop after that very step.
    """

    def __init__(self, strategy: tf.distribute.Strategy, wish: SharedStopWish) -> None:
        """Asks nothing yet.

        Args:
            strategy: of several machines.
            wish: of this one.
        """
        super().__init__()
        self.wish = wish
        self.steps = 0

        @tf.function
        def total(own: tf.Tensor) -> tf.Tensor:
            return strategy.reduce("SUM", strategy.run(lambda: own), axis=None)

        self.total = total

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Asks, where it is time to: `batch` starts anew in each epoch, which may be shorter."""
        self.steps += 1
        if self.steps % STEPS_BETWEEN_QUESTIONS:
            return
        if int(self.total(tf.constant(int(self.wish.signal is not None), tf.int64))):
            self.wish.agree()


def scope(strategy: tf.distribute.Strategy | None) -> contextlib.AbstractContextManager[Any]:
    """Where networks are made and restored that this strategy trains."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def source_of(gan: ConditionalGAN, split: DrawnImages) -> Callable[..., tf.data.Dataset]:
    """What gives the batches of a run from its next step on; see `data.batches`."""
    return functools.partial(
        batches,
        split,
        batch_size=gan.preset.batch_size,
        seed=gan.seed,
        exponent=gan.preset.sampling_exponent,
        first_step=int(gan.steps.numpy()),
    )


def fit(
    gan: ConditionalGAN,
    source: Callable[..., tf.data.Dataset],
    strategy: tf.distribute.Strategy | None,
    *,
    epochs: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains as `gan.fit` does, on all devices of a strategy.

    Keras' own `fit` does so on one device; on several machines it fails (Keras 3.15 reduces
    metrics of each as if they were batches), hence the loop here.

    Args:
        gan: compiled, made in the scope of the strategy.
        source: gives the batches: `data.batches` except for `replicas` and `of_replicas`.
        strategy: of training.
        epochs: at most so many.
        steps_per_epoch: steps in each.
        callbacks: of Keras.

    Raises:
        InputError: another machine has gone.
    """
    if strategy is None:
        gan.fit(
            source(),
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            verbose=0,
            shuffle=False,
            callbacks=list(callbacks),
        )
        return
    with _plain_loss_of_machines():
        _loop(gan, shared(source, strategy), strategy, epochs, steps_per_epoch, callbacks)


def shared(source: Callable[..., tf.data.Dataset], strategy: tf.distribute.Strategy) -> Any:
    """The batches of `source`, each shared by the replicas of a strategy."""

    def of_this_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        first = count * context.input_pipeline_id
        return source(
            replicas=range(first, first + count), of_replicas=context.num_replicas_in_sync
        )

    return strategy.distribute_datasets_from_function(of_this_machine)


def _loop(
    gan: ConditionalGAN,
    batches: Any,
    strategy: tf.distribute.Strategy,
    epochs: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    @tf.function
    def step(batch: Any) -> dict[str, tf.Tensor]:
        logs = strategy.run(gan.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", mean, axis=None) for name, mean in logs.items()}

    @tf.function
    def reset() -> None:
        strategy.run(gan.reset_metrics)  # on each by itself: from outside, all would be asked

    watching = keras.callbacks.CallbackList(list(callbacks), model=gan)
    iterator = iter(batches)
    gan.stop_training = False
    watching.on_train_begin()
    for epoch in range(epochs):
        reset()
        watching.on_epoch_begin(epoch)
        for number in range(steps_per_epoch):
            logs = step(next(iterator))
            watching.on_train_batch_end(number, logs)
            if gan.stop_training:
                break
        watching.on_epoch_end(epoch, {name: float(mean) for name, mean in logs.items()})
        if gan.stop_training:
            break
    watching.on_train_end({name: float(mean) for name, mean in logs.items()})


@contextlib.contextmanager
def _plain_loss_of_machines() -> Iterator[None]:
    """One line instead of a traceback where another machine has gone."""
    try:
        yield
    except LOST as error:
        if machines() < 2:
            raise
        raise InputError(
            f"another machine of {TF_CONFIG} has gone or cannot be reached "
            f"({type(error).__name__}, {error.message.splitlines()[0]}): start the same command "
            "on all of them again, they go on from the last checkpoint"
        ) from error
