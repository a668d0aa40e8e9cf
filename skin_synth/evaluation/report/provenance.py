"""Where a report comes from: run, data, features and software."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.generator import ImageGenerator
from tfrecords_tools.records.reader import read_info

DISTRIBUTIONS = ("skin-synth", "tensorflow", "keras", "tensorflow-gan", "numpy", "pillow")


def describe(
    run: ImageGenerator, data_dir: str | os.PathLike[str], extractor: Extractor, *, seed: int
) -> dict[str, Any]:
    """Run, data, features and software of a report, as plain values.

    Args:
        run: what paints.
        data_dir: the data set that it was trained on.
        extractor: what images are compared by.
        seed: of the evaluation.
    """
    info = read_info(data_dir)
    return {
        "seed": seed,
        "run": {
            "run_id": run.origin.run_id,
            "checkpoint_hash": run.origin.checkpoint_hash,
            "images_seen": run.origin.images_seen,
            "preset": run.origin.preset_name,
            "image_size": run.image_size,
        },
        "data": {
            "name": info.name,
            "fingerprint": run.origin.data_fingerprint,
            "class_names": list(info.class_names),
            "splits": {name: split.num_records for name, split in info.splits.items()},
        },
        "features": {
            "name": extractor.name,
            "dimension": extractor.dimension,
            **extractor.provenance,
        },
        "software": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in DISTRIBUTIONS},
        },
    }
