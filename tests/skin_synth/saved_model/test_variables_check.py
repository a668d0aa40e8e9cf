"""The variables of an export: those that were written, in no more memory than their files."""

from __future__ import annotations

import os
import shutil

import pytest
from tensorflow.core.protobuf import tensor_bundle_pb2

from skin_synth import pretrained
from skin_synth.saved_model.origin import read_origin
from skin_synth.saved_model.variables_check import NAME, check_variables
from skin_synth.saved_model.variables_index import read_entries, read_index
from tests.fuzz.mutations import write_bundle
from tests.skin_synth.saved_model.test_graph_check import SHIPPED
from tfrecords_tools.errors import InputError

CONTENT = read_origin(SHIPPED).checkpoint_hash


@pytest.fixture
def version(tmp_path):
    return shutil.copytree(SHIPPED, tmp_path / "1")


def test_an_export_is_accepted(served_version):
    check_variables(SHIPPED, CONTENT)
    check_variables(served_version, read_origin(served_version).checkpoint_hash)


def forge(version, change):
    """Changes the entry of a variable, with true checksums of the index."""
    file = version / "variables" / "variables.index"
    entries = read_entries(file.read_bytes())
    entry = tensor_bundle_pb2.BundleEntryProto.FromString(entries[NAME.format(3).encode()])
    change(entry)
    entries[NAME.format(3).encode()] = entry.SerializeToString()
    file.write_bytes(write_bundle(entries))


def claims(entry, numbers):
    entry.shape.dim[0].size = numbers
    entry.size = 4 * numbers % 2**63


@pytest.mark.parametrize("numbers", [-1, -(2**40), 10**6, 2**31, 2**62])
def test_an_index_that_claims_odd_lengths_is_refused(version, numbers):
    """TensorFlow ends the process at -1, and takes the memory of others."""
    forge(version, lambda entry: claims(entry, numbers))
    with pytest.raises(InputError, match=r"variables\.index is damaged"):
        check_variables(version, CONTENT)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dtype", 7), ("dtype", 99), ("offset", -8), ("offset", 2**40), ("shard_id", 1), ("size", 8)],
)
def test_an_index_that_points_elsewhere_is_refused(version, field, value):
    forge(version, lambda entry: setattr(entry, field, value))
    with pytest.raises(InputError, match=r"variables\.index"):
        check_variables(version, CONTENT)


def test_a_text_that_claims_more_than_the_file_is_refused(version):
    index = (version / "variables" / "variables.index").read_bytes()
    file = version / "variables" / "variables.data-00000-of-00001"
    place = read_index(index, file.stat().st_size)["_CHECKPOINTABLE_OBJECT_GRAPH"]
    content = bytearray(file.read_bytes())
    content[place.offset : place.offset + 4] = b"\xff\xff\xff\x7f"
    file.write_bytes(content)
    with pytest.raises(InputError, match="no list of objects"):
        check_variables(version, CONTENT)


def test_the_weights_of_another_export_are_refused(version, served_version):
    """Its images would name weights that did not generate them."""
    shutil.rmtree(version / "variables")
    shutil.copytree(served_version / "variables", version / "variables")
    message = r"is damaged \(variables\.data.* has other weights than origin\.json says\): export"
    with pytest.raises(InputError, match=message):
        pretrained.load_exported(version)


def test_a_swapped_variable_is_refused(version):
    file = version / "variables" / "variables.index"
    entries = read_entries(file.read_bytes())
    first, second = NAME.format(2).encode(), NAME.format(3).encode()
    entries[first], entries[second] = entries[second], entries[first]
    file.write_bytes(write_bundle(entries))
    with pytest.raises(InputError, match="other weights than"):
        check_variables(version, CONTENT)


@pytest.mark.parametrize("name", ["variables.index", "variables.data-00000-of-00001"])
def test_a_pipe_is_not_waited_for(name, version):
    (version / "variables" / name).unlink()
    os.mkfifo(version / "variables" / name)
    with pytest.raises(InputError, match="holds other things than files"):
        check_variables(version, CONTENT)


def test_a_missing_directory_is_an_error(version):
    shutil.rmtree(version / "variables")
    with pytest.raises(InputError, match="is damaged"):
        pretrained.load_exported(version)
