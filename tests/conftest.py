"""Fixtures that several packages' tests share: a small phantom data set and a tiny trained run."""

from __future__ import annotations

import dataclasses
import functools
import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import skin_synth  # noqa: F401 - before TensorFlow is imported, for which it switches oneDNN on
from tests.publishing import GROUP, OWN_PROJECT, added_to_path, write_own_metadata

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # tiny matrices: threads wait for each other
# By default GPUs round the factors of float32 products to ten bits: too coarse for derivatives.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")

TINY = {
    "name": "tiny-32",
    "generator_widths": (32, 16, 16, 8),
    "discriminator_widths": (8, 16, 32),
    "latent_dim": 16,
    "embedding_dim": 8,
    "mapping_layers": 2,
    "batch_size": 8,
    "checkpoint_images": 1_000,
    "preview_images": 2_000,
}
LONGEST_ID = 24
UNTRACED = (
    "benchmarks/",
    "conformance/",
    "skin_synth/evaluation/test_evaluator.py",
    "skin_synth/evaluation/metrics/test_drift.py",
    "skin_synth/evaluation/verdict/test_verdict.py",
    "skin_synth/synthesis/test_kills.py",
    "skin_synth/training/test_distribution.py",
    "skin_synth/models/test_gan.py",
    "skin_synth/training/test_machines.py",
    "skin_synth/test_phantoms.py",
    "skin_synth/training/test_stops.py",
)
"""Slow tests that run hardly a line that others do not run. Coverage is not measured in them,
because until Python 3.12 it takes a third of the time of all that traces graphs."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(Path(__file__).parent).as_posix().startswith(UNTRACED):
            item.add_marker(pytest.mark.no_cover)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names long contents by their argument and place: a gzip holds the second in which it was
    made, and where two processes name one test differently, no test runs."""
    return argname if isinstance(val, bytes) and len(val) > LONGEST_ID else None


@pytest.fixture(scope="session", autouse=True)
def own_generators(tmp_path_factory):
    """Finds the generators of this checkout if its environment is that of another checkout."""
    if entry_points(group=GROUP, name="derm-64-ham10000"):
        yield
        return
    site = tmp_path_factory.mktemp("site")
    write_own_metadata(site)
    with added_to_path(site, OWN_PROJECT):
        yield


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory) -> Path:
    """An image folder with labels.csv: seven classes of phantoms at 32x32, rare ones small."""
    from skin_synth.phantoms import write_folder

    out = tmp_path_factory.mktemp("phantoms") / "folder"
    write_folder(out, counts=24, size=32, seed=0)
    return out


@pytest.fixture(scope="session")
def phantom_data(phantom_folder, tmp_path_factory) -> Path:
    """The data set built from `phantom_folder`."""
    import tfrecords_tools

    out = tmp_path_factory.mktemp("data") / "phantoms"
    columns = {"id_column": "image_id", "label_column": "label", "group_column": "group"}
    options = {"name": "phantoms", "labels": phantom_folder / "labels.csv", "size": 32, **columns}
    tfrecords_tools.build(phantom_folder, out, **options)
    return out


@pytest.fixture(scope="session")
def tiny_preset():
    """A preset at 32x32 that trains in seconds, registered under its name for the session."""
    from skin_synth.presets import PRESETS, get_preset

    preset = dataclasses.replace(get_preset("derm-32"), **TINY)
    PRESETS[preset.name] = preset
    yield preset
    del PRESETS[preset.name]


@pytest.fixture
def eager_steps(monkeypatch):
    """Training without graphs: a step takes a second, but tracing one takes five."""
    from skin_synth.models.gan import ConditionalGAN

    eager = functools.partialmethod(ConditionalGAN.compile, run_eagerly=True)
    monkeypatch.setattr(ConditionalGAN, "compile", eager)


@pytest.fixture(scope="session")
def tiny_run(phantom_data, tiny_preset, tmp_path_factory):
    """A run of the tiny preset, trained for two thousand images."""
    from skin_synth.training import TrainingOptions, train

    directory = tmp_path_factory.mktemp("runs") / "tiny"
    return train(phantom_data, directory, TrainingOptions(preset=tiny_preset.name, images=2_000))


@pytest.fixture(scope="session")
def served_version(tiny_run, tmp_path_factory):
    from skin_synth.saved_model.export import export

    return export(tiny_run, tmp_path_factory.mktemp("served") / "skin")
