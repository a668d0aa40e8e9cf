"""Doors of an exported generator."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.fuzz.doors.made import REFUSALS, data_set, is_text, model_origin, tiny_gan
from tests.fuzz.runner import Door, Doors


def _origin_file(root: Path) -> Door:
    from skin_synth.saved_model.origin import read_origin, write_origin

    if not (root / "origin.json").exists():
        write_origin(root, model_origin())

    def sound(origin) -> bool:
        texts = (origin.run_id, origin.data_name, origin.checkpoint_hash, origin.software)
        return origin.image_size in (8, 16, 32, 64, 128, 256, 512, 1024) and all(
            map(is_text, texts)
        )

    return Door(root / "origin.json", lambda: read_origin(root), REFUSALS, sound, structure="json")


def _exported(name: str, root: Path) -> Door:
    from skin_synth.pretrained import load_exported

    model = root / "model"
    if not model.exists():
        tiny_gan(root).export(model)

    def use():
        generator = load_exported(model)
        return generator.generate([0, 2], [1, 2]), generator.class_names

    structure = "bundle" if name.endswith(".index") else ""
    return Door(model / "1" / name, use, REFUSALS, structure=structure)


def _images_list(root: Path) -> Door:
    from skin_synth.saved_model.data_images import read_data_images, write_data_images

    if not (root / "data_images.csv").exists():
        write_data_images(root, data_set(root))

    def sound(images) -> bool:
        return all(map(is_text, images)) and all(is_text(each.split) for each in images.values())

    use = functools.partial(read_data_images, root)
    return Door(root / "data_images.csv", use, REFUSALS, sound, structure="csv")


DOORS: Doors = {
    "origin.json": _origin_file,
    "data_images.csv": _images_list,
    "fingerprint.pb": functools.partial(_exported, "fingerprint.pb"),
    "saved_model.pb": functools.partial(_exported, "saved_model.pb"),
    "variables.index": functools.partial(_exported, "variables/variables.index"),
    "variables.data": functools.partial(_exported, "variables/variables.data-00000-of-00001"),
    "assets/labels.txt": functools.partial(_exported, "assets/labels.txt"),
}
