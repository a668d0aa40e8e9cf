"""Measures equal what was drawn: skin, size and colour of drawn lesions and of phantoms."""

from __future__ import annotations

import numpy as np
import pytest

from skin_synth.evaluation.metrics.appearance import (
    MEASURES,
    TONES,
    Appearance,
    lesion_mask,
    measure,
    otsu_threshold,
    skin_colour,
    tone_shares,
)
from skin_synth.evaluation.metrics.cielab import srgb_to_lab, typology_angle
from skin_synth.phantoms import render
from tfrecords_tools.errors import InputError

SKIN, LESION = (224, 180, 160), (110, 70, 60)


def radius(side):
    centre = (2 * np.arange(side) + 1) / side - 1
    return np.hypot(centre[:, None], centre[None, :])


def drawn(side=64, *, size=0.4, skin=SKIN, lesion=LESION, vignette=None, hairs=0, noise=0.0):
    """A disc of one colour on skin of another; `vignette` blackens what is farther out."""
    image = np.tile(np.array(skin, float), (side, side, 1))
    image[radius(side) <= size] = lesion
    image[:, [number * side // (hairs + 1) for number in range(1, hairs + 1)]] = (40, 30, 25)
    if vignette is not None:
        image[radius(side) > vignette] = 0
    image += noise * np.random.default_rng(0).normal(size=image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def lab_of(colour):
    return srgb_to_lab(np.array(colour, np.uint8))


def test_a_drawn_lesion_is_measured_as_it_was_drawn():
    found = measure(drawn()[None])
    light, _, yellow = lab_of(SKIN)
    assert found.skin_tone[0] == pytest.approx(typology_angle(light, yellow), abs=1e-3)
    assert found.lesion_size[0] == pytest.approx(0.4**2, rel=0.05)
    colour = found.lesion_lightness, found.lesion_redness, found.lesion_yellowness
    np.testing.assert_allclose(np.ravel(colour), lab_of(LESION), atol=1e-3)
    share = found.lesion_size[0]
    expected = share * lab_of(LESION)[0] + (1 - share) * light
    assert found.brightness[0] == pytest.approx(expected, abs=0.5)


@pytest.mark.parametrize(
    ("side", "options"),
    [
        *[(64, {"vignette": 0.95}), (64, {"vignette": 0.85}), (64, {"vignette": 0.9, "hairs": 5})],
        *[(64, {"hairs": 3}), (64, {"noise": 6.0}), (32, {}), (128, {})],
    ],
    ids=str,
)
def test_vignettes_hairs_noise_and_size_do_not_change_the_skin_tone(side, options):
    clean, found = measure(drawn()[None]), measure(drawn(side, **options)[None])
    assert found.skin_tone[0] == pytest.approx(clean.skin_tone[0], abs=1.5)
    assert found.lesion_lightness[0] == pytest.approx(clean.lesion_lightness[0], abs=2)


@pytest.mark.parametrize(
    ("size", "hairs", "rel"),
    [(0.4, 3, 0.125), (0.2, 0, 0.1), (0.3, 0, 0.1), (0.5, 0, 0.1), (0.6, 0, 0.1)],
)
def test_size_follows_the_lesion_and_thin_hairs_are_no_part_of_it(size, hairs, rel):
    found = measure(drawn(size=size, hairs=hairs)[None])
    assert found.lesion_size[0] == pytest.approx(size**2, rel=rel)


def test_dark_skin_has_a_low_angle_and_differs_from_its_lesion():
    tones = [(235, 200, 180), (200, 150, 120), (130, 90, 65), (80, 55, 40)]
    found = measure(np.stack([drawn(skin=tone, lesion=(30, 20, 18)) for tone in tones]))
    assert (np.diff(found.skin_tone) < 0).all()
    assert found.skin_tone[0] > 41
    assert found.skin_tone[-1] < -30
    np.testing.assert_allclose(found.lesion_size, 0.16, atol=0.02)


def test_what_cannot_be_measured_is_not_a_number():
    found = measure(np.zeros((1, 32, 32, 3), np.uint8))
    assert all(np.isnan(getattr(found, name)[0]) for name in MEASURES if name != "brightness")
    assert found.brightness[0] == 0
    plain = measure(drawn(size=0.0)[None])
    assert np.isfinite(plain.skin_tone[0])
    assert np.isfinite(plain.brightness[0])
    assert np.isnan(plain.lesion_size[0])
    noise = np.random.default_rng(0).normal(0, 3, (32, 32, 3)) + 200
    assert np.isnan(measure(noise.astype(np.uint8)[None]).lesion_size[0])


def test_no_images_give_no_measures_and_rows_can_be_taken():
    empty = measure(np.empty((0, 32, 32, 3), np.uint8))
    assert all(getattr(empty, name).shape == (0,) for name in MEASURES)
    found = measure(np.stack([drawn(size=size) for size in (0.2, 0.4, 0.6)]))
    assert isinstance(found[np.array([2, 0])], Appearance)
    np.testing.assert_array_equal(found[np.array([2, 0])].lesion_size, found.lesion_size[[2, 0]])


def test_what_phantoms_were_rendered_with_is_measured():
    """Of classes whose lesions are of one piece."""
    classes = ("disc", "blotch", "star")
    rendered = [render(3, index, label, 32) for index in range(14) for label in classes]
    found = measure(np.stack([image for image, _ in rendered]))
    assert np.isfinite(found.skin_tone).all()
    assert np.isfinite(found.lesion_size).all()
    melanin = np.array([parameters["skin_melanin"] for _, parameters in rendered])
    area = np.array([parameters["radius"] ** 2 for _, parameters in rendered])
    assert np.corrcoef(found.skin_tone, melanin)[0, 1] < -0.8
    for number in range(3):
        assert np.corrcoef(found.lesion_size[number::3], area[number::3])[0, 1] > 0.7


@pytest.mark.parametrize(
    "images",
    [np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8, 3)), np.zeros((3, 8, 8, 4), np.uint8)],
)
def test_other_arrays_are_refused(images):
    with pytest.raises(InputError, match=r"images must be uint8\[n, side, side, 3\], got"):
        measure(images)


def test_skin_colour_needs_some_skin():
    assert np.isnan(skin_colour(srgb_to_lab(drawn(vignette=0.76)))).all()
    found = skin_colour(srgb_to_lab(drawn(vignette=0.85)))
    np.testing.assert_allclose(found, lab_of(SKIN), atol=1e-3)


def test_the_mask_is_the_disc():
    mask = lesion_mask(srgb_to_lab(drawn(size=0.5)), lab_of(SKIN))
    assert (mask != (radius(64) <= 0.5)).mean() < 0.005


def test_otsu_splits_two_heaps_in_the_middle():
    assert 5 < otsu_threshold(np.repeat([2.0, 10.0], [70, 30])) < 7


@pytest.mark.parametrize("seed", range(5))
def test_otsu_has_the_largest_variance_between_classes(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 1, 300), rng.normal(4, 1, 100)])

    def between(threshold):
        low, high = values[values <= threshold], values[values > threshold]
        return len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max(between(t) for t in np.linspace(values.min() + 0.01, values.max() - 0.01, 999))
    assert between(otsu_threshold(values)) > 0.995 * best


def test_tone_shares_by_hand():
    shares = tone_shares(np.array([60.0, 56, 45, 28.0, 11, 0, -31, np.nan]))
    assert shares == {
        "very light": 2 / 7,
        "light": 1 / 7,
        "intermediate": 0,
        "tan": 2 / 7,  # 28 itself belongs to tan
        "brown": 1 / 7,
        "dark": 1 / 7,
    }
    assert set(tone_shares(np.array([np.nan])).values()) == {None}
    assert [name for name, _ in TONES] == list(shares)
