"""Checks the graph of an exported generator before TensorFlow runs it: a graph is a program.

TensorFlow has operations that read and write any file. An export uses those below and no others.
"""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import fingerprint_pb2, saved_model_pb2

# The public API reads a fingerprint; only this module computes one.
from tensorflow.python.saved_model.pywrap_saved_model import fingerprinting

from skin_synth.saved_model.labels import LABELS_FILE, table_name
from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError

GRAPH_FILE, FINGERPRINT_FILE = "saved_model.pb", "fingerprint.pb"
TABLE = "HashTableV2"
_LISTED = """
AddV2 All Assert AssignVariableOp BiasAdd BitwiseOr Cast ConcatV2 Const Conv2D
Conv2DBackpropInput DisableCopyOnRead EncodePng EnsureShape Equal Fill FloorDiv GatherV2 Greater
GreaterEqual HashTableV2 Identity If InitializeTableFromTextFileV2 IsFinite LeakyRelu LeftShift
Less LogicalAnd LogicalNot LookupTableFindV2 MatMul Maximum MergeV2Checkpoints Minimum Mul Neg
NoOp Pack Pad Placeholder Prod ReadVariableOp Reshape RestoreV2 ReverseV2 Round Rsqrt SaveV2
Select SelectV2 Shape ShardedFilename Split Squeeze StatefulPartitionedCall
StatelessRandomNormalV2 StatelessRandomUniformFullIntV2 StatelessWhile StaticRegexFullMatch
StridedSlice StringJoin Sub Substr Tanh TensorListFromTensor TensorListGetItem TensorListReserve
TensorListSetItem TensorListStack Transpose VarHandleOp VarIsInitializedOp Where While
"""
OPERATIONS = frozenset(_LISTED.split())
"""All operations of an export, also those with which TensorFlow restores variables and tables."""


def check_graph(version: Path) -> None:
    """Checks the graph in the directory of a version, and its file of class names.

    Raises:
        OSError: a file is missing.
        InputError: the graph has other operations than an export, or one of the two files is not
            as it was written.
    """
    content = read_bounded(version / GRAPH_FILE)
    try:
        graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        written = fingerprint_pb2.FingerprintDef.FromString(
            read_bounded(version / FINGERPRINT_FILE)
        )
    except DecodeError as error:
        raise InputError(f"{GRAPH_FILE} is no SavedModel") from error
    if len(graphs) != 1:  # TensorFlow's fingerprint of none ends the process
        raise InputError(f"{GRAPH_FILE} holds {len(graphs)} graphs, an export has one")
    nodes = [
        node
        for graph in (meta.graph_def for meta in graphs)
        for nodes in (graph.node, *(body.node_def for body in graph.library.function))
        for node in nodes
    ]
    if other := sorted({node.op for node in nodes} - OPERATIONS):
        raise InputError(
            f"{GRAPH_FILE} has the operations {', '.join(other)[:200]}, which no export of Skin "
            "Synth has: it may read and write files"
        )
    if _checksum(version) != written.saved_model_checksum:
        raise InputError(f"{GRAPH_FILE} is not as it was written")
    tables = {node.attr["shared_name"].s.decode() for node in nodes if node.op == TABLE}
    if tables != {table_name(read_bounded(version / "assets" / LABELS_FILE))}:
        raise InputError(f"{LABELS_FILE} has other class names than {GRAPH_FILE}")


def _checksum(version: Path) -> int:
    try:
        made = fingerprinting.CreateFingerprintDef(str(version))
        return fingerprint_pb2.FingerprintDef.FromString(made).saved_model_checksum
    except (fingerprinting.FingerprintException, tf.errors.OpError, DecodeError) as error:
        raise InputError(f"{GRAPH_FILE} cannot be read") from error
