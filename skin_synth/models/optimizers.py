"""The optimizer of both networks."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("skin_synth")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` that updates each variable in one kernel of TensorFlow's.

    The same formula (Kingma and Ba 2015, end of section 2) with the same variables. Keras spells it
    out in twenty operations: each passes over the whole variable on a CPU and is one more kernel
    to be started on a GPU, and all together they were a quarter of a training step's operations.

    The rows of an embedding are left to Keras, which adds up the squares of the gradients of equal
    labels in a batch where Adam would square their sum: the second moment differs by that, and all
    that is measured of the presets was measured with it.
    """

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Moves one variable and its two moments; see `keras.optimizers.Optimizer`."""
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        index = self._get_variable_index(variable)
        done = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), done),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), done),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )
