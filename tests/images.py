"""Images that tests make, and what a decoder other than Pillow sees in a file."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf
from PIL import Image

from tfrecords_tools.images.image_file import PreparedImage, decode, pixels_hash, prepare
from tfrecords_tools.images.perceptual_hash import SYMMETRIES
from tfrecords_tools.options import ImageOptions


def noise(seed: int, height: int = 24, width: int = 32) -> np.ndarray:
    """uint8[height, width, 3], another for each seed."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def photograph(seed: int, height: int = 450, width: int = 600) -> np.ndarray:
    """uint8[height, width, 3]: blotches of colour with grain."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(60, 200, (6, 8, 3), np.uint8))
    blotches = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), float)
    return (blotches + random.normal(0, 14, (height, width, 1))).clip(0, 255).astype(np.uint8)


def picture(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """A smooth image in colour, another for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def moved(image: Image.Image, symmetry: str) -> Image.Image:
    transpose, top_bottom, left_right = SYMMETRIES[symmetry]
    pixels = np.asarray(image)
    pixels = pixels.transpose(1, 0, 2) if transpose else pixels
    return Image.fromarray(pixels[:: -1 if top_bottom else 1, :: -1 if left_right else 1].copy())


def prepared(content: bytes, size: int | None = None, **options) -> PreparedImage:
    return prepare(content, ImageOptions(size=size, **options))


def whole_hash(content: bytes) -> bytes:
    return pixels_hash(decode(content, ImageOptions()))


def seen(encoded: bytes) -> np.ndarray:
    """int[height, width, 3], decoded by TensorFlow."""
    if encoded.startswith(b"RIFF"):
        return tf.io.decode_webp(encoded)[0].numpy().astype(int)
    if tf.io.is_jpeg(encoded):
        return tf.io.decode_jpeg(encoded, 3, dct_method="INTEGER_ACCURATE").numpy().astype(int)
    return tf.io.decode_image(encoded, channels=3, expand_animations=False).numpy().astype(int)


def dicom(values: np.ndarray, photometric: str, bits: int = 8, **elements) -> bytes:
    """Makes a DICOM file of one image; `elements` are further fields of its header."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    dataset = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = 3 if values.ndim == 3 else 1
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 * values.itemsize
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, 0
    if values.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = values.tobytes()
    for name, value in elements.items():
        setattr(dataset, name, value)
    dataset.save_as(buffer := io.BytesIO(), enforce_file_format=True)
    return buffer.getvalue()


def heic(image: np.ndarray, **options) -> bytes:
    """Makes a HEIC file of uint8[height, width, 3]; `options` are those of pillow-heif's `save`."""
    import pillow_heif

    pillow_heif.from_pillow(Image.fromarray(image)).save(buffer := io.BytesIO(), **options)
    return buffer.getvalue()
