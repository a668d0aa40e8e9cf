"""The optimizer of both networks."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from skin_synth.keras_backend import keras
from skin_synth.models.keras_options import SCHEDULE_ADVICE
from tfrecords_tools.errors import InputError


class ScheduledRate:
    """The learning rate of the last step, for callbacks that read it; it cannot be assigned."""

    def __init__(self, variable: keras.Variable) -> None:
        self._variable = variable

    def numpy(self) -> np.ndarray:
        """Returns the rate, float32[]."""
        return np.asarray(self._variable)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype)

    def __float__(self) -> float:
        return float(self.numpy())

    def assign(self, value: object) -> NoReturn:
        """Refuses, because the next step would overwrite the value."""
        raise InputError(f"learning_rate = {value} has no effect: {SCHEDULE_ADVICE}")


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
    def learning_rate(self) -> ScheduledRate:
        """The learning rate, which `schedule` sets before each step."""
        return ScheduledRate(self._rate)

    @learning_rate.setter
    def learning_rate(self, value: object) -> None:
        self.learning_rate.assign(value)

    def schedule(self, learning_rate: tf.Tensor) -> None:
        """Sets the learning rate, float32[], of the next step."""
        self._rate.assign(learning_rate)

    @property
    def _rate(self) -> keras.Variable:
        return keras.optimizers.Adam.learning_rate.fget(self)

    def update_step(
        self,
        gradient: tf.Tensor | tf.IndexedSlices,
        variable: tf.Variable,
        learning_rate: ScheduledRate,
    ) -> None:
        """Updates one variable and its two moments; see `keras.optimizers.Optimizer`."""
        del learning_rate  # the same rate, for reading only
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, self._rate)
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
            lr=tf.cast(self._rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, variable.dtype),
        )
