"""The callback that ends a training which has diverged."""

from __future__ import annotations

import logging
from typing import Any

import tensorflow as tf

from skin_synth.training import health
from skin_synth.training.callbacks.base import GANCallback, Logs

LEAST_STEPS_TO_JUDGE = 25
"""Loss scaling starts too high and halves its scale, so it may skip this many steps at first.
Shorter epochs are checked together."""
_LOG = logging.getLogger("skin_synth")


class Health(GANCallback):
    """Ends `fit` if losses or weights are no longer finite; counts the steps that are skipped.

    It reads the means that Keras fetches for its callbacks anyway: one non-finite step makes the
    epoch mean non-finite. Loss scaling skips such a step without harm. With loss scaling `fit` ends
    only if all steps are skipped in an epoch, or in several epochs with `LEAST_STEPS_TO_JUDGE`
    steps in all. This callback comes before those that write weights.
    """

    def __init__(self, writer: Any) -> None:
        super().__init__()
        self.writer = writer
        self.skipped: dict[str, int] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        """Starts counting skipped steps."""
        super().on_train_begin(logs)
        self.at_first = self.skipped = self.judged = health.skipped_steps(self.model)
        self.steps = 0
        self.finite = tf.function(lambda: health.finite_weights(self.model), autograph=False)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Checks the figures of one step."""
        super().on_train_batch_end(batch, logs)
        self.steps += 1
        if not self.skipped:
            step = self.images_seen // self.model.preset.batch_size
            health.check_terms(self.model, logs or {}, step)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Checks the weights and the number of skipped steps."""
        health.check_weights(self.model, self.finite())
        if not self.skipped:
            return
        self.skipped = now = health.skipped_steps(self.model)
        if self.steps >= LEAST_STEPS_TO_JUDGE:
            new = {network: count - self.judged[network] for network, count in now.items()}
            health.check_skips(self.model, new, self.steps)
            self.judged, self.steps = now, 0
        with self.writer.as_default(step=self.images_seen):
            for network, scale in health.loss_scales(self.model).items():
                tf.summary.scalar(f"skipped_steps/{network}", now[network])
                tf.summary.scalar(f"loss_scale/{network}", scale)

    def on_train_end(self, logs: Logs = None) -> None:
        """Logs how many steps were skipped."""
        for network, count in self.skipped.items():
            new = count - self.at_first[network]
            _LOG.info(f"loss scaling skipped {new:,} steps of the {network}, {count:,} in all")
