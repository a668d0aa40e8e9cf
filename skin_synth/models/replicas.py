"""The part of one replica in a step, if several devices share the batch.

Replica r of R has the rows r, r + R, r + 2 R, ... of the global batch. Each replica draws random
numbers for the whole batch and takes its rows; statistics of the batch are means over the replicas.
So a step is the same on any number of devices, except for the order of additions. Without a
strategy R is 1, and every function here returns its input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def count() -> int:
    """Returns R, the number of replicas that share a step."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def batch_size(own: tf.Tensor) -> int | tf.Tensor:
    """Returns the rows of the global batch, of which `own` are this replica's: a number if known.

    The shares of all replicas are equal.
    """
    rows = own.shape[0]
    return count() * (tf.shape(own)[0] if rows is None else rows)


def shares(pair: tuple[Any, Any]) -> list[tuple[Any, Any]]:
    """Returns a pair of values of a batch for each replica of this process."""
    local = [tf.distribute.get_strategy().experimental_local_results(part) for part in pair]
    return list(zip(*local, strict=True))


def own_rows(values: tf.Tensor) -> tf.Tensor:
    """Returns this replica's rows of a global batch, n a multiple of R: [n, ...] to [n/R, ...]."""
    if count() == 1:
        return values
    return values[tf.distribute.get_replica_context().replica_id_in_sync_group :: count()]


def mean(*values: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns the means of float32 values of one shape over all replicas, with gradients."""
    if count() == 1:
        return values
    stacked = tf.distribute.get_replica_context().all_reduce("MEAN", tf.stack(values))
    return tuple(tf.unstack(stacked, len(values)))


def all_or_none_finite(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Returns this replica's gradients; one is NaN if any gradient on any replica is not finite.

    Keras' loss scaling skips a step of all replicas if the first replica has an overflow. Without
    this function, an overflow on another replica would reach the weights.
    """
    if count() == 1:
        return list(gradients)
    dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
    here = tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in dense])
    (everywhere,) = mean(here)
    return [dense[0] + everywhere, *dense[1:]]


def update(variable: tf.Variable, value: tf.Tensor) -> None:
    """Assigns a value that is the same on all replicas to the copy of each replica."""
    if count() == 1:
        variable.assign(value)
        return

    def assign(strategy: tf.distribute.Strategy, value: tf.Tensor) -> None:
        strategy.extended.update(variable, lambda copy, new: copy.assign(new), args=(value,))

    # Private in TensorFlow; Keras' optimizers update variables by the same call.
    tf.__internal__.distribute.interim.maybe_merge_call(assign, tf.distribute.get_strategy(), value)
