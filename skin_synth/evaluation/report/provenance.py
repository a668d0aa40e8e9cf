"""Where a report comes from: run, data, features and software."""

from __future__ import annotations

import importlib.metadata
import os
import platform

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.evaluation.results import DataInfo, FeatureInfo, Provenance, RunInfo
from skin_synth.generator import ImageGenerator
from tfrecords_tools.records.reader import read_info

DISTRIBUTIONS = ("skin-synth", "tensorflow", "keras", "tensorflow-gan", "numpy", "pillow")


def describe(
    run: ImageGenerator, data_dir: str | os.PathLike[str], extractor: Extractor, *, seed: int
) -> Provenance:
    """Describes run, data, features and software of a report.

    Args:
        run: the generator.
        data_dir: the data set that it was trained on.
        extractor: computes the features.
        seed: of the evaluation.
    """
    info, origin = read_info(data_dir), run.origin
    versions = {name: importlib.metadata.version(name) for name in DISTRIBUTIONS}
    return Provenance(
        seed=seed,
        run=RunInfo(
            run_id=origin.run_id,
            checkpoint_hash=origin.checkpoint_hash,
            images_seen=origin.images_seen,
            preset=origin.preset_name,
            image_size=run.image_size,
        ),
        data=DataInfo(
            name=info.name,
            fingerprint=origin.data_fingerprint,
            class_names=tuple(info.class_names),
            splits={name: split.num_records for name, split in info.splits.items()},
        ),
        features=FeatureInfo(extractor.name, extractor.dimension, **extractor.provenance),
        software={"python": platform.python_version(), **versions},
    )
