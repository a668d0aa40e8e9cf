"""The id of a run depends on what its weights depend on, and on nothing else."""

from __future__ import annotations

import dataclasses
import json

import pytest

from skin_synth.presets import get_preset
from skin_synth.training.run_config import DataIdentity, RunConfig, WarmStartSource
from skin_synth.training.run_directory import RunDirectory
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


@pytest.mark.parametrize("field", ["mapping_layers", "generator_warm_up"])
def test_runs_of_releases_without_a_field_keep_their_id(field):
    """The known answer is that of such a release."""
    plain = config(preset=dataclasses.replace(get_preset("derm-32"), **{field: 0}))
    assert plain.run_id == "d39eb35209b1"
    assert field not in plain.to_json()["preset"]
    fields = json.loads(json.dumps(plain.to_json()))
    assert RunConfig.from_json(fields) == plain
    other = config(preset=dataclasses.replace(get_preset("derm-32"), **{field: 2}))
    assert RunConfig.from_json(json.loads(json.dumps(other.to_json()))) == other
    assert other.run_id != plain.run_id


def test_a_configuration_survives_json():
    fields = json.loads(json.dumps(config().to_json()))
    assert "init_from" not in fields
    assert RunConfig.from_json(fields) == config()


def test_another_schema_version_is_refused():
    with pytest.raises(InputError, match="schema version 99"):
        RunConfig.from_json(config().to_json() | {"schema_version": 99})


def edited(tmp_path, edit):
    """What is read of a configuration that somebody edited."""
    directory = RunDirectory(tmp_path / "run")
    directory.create(config())
    file = directory.path / "config.json"
    fields = json.loads(file.read_text())
    edit(fields)
    file.write_text(json.dumps(fields))
    return directory.config()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda f: f["data"]["class_names"].reverse(), "its run_id is .*it was edited"),
        (lambda f: f["data"]["class_counts"].reverse(), "its run_id is .*it was edited"),
        (lambda f: f.update(seed=1), "its run_id is .*it was edited"),
        (lambda f: f.update(run_id="0" * 12), "its run_id is '0{12}'"),
        (lambda f: f.update(run_id=""), "no run_id"),
        (lambda f: f.pop("run_id"), "no run_id"),
        (lambda f: f.update(seed=1.0), "seed must be a whole number, got 1.0"),
        (lambda f: f["preset"].update(latent_dim=64.0), "latent_dim must be a whole number"),
        (lambda f: f["preset"].update(gamma=[]), "gamma must be an object, got a list"),
        (lambda f: f["preset"]["gamma"].update(end=float("inf")), "Infinity is no number"),
        (lambda f: f["preset"].update(latent_dim=10**9), "latent_dim = 1000000000"),
        (lambda f: f["preset"].update(batch_size=10**15), "batch_size = "),
        (lambda f: f["preset"].update(generator_widths=[]), "generator_widths"),
        (lambda f: f["data"].update(class_names=["a", "a"]), "two or more different names"),
        (lambda f: f["data"].update(class_names=["a", "b\nc"]), "two or more different names"),
        (lambda f: f["data"].update(class_counts=[3]), "class_counts must be 2 numbers"),
        (lambda f: f["data"].update(class_counts=[3, 0]), "class_counts must be 2 numbers"),
        (lambda f: f["data"].update(name="\ud800"), "not UTF-8"),
        (lambda f: f.update(more=1), "unknown fields: more"),
        (lambda f: f.update(preset=None), "preset must be an object, got null"),
        (lambda f: f.clear(), "no run_id"),
    ],
)
def test_an_edited_configuration_is_one_error(edit, message, tmp_path):
    with pytest.raises(InputError, match=message) as refusal:
        edited(tmp_path, edit)
    assert str(refusal.value).startswith(f"{tmp_path}/run/config.json cannot be read")
    assert "\n" not in str(refusal.value)


def test_what_does_not_change_a_run_may_be_edited(tmp_path):
    def edit(fields):
        fields["data"]["directory"] = "/elsewhere"
        fields["preset"]["validation_images"] = 7

    assert edited(tmp_path, edit).run_id == config().run_id


@pytest.mark.parametrize("content", ["null", "[]", "1", '"x"', "[" * 10**5, "{", ""])
def test_a_configuration_of_another_kind_is_one_error(content, tmp_path):
    directory = RunDirectory(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        directory.config()


def test_a_run_is_another_by_what_it_starts_from_and_not_by_where_that_lies():
    source = WarmStartSource(directory="/a", run_id="r", checkpoint_hash="h" * 64, images_seen=5)
    started = config(init_from=source)
    assert started.run_id != config().run_id
    moved = dataclasses.replace(source, directory="/b")
    assert config(init_from=moved).run_id == started.run_id
    trained_on = dataclasses.replace(source, checkpoint_hash="i" * 64)
    assert config(init_from=trained_on).run_id != started.run_id
    assert RunConfig.from_json(json.loads(json.dumps(started.to_json()))) == started
