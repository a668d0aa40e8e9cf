"""The provenance of a report is complete enough to make it again."""

from __future__ import annotations

from skin_synth.evaluation.features.extractors import of_classifier
from skin_synth.evaluation.report.provenance import DISTRIBUTIONS, describe
from skin_synth.evaluation.results import RunInfo


def test_run_data_features_and_software(make_run, large_phantom_data, trained):
    run = make_run()
    found = describe(run, large_phantom_data, of_classifier(trained), seed=5)
    assert found.seed == 5
    assert found.run == RunInfo("0123456789ab", "c" * 64, 12_345, "derm-32", 32)
    assert found.data.fingerprint == run.origin.data_fingerprint
    assert found.data.splits.keys() == {"train", "validation", "test"}
    assert sum(found.data.splits.values()) == 7 * 60
    assert found.features.sha256 == trained.weights_hash
    assert set(DISTRIBUTIONS) < set(found.software)
