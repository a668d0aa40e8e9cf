"""Reads DICOM files by pydicom, as images of Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
from PIL import Image, ImageFile
from pydicom.encaps import get_frame
from pydicom.pixels import apply_voi_lut, pixel_array
from pydicom.uid import RLELossless

from tfrecords_tools.errors import Rejected
from tfrecords_tools.images import kinds
from tfrecords_tools.images.metadata import NAME, PLACE, SERIAL_NUMBER

_IDENTIFYING_ELEMENTS = {
    NAME: ("PatientName", "PatientID", "PatientBirthDate", "OtherPatientIDs", "AccessionNumber",
           "ReferringPhysicianName", "OperatorsName", "PatientComments", "ImageComments"),
    PLACE: ("InstitutionName", "InstitutionAddress", "StationName", "PatientAddress"),
    SERIAL_NUMBER: ("DeviceSerialNumber", "DetectorID"),
}  # fmt: skip
INVERTED = "MONOCHROME1"
"""Photometric interpretation where the smallest value is white."""
GREY = ("MONOCHROME2", INVERTED)
DEFLATED = b"1.2.840.10008.1.2.1.99"
"""Transfer syntax of a file that is packed as a whole: pydicom unpacks it without a limit."""
RLE_GROWTH = 2
"""A frame in run lengths needs no more than this many times its unpacked bytes, and a header."""
RLE_HEADER = 64


class DicomImage(ImageFile.ImageFile):
    """An image of a DICOM file: 8-bit grey or RGB; decoded when it is loaded.

    Attributes:
        identifying: which of `metadata.IDENTIFYING` the file holds.
    """

    format = "DICOM"

    def _open(self) -> None:
        self._dataset = dataset = pydicom.dcmread(self.fp)
        if "Rows" not in dataset or "PixelData" not in dataset:
            raise Rejected("not_an_image", "a DICOM file without an image")
        self._size = int(dataset.Columns), int(dataset.Rows)
        self._mode = "L" if dataset.PhotometricInterpretation in GREY else "RGB"
        self.n_frames = int(dataset.get("NumberOfFrames") or 1)
        self.is_animated = self.n_frames > 1
        self.identifying = frozenset(
            what for what, names in _IDENTIFYING_ELEMENTS.items() if any(map(dataset.get, names))
        )

    def load(self) -> Any:
        """Decodes the pixels, once."""
        if self._im is None:
            self.im = Image.fromarray(_decode(self._dataset)).im
        return super().load()


def open_dicom(content: bytes) -> DicomImage:
    """Opens a DICOM file that is in memory.

    Raises:
        Rejected: it has no image, or is packed as a whole.
    """
    if DEFLATED in content:
        raise Rejected("too_large", "a DICOM file that is packed as a whole: unpack it")
    return DicomImage(io.BytesIO(content))


def _decode(dataset: pydicom.Dataset) -> np.ndarray:
    """Returns uint8[height, width] or uint8[height, width, 3]."""
    if (kind := dataset.PhotometricInterpretation) == "PALETTE COLOR":
        raise Rejected("damaged", "colours from a palette: save it as RGB")
    _check_frame(dataset)
    values = pixel_array(dataset)  # YBR becomes RGB
    if kind in GREY:
        values = apply_voi_lut(values, dataset)
    greatest = 2 ** int(dataset.BitsStored) - 1
    if greatest != 255:
        values = np.rint(values * np.float32(255 / greatest))
    values = values.clip(0, 255).astype(np.uint8)
    return 255 - values if kind == INVERTED else values


def _check_frame(dataset: pydicom.Dataset) -> None:
    """Checks that a compressed frame has the size of the header, for which memory was counted."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    width, height = int(dataset.Columns), int(dataset.Rows)
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        unpacked = width * height * int(dataset.SamplesPerPixel) * int(dataset.BitsAllocated) // 8
        if len(frame) > RLE_GROWTH * unpacked + RLE_HEADER:
            raise Rejected("damaged", f"its frame has {len(frame):,} bytes for {width}x{height}")
        return
    with Image.open(io.BytesIO(frame), formats=(kinds.JPEG, kinds.JPEG2000)) as image:
        if image.size != (width, height):
            raise Rejected("damaged", f"its frame is {image.size}, its header {(width, height)}")
