"""Presets: all are sound, wrong ones say why, JSON keeps them."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.presets import (
    PRESETS,
    Preset,
    Ramp,
    differing,
    get_preset,
    override,
    preset_of_side,
)
from skin_synth.training.warm_start import check_fits
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import TRAINABLE_SIDES


@pytest.mark.parametrize("name", ["derm-32", "derm-64", "derm-128", "derm-256"])
def test_the_name_holds_the_size_and_json_keeps_all(name):
    preset = get_preset(name)
    assert preset.image_size == int(name.split("-")[1])
    again = Preset.from_json(json.loads(json.dumps(preset.to_json())))
    assert again == preset
    assert isinstance(again.gamma, Ramp)


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
        {"gamma": Ramp(0.2, -0.1)},
        {"learning_rate": Ramp(0.0, 0.0)},
        {"beta_1": 1.0},
        {"beta_2": -0.1},
        {"ema_half_life": 0.0},
        {"ema_warm_up": float("nan")},
        {"augment_probability": Ramp(0.3, 30.0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_wrong_value_names_its_field(change):
    [(field, value)] = change.items()
    with pytest.raises(InputError, match=field) as error:
        dataclasses.replace(get_preset("derm-32"), **change)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"gamma": Ramp(0.2, float("inf"))},
        {"ema_half_life": float("inf")},
        {"latent_dim": 10**6},
        {"embedding_dim": 10**6},
        {"generator_widths": (10**6, 128, 64, 32)},
        {"discriminator_widths": (64, 128, 10**6)},
        {"batch_size": 10**13},
        {"mapping_layers": 17},
        {"schedule_images": 10**13},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_value_beyond_reason_names_its_field(change):
    with pytest.raises(InputError, match=next(iter(change))):
        dataclasses.replace(get_preset("derm-32"), **change)


def test_memory_of_training_is_known_before_it_is_taken():
    small, large = (get_preset(f"derm-{side}").training_bytes(7) for side in (32, 256))
    assert 10 * 2**20 < small < large < 2**30
    wide = dataclasses.replace(get_preset("derm-32"), generator_widths=(8192,) * 4)
    assert wide.training_bytes(7) > 2 * 9 * 3 * 8192**2 * 4
    many = get_preset("derm-32").training_bytes(10**6)
    assert many > 4 * 10**6 * (4 * 64 + 3 * 256)


def test_unknown_and_missing_fields_are_named():
    fields = get_preset("derm-32").to_json()
    with pytest.raises(InputError, match="colour"):
        Preset.from_json(fields | {"colour": "red"})
    del fields["image_size"]
    with pytest.raises(InputError, match="image_size"):
        Preset.from_json(fields)


def test_overrides_change_the_named_fields_and_no_other():
    preset = get_preset("derm-32")
    some = ["gamma=1", "learning_rate=8e-4:1e-5", "batch_size=4", "loss=hinge", "beta_1=0"]
    found = override(preset, [*some, "generator_widths=8x8x4x2", "penalty_fake=True"])
    assert found == dataclasses.replace(
        preset,
        gamma=Ramp(1.0, 1.0),
        learning_rate=Ramp(8e-4, 1e-5),
        batch_size=4,
        loss="hinge",
        beta_1=0.0,
        generator_widths=(8, 8, 4, 2),
        penalty_fake=True,
    )
    assert type(found.beta_1) is float
    assert override(preset, []) == preset


def test_fields_that_differ_are_written_as_they_are_set():
    preset = get_preset("derm-32")
    changes = ["generator_widths=8x8x4x2", "gamma=1", "learning_rate=0.0008:1e-05", "loss=hinge"]
    found = differing(override(preset, changes), preset)
    assert sorted(found) == sorted(changes)


@pytest.mark.parametrize(
    "change",
    ["learning_rate=0.000123456789", "gamma=0.1:0.30000000000000004", "beta_2=0.9900000001"],
)
def test_numbers_that_are_almost_equal_are_written_apart(change):
    preset = get_preset("derm-32")
    changed = override(preset, [change])
    assert differing(changed, preset) == [change]
    assert override(preset, differing(changed, preset)) == changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("gama=1", "no field 'gama'; it has image_size, "),
        ("name=mine", "no field 'name'"),
        ("penalty_rows=3", "no field 'penalty_rows'"),
        ("gamma=", "'' is not a value of gamma"),
        ("gamma=high", "'high' is not a value of gamma"),
        ("batch_size=32.5", "'32.5' is not a value of batch_size, which is 32"),
        ("batch_size=(", "not a value of batch_size"),
        ("penalty_fake=1", "not a value of penalty_fake, which is False"),
        ("generator_widths=8,8", "not a value of generator_widths"),
        ("generator_widths=8x8", "generator_widths"),
        ("generator_widths=8x8x4x0", "generator_widths = (8, 8, 4, 0) does not fit"),
        ("discriminator_widths=8x-8x4", "discriminator_widths = (8, -8, 4) does not fit"),
        ("loss=wasserstein", "loss = 'wasserstein' does not fit"),
    ],
)
def test_an_override_that_does_not_fit_says_why(change, message):
    with pytest.raises(InputError) as error:
        override(get_preset("derm-32"), [change])
    assert message in str(error.value)


@pytest.mark.parametrize("side", TRAINABLE_SIDES)
def test_each_side_has_a_preset(side):
    assert preset_of_side(side).name == f"derm-{side}"


@pytest.mark.parametrize("side", [64, 128, 256])
def test_a_preset_for_gpus_has_what_matrix_units_like(side):
    """Channels in multiples of 16, more of them in each stage; it can go on from a smaller one."""
    large, small = get_preset(f"derm-{side}-gpu"), get_preset(f"derm-{side}")
    widths = (*large.generator_widths, *large.discriminator_widths)
    assert not any(width % 16 for width in widths)
    pairs = zip(widths, (*small.generator_widths, *small.discriminator_widths), strict=True)
    assert all(wide >= narrow for wide, narrow in pairs)
    assert large.training_bytes(7) > 1.5 * small.training_bytes(7)


@pytest.mark.parametrize(("old", "new"), [(64, 128), (128, 256)])
def test_presets_for_gpus_grow_into_each_other(old, new):
    check_fits(get_preset(f"derm-{old}-gpu"), get_preset(f"derm-{new}-gpu"))


def test_a_build_names_the_sides_that_have_presets():
    assert {preset.image_size for preset in PRESETS.values()} == {*TRAINABLE_SIDES}


@pytest.mark.parametrize(
    ("side", "what"), [(48, "of 48 pixels"), (None, "that differ in size or are not square")]
)
def test_other_sides_have_none(side, what):
    with pytest.raises(InputError, match=f"no preset makes images {what}: .*--size 32, 64, 128"):
        preset_of_side(side)
