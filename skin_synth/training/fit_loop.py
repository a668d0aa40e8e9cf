"""Fits a GAN to the batches of a run, on one device, several, or several machines."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages, batches
from skin_synth.keras_backend import keras
from skin_synth.models.gan import ConditionalGAN
from skin_synth.training.distribution import TF_CONFIG, count_machines
from tfrecords_tools.errors import InputError

MACHINE_LOST_ERRORS = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
)
"""Errors of a step if another machine has stopped."""

BatchSource = Callable[..., tf.data.Dataset]


def batches_of_run(gan: ConditionalGAN, split: DrawnImages) -> BatchSource:
    """Returns a function that makes the batches of a run from its next step on.

    It takes the arguments `replicas` and `of_replicas` of `data.batches`.
    """
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
    source: BatchSource,
    strategy: tf.distribute.Strategy | None,
    *,
    epochs: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains a compiled GAN, made in the scope of the strategy, as `gan.fit` does.

    Keras' `fit` is used on one device. On several machines it fails (Keras 3.15 reduces the metrics
    of each as if they were batches), so this module has a loop for strategies. Callbacks may end it
    before all `epochs`.

    Raises:
        InputError: another machine has stopped.
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
    with _lost_machine_explained():
        _loop(gan, shared(source, strategy), strategy, epochs, steps_per_epoch, callbacks)


def shared(
    source: BatchSource, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedDataset:
    """Shares each batch of `source` between the replicas of a strategy."""

    def of_this_machine(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        first = count * context.input_pipeline_id
        return source(
            replicas=range(first, first + count), of_replicas=context.num_replicas_in_sync
        )

    return strategy.distribute_datasets_from_function(of_this_machine)


def _loop(
    gan: ConditionalGAN,
    batches: tf.distribute.DistributedDataset,
    strategy: tf.distribute.Strategy,
    epochs: int,
    steps_per_epoch: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    @tf.function
    def step(batch: tf.distribute.DistributedValues) -> dict[str, tf.Tensor]:
        logs = strategy.run(gan.train_step, args=(batch,))
        return {name: strategy.reduce("MEAN", mean, axis=None) for name, mean in logs.items()}

    @tf.function
    def reset() -> None:
        strategy.run(gan.reset_metrics)  # each replica resets its own metrics

    callback_list = keras.callbacks.CallbackList(list(callbacks), model=gan)
    iterator = iter(batches)
    gan.stop_training = False
    callback_list.on_train_begin()
    for epoch in range(epochs):
        reset()
        callback_list.on_epoch_begin(epoch)
        for number in range(steps_per_epoch):
            logs = step(next(iterator))
            callback_list.on_train_batch_end(number, logs)
            if gan.stop_training:
                break
        means = {name: float(mean) for name, mean in logs.items()}
        callback_list.on_epoch_end(epoch, means)
        if gan.stop_training:
            break
    callback_list.on_train_end(means)


@contextlib.contextmanager
def _lost_machine_explained() -> Iterator[None]:
    """Raises one line instead of a traceback if another machine has stopped."""
    try:
        yield
    except MACHINE_LOST_ERRORS as error:
        if count_machines() < 2:
            raise
        raise InputError(
            f"another machine of {TF_CONFIG} stopped or cannot be reached "
            f"({type(error).__name__}, {error.message.splitlines()[0]}): start the same command "
            "on all of them again, they go on from the last checkpoint"
        ) from error
