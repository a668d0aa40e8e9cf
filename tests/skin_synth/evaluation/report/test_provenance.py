"""Where a report comes from, complete enough to make it again."""

from __future__ import annotations

import json

from skin_synth.evaluation.features.extractors import of_classifier
from skin_synth.evaluation.report.provenance import DISTRIBUTIONS, describe


def test_run_data_features_and_software(make_run, large_phantom_data, trained):
    run = make_run()
    found = describe(run, large_phantom_data, of_classifier(trained), seed=5)
    assert json.loads(json.dumps(found)) == found
    assert found["seed"] == 5
    assert found["run"] == {
        "run_id": "0123456789ab",
        "checkpoint_hash": "c" * 64,
        "images_seen": 12_345,
        "preset": "derm-32",
        "image_size": 32,
    }
    assert found["data"]["fingerprint"] == run.origin.data_fingerprint
    assert found["data"]["splits"].keys() == {"train", "validation", "test"}
    assert sum(found["data"]["splits"].values()) == 7 * 60
    assert found["features"]["sha256"] == trained.weights_hash
    assert set(DISTRIBUTIONS) < set(found["software"])
