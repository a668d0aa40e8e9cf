"""A phantom data set with enough test images, and runs that paint well, badly or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

SIZE = 32
PER_CLASS = 60
STEPS = 80


@dataclasses.dataclass(frozen=True)
class FakeRun:
    """Stands for a trained run; `paint` is given class name and seed."""

    class_names: tuple[str, ...]
    data_fingerprint: str
    paint: object
    image_size: int = SIZE
    run_id: str = "0123456789ab"
    checkpoint_hash: str = "c" * 64
    images_seen: int = 12_345
    preset_name: str = "derm-32"
    data_name: str = "phantoms"

    def generate(self, label_ids, seeds, *, truncation=1.0, batch_size=64):
        return np.stack(
            [
                self.paint(self.class_names[label], int(seed))
                for label, seed in zip(label_ids, seeds, strict=True)
            ]
        )


def fresh_phantom(label, seed):
    from skin_synth.phantoms import render

    return render(77, seed % 2**31, label, SIZE)[0]


@pytest.fixture(scope="session")
def large_phantom_data(tmp_path_factory):
    """Sixty phantoms of each class at 32x32, built as users build."""
    import tfrecords_tools
    from skin_synth.phantoms import write_folder

    root = tmp_path_factory.mktemp("evaluation")
    folder = write_folder(root / "folder", counts=PER_CLASS, size=SIZE, seed=0)
    tfrecords_tools.build(
        folder / "images",
        root / "data",
        name="phantoms",
        labels=folder / "labels.csv",
        id_column="image_id",
        label_column="label",
        group_column="group",
        size=SIZE,
    )
    return root / "data"


@pytest.fixture(scope="session")
def make_run(large_phantom_data):
    """Makes a run that was trained on `large_phantom_data` and paints with a given function."""
    from tfrecords_tools.reader import fingerprint, read_info

    names, found = read_info(large_phantom_data).class_names, fingerprint(large_phantom_data)
    return lambda paint=fresh_phantom: FakeRun(names, found, paint)


@pytest.fixture(scope="session")
def trained(large_phantom_data):
    """A classifier of the real phantoms."""
    from skin_synth.data import load_split
    from skin_synth.evaluation.classifier import train_classifier

    return train_classifier(load_split(large_phantom_data, "train"), seed=0, steps=STEPS)


@pytest.fixture(scope="session")
def phantoms(make_run, large_phantom_data):
    """Material of a perfect generator: it paints fresh phantoms."""
    from skin_synth.evaluation.material import gather

    return gather(make_run(), large_phantom_data, seed=0)


@pytest.fixture(scope="session")
def written(make_run, large_phantom_data, tmp_path_factory):
    """The report of a perfect generator."""
    out = tmp_path_factory.mktemp("report") / "out"
    from skin_synth.evaluation import evaluate

    return evaluate(make_run(), large_phantom_data, out, seed=4, steps=STEPS)
