"""The graph of an export: its own operations, unaltered."""

from __future__ import annotations

import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from skin_synth import pretrained
from skin_synth.saved_model.graph_check import check_graph
from tests.publishing import OWN_PROJECT
from tfrecords_tools.errors import InputError

SHIPPED = OWN_PROJECT / "skin_synth_ham10000" / "derm-64-ham10000" / "1"


def test_an_export_is_accepted(served_version):
    check_graph(served_version)
    check_graph(SHIPPED)


@pytest.fixture
def version(tmp_path):
    return shutil.copytree(SHIPPED, tmp_path / "1")


def test_a_graph_that_reads_or_writes_files_is_refused(tmp_path):
    class Spy(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def generate(self, name):
            tf.io.write_file(name, "x")
            return tf.io.read_file(name)

    tf.saved_model.save(Spy(), str(tmp_path / "spy"))
    with pytest.raises(InputError, match="operations ReadFile, WriteFile"):
        check_graph(tmp_path / "spy")
    shutil.copytree(SHIPPED, tmp_path / "model" / "1")
    for name in ("saved_model.pb", "fingerprint.pb"):
        shutil.copy(tmp_path / "spy" / name, tmp_path / "model" / "1" / name)
    with pytest.raises(InputError, match=r"is damaged .*ReadFile, WriteFile.*: export the model"):
        pretrained.load_exported(tmp_path / "model")


@pytest.mark.parametrize("change", [b"", b"\n", b"\xff" * 100])
def test_an_altered_graph_is_refused(change, version):
    graph = version / "saved_model.pb"
    content = graph.read_bytes()
    graph.write_bytes(change or content[: len(content) // 2])
    with pytest.raises(InputError):
        check_graph(version)
    # A constant, altered within a sound message.
    graph.write_bytes(content.replace(b"must be finite", b"may be anything"[:14]))
    with pytest.raises(InputError, match="not as it was written"):
        check_graph(version)


@pytest.mark.parametrize("change", [reversed, lambda names: names[:-1], lambda names: ["x"] * 7])
def test_other_class_names_than_those_of_the_graph_are_refused(change, version):
    """A label id would mean another class in Python than on the server."""
    labels = version / "assets" / "labels.txt"
    labels.write_text("\n".join(change(labels.read_text().splitlines())) + "\n")
    with pytest.raises(InputError, match=r"labels\.txt has other class names than saved_model\.pb"):
        check_graph(version)
    with pytest.raises(
        InputError, match=r"is damaged \(labels\.txt has other .*: export the model"
    ):
        pretrained.load_exported(version)


@pytest.mark.parametrize("count", [0, 2])
def test_an_export_has_one_graph(count, version):
    file = version / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    graph = model.meta_graphs[0]
    del model.meta_graphs[:]
    model.meta_graphs.extend([graph] * count)
    for content in (model.SerializeToString(), *([b""] if not count else [])):
        file.write_bytes(content)
        with pytest.raises(InputError, match=rf"holds {count} graphs, an export has one"):
            check_graph(version)
