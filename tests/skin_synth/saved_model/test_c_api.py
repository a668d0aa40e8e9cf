"""The SavedModel through TensorFlow's C API, in a process that never loads Python TensorFlow."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PROGRAM = r"""
import base64, ctypes, json, sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

library, version, label, seed, rank, inputs, output = sys.argv[1:]
tf = ctypes.CDLL(library)

def declare(name, result, *arguments):
    function = getattr(tf, name)
    function.restype, function.argtypes = result, arguments
    return function

class Output(ctypes.Structure):  # TF_Output
    _fields_ = [("operation", c_void_p), ("index", c_int)]

code = declare("TF_GetCode", c_int, c_void_p)
message = declare("TF_Message", c_char_p, c_void_p)
load = declare("TF_LoadSessionFromSavedModel", c_void_p, c_void_p, c_void_p, c_char_p,
               POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p)
operation = declare("TF_GraphOperationByName", c_void_p, c_void_p, c_char_p)
allocate = declare("TF_AllocateTensor", c_void_p, c_int, POINTER(c_int64), c_int, c_size_t)
data = declare("TF_TensorData", c_void_p, c_void_p)
string_init = declare("TF_StringInit", None, c_void_p)
string_copy = declare("TF_StringCopy", None, c_void_p, c_char_p, c_size_t)
string_data = declare("TF_StringGetDataPointer", c_void_p, c_void_p)
string_size = declare("TF_StringGetSize", c_size_t, c_void_p)
run = declare("TF_SessionRun", None, c_void_p, c_void_p, POINTER(Output), POINTER(c_void_p), c_int,
              POINTER(Output), POINTER(c_void_p), c_int, POINTER(c_void_p), c_int, c_void_p,
              c_void_p)
STRING, INT64, TSTRING_BYTES = 7, 9, 24
status, graph, options = (
    declare(f"TF_New{kind}", c_void_p)() for kind in ("Status", "Graph", "SessionOptions")
)

def check():
    if code(status):
        print(json.dumps({"code": code(status), "message": message(status).decode()}))
        sys.exit(0)

def named(text):
    name, index = text.split(":")
    return Output(operation(graph, name.encode()), int(index))

tags = (c_char_p * 1)(b"serve")
session = load(options, None, version.encode(), tags, 1, graph, None, status)
check()
one = (c_int64 * 1)(1)
shape = (c_int64 * int(rank))(*[1] * int(rank))
labels = allocate(STRING, shape, int(rank), TSTRING_BYTES)
string_init(data(labels))
string_copy(data(labels), label.encode(), len(label.encode()))
seeds = allocate(INT64, one, 1, 8)
ctypes.cast(data(seeds), POINTER(c_int64))[0] = int(seed)
names = json.loads(inputs)
feeds = (Output * 2)(named(names["label"]), named(names["seed"]))
values = (c_void_p * 2)(labels, seeds)
fetches, results = (Output * 1)(named(output)), (c_void_p * 1)()
run(session, None, feeds, values, 2, fetches, results, 1, None, 0, None, status)
check()
text = data(results[0])
png = ctypes.string_at(string_data(text), string_size(text))
encoded = base64.b64encode(png).decode()
print(json.dumps({"code": 0, "png": encoded, "tensorflow": "tensorflow" in sys.modules}))
"""


LIBRARY = Path(importlib.util.find_spec("tensorflow").origin).with_name("libtensorflow_cc.so.2")


def ask(version, label, seed, *, rank=1):
    from tensorflow.core.protobuf import saved_model_pb2

    # Names of nodes are no part of the contract; those of the signature say where they are.
    model = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    signature = model.meta_graphs[0].signature_def["serving_default"]
    inputs = json.dumps({name: info.name for name, info in signature.inputs.items()})
    output = signature.outputs["image_bytes"].name
    words = [LIBRARY, version, label, seed, rank, inputs, output]
    command = [sys.executable, "-c", PROGRAM, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not LIBRARY.exists(), reason="this TensorFlow has no libtensorflow_cc.so.2")
def test_it_answers_through_the_c_api(served_version, tiny_run):
    label = tiny_run.class_names[4]
    answer = ask(served_version, label, 11)
    assert answer["code"] == 0, answer
    assert not answer["tensorflow"]
    with Image.open(io.BytesIO(base64.b64decode(answer["png"]))) as image:
        generated = np.asarray(image)
    expected = tiny_run.generate([4], [11])[0]
    assert np.abs(generated.astype(int) - expected.astype(int)).max() <= 1
    unknown, ranked = ask(served_version, "mole", 11), ask(served_version, label, 11, rank=2)
    assert unknown["code"] == ranked["code"] == 3, "INVALID_ARGUMENT"
    assert ", ".join(tiny_run.class_names) in unknown["message"]
    assert "[1,1] is not compatible with expected shape [?]" in ranked["message"]
