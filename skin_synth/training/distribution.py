"""Training on several devices of one machine, or on several machines."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TypeGuard

import tensorflow as tf

from skin_synth.presets import Preset
from tfrecords_tools.errors import InputError

ALL_DEVICES = "all"
TF_CONFIG = "TF_CONFIG"
AGREEMENT_MODULUS = 2**31
"""Machines compare numbers modulo this value, so that a sum over machines stays exact in int64."""


def make_strategy(devices: int | str = 1) -> tf.distribute.Strategy | None:
    """Makes the strategy that shares training between devices; None for one device.

    With several machines, call it before TensorFlow computes anything.

    Args:
        devices: number of devices of this machine, or "all": its GPUs, or its CPUs if it has none.
            With several machines (in the variable TF_CONFIG) each gives all its GPUs.

    Raises:
        InputError: there are fewer devices, or TF_CONFIG cannot be read.
    """
    if count_machines() > 1:
        if devices not in (1, ALL_DEVICES):
            raise InputError(
                f"--devices {devices} with {TF_CONFIG}: each machine gives all its GPUs; set "
                "CUDA_VISIBLE_DEVICES to give fewer"
            )
        return tf.distribute.MultiWorkerMirroredStrategy()
    if devices == 1:
        return None
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    found = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = len(found) if devices == ALL_DEVICES else int(devices)
    if wanted > len(found):
        raise InputError(f"--devices {devices}: there are {len(found)} ({', '.join(found)})")
    return tf.distribute.MirroredStrategy(found[:wanted]) if wanted > 1 else None


def check_clocks(**minutes: float | None) -> None:
    """Checks that several machines get no length in minutes, because their clocks differ.

    The arguments have the names of the flags; None: not given.

    Raises:
        InputError: there are several machines and a length in minutes.
    """
    for name, length in minutes.items():
        if length is not None and count_machines() > 1:
            raise InputError(
                f"--{name} {length:g} with {TF_CONFIG}: clocks differ, and machines must stop "
                f"after the same step: give --{name.replace('minutes', 'images')}"
            )


def count_machines() -> int:
    """Counts the machines that train together, by the variable TF_CONFIG.

    Raises:
        InputError: TF_CONFIG cannot be read.
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
    """Returns whether this process writes the files of the run; only the first machine does."""
    if not of_machines(strategy):
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().as_dict():
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def of_machines(
    strategy: tf.distribute.Strategy | None,
) -> TypeGuard[tf.distribute.MultiWorkerMirroredStrategy]:
    """Returns whether several machines train together."""
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
    """Checks that a number, 0 or more, is the same on all machines; `what` is its name.

    Raises:
        InputError: another machine has another number.
    """
    if not of_machines(strategy):
        return
    own = number % AGREEMENT_MODULUS

    @tf.function
    def total_deviation() -> tf.Tensor:
        here = strategy.run(lambda: tf.constant(own, tf.int64))
        mean = strategy.reduce("SUM", here, axis=None) // strategy.num_replicas_in_sync
        away = strategy.run(lambda: tf.abs(tf.constant(own, tf.int64) - mean))
        return strategy.reduce("SUM", away, axis=None)

    if int(total_deviation()):
        raise InputError(
            f"the machines disagree about {what}, here it is {number:,}: give all of them the same "
            "command, data set and run directory (on a disk that they share)"
        )


def scope(strategy: tf.distribute.Strategy | None) -> contextlib.AbstractContextManager[None]:
    """Returns the context in which the networks of a strategy are made and restored."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()
