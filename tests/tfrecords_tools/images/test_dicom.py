"""DICOM files, where pydicom is installed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.encoding import encoded
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


def compressed(frame: bytes, syntax: str) -> bytes:
    """A DICOM file of 32x24 pixels whose frame is this compressed image."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(noise(0), "RGB")))
    dataset.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
    dataset.PixelData = pydicom.encaps.encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    if syntax == "JPEGBaseline8Bit":
        dataset.PhotometricInterpretation = "YBR_FULL_422"
    dataset.save_as(buffer := io.BytesIO())
    return buffer.getvalue()


def frame(size: tuple[int, int], format: str) -> bytes:
    return encoded(Image.new("RGB", size, (9, 99, 200)), format)


@pytest.mark.parametrize(
    ("syntax", "format"), [("JPEGBaseline8Bit", "JPEG"), ("JPEG2000Lossless", "JPEG2000")]
)
def test_a_compressed_frame_has_the_size_of_the_header(syntax, format):
    """The memory was counted for the size in the header."""
    assert seen(prepared(compressed(frame((32, 24), format), syntax)).encoded).shape == (24, 32, 3)
    for size in ((33, 24), (24, 32), (3_000, 3_000), (16, 16)):
        with pytest.raises(Rejected, match="its header"):
            prepared(compressed(frame(size, format), syntax))
    with pytest.raises(Rejected):
        prepared(compressed(b"%!PS-Adobe", syntax))


def test_run_lengths():
    dataset = pydicom.dcmread(io.BytesIO(dicom(noise(0), "RGB")))
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(buffer := io.BytesIO())
    np.testing.assert_array_equal(seen(prepared(buffer.getvalue()).encoded), noise(0))
    with pytest.raises(Rejected, match="its frame has 10,000 bytes for 32x24"):
        prepared(compressed(bytes(10_000), "RLELossless"))


def test_a_file_that_is_packed_as_a_whole_is_not_unpacked():
    content = dicom(noise(0), "RGB")
    plain = pydicom.uid.ExplicitVRLittleEndian.encode()
    packed = content.replace(plain + b"\0", pydicom.uid.DeflatedExplicitVRLittleEndian.encode())
    with pytest.raises(Rejected, match="packed as a whole"):
        prepared(packed)
