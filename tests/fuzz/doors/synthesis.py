"""Doors of generated images and of a balance."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.fuzz.doors.made import CLASSES, REFUSALS, SIDE, is_text, make_images, tiny_gan
from tests.fuzz.runner import Door, Doors
from tfrecords_tools.errors import InputError


def _balance_report(root: Path) -> Door:
    from skin_synth.synthesis.report import read_warnings

    file = root / "balance_report.json"
    if not file.exists():
        file.write_text(json.dumps({"warnings": ["short"], "classes": {}}))

    def sound(warnings) -> bool:
        return all(map(is_text, warnings))

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
        return all(is_text(r.label) and -(2**63) <= r.seed < 2**63 for r in rows)

    return Door(file, lambda: read_manifest(file), REFUSALS, sound, structure="csv")


def _synthetic_png(root: Path) -> Door:
    from skin_synth.provenance import describe_file, encode_synthetic
    from tfrecords_tools.text import escaped

    file = root / "synthetic.png"
    if not file.exists():
        file.write_bytes(encode_synthetic(make_images(1)[0], _provenance(3)))

    def use():
        return escaped(describe_file(file))

    def sound(line) -> bool:
        return line.startswith(("synthetic: ", "says nothing")) and len(line.splitlines()) == 1

    return Door(file, use, REFUSALS, sound, structure="png")


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
            images=make_images(2),
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


def _generation(root: Path) -> Door:
    """A part of generated records, which is merged."""
    from skin_synth.pretrained import load_exported
    from skin_synth.synthesis import GenerationOptions, generate_records, merge_records

    part = root / "part"
    if not part.exists():
        tiny_gan(root).export(root / "model")
        options = GenerationOptions(label=CLASSES[0], count=2)
        generate_records(load_exported(root / "model"), part, options)

    def use():
        return merge_records([part], root / "merged", overwrite=True)

    def sound(made) -> bool:
        return made.images == 2 and all(map(is_text, (made.run_id, *made.labels)))

    return Door(part / "generation.json", use, REFUSALS, sound, structure="json")


DOORS: Doors = {
    "balance_report.json": _balance_report,
    "generation.json": _generation,
    "manifest.csv": _manifest,
    "synthetic.png": _synthetic_png,
    "candidates.npz": _chunk,
    "filter.npz": _filter,
}
