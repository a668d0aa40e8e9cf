"""Presets: all are sound, wrong ones say why, JSON keeps them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.presets import PRESETS, Preset, Ramp, get_preset
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize("name", ["derm-32", "derm-64", "derm-128", "derm-256"])
def test_the_name_tells_the_size(name):
    assert get_preset(name).image_size == int(name.split("-")[1])


@pytest.mark.parametrize("preset", PRESETS.values(), ids=lambda preset: preset.name)
def test_json_round_trip(preset):
    assert Preset.from_json(json.loads(json.dumps(preset.to_json()))) == preset


def test_an_unknown_name_lists_the_known():
    with pytest.raises(InputError, match=r"'derm-63'.*derm-32, derm-64"):
        get_preset("derm-63")


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 48},
        {"discriminator_widths": (8,)},
        {"loss": "wasserstein"},
        {"penalty_share": 0.0},
        {"sampling_exponent": 1.5},
        {"batch_size": 1},
        {"schedule_images": 0},
        {"validation_images": -1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_value_names_its_field(change):
    field, value = next(iter(change.items()))
    with pytest.raises(InputError, match=field) as error:
        dataclasses.replace(get_preset("derm-32"), **change)
    assert repr(value) in str(error.value)


def test_an_unknown_field_is_named():
    fields = get_preset("derm-32").to_json() | {"colour": "red"}
    with pytest.raises(InputError, match="colour"):
        Preset.from_json(fields)


def test_a_missing_field_is_named():
    fields = get_preset("derm-32").to_json()
    del fields["image_size"]
    with pytest.raises(InputError, match="image_size"):
        Preset.from_json(fields)


def test_ramps_survive_json_as_ramps():
    preset = Preset.from_json(get_preset("derm-32").to_json())
    assert isinstance(preset.gamma, Ramp)
