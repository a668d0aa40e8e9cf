"""The rules that choose dtype policy and compiler, for devices that this machine need not have."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import warnings
from functools import cache

import pytest
import tensorflow as tf

from skin_synth.models import gan, hardware
from tfrecords_tools.errors import InputError

BFLOAT16, FLOAT16 = "mixed_bfloat16", "mixed_float16"


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((9, 0), BFLOAT16), ((8, 0), BFLOAT16), ((7, 5), FLOAT16), ((6, 1), "float32")],
)
def test_gpus_choose_by_compute_capability(monkeypatch, capability, expected):
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda gpu: details)
    assert hardware.choose_policy() == expected


@pytest.mark.parametrize(
    ("flags", "expected"), [("fma avx512_bf16 vaes", BFLOAT16), ("fma avx2", "float32")]
)
def test_cpus_choose_by_their_flags(monkeypatch, tmp_path, flags, expected):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(hardware, "Path", lambda path: cpuinfo)
    monkeypatch.setattr(hardware.tf.config, "list_physical_devices", lambda kind: [])
    assert hardware.choose_policy() == expected


def test_a_name_is_taken_as_it_is_if_it_is_known():
    assert hardware.choose_policy("mixed_float16") == "mixed_float16"
    with pytest.raises(InputError, match=r"'half'.*float32, mixed_bfloat16"):
        hardware.choose_policy("half")


@pytest.fixture
def a_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(hardware, "_xla_works", cache(hardware._xla_works.__wrapped__))


def test_one_gpu_compiles_the_step_but_not_several_nor_a_cpu(a_gpu, monkeypatch):
    assert hardware.compiles_step()
    with monkeypatch.context() as several:
        several.setattr(tf.distribute, "has_strategy", lambda: True)
        assert not hardware.compiles_step()
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert not hardware.compiles_step()


def test_a_gpu_on_which_xla_fails_trains_without_it_and_says_so(a_gpu, monkeypatch):
    def fails(x):
        raise tf.errors.InternalError(None, None, "libdevice not found at ./libdevice.10.bc")

    monkeypatch.setattr(hardware, "_compiled", fails)
    with pytest.warns(UserWarning, match=r"without XLA.*libdevice not found.*xla_gpu_cuda_data"):
        assert not hardware.compiles_step()
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        assert not hardware.compiles_step()


@pytest.mark.parametrize("compiles", [True, False])
def test_compile_takes_the_rule_unless_it_is_given(monkeypatch, tiny_preset, compiles):
    monkeypatch.setattr(gan, "compiles_step", lambda: not compiles)
    model = gan.ConditionalGAN(tiny_preset, ["a", "b"])
    model.compile()
    assert model.jit_compile is (not compiles)
    model.compile(jit_compile=compiles)
    assert model.jit_compile is compiles


@pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="elsewhere TensorFlow has no oneDNN to switch",
)
@pytest.mark.parametrize(("setting", "on"), [(None, True), ("0", False)])
def test_onednn_is_on_unless_the_environment_says_otherwise(setting, on):
    """TensorFlow itself says it at its import."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "0"}
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    environment |= {} if setting is None else {"TF_ENABLE_ONEDNN_OPTS": setting}
    command = [sys.executable, "-c", "import skin_synth, tensorflow"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert ("oneDNN custom operations are on" in done.stderr) == on
