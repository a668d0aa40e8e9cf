"""The rule that chooses a dtype policy, for devices that this machine need not have."""

from __future__ import annotations

import pytest

from skin_synth import precision
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((6, 1), "float32"),
    ],
)
def test_gpus_choose_by_compute_capability(monkeypatch, capability, expected):
    config = precision.tf.config
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: ["a GPU"])
    details = {"compute_capability": capability}
    monkeypatch.setattr(config.experimental, "get_device_details", lambda gpu: details)
    assert precision.choose_policy() == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fma avx512_bf16 vaes", "mixed_bfloat16"), ("fma avx2", "float32")],
)
def test_cpus_choose_by_their_flags(monkeypatch, tmp_path, flags, expected):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"flags : {flags}\n")
    monkeypatch.setattr(precision, "Path", lambda path: cpuinfo)
    monkeypatch.setattr(precision.tf.config, "list_physical_devices", lambda kind: [])
    assert precision.choose_policy() == expected


def test_a_name_is_taken_as_it_is():
    assert precision.choose_policy("mixed_float16") == "mixed_float16"


def test_an_unknown_name_lists_the_known():
    with pytest.raises(InputError, match=r"'half'.*float32, mixed_bfloat16"):
        precision.choose_policy("half")
