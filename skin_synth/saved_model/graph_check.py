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

from tfrecords_tools.bounded_reading import read_bounded
from tfrecords_tools.errors import InputError

GRAPH_FILE, FINGERPRINT_FILE = "saved_model.pb", "fingerprint.pb"
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
    """Checks the graph in the directory of a version.

    Raises:
        OSError: a file is missing.
        InputError: the graph has other operations than an export, or is not as it was written.
    """
    content = read_bounded(version / GRAPH_FILE)
    try:
        graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
        written = fingerprint_pb2.FingerprintDef.FromString(
            read_bounded(version / FINGERPRINT_FILE)
        )
    except DecodeError as error:
        raise InputError(f"{GRAPH_FILE} is no SavedModel") from error
    found = {
        node.op
        for graph in (meta.graph_def for meta in graphs)
        for nodes in (graph.node, *(body.node_def for body in graph.library.function))
        for node in nodes
    }
    if other := sorted(found - OPERATIONS):
        raise InputError(
            f"{GRAPH_FILE} has the operations {', '.join(other)[:200]}, which no export of Skin "
            "Synth has: it may read and write files"
        )
    if _checksum(version) != written.saved_model_checksum:
        raise InputError(f"{GRAPH_FILE} is not as it was written")


def _checksum(version: Path) -> int:
    try:
        made = fingerprinting.CreateFingerprintDef(str(version))
        return fingerprint_pb2.FingerprintDef.FromString(made).saved_model_checksum
    except (fingerprinting.FingerprintException, tf.errors.OpError, DecodeError) as error:
        raise InputError(f"{GRAPH_FILE} cannot be read") from error
