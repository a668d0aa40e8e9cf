"""The provenance of a report: run, data, features and software."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.results import (
    DataInfo,
    FeatureInfo,
    ImageFolderInfo,
    Provenance,
    RunInfo,
)
from skin_synth.generator import ImageGenerator
from tfrecords_tools.records.reader import read_info

DISTRIBUTIONS = ("skin-synth", "tensorflow", "keras", "tensorflow-gan", "numpy", "pillow")


def describe(
    run: ImageGenerator,
    data_dir: str | os.PathLike[str],
    extractor: Extractor,
    *,
    seed: int,
    image_folder: ImageFolderInfo | None = None,
) -> Provenance:
    """Describes the run, its data set, the features and the software."""
    info, origin = read_info(data_dir), run.origin
    versions = {name: importlib.metadata.version(name) for name in DISTRIBUTIONS}
    return Provenance(
        seed=seed,
        run=RunInfo(
            origin.run_id,
            origin.checkpoint_hash,
            origin.images_seen,
            preset=origin.preset_name,
            image_size=run.image_size,
        ),
        data=DataInfo(
            info.name,
            origin.data_fingerprint,
            tuple(info.class_names),
            splits={name: split.num_records for name, split in info.splits.items()},
        ),
        features=FeatureInfo(extractor.name, extractor.dimension, **extractor.provenance),
        software={"python": platform.python_version(), **versions},
        image_folder=image_folder,
    )
