"""Which dtype policy is fast on this machine."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from tfrecords_tools.errors import InputError

POLICIES = ("float32", "mixed_bfloat16", "mixed_float16")
BFLOAT16_CPU_FLAGS = ("avx512_bf16", "amx_bf16")
BFLOAT16_COMPUTE_CAPABILITY = (8, 0)
FLOAT16_COMPUTE_CAPABILITY = (7, 0)


def choose_policy(name: str | None = None) -> str:
    """The name of the Keras dtype policy to train with.

    Without a name: on a GPU, `mixed_bfloat16` from compute capability 8.0 on, `mixed_float16`
    from 7.0 on; on a CPU, `mixed_bfloat16` where it multiplies bfloat16 in hardware; else
    `float32`.

    Args:
        name: one of `POLICIES`, or None to choose by the device.

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
        return "mixed_bfloat16" if _cpu_multiplies_bfloat16() else "float32"
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    if capability >= BFLOAT16_COMPUTE_CAPABILITY:
        return "mixed_bfloat16"
    return "mixed_float16" if capability >= FLOAT16_COMPUTE_CAPABILITY else "float32"


def _cpu_multiplies_bfloat16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text().split() if cpuinfo.exists() else []
    return any(flag in flags for flag in BFLOAT16_CPU_FLAGS)
