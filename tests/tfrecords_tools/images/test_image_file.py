"""One image file: what it becomes, or why it is rejected."""

from __future__ import annotations

import concurrent.futures
import io
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageCms

from tests import encoding
from tests.images import noise, photograph, prepared, seen, whole_hash
from tests.tfrecords_tools import hostile
from tfrecords_tools.errors import InputError
from tfrecords_tools.images import image_file
from tfrecords_tools.images.image_file import (
    Rejected,
    decode,
    decode_square,
    encode_png,
    prepare,
    resize,
    size_in_file,
)
from tfrecords_tools.options import ImageOptions

# Pillow warns of oddities that it reads; a build ignores these warnings.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::Warning:PIL")


@pytest.mark.parametrize(
    "name",
    [
        *("turned.jpg", "cmyk.jpg", "alpha.png", "grey16.png", "colour16.png"),
        *("grey_alpha.png", "transparent_colour.png", "plain.tif", "plain.webp"),
    ],
)
def test_others_are_encoded_anew(name):
    found = prepared(hostile.sound()[name])
    encoded = found.encoded
    assert not found.untouched
    assert encoded.startswith(b"\x89PNG")
    assert encoded[24] == 8  # bits a sample, in the head of a PNG
    assert encoded != hostile.sound()[name]
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.mode == "RGB"
        assert not image.info
        assert not image.getexif()


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.transpose(1, 0, 2),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: stored[::-1, ::-1].transpose(1, 0, 2),
    8: lambda stored: np.rot90(stored, 1),
}


"""What the eight EXIF orientations mean: how the stored rows and columns are to be seen."""


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation(orientation, format):
    stored = noise(0)
    options = {"lossless": True} if format == "WEBP" else {}
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoding.encoded(stored, format, exif=exif, **options)
    np.testing.assert_array_equal(seen(prepared(content).encoded), UPRIGHT[orientation](stored))


def test_unknown_orientation_counts_as_upright():
    content = encoding.with_orientation(noise(0), 9)
    assert prepared(content, keep_metadata=True).encoded == content
    np.testing.assert_array_equal(seen(prepared(content).encoded), noise(0))


@pytest.mark.parametrize("inverted", [False, True])
def test_cmyk_whether_adobe_inverts_it_or_not(inverted):
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 0] = 255  # all cyan: red is gone
    content = encoding.encoded(Image.fromarray(inks, "CMYK"), "JPEG", quality=95)
    # Pillow writes as Adobe does: a marker, and inverted values. Without the marker they are not.
    assert b"Adobe" in content
    if not inverted:
        content = encoding.encoded(Image.fromarray(255 - inks, "CMYK"), "JPEG", quality=95)
        content = encoding.without_adobe(content)
    np.testing.assert_allclose(seen(prepared(content).encoded)[8, 8], (0, 255, 255), atol=2)


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40), (41, 40)])
def test_crop_is_about_the_centre(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image[top : top + side, left : left + side] = 255
    found = seen(prepared(encoding.encoded(image, "PNG"), size=20).encoded)
    assert (found == 255).all()


def test_crop_without_a_change_of_size_keeps_the_pixels():
    image = noise(0, 24, 32)
    found = seen(prepared(encoding.encoded(image, "PNG"), size=24).encoded)
    np.testing.assert_array_equal(found, image[:, 4:28])


def test_resizing_antialiases():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    found = seen(prepared(encoding.encoded(stripes, "PNG"), size=16).encoded)
    assert np.abs(found - 127.5).max() < 12


@pytest.mark.parametrize("size", [16, 64, 128])
@pytest.mark.parametrize("mode", ["crop", "pad", "squash"])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_resizing_is_close_to_an_independent_one(format, mode, size):
    content = encoding.encoded(photograph(0), format, **{"quality": 90} if format == "JPEG" else {})
    found = seen(prepared(content, size=size, resize=mode).encoded)
    stored = tf.io.decode_image(content, channels=3, expand_animations=False).numpy()
    if mode == "pad":
        reference = tf.image.resize_with_pad(stored, size, size, "lanczos3", antialias=True).numpy()
    else:
        square = stored[:, 75:525] if mode == "crop" else stored
        reference = tf.image.resize(square, (size, size), "lanczos3", antialias=True).numpy()
    assert np.abs(found - reference.clip(0, 255)).mean() < 2


def test_an_image_is_turned_before_it_is_cropped():
    image = photograph(6, 40, 101)
    found = seen(prepared(encoding.with_orientation(image, 6), size=40).encoded)
    # 61 pixels are too many, so that the crop is not quite about the centre: 30 go above.
    np.testing.assert_array_equal(found, UPRIGHT[6](image)[30:70])


def test_enlarging_is_close_to_an_independent_one():
    image = hostile.smooth(1)
    found = seen(prepared(encoding.encoded(image, "PNG"), size=64, resize="squash").encoded)
    reference = tf.image.resize(image, (64, 64), "lanczos3").numpy().clip(0, 255)
    assert np.abs(found - reference).mean() < 2


@pytest.mark.parametrize(("height", "width"), [(40, 100), (100, 40), (1000, 9)])
def test_padding_shows_all_of_the_image_between_black_bars(height, width):
    found = np.asarray(resize(Image.new("RGB", (width, height), (255, 255, 255)), 20, "pad"))
    inner = max(round(20 * min(height, width) / max(height, width)), 1)
    bright = found[..., 0] > 0
    assert bright.any(0 if height > width else 1).sum() == inner
    assert bright.sum() == 20 * inner
    assert np.array_equal(bright, bright[::-1, ::-1]) or (20 - inner) % 2


def test_jpeg_encoding():
    content = encoding.encoded(photograph(1), "PNG")
    fine, coarse = (
        prepared(content, size=64, encoding="jpeg", jpeg_quality=quality).encoded
        for quality in (95, 30)
    )
    assert tf.io.is_jpeg(fine)
    assert len(coarse) < len(fine)
    with Image.open(io.BytesIO(fine)) as image:
        assert all(layer[1:3] == (1, 1) for layer in image.layer), "colours at full resolution"
    reference = seen(prepared(content, size=64).encoded)
    assert np.abs(seen(fine) - reference).mean() < 3 < np.abs(seen(coarse) - reference).mean()


@pytest.mark.parametrize(
    ("size", "scale"), [(None, 8), (16, 2), (75, 2), (76, 1), (128, 1), (600, 1)]
)
def test_scale_at_which_a_jpeg_is_decoded(size, scale):
    content = encoding.encoded(photograph(2), "JPEG", quality=90)
    found = prepared(content, size=size)
    assert found.scale == scale
    assert np.asarray(decode(content, ImageOptions(size=size))).shape == (450, 600, 3)
    assert prepared(encoding.encoded(photograph(2), "PNG"), size=size).scale == 1


def test_thumbnail():
    content = encoding.encoded(photograph(3), "JPEG", quality=90)
    assert prepared(content).thumbnail is None
    found = prepare(content, ImageOptions(), thumbnail=96).thumbnail
    assert found.dtype == np.uint8
    expected = seen(prepared(content, size=96).encoded)
    assert np.abs(found - expected).mean() < 1


@pytest.mark.parametrize("side", [32, 96, 450])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_decoded_square_has_the_pixels_of_a_build(kind, side):
    content = encoding.encoded(photograph(4), kind)
    np.testing.assert_array_equal(
        decode_square(content, side), seen(prepared(content, size=side).encoded)
    )
    assert size_in_file(content) == (600, 450)
    with pytest.raises(Rejected, match="empty"):
        decode_square(b"", side)


def test_foreign_colour_profile_is_noticed():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert prepared(encoding.encoded(noise(0), "PNG", icc_profile=profile)).has_profile
    assert not prepared(encoding.encoded(noise(0), "PNG", icc_profile=srgb)).has_profile
    assert not prepared(encoding.encoded(noise(0), "PNG")).has_profile


def test_equal_pixels_are_seen_in_other_files():
    image = noise(0)
    files = [
        encoding.encoded(image, "PNG"),
        encoding.encoded(image, "BMP"),
        encoding.encoded(image, "PNG", compress_level=0),
        encoding.with_orientation(np.rot90(image, 1), 6),
    ]
    found = [prepared(content) for content in files]
    assert len({whole_hash(content) for content in files}) == 1
    assert len({(image.scale, image.probe, image.perceptual) for image in found}) == 1
    assert len({(image.num_bytes, image.checksum) for image in found}) == 4
    other = image.copy()
    other[0, 0, 0] ^= 1
    assert whole_hash(encoding.encoded(other, "PNG")) != whole_hash(files[0])


def test_shape_counts_among_the_pixels():
    wide, tall = (np.zeros(shape, np.uint8) for shape in ((10, 20, 3), (20, 10, 3)))
    contents = [encoding.encoded(image, "PNG") for image in (wide, tall)]
    assert len({whole_hash(content) for content in contents}) == 2
    assert len({prepared(content).probe for content in contents}) == 2


@pytest.mark.parametrize(("side", "fits"), [(24, True), (25, False)])
def test_min_side(side, fits):
    content = encoding.encoded(noise(0), "PNG")
    if fits:
        prepared(content, min_side=side)
    else:
        with pytest.raises(Rejected, match=f"32x24, the shorter side must be {side}"):
            prepared(content, min_side=side)


def test_no_program_is_run_for_an_image(monkeypatch):
    def forbidden(*args, **options):
        pytest.fail("a program was run")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    with pytest.raises(Rejected, match="no known image format"):
        prepared(hostile.damaged()["program.jpg"][0])


def test_mode_that_cannot_be_converted(monkeypatch):
    def refuse(image):
        raise ValueError("conversion from X to RGB not supported")

    monkeypatch.setattr(image_file, "to_rgb", refuse)
    with pytest.raises(Rejected, match="conversion from X"):
        prepared(encoding.encoded(noise(0), "PNG"))


def test_png_is_exact_and_repeatable():
    image = noise(0)
    np.testing.assert_array_equal(seen(encode_png(image)), image)
    assert encode_png(image) == encode_png(np.asfortranarray(image))


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))]
)
def test_png_of_something_else(image):
    with pytest.raises(InputError, match=r"must be uint8\[height, width, 3\], got"):
        encode_png(image)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_image_larger_than_pillow_takes(format, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    content = encoding.encoded(noise(0), format)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: prepared(content, size=8), range(40)))
    assert seen(found[0].encoded).shape == (8, 8, 3)
    with pytest.raises(Rejected, match="32x24 pixels, the limit is 700"):
        prepared(content, max_pixels=700)
    assert Image.MAX_IMAGE_PIXELS == 100
