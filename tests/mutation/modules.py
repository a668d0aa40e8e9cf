"""The modules whose tests are measured by mutants, each with its own test files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Module:
    """One module of the map.

    Attributes:
        name: its name in the results and for `--only`.
        sources: files that are mutated, as paths from the root of the checkout.
        tests: test files that run on each mutant, as paths from the root.
        sample: number of mutants in the sample.
    """

    name: str
    sources: tuple[str, ...]
    tests: tuple[str, ...]
    sample: int = 60


MODULES = (
    Module(
        "splits",
        ("tfrecords_tools/build_steps/splits.py",),
        ("tests/tfrecords_tools/build_steps/test_splits.py",),
    ),
    Module(
        "duplicates",
        ("tfrecords_tools/build_steps/duplicates.py",),
        ("tests/tfrecords_tools/build_steps/test_duplicates.py",),
    ),
    Module(
        "losses",
        ("skin_synth/models/losses.py",),
        ("tests/skin_synth/models/test_losses.py",),
    ),
    Module("augment", ("skin_synth/augment.py",), ("tests/skin_synth/test_augment.py",)),
    Module(
        "checkpoints",
        (
            "skin_synth/training/checkpoints.py",
            "skin_synth/weights_file.py",
            "skin_synth/hdf5_check.py",
        ),
        (
            "tests/skin_synth/training/test_checkpoints.py",
            "tests/skin_synth/test_weights_file.py",
            "tests/skin_synth/test_hdf5_check.py",
        ),
    ),
    Module(
        "copies",
        ("skin_synth/evaluation/metrics/copies.py",),
        ("tests/skin_synth/evaluation/metrics/test_copies.py",),
    ),
    Module(
        "filters",
        ("skin_synth/synthesis/filters.py",),
        ("tests/skin_synth/synthesis/test_filters.py",),
        sample=30,  # its tests take three times as long
    ),
    Module(
        "signatures",
        ("skin_synth/saved_model/sampler.py",),
        ("tests/skin_synth/saved_model/test_sampler.py",),
    ),
)
