"""The optimizer of both networks."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.models.keras_options import SCHEDULE_ADVICE
from tfrecords_tools.errors import InputError


@keras.saving.register_keras_serializable("skin_synth")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` that updates each variable in one kernel of TensorFlow.

    It has the same formula (Kingma and Ba 2015, end of section 2) and variables. Keras writes the
    formula as twenty operations, a quarter of all operations of a training step. Each passes over
    the whole variable on a CPU and starts one more kernel on a GPU.

    Embeddings are still updated by Keras. For equal labels in a batch Keras adds the squares of the
    gradients, while Adam squares their sum, so the second moment differs. All measurements of the
    presets were made this way.
    """

    @property
    def learning_rate(self) -> Any:
        """The variable of the learning rate, which the step of the GAN sets."""
        return keras.optimizers.Adam.learning_rate.fget(self)

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        raise InputError(f"learning_rate = {value} has no effect: {SCHEDULE_ADVICE}")

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable,
        learning_rate: tf.Tensor,
    ) -> None:
        """Updates one variable and its two moments; see `keras.optimizers.Optimizer`."""
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        # Private, like `_momentums` and `_velocities`, because Keras has no public access to the
        # moments.
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(tf.cast(self.beta_1, variable.dtype), step),
            beta2_power=tf.pow(tf.cast(self.beta_2, variable.dtype), step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )
