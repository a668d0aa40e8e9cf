"""The origin of a generator: written, read back, and refused if it is another file."""

from __future__ import annotations

import json

import pytest

from skin_synth.saved_model.origin import read_origin, write_origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint


def test_a_run_knows_all_and_a_gan_its_weights(tiny_run, phantom_data, tmp_path):
    of_run, of_gan = tiny_run.origin, tiny_run.gan.origin
    assert of_run.data_fingerprint == fingerprint(phantom_data)
    assert (of_gan.run_id, of_gan.data_name, of_gan.data_fingerprint) == ("", "", "")
    assert of_gan.checkpoint_hash == of_run.checkpoint_hash
    with pytest.raises(InputError, match=r"origin\.json does not exist"):
        read_origin(tmp_path)
    write_origin(tmp_path, of_run)
    assert read_origin(tmp_path) == of_run


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", json.dumps({"schema_version": 9}), json.dumps({"schema_version": 1, "x": 2})],
)
def test_another_file_is_refused(content, tmp_path):
    (tmp_path / "origin.json").write_text(content)
    with pytest.raises(InputError, match="export the model again"):
        read_origin(tmp_path)
