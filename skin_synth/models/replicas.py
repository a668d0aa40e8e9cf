"""What one replica takes of a step whose batch several devices share.

Replica r of R has the rows r, r + R, r + 2 R, ... of the global batch. Random numbers are drawn
for the whole batch on each replica, which then takes its rows, and statistics of the batch are
means over the replicas: so that a step is the same on any number of devices, except for the order
in which numbers are added. Without a strategy R is 1, and every function here gives what it takes.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def count() -> int:
    """Replicas that share a step: R."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def own_rows(values: tf.Tensor) -> tf.Tensor:
    """The rows of this replica, of values that stand for the global batch: [n, ...] to [n/R, ...].

    To be called where one replica computes, with n a multiple of R.
    """
    if count() == 1:
        return values
    return values[_number() :: count()]


def mean(*values: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The mean over all replicas of values that each of them has; gradients pass through.

    Args:
        *values: float32 of one shape, made into one message.
    """
    if count() == 1:
        return values
    stacked = tf.distribute.get_replica_context().all_reduce("MEAN", tf.stack(values))
    return tuple(tf.unstack(stacked, len(values)))


def all_or_none_finite(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Gradients of this replica, one of them NaN wherever any replica has one that is not finite.

    Keras' loss scaling looks at the first replica alone to decide for all whether to skip a step:
    an overflow on another one would reach the weights.
    """
    if count() == 1:
        return list(gradients)
    dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
    here = tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in dense])
    (everywhere,) = mean(here)
    return [dense[0] + everywhere, *dense[1:]]


def update(variable: tf.Variable, value: tf.Tensor) -> None:
    """Assigns a value that is the same on all replicas to the copy that each of them has."""
    if count() == 1:
        variable.assign(value)
        return

    def assign(strategy: tf.distribute.Strategy, value: tf.Tensor) -> None:
        strategy.extended.update(variable, lambda copy, new: copy.assign(new), args=(value,))

    tf.__internal__.distribute.interim.maybe_merge_call(assign, tf.distribute.get_strategy(), value)


def _number() -> int | tf.Tensor:
    """Number of this replica: r."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group
