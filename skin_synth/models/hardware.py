"""Chooses the fast dtype policy of this machine, and whether XLA compiles the training step."""

from __future__ import annotations

import functools
import warnings
from pathlib import Path

import tensorflow as tf

from tfrecords_tools.errors import InputError

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
BFLOAT16_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
BFLOAT16_COMPUTE_CAPABILITY = (8, 0)
FLOAT16_COMPUTE_CAPABILITY = (7, 0)


def choose_policy(name: str | None = None) -> str:
    """Returns the name of the Keras dtype policy to train with, one of `POLICIES`.

    None chooses by the device: on a GPU `mixed_bfloat16` from compute capability 8.0 on,
    `mixed_float16` from 7.0 on; on a CPU `mixed_bfloat16` if it multiplies bfloat16 in hardware;
    else `float32`.

    Raises:
        InputError: an unknown name.
    """
    if name is None:
        return _fast_policy()
    if name not in POLICIES:
        raise InputError(f"unknown policy {name!r}; known are {', '.join(POLICIES)}")
    return name


def _fast_policy() -> str:
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        cpuinfo = Path("/proc/cpuinfo")
        flags = cpuinfo.read_text("utf-8", "replace").split() if cpuinfo.exists() else []
        return "float32" if BFLOAT16_CPU_FLAGS.isdisjoint(flags) else "mixed_bfloat16"
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    if capability >= BFLOAT16_COMPUTE_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= FLOAT16_COMPUTE_CAPABILITY else "float32"


def compiles_step() -> bool:
    """Returns whether XLA should compile the training step: on one GPU, if XLA works there.

    There the step was 6.5 to 6.9 times as fast (docs/study/speed.md), because a step of a small
    network has a few thousand kernels, and starting them takes longer than computing them. On a CPU
    XLA halves the speed, and it cannot compile sums over several devices.
    """
    one_gpu = tf.config.list_physical_devices("GPU") and not tf.distribute.has_strategy()
    return bool(one_gpu) and _xla_works()


@functools.cache
def _xla_works() -> bool:
    """Returns whether XLA compiles for the GPU; it needs more CUDA files than TensorFlow."""
    try:
        _compiled(tf.ones(2)).numpy()
    except tf.errors.OpError as error:
        warnings.warn(
            f"training without XLA, several times slower, because XLA failed on this GPU: "
            f"{error.message.splitlines()[0]}. If libdevice is missing, pip install "
            "'tensorflow[and-cuda]', or name the directory of CUDA: "
            "export XLA_FLAGS=--xla_gpu_cuda_data_dir=/usr/local/cuda",
            stacklevel=2,
        )
        return False
    return True


@tf.function(jit_compile=True)
def _compiled(x: tf.Tensor) -> tf.Tensor:
    return tf.tanh(tf.exp(x))  # both operations come from libdevice
