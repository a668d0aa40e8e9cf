"""Every kind of file that the product reads, and how it reads it: the list in docs/security.md."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.runner import Door
from tfrecords_tools.errors import InputError, Rejected

SIDE = 32
CLASSES = ("disc", "ring", "tree")
REFUSALS = (InputError,)


def _images(number: int) -> np.ndarray:
    """Smooth pictures: uint8[n, SIDE, SIDE, 3]."""
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (number, 4, 4, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(each).resize((SIDE, SIDE))) for each in small])


def _data(root: Path) -> Path:
    """A data set of three classes, with its build report."""
    from tfrecords_tools import build

    if not (root / "data").exists():
        photos = root / "photos"
        for row, image in enumerate(_images(24)):
            file = photos / CLASSES[row % 3] / f"{row:02d}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file)
        build(photos, root / "data", name="small", size=SIDE, workers=1)
    return root / "data"


def _config(root: Path):
    from skin_synth.presets import Preset
    from skin_synth.training.run_config import DataIdentity, RunConfig

    widths = {"generator_widths": (4, 4, 4, 4), "discriminator_widths": (4, 4, 4)}
    preset = Preset(
        name="tiny", image_size=SIDE, latent_dim=4, embedding_dim=4, batch_size=4, **widths
    )
    data = DataIdentity(
        directory=str(root / "data"),
        name="small",
        fingerprint="f" * 64,
        class_names=CLASSES,
        class_counts=(5, 6, 7),
    )
    return RunConfig(preset=preset, seed=0, policy="float32", data=data)


def _run(root: Path):
    """A run directory without training."""
    from skin_synth.training.run_directory import RunDirectory

    directory = RunDirectory(root / "run")
    if not directory.exists():
        directory.create(_config(root))
    return directory


@functools.cache
def _gan(root: Path):
    from skin_synth.training.runs import new_gan

    return new_gan(_config(root))


def _weights(gan) -> list[np.ndarray]:
    return [variable.numpy() for variable in gan.state]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.encode() is not None


# --- data sets ---------------------------------------------------------------------------------


def _metadata(name: str, root: Path) -> Door:
    from skin_synth.data.pipeline import load_split

    data = _data(root)

    def use():
        split = load_split(data, "train")
        return split.images, split.labels, split.class_names, split.image_ids

    return Door(data / name, use, REFUSALS, structure="json" if name.endswith("json") else "")


def _labels(root: Path) -> Door:
    door = _metadata("label.labels.txt", root)

    def sound(result) -> bool:
        names = result[2]
        plain = all(name and name == name.strip() for name in names)
        return plain and len({*names}) == len(names) == len(CLASSES)

    return dataclasses.replace(door, sound=sound)


def _build_report(root: Path) -> Door:
    from tfrecords_tools.build_steps.kept_splits import read_kept_splits
    from tfrecords_tools.inspector import inspect
    from tfrecords_tools.verifier import verify

    data = _data(root)

    def use():
        found, refused = [], []
        for read in (lambda: verify(data).problems, lambda: inspect(data), _kept):
            try:
                found.append(read())
            except InputError as error:
                refused.append(error)
        if refused:
            raise refused[0]
        return found

    def _kept():
        read_kept_splits(data)
        return ()

    def sound(result) -> bool:
        problems, lines, _ = result
        return all(map(_is_text, (*problems, *lines)))

    return Door(data / "build_report.json", use, REFUSALS, sound, structure="json")


def _shard(root: Path) -> Door:
    from tfrecords_tools.records.reader import read, read_info

    data = _data(root)
    [shard] = read_info(data).splits["train"].shards
    return Door(shard, lambda: list(read(data, "train")), REFUSALS)


def _record(root: Path) -> Door:
    """A record with a true checksum."""
    from tfrecords_tools.records.reader import read_info, read_records
    from tfrecords_tools.records.schema import parse_record
    from tfrecords_tools.verifier import _check_record

    data = _data(root)
    info = read_info(data)
    file = root / "record.bin"
    if not file.exists():
        file.write_bytes(next(read_records(data, "train")))

    def use():
        content = file.read_bytes()
        problems = _check_record(content, info).problems
        return problems, parse_record(content)

    def sound(result) -> bool:
        problems, record = result
        texts = (record.image_id, record.group, record.origin, *problems)
        return isinstance(record.label, int) and all(map(_is_text, texts))

    return Door(file, use, REFUSALS, sound)


def _index(root: Path) -> Door:
    from tfrecords_tools.records.record_index import index_records, load_index, save_index

    data, file = _data(root), root / "index.npz"
    if not file.exists():
        save_index(index_records(data, "train"), file, "f" * 64)

    def use():
        found = load_index(file, data, "train", "f" * 64)
        if found is None:
            raise InputError("it is made again")
        return found.shard, found.offset, found.label

    def sound(result) -> bool:
        shard, offset, label = result
        return shard.shape == offset.shape == label.shape and bool((offset >= 0).all())

    return Door(file, use, REFUSALS, sound, structure="npz")


def _table(root: Path) -> Door:
    from tfrecords_tools.options import BuildOptions
    from tfrecords_tools.sources import list_source

    _data(root)
    file = root / "labels.csv"
    if not file.exists():
        rows = [f"{row:02d},{CLASSES[row % 3]},p{row // 2},{row % 90}" for row in range(24)]
        file.write_text("\n".join(["image_id,dx,patient,age", *rows]) + "\n")
    options = BuildOptions(
        name="x",
        labels=str(file),
        label_column="dx",
        group_column="patient",
        extra_columns="age:float",
    )

    def use():
        source = list_source(root / "photos", options)
        return source.records, source.rejections

    def sound(result) -> bool:
        records, rejections = result
        good = all(record.label.strip() and record.group for record in records)
        return good and len(records) + len(rejections) >= 24

    return Door(file, use, REFUSALS, sound, structure="csv")


def _label_map(root: Path) -> Door:
    from tfrecords_tools.sources.label_map import read_label_map

    file = root / "map.csv"
    if not file.exists():
        file.write_text("from,to\ndisc,round\nring,round\ntree,\n")

    def sound(result) -> bool:
        return all(map(_is_text, (*result, *result.values())))

    return Door(file, lambda: read_label_map(file), REFUSALS, sound, structure="csv")


def _picture(suffix: str, root: Path) -> Door:
    from tfrecords_tools.images.image_file import prepare
    from tfrecords_tools.options import ImageOptions

    file = root / f"picture.{suffix}"
    if not file.exists():
        Image.fromarray(_images(1)[0]).save(file)

    def use():
        done = prepare(file.read_bytes(), ImageOptions(size=SIDE), thumbnail=16)
        return vars(done) if hasattr(done, "__dict__") else dataclasses.asdict(done)

    structure = "png" if suffix == "png" else ""
    return Door(file, use, (Rejected,), lambda result: True, structure)


# --- runs --------------------------------------------------------------------------------------


def _config_file(root: Path) -> Door:
    directory = _run(root)

    def use():
        config = directory.config()
        return config.run_id, dataclasses.replace(config.data, directory="")

    return Door(root / "run/config.json", use, REFUSALS, structure="json")


def _forged_config(root: Path) -> Door:
    """A configuration whose run_id was computed again after the edit."""
    from skin_synth.training.run_config import RunConfig

    file = root / "forged.json"
    if not file.exists():
        file.write_text(json.dumps(_config(root).to_json()))

    def use():
        from skin_synth.training.runs import new_gan
        from tfrecords_tools.json_reading import parse_json

        config = RunConfig.from_json(parse_json(file.read_bytes()))
        if config.preset.training_bytes(len(config.data.class_names)) < 2**20:
            new_gan(config)
        return config

    def sound(config) -> bool:
        names = config.data.class_names
        return len({*names}) == len(config.data.class_counts) and all(map(_is_text, names))

    return Door(file, use, REFUSALS, sound, structure="json")


def _checkpoint(root: Path) -> Door:
    directory, gan = _run(root), _gan(root)
    if not directory.checkpoints():
        directory.save(gan)
    [file] = directory.checkpoints()

    def use():
        directory.restore(gan, set_aside=False)
        return _weights(gan)

    return Door(file, use, REFUSALS)


def _best(root: Path) -> Door:
    directory, gan = _run(root), _gan(root)
    if not directory.best_file.exists():
        directory.save_best(gan, 0.25)

    def use():
        from skin_synth.training.runs import _load_best

        _load_best(gan, directory)
        best = directory.best()
        return best.images_seen, best.mean_kid, _weights(gan)

    directory.checkpoints() or directory.save(gan)
    return Door(directory.best_file, use, REFUSALS)


def _classifier(root: Path) -> Door:
    from skin_synth.evaluation.features.classifier import (
        Classifier,
        load_classifier,
        save_classifier,
        small_cnn,
    )

    file = root / "classifier.weights.h5"
    if not file.exists():
        save_classifier(Classifier(small_cnn(SIDE, 3, 0), CLASSES, 0, 1), file)

    def use():
        return load_classifier(file, SIDE, CLASSES, seed=0, steps=1).network.get_weights()

    return Door(file, use, REFUSALS)


def _curve(root: Path) -> Door:
    from skin_synth.training.validation.curve import Curve, Point

    file = root / "validation.csv"
    if not file.exists():
        points = (Point(8, "", 9, 0.1, 0.5), Point(8, "disc", 3, 0.2, None))
        Curve(points).save(file)

    def sound(curve) -> bool:
        return all(np.isfinite(p.kid) and p.images >= 0 and _is_text(p.label) for p in curve.points)

    return Door(file, lambda: Curve.load(file), REFUSALS, sound, structure="csv")


def _features(root: Path) -> Door:
    from skin_synth.training.validation.features import choose_features

    directory = _run(root)
    file = directory.validation / "features.json"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"features": "classifier", "weights": None, "sha256": None}))

    def use():
        return choose_features(directory, None, None).name

    return Door(file, use, REFUSALS, structure="json")


def _pipeline(root: Path) -> Door:
    from skin_synth.pipeline import PipelineRecord, _open_record

    settings = {"images": 5, "minutes": 1.5, "size": [1, 2]}
    where = root / "pipeline"
    if not where.exists():
        where.mkdir()
        PipelineRecord(settings, {"train": 1.5}).write(where)
    [file] = where.iterdir()

    def sound(record) -> bool:
        return record.settings == settings

    return Door(file, lambda: _open_record(where, settings), REFUSALS, sound, structure="json")


# --- results -----------------------------------------------------------------------------------


def _origin():
    from skin_synth.saved_model.origin import Origin

    return Origin(
        run_id="0" * 12,
        data_name="small",
        data_fingerprint="f" * 64,
        checkpoint_hash="c" * 64,
        images_seen=7,
        preset_name="tiny",
        image_size=SIDE,
        software="none",
    )


def _origin_file(root: Path) -> Door:
    from skin_synth.saved_model.origin import read_origin, write_origin

    if not (root / "origin.json").exists():
        write_origin(root, _origin())

    def sound(origin) -> bool:
        texts = (origin.run_id, origin.data_name, origin.checkpoint_hash, origin.software)
        return origin.image_size in (8, 16, 32, 64, 128, 256, 512, 1024) and all(
            map(_is_text, texts)
        )

    return Door(root / "origin.json", lambda: read_origin(root), REFUSALS, sound, structure="json")


def _report(root: Path) -> Door:
    from skin_synth.saved_model.model_card import model_card, read_report

    if not (root / "report.json").exists():
        report = {"run": {"checkpoint_hash": "c" * 64}, "summary": ["Good."], "warnings": ["Few."]}
        (root / "report.json").write_text(json.dumps(report))

    def use():
        return model_card(_origin(), CLASSES, None, read_report(root, _origin()))

    def sound(card) -> bool:
        return _is_text(card) and card.count("\n## ") == 4

    return Door(root / "report.json", use, REFUSALS, sound, structure="json")


def _balance_report(root: Path) -> Door:
    from skin_synth.synthesis.report import read_warnings

    file = root / "balance_report.json"
    if not file.exists():
        file.write_text(json.dumps({"warnings": ["short"], "classes": {}}))

    def sound(warnings) -> bool:
        return all(map(_is_text, warnings))

    return Door(file, lambda: read_warnings(root), REFUSALS, sound, structure="json")


def _provenance(row: int):
    from skin_synth.provenance import Provenance

    return Provenance(
        image_id=f"x/{row}",
        label="disc",
        seed=row,
        truncation=1.0,
        run_id="0" * 12,
        checkpoint_hash="c" * 64,
        pixels_sha256="a" * 64,
        nearest_image_id="",
        nearest_distance=float("nan"),
    )


def _manifest(root: Path) -> Door:
    from skin_synth.provenance import manifest_csv, read_manifest

    file = root / "manifest.csv"
    if not file.exists():
        file.write_bytes(manifest_csv(map(_provenance, range(4))))

    def sound(rows) -> bool:
        return all(_is_text(r.label) and -(2**63) <= r.seed < 2**63 for r in rows)

    return Door(file, lambda: read_manifest(file), REFUSALS, sound, structure="csv")


def _synthetic_png(root: Path) -> Door:
    from skin_synth.provenance import describe_file, encode_synthetic
    from tfrecords_tools.text import escaped

    file = root / "synthetic.png"
    if not file.exists():
        file.write_bytes(encode_synthetic(_images(1)[0], _provenance(3)))

    def use():
        return escaped(describe_file(file))

    def sound(line) -> bool:
        return line.startswith(("synthetic: ", "says nothing")) and len(line.splitlines()) == 1

    return Door(file, use, REFUSALS, sound, structure="png")


def _cache_entry(root: Path) -> Door:
    from skin_synth.evaluation.cache import Cache

    cache = Cache(root / "cache")
    made = {"rows": np.arange(12.0).reshape(3, 4), "name": np.array("x")}
    cache.arrays("features", ("key",), lambda: made)
    file = cache.path("features", ("key",))

    def use():
        # Computed again is as good as read.
        return cache.arrays("features", ("key",), lambda: made)

    def sound(found) -> bool:
        return all(
            isinstance(each, np.ndarray) and not each.dtype.hasobject for each in found.values()
        )

    return Door(file, use, REFUSALS, sound, structure="npz")


def _chunk(root: Path) -> Door:
    from skin_synth.synthesis.candidates import Chunk, _load, _save

    file = root / "candidates.npz"
    if not file.exists():
        chunk = Chunk(
            assigned=np.array([0, 1, 0]),
            probability=np.array([0.5, 0.2, 0.7], np.float32),
            nearest=np.array([1, 2, 3]),
            distance=np.array([9.0, 8.0, 7.0], np.float32),
            realism=np.array([1.0, 1.0, 1.0]),
            seeds=np.array([4, 5, 6]),
            outcome=("kept", "other_class", "kept"),
            images=_images(2),
        )
        _save(chunk, file, "k" * 64)

    def use():
        found = _load(file, "k" * 64)
        if found is None:
            raise InputError("it is made again")
        return found

    def sound(chunk) -> bool:
        lengths = {len(value) for name, value in vars(chunk).items() if name != "images"}
        return len(lengths) == 1 and len(chunk.kept) == len(chunk.images)

    return Door(file, use, REFUSALS, sound, structure="npz")


def _filter(root: Path) -> Door:
    from skin_synth.evaluation.features.classifier import Classifier, small_cnn
    from skin_synth.synthesis.filters import CandidateFilter

    file = root / "filter.npz"
    if not file.exists():
        classifier = Classifier(small_cnn(SIDE, 3, 0), CLASSES, 0, 1)
        manifold = np.ones((5, 96), np.float32)
        limits = (5.0, 4.0, 3.0), (0.5, 0.4, 0.3)
        CandidateFilter(classifier, manifold, *limits, {"images": 3}).save(file)

    def use():
        found = CandidateFilter.load(file)
        return found.manifold, found.distance, found.realism, found.classifier.class_names

    def sound(result) -> bool:
        manifold, distance, realism, _ = result
        finite = np.isfinite(manifold).all() and np.isfinite([distance, realism]).all()
        return bool(finite) and len(distance) == len(realism) == len(CLASSES)

    return Door(file, use, REFUSALS, sound, structure="npz")


def _exported(name: str, root: Path) -> Door:
    from skin_synth.pretrained import load_exported

    model = root / "model"
    if not model.exists():
        _gan(root).export(model)

    def use():
        generator = load_exported(model)
        return generator.generate([0, 2], [1, 2]), generator.class_names

    def sound(result) -> bool:
        """Other names, as many and different: they are what an export is trusted for."""
        names = result[1]
        return name.endswith("labels.txt") and len({*names}) == len(CLASSES) and all(names)

    return Door(model / "1" / name, use, REFUSALS, sound)


# --- files of features ---------------------------------------------------------------------


def _network():
    import keras

    images = keras.Input((SIDE, SIDE, 3))
    rows = keras.layers.Conv2D(4, 3, strides=8, activation="relu")(images)
    return keras.Model(images, keras.layers.GlobalAveragePooling2D()(rows))


def _model_file(root: Path) -> Door:
    from skin_synth.evaluation.features.extractors import keras_model

    file = root / "features.keras"
    if not file.exists():
        _network().save(file)

    def use():
        return keras_model(file)(_images(2))

    return Door(file, use, REFUSALS)


def _weights_file(root: Path) -> Door:
    """Weights of a user, which have no seal: `report.json` names their sha256."""
    from skin_synth.evaluation.features.extractors import _load

    file, network = root / "features.weights.h5", _network()
    if not file.exists():
        network.save_weights(file)

    def use():
        _load(network, file)
        return network.get_weights()

    return Door(file, use, REFUSALS, lambda weights: True)


# --- servers -----------------------------------------------------------------------------------


def _rest(root: Path) -> Door:
    import base64
    import io

    from skin_synth.serving.answers import decode_png
    from skin_synth.serving.errors import ServingError
    from skin_synth.serving.rest import Rest

    file, transport = root / "answer.json", Rest("http://localhost:1", "m", None, 1)
    if not file.exists():
        files = []
        for image in _images(2):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            files.append({"b64": base64.b64encode(buffer.getvalue()).decode()})
        file.write_text(json.dumps({"outputs": {"label_id": [0, 1], "image_bytes": files}}))

    def use():
        outputs = transport._outputs(file.read_bytes(), "serving_default", 2)
        return [decode_png(png, SIDE) for png in outputs["image_bytes"]], outputs["label_id"]

    def sound(result) -> bool:
        images, ids = result
        return len(images) == 2 and ids.shape == (2,) and ids.dtype == np.int64

    return Door(file, use, (ServingError,), sound, structure="json")


def _grpc(root: Path) -> Door:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import predict_pb2

    from skin_synth.serving.answers import checked
    from skin_synth.serving.errors import ServingError
    from skin_synth.serving.grpc_api import _from_tensor
    from skin_synth.serving.messages import messages, tensors

    file = root / "answer.bin"
    if not file.exists():
        response = predict_pb2.PredictResponse()
        response.outputs["image"].CopyFrom(tf.make_tensor_proto(_images(2)))
        file.write_bytes(response.SerializeToString())

    def use():
        received = tensors(messages().response.FromString(file.read_bytes()))
        arrays = {
            name: _from_tensor(name, received[name], 2) for name in ("image",) if name in received
        }
        return checked(arrays, "generate", 2)["image"]

    def sound(images) -> bool:
        return images.ndim == 4 and len(images) == 2 and images.dtype == np.uint8

    return Door(file, use, (ServingError, DecodeError), sound)  # gRPC makes one error of these


DOORS: dict[str, Callable[[Path], Door]] = {
    "dataset_info.json": functools.partial(_metadata, "dataset_info.json"),
    "features.json": functools.partial(_metadata, "features.json"),
    "label.labels.txt": _labels,
    "build_report.json": _build_report,
    "shard": _shard,
    "record": _record,
    "index-train.npz": _index,
    "labels.csv": _table,
    "label_map.csv": _label_map,
    **{
        f"image.{suffix}": functools.partial(_picture, suffix)
        for suffix in ("png", "jpg", "webp", "bmp", "tif", "gif", "ppm", "jp2")
    },
    "config.json": _config_file,
    "config.json, forged": _forged_config,
    "checkpoint.weights.h5": _checkpoint,
    "best.weights.h5": _best,
    "classifier.weights.h5": _classifier,
    "validation.csv": _curve,
    "validation/features.json": _features,
    "pipeline.json": _pipeline,
    "origin.json": _origin_file,
    "report.json": _report,
    "balance_report.json": _balance_report,
    "manifest.csv": _manifest,
    "synthetic.png": _synthetic_png,
    "cache.npz": _cache_entry,
    "candidates.npz": _chunk,
    "filter.npz": _filter,
    "saved_model.pb": functools.partial(_exported, "saved_model.pb"),
    "variables.index": functools.partial(_exported, "variables/variables.index"),
    "variables.data": functools.partial(_exported, "variables/variables.data-00000-of-00001"),
    "assets/labels.txt": functools.partial(_exported, "assets/labels.txt"),
    "features.keras": _model_file,
    "features.weights.h5": _weights_file,
    "REST answer": _rest,
    "gRPC answer": _grpc,
}
"""Makes the door of each kind of file, each in a separate folder."""
