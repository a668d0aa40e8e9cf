"""DICOM files, where pydicom is installed."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.images import dicom, noise, prepared, seen
from tfrecords_tools.errors import Rejected

pydicom = pytest.importorskip("pydicom", reason="needs the extra [dicom]")


def test_colours():
    found = prepared(dicom(noise(0), "RGB", PatientName="Jane Roe"))
    np.testing.assert_array_equal(seen(found.encoded), noise(0))
    assert found.identifying == {"name_or_text"}
    assert b"Roe" not in found.encoded


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_grey_of_12_bits(kind):
    values = np.random.default_rng(0).integers(0, 4096, (24, 32), np.uint16)
    found = seen(prepared(dicom(values, kind, 12)).encoded)[..., 0]
    expected = np.rint(values * (255 / 4095))
    np.testing.assert_allclose(found, 255 - expected if kind == "MONOCHROME1" else expected)


def test_limits():
    with pytest.raises(Rejected, match="32x24 pixels, the limit is 700"):
        prepared(dicom(noise(0), "RGB"), max_pixels=700)
    dataset = pydicom.dcmread(io.BytesIO(dicom(noise(0), "RGB")))
    del dataset.PixelData
    dataset.save_as(buffer := io.BytesIO())
    with pytest.raises(Rejected, match="without an image"):
        prepared(buffer.getvalue())
    with pytest.raises(Rejected, match="several frames"):
        prepared(dicom(noise(0), "RGB", NumberOfFrames=2))
