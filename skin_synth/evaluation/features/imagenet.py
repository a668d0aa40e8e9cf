"""Networks of `keras.applications` with ImageNet weights, from a file or downloaded."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from skin_synth.keras_backend import keras
from skin_synth.provenance import content_hash
from skin_synth.weights_file import load_weights
from tfrecords_tools.errors import InputError


def with_imagenet(
    application: Callable[..., keras.Model],
    weights: str | os.PathLike[str] | None,
    **options: Any,
) -> tuple[keras.Model, str, str]:
    """Makes a network of `keras.applications` with ImageNet weights.

    Args:
        application: such as `keras.applications.MobileNet`.
        weights: file with its weights; None downloads them, or takes what was downloaded before.
        **options: of the application.

    Returns:
        The network, the name of the source, and a sha256: of the file, or of downloaded weights.

    Raises:
        InputError: no network to download from, no file, or one that does not fit.
    """
    if weights is not None:
        path = existing_file(weights)
        network = application(weights=None, **options)
        load_weights(network, path)
        return network, path.name, file_sha256(path)
    try:
        network = application(weights="imagenet", **options)
    except Exception as error:  # keras raises a bare Exception if the download fails
        raise InputError(
            f"the weights of {application.__name__} cannot be downloaded ({error}): give --weights "
            "FILE, or choose features or classifiers that need none"
        ) from error
    sha256 = content_hash(*network.get_weights(), shapes=False)
    return network, "ImageNet, keras.applications", sha256


def existing_file(path: str | os.PathLike[str]) -> Path:
    """Returns the path of a file.

    Raises:
        InputError: there is none.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"no file at {path}")
    return file


def file_sha256(path: Path) -> str:
    """Computes the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
