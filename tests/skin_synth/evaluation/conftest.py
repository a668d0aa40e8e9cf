"""A phantom data set with enough test images, and runs that generate well, badly or not at all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import tfrecords_tools
from skin_synth.evaluation import EvaluationOptions, evaluate
from skin_synth.evaluation.cache import Cache
from skin_synth.phantoms import render, write_folder
from tests.origins import make_origin
from tests.studies import study_of
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read_info

SIZE = 32
PER_CLASS = 60
STEPS = 80
OPTIONS = EvaluationOptions(seed=4, steps=STEPS)


@dataclasses.dataclass(frozen=True)
class FakeRun:
    """Replaces a trained run; `draw` is given class name and seed."""

    class_names: tuple[str, ...]
    origin: object
    draw: object
    image_size: int = SIZE

    def generate(self, label_ids, seeds, *, truncation=1.0, batch_size=64):
        pairs = zip(label_ids, seeds, strict=True)
        return np.stack([self.draw(self.class_names[label], int(seed)) for label, seed in pairs])


def check_overwriting(write, data_dir, directory, marker):
    """`write` replaces neither another folder nor the data set, and writes nothing into that."""
    other = directory / "thesis"
    other.mkdir()
    (other / "notes").write_text("mine")
    with pytest.raises(InputError, match=rf"something else \(no {marker}\)"):
        write(other, overwrite=True)
    with pytest.raises(InputError, match="which would be replaced"):
        write(data_dir, overwrite=True)
    with pytest.raises(InputError, match="lies in the data set"):
        write(data_dir / "out")
    assert [path.name for path in other.iterdir()] == ["notes"]


def fresh_phantom(label, seed):
    return render(77, seed % 2**31, label, SIZE)[0]


@pytest.fixture(scope="session")
def large_phantom_data(tmp_path_factory):
    """Sixty phantoms of each class at 32x32, built as users build."""
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
    """Makes a run that was trained on `large_phantom_data` and draws with a given function."""
    names, origin = read_info(large_phantom_data).class_names, make_origin(large_phantom_data)
    return lambda draw=fresh_phantom: FakeRun(names, origin, draw)


@pytest.fixture(scope="session")
def trained(large_phantom_data):
    """A classifier of the real phantoms."""
    from skin_synth.data.pipeline import load_split
    from skin_synth.evaluation.features.classifier import train_classifier

    return train_classifier(load_split(large_phantom_data, "train"), seed=0, steps=STEPS)


@pytest.fixture(scope="session")
def phantoms(make_run, large_phantom_data):
    """Image sets of a perfect generator: it renders fresh phantoms."""
    from skin_synth.evaluation.image_sets import load_image_sets

    return load_image_sets(make_run(), large_phantom_data, seed=0)


@pytest.fixture(scope="session")
def studied():
    """A utility study, written by hand: 76 trainings of a real one take minutes."""
    return study_of()


@pytest.fixture(scope="session")
def written(make_run, large_phantom_data, tmp_path_factory):
    """The report of a perfect generator."""
    out = tmp_path_factory.mktemp("report") / "out"
    return evaluate(make_run(), large_phantom_data, out, OPTIONS)


# A trial of generators: three classes, the first with two modes, in memory.

MODES = {"mole": ("disc", "cluster"), "blotch": ("blotch",), "ring": ("ring",)}
TRIED = 60
"""Images of a class in each split of the trial."""
FEW = 99
"""Permutations by which a test proves nothing: most faults need no test by permutation."""


def lesions(seed, labels, *, modes=MODES):
    """Fresh phantoms of the trial's classes: class after class, mode by mode in turn."""
    chosen = enumerate([*modes.values()][label] for label in labels)
    return np.stack([render(seed, row, of[row % len(of)], SIZE)[0] for row, of in chosen])


def trial_labels(count=TRIED):
    return np.repeat(np.arange(len(MODES)), count)


def trial_split(seed, count=TRIED):
    from skin_synth.data.pipeline import LabelledImages

    labels = trial_labels(count)
    ids = tuple(f"{seed}/{row}" for row in range(len(labels)))
    return LabelledImages(lesions(seed, labels), labels, ids, ids, tuple(MODES))


@dataclasses.dataclass(frozen=True)
class Trial:
    """Real images, an extractor and a judge that are trained on them once, and their cache."""

    train: object
    test: object
    real_baseline: object
    extractor: object
    judge: object
    cache: object

    def image_sets(self, synthetic, requested_labels=None, **changes):
        from skin_synth.evaluation.image_sets import ImageSets

        labels = trial_labels() if requested_labels is None else requested_labels
        held_out = len(self.real_baseline)
        real = (self.train, self.test, self.real_baseline, held_out)
        return dataclasses.replace(ImageSets(*real, synthetic, labels), **changes)

    def measurements(self, synthetic, *, cache=None, seed=0, permutations=FEW, **options):
        from skin_synth.evaluation.measurements import Measurements

        sets = self.image_sets(synthetic, **options)
        cache = self.cache if cache is None else cache
        return Measurements(sets, self.extractor, self.judge, [], cache, seed, permutations)

    def verdict(self, synthetic, **options):
        from skin_synth.evaluation.verdict.verdict import reach_verdict

        return reach_verdict(self.measurements(synthetic, **options).figures())


@pytest.fixture(scope="session")
def trial(tmp_path_factory):
    from skin_synth.evaluation.features import extractors as features
    from skin_synth.evaluation.features.classifier import train_classifier

    train, test, real_baseline = (trial_split(seed) for seed in (1, 2, 3))
    extractor = features.of_classifier(train_classifier(train, seed=0, steps=60))
    judge = train_classifier(train, seed=1, steps=60)
    cache = Cache(tmp_path_factory.mktemp("trial"))
    return Trial(train, test, real_baseline, extractor, judge, cache)
