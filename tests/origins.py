"""Origins of generators that tests make up."""

from __future__ import annotations

from skin_synth.saved_model.origin import Origin
from tfrecords_tools.records.reader import fingerprint

FIELDS = {
    "run_id": "0123456789ab",
    "data_name": "phantoms",
    "checkpoint_hash": "c" * 64,
    "images_seen": 12_345,
    "preset_name": "derm-32",
    "image_size": 32,
    "software": "none",
}


def make_origin(data_dir=None, **fields):
    """The origin of a run that was trained on `data_dir`, or on a data set that is made up."""
    found = "f" * 64 if data_dir is None else fingerprint(data_dir)
    return Origin(**{**FIELDS, "data_fingerprint": found, **fields})
