"""`skin-synth train`: starts a run, or resumes it exactly where it stopped."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator

import tensorflow as tf

from skin_synth.data.pipeline import DrawnImages
from skin_synth.data.streaming import keep_index, open_split, reading_errors
from skin_synth.keras_backend import keras
from skin_synth.models.gan import ConditionalGAN
from skin_synth.pretrained.catalogue import names_for
from skin_synth.training import distribution, fit_loop
from skin_synth.training.callbacks.health import Health
from skin_synth.training.callbacks.monitoring import Previews, Profile, ProgressBar, Scalars
from skin_synth.training.callbacks.saving import Checkpoints
from skin_synth.training.callbacks.stopping import AgreeToStop, StopAt, StopOnSignal
from skin_synth.training.configure import configure
from skin_synth.training.forecast import fit_schedule, forecast, try_steps
from skin_synth.training.health import TrainingDiverged
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_config import RunConfig
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import Run, new_gan
from skin_synth.training.stop_signals import SharedStopSignal, StopSignal, receiving_signals
from skin_synth.training.validation.callbacks import validation_callbacks
from skin_synth.training.validation.curve import CurveFile
from skin_synth.training.validation.features import ValidationFeatures, choose_features
from skin_synth.training.warm_start import warm_start
from tfrecords_tools.command_line import explain_os_error
from tfrecords_tools.errors import InputError, Stopped
from tfrecords_tools.records.schema import TRAIN

FEW_IMAGES = 1_000
"""Below this number of training images a new run is advised to start from a trained generator."""
EPOCH_IMAGES = 1_000
"""Images of an epoch, rounded to whole batches; an epoch is only the interval of the logs."""
_LOG = logging.getLogger("skin_synth")


def train(
    data: str | os.PathLike[str],
    run: str | os.PathLike[str],
    options: TrainingOptions = TrainingOptions(),
) -> Run | None:
    """Trains a conditional GAN; the same call again resumes the run where it stopped.

    A run that was killed and resumed ends with the same weights as one that was not, bit for bit
    (same machine, thread count and TensorFlow; on a GPU up to rounding).

    Args:
        data: data set directory with square images of the preset's size.
        run: run directory; made if it does not exist.
        options: options of training. After a dry run, the result is None.

    Raises:
        InputError: the data do not fit the preset or the run, the run was started with other
            options, training diverged, or another process trains the run.
        Stopped: SIGTERM or SIGINT came; a checkpoint is written.
    """
    distribution.check_clocks(minutes=options.minutes, schedule_minutes=options.schedule_minutes)
    strategy = distribution.make_strategy(options.devices)
    directory = RunDirectory(run)
    config = configure(directory, data, options)
    features = choose_features(directory, options.features, options.weights)
    distribution.check_shares(strategy, config.preset)
    split = open_split(
        data,
        TRAIN,
        cache_limit=options.cache_limit,
        index_file=directory.index,
        fingerprint=config.data.fingerprint,
    )
    if split.num_synthetic:
        _LOG.info(
            f"{split.num_synthetic:,} of {len(split):,} training images are synthetic: the run "
            "learns from them too; validation compares with the real ones only"
        )
    if not directory.exists() and options.init_from is None:
        for line in _on_few_images(split, config):
            _LOG.info(line)
    minutes = None if directory.exists() else options.schedule_minutes
    if minutes is not None or options.dry_run:
        _LOG.info(f"{directory.path}: measures the speed of this machine (up to a minute)")
        trial = try_steps(config, split, strategy)
        if minutes is not None:
            config = fit_schedule(config, trial, minutes, options)
            length = config.preset.schedule_images
            _LOG.info(f"{directory.path}: a schedule of {length:,} images")
        if options.dry_run:
            last, seen = _last_image(config, options), directory.images_seen()
            for line in forecast(config, split, trial, last, seen=seen):
                _LOG.info(line)
            return None
    return _Training(data, directory, config, options, split, strategy, features).run()


def _on_few_images(split: DrawnImages, config: RunConfig) -> Iterator[str]:
    """Yields the advice to start from an installed generator, where there are few images."""
    names = names_for(config.preset.image_size)
    if len(split) < FEW_IMAGES and names:
        yield (
            f"only {len(split):,} training images: a start from a trained generator can give "
            f"better images after the same time (--init_from {names[0]})"
        )


@dataclasses.dataclass(frozen=True)
class _Training:
    """One call of `train`, checked and ready to start."""

    data: str | os.PathLike[str]
    directory: RunDirectory
    config: RunConfig
    options: TrainingOptions
    split: DrawnImages
    strategy: tf.distribute.Strategy | None
    features: ValidationFeatures

    def run(self) -> Run:
        directory, images = self.directory, _last_image(self.config, self.options)
        stop = SharedStopSignal() if distribution.of_machines(self.strategy) else StopSignal()
        writing = distribution.writes(self.strategy)
        lock = directory.training() if writing else contextlib.nullcontext()
        with lock, receiving_signals(stop):
            gan = self._opened()
            start = "resumes" if gan.images_seen else "starts"
            _LOG.info(
                f"{directory.path}: {start} in {self.config.policy}, from image "
                f"{gan.images_seen:,} on"
            )
            if gan.images_seen >= images:
                _LOG.info(
                    f"{directory.path}: {images:,} images are reached, nothing is left to train; "
                    "to go on, give a larger --images (it counts from the start of the run)"
                )
            else:
                if images > (length := self.config.preset.schedule_images):
                    _LOG.info(
                        f"{directory.path}: the schedules end at {length:,} images; after that "
                        "the learning rate stays as it is"
                    )
                with (
                    self._writing_callbacks(gan, stop) as callbacks,
                    reading_errors(self.split),
                    contextlib.closing(self._bar(images)) as bar,
                ):
                    limit = StopAt(images=images, minutes=self.options.minutes)
                    self._fit(gan, images, [bar, limit, *callbacks])
        if stop and stop.received is not None:
            raise Stopped(
                f"stopped by {stop.received.name} at {gan.images_seen:,} images, checkpoint "
                "written; the same command again resumes there",
                stop.received,
            )
        return Run(directory.path, self.config, gan)

    def _bar(self, images: int) -> ProgressBar:
        last_kid = CurveFile(self.directory.curve).last_kid
        return ProgressBar(images=images, minutes=self.options.minutes, last_kid=last_kid)

    def _opened(self) -> ConditionalGAN:
        """Restores the networks from the newest checkpoint, or starts the run."""
        directory, config, strategy = self.directory, self.config, self.strategy
        if writing := distribution.writes(strategy):
            if not directory.exists():
                directory.create(config)
            elif directory.config() != config:
                raise InputError(
                    f"{directory.path} was started by another process just now: try again"
                )
            keep_index(self.split, directory.index, config.data.fingerprint)
        source = None if directory.checkpoints() else config.init_from
        with distribution.scope(strategy):
            gan = new_gan(config)
            if source is not None:
                _LOG.info(f"{directory.path}: {warm_start(gan, source)}")
            else:
                directory.restore(gan, set_aside=writing)
        distribution.check_agreement(strategy, "the run", int(config.run_id, 16))
        distribution.check_agreement(strategy, "the image to go on from", gan.images_seen)
        if source is not None and writing:
            directory.save(gan)  # from here on the run does not need its source
        return gan

    @contextlib.contextmanager
    def _writing_callbacks(
        self, gan: ConditionalGAN, stop: StopSignal
    ) -> Iterator[list[keras.callbacks.Callback]]:
        """Makes the callbacks, in the order in which they write into the run directory."""
        directory, preset = self.directory, gan.preset
        agree = [AgreeToStop(self.strategy, stop)] if isinstance(stop, SharedStopSignal) else []
        if not distribution.writes(self.strategy):
            yield [*agree, StopOnSignal(stop)]
            return
        writer = tf.summary.create_file_writer(str(directory.logs))
        with safely_ended(directory), contextlib.closing(writer):
            yield [
                *agree,
                *([Profile(directory)] if self.options.profile else []),
                Scalars(writer),
                Previews(directory, preset.preview_images, writer),
                Health(writer),
                *validation_callbacks(
                    directory, self.features, self.data, self.split, preset, writer
                ),
                Checkpoints(directory, preset.checkpoint_images, keep=self.options.keep, stop=stop),
            ]

    def _fit(
        self, gan: ConditionalGAN, images: int, callbacks: list[keras.callbacks.Callback]
    ) -> None:
        epoch_steps = max(1, round(EPOCH_IMAGES / gan.preset.batch_size))
        fit_loop.fit(
            gan,
            fit_loop.batches_of_run(gan, self.split),
            self.strategy,
            epochs=-(-(images - gan.images_seen) // (epoch_steps * gan.preset.batch_size)),
            steps_per_epoch=epoch_steps,
            callbacks=callbacks,
        )


def _last_image(config: RunConfig, options: TrainingOptions) -> int:
    """Returns the image at which training stops; the schedule may be shorter than requested."""
    length = config.preset.schedule_images
    if options.images is None:
        return length
    return options.images if options.schedule_minutes is None else min(options.images, length)


@contextlib.contextmanager
def safely_ended(directory: RunDirectory) -> Iterator[None]:
    """Adds to an error the checkpoint from which training can continue.

    Raises:
        InputError: a file of the run could not be written, or training diverged.
    """
    try:
        yield
    except OSError as error:
        message = f"{explain_os_error(error)}; the same command again resumes"
        raise InputError(f"{message}: {_kept(directory)}") from error
    except TrainingDiverged as error:
        kept = _kept(directory)
        if directory.checkpoints():
            kept += f", --init_from {directory.path} starts from it"
        raise InputError(f"{error}. {directory.path}: {kept}") from error


def _kept(directory: RunDirectory) -> str:
    found = directory.checkpoints()
    return f"{found[-1].name} is kept" if found else "there was no checkpoint yet"
