"""The callback that writes checkpoints."""

from __future__ import annotations

from skin_synth.training.callbacks.base import Logs, Periodic
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.stop_signals import StopSignal


class Checkpoints(Periodic):
    """Writes checkpoints; on a signal writes one at once and ends `fit`.

    `every` counts images. This callback comes last, so that the files of other callbacks for a step
    exist before its checkpoint.
    """

    def __init__(self, directory: RunDirectory, every: int, *, keep: int, stop: StopSignal) -> None:
        super().__init__(every)
        self.directory = directory
        self.keep = keep
        self.stop = stop

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Counts one batch; after a signal saves at once, because SIGKILL may follow."""
        super().on_train_batch_end(batch, logs)
        if self.stop and not self.model.stop_training:
            self.model.stop_training = True
            self.last = self.images_seen
            self.act()

    def act(self) -> None:
        """Writes one checkpoint."""
        self.directory.save(self.model, self.keep)
