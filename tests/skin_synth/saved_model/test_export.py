"""The exported model: its contract, in a process without keras, and what TF Serving needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from skin_synth.saved_model.export import export
from skin_synth.saved_model.warmup import WARMUP_FILE
from tests.files import contents
from tfrecords_tools.errors import InputError

WITHOUT_KERAS = """
import importlib.machinery, json, sys

class NoKeras:
    # TensorFlow looks for the path of keras, so it must be found; it cannot be loaded.
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("keras", "tf_keras", "skin_synth"):
            return importlib.machinery.ModuleSpec(name, self, origin="nowhere/keras/__init__.py")

    def create_module(self, spec):
        raise ImportError("blocked: " + spec.name)

    def exec_module(self, module):
        raise ImportError("blocked")

sys.meta_path.insert(0, NoKeras())
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
serve, generate, from_latent = (
    model.signatures[name] for name in ("serving_default", "generate", "from_latent")
)
labels = tf.constant((sys.argv[2].split(",") * 10)[:64])
seeds = tf.range(64, dtype=tf.int64)
batch = serve(label=labels, seed=seeds)
alone = [serve(label=labels[i : i + 1], seed=seeds[i : i + 1]) for i in range(64)]
ids = batch["label_id"]
images = generate(label_id=ids, seed=seeds, truncation=tf.ones([64]))["image"]
pngs = [tf.io.decode_png(png).numpy() for png in batch["image_bytes"].numpy()]
latent_dim = from_latent.structured_input_signature[1]["latent"].shape[1]
still = from_latent(latent=tf.zeros([2, latent_dim]), label_id=ids[:2])["image"]
zero = generate(label_id=ids[:2], seed=seeds[:2], truncation=tf.zeros([2]))["image"]

print(json.dumps({
    "keras": "keras" in sys.modules,
    "alone": [a["image_bytes"].numpy()[0] for a in alone] == list(batch["image_bytes"].numpy()),
    "ids": ids.numpy().tolist(),
    "agree": bool(np.array_equal(np.stack(pngs), images.numpy())),
    "still": bool(np.array_equal(still.numpy(), zero.numpy())),
    "pixels": images.numpy()[:3].tolist(),
}))
"""


def test_it_answers_where_keras_cannot_be_imported(served_version, tiny_run):
    words = [str(served_version), ",".join(tiny_run.class_names)]
    command = [sys.executable, "-c", WITHOUT_KERAS, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["alone"], "a PNG differs alone and within a batch of 64"
    assert answer["ids"] == [i % 7 for i in range(64)]
    assert (answer["keras"], answer["agree"], answer["still"]) == (False, True, True)
    np.testing.assert_array_equal(answer["pixels"], tiny_run.generate([0, 1, 2], [0, 1, 2]))


INPUTS = {
    "serving_default": {"label": tf.string, "seed": tf.int64},
    "generate": {"label_id": tf.int64, "seed": tf.int64, "truncation": tf.float32},
    "from_latent": {"latent": tf.float32, "label_id": tf.int64},
}
NAMED_IMAGES = {"image_bytes": tf.string, "label_id": tf.int64}


def test_signatures_are_those_of_the_contract(served_version):
    loaded = tf.saved_model.load(str(served_version))
    for name, inputs in INPUTS.items():
        outputs = NAMED_IMAGES if name == "serving_default" else {"image": tf.uint8}
        signature = loaded.signatures[name]
        found = signature.structured_input_signature[1]
        assert {key: spec.dtype for key, spec in found.items()} == inputs
        assert all(spec.shape[0] is None for spec in found.values())
        assert {key: out.dtype for key, out in signature.structured_outputs.items()} == outputs


def test_labels_are_looked_up_in_an_asset(served_version, tiny_run, tmp_path):
    copy = shutil.copytree(served_version, tmp_path / "1")
    labels = copy / "assets" / "labels.txt"
    assert tuple(labels.read_text("utf-8").splitlines()) == tiny_run.class_names
    assert not (copy / "labels.txt").exists()
    labels.write_text("\n".join("tuvwxyz"), "utf-8")
    answer = tf.saved_model.load(str(copy)).signatures["serving_default"](
        label=tf.constant(["z", "t"]), seed=tf.constant([1, 2], tf.int64)
    )
    np.testing.assert_array_equal(answer["label_id"], [6, 0])


def test_no_file_names_where_it_was_written(served_version):
    files = contents(served_version)
    parents = [str(parent).encode() for parent in served_version.parents if len(parent.parts) > 2]
    assert len(files) > 5
    assert not [
        name for name, content in files.items() if any(place in content for place in parents)
    ]


def test_only_core_operations_are_in_it(served_version):
    content = (served_version / "saved_model.pb").read_bytes()
    [graph] = [
        meta.graph_def for meta in saved_model_pb2.SavedModel.FromString(content).meta_graphs
    ]
    nodes = [*graph.node, *(node for body in graph.library.function for node in body.node_def)]
    found = {node.op for node in nodes}
    assert "Conv2D" in found
    assert not [name for name in found if "Xla" in name or "PyFunc" in name]
    assert not [name for name in found if op_def_registry.get(name) is None]
    assert b"CustomGradient" not in content  # a loader would warn that it cannot find it


def test_weights_are_float32(served_version):
    saved = tf.train.load_checkpoint(str(served_version / "variables" / "variables"))
    dtypes = saved.get_variable_to_dtype_map().values()
    assert {dtype for dtype in dtypes if dtype.is_floating} == {tf.float32}


def test_versions_count_up_and_skip_what_is_no_version(tiny_run, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "7").mkdir()
    assert export(tiny_run, tmp_path) == tmp_path / "8"
    assert tiny_run.gan.export(tmp_path) == tmp_path / "9"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["7", "8", "9", "notes"]


def test_exports_at_the_same_time_get_versions_of_their_own(tiny_run, tmp_path):
    with ThreadPoolExecutor(3) as threads:
        made = list(threads.map(lambda _: export(tiny_run, tmp_path / "model"), range(3)))
    versions = [tmp_path / "model" / number for number in "123"]
    assert sorted((tmp_path / "model").iterdir()) == sorted(made) == versions
    assert all((path / WARMUP_FILE).is_file() for path in made)


def test_a_failure_leaves_nothing_but_earlier_versions(tiny_run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    (tmp_path / "1").mkdir()
    monkeypatch.setattr(sys.modules[export.__module__], "write_warmup", full)
    for directory in (tmp_path / "new" / "model", tmp_path):
        with pytest.raises(OSError, match="No space left"):
            export(tiny_run, directory)
        assert list(tmp_path.iterdir()) == [tmp_path / "1"]


def test_no_version_is_written_to_a_file_or_into_what_is_read(tiny_run, tmp_path):
    with pytest.raises(InputError, match="is a file"):
        export(tiny_run, next(path for path in tiny_run.directory.iterdir() if path.is_file()))
    with pytest.raises(InputError, match="is the run: give another --out"):
        export(tiny_run, tiny_run.directory)
    with pytest.raises(InputError, match=r"lies in the report .*choose another --out"):
        export(tiny_run, tmp_path, report=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def version_of(tmp_path):
    """Makes a version with these classes, as far as the next export looks at it."""

    def make(*names):
        assets = tmp_path / "models" / "1" / "assets"
        assets.mkdir(parents=True)
        (assets / "labels.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")
        return tmp_path / "models"

    return make


@pytest.mark.parametrize("change", ["other", "another order", "fewer", "more"])
def test_other_classes_are_not_put_beside_a_version(tiny_run, version_of, change, monkeypatch):
    names = tiny_run.class_names
    others = {
        "other": ("alpha", "beta"),
        "another order": names[::-1],
        "fewer": names[:-1],
        "more": (*names, "new"),
    }
    models = version_of(*others[change])
    with pytest.raises(InputError, match=r"has the classes .*--other_classes"):
        export(tiny_run, models)
    assert [path.name for path in models.iterdir()] == ["1"]
    monkeypatch.setattr("skin_synth.saved_model.export.write_version", lambda *_, **__: "written")
    assert export(tiny_run, models, other_classes=True) == "written"


def test_the_same_classes_are(tiny_run, version_of, monkeypatch):
    monkeypatch.setattr("skin_synth.saved_model.export.write_version", lambda *_, **__: "written")
    assert export(tiny_run, version_of(*tiny_run.class_names)) == "written"


def test_an_empty_version_is_counted_and_not_compared(tiny_run, tmp_path, monkeypatch):
    (tmp_path / "models" / "7").mkdir(parents=True)
    written = []
    monkeypatch.setattr(
        "skin_synth.saved_model.export.write_version", lambda *args, **_: written.append(args[1])
    )
    export(tiny_run, tmp_path / "models")
    assert written == [tmp_path / "models" / "8"]
