"""The id of a run depends on what its weights depend on, and on nothing else."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.presets import get_preset
from skin_synth.training.run_config import DataIdentity, RunConfig, WarmStartSource
from tfrecords_tools.errors import InputError


def config(**changes):
    names = {"directory": "/data", "name": "d", "fingerprint": "f" * 64}
    data = DataIdentity(**names, class_names=("a", "b"), class_counts=(3, 4))
    fields = {"preset": get_preset("derm-32"), "seed": 0, "policy": "float32", "data": data}
    return RunConfig(**{**fields, **changes})


def test_run_id_follows_what_the_weights_depend_on():
    moved = dataclasses.replace(config().data, directory="/elsewhere")
    assert config().run_id == config(data=moved).run_id
    assert config().run_id != config(seed=1).run_id
    other = dataclasses.replace(get_preset("derm-32"), validation_images=7)
    assert config().run_id == config(preset=other).run_id


def test_a_configuration_survives_json():
    fields = json.loads(json.dumps(config().to_json()))
    assert "init_from" not in fields
    assert RunConfig.from_json(fields) == config()


def test_another_schema_version_is_refused():
    with pytest.raises(InputError, match="schema version 99"):
        RunConfig.from_json(config().to_json() | {"schema_version": 99})


def test_a_run_is_another_by_what_it_starts_from_and_not_by_where_that_lies():
    source = WarmStartSource(directory="/a", run_id="r", checkpoint_hash="h" * 64, images_seen=5)
    started = config(init_from=source)
    assert started.run_id != config().run_id
    moved = dataclasses.replace(source, directory="/b")
    assert config(init_from=moved).run_id == started.run_id
    trained_on = dataclasses.replace(source, checkpoint_hash="i" * 64)
    assert config(init_from=trained_on).run_id != started.run_id
    assert RunConfig.from_json(json.loads(json.dumps(started.to_json()))) == started
