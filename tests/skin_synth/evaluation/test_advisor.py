"""`skin-synth advise` on phantoms: report, classifier, resume, dry run, refusals."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

from skin_synth import cli, phantoms
from skin_synth.commands import advise as command
from skin_synth.evaluation import advisor
from skin_synth.evaluation.advisor import advise, forecast, load_own_images
from skin_synth.evaluation.report.advice import training_code
from skin_synth.evaluation.utility.advice_options import ALL_ADVICE_ARMS, AdviceOptions
from skin_synth.evaluation.utility.classifiers.networks import CLASSIFIERS, make_classifier
from skin_synth.evaluation.utility.classifiers.saving import as_keras_model
from skin_synth.evaluation.utility.classifiers.training import Trainer
from skin_synth.evaluation.utility.forecast import Speed
from skin_synth.saved_model.data_images import DataImage
from skin_synth.training import adaptation
from tests.data_sets import write_records
from tests.images import noise
from tests.origins import make_origin
from tfrecords_tools.errors import InputError
from tfrecords_tools.images.image_file import encode_png
from tfrecords_tools.records.schema import Record

NAMES = phantoms.CLASS_NAMES[:3]
FLAGS = ["--classifier", "small", "--folds", "2", "--seeds", "2", "--steps", "24"]
FLAGS += ["--batch_size", "8", "--pool", "6"]


class Noise:
    """Has the interface of `ImageGenerator`."""

    class_names, image_size, data_dir = NAMES, 16, None
    origin = make_origin(image_size=16)

    def generate(self, label_ids, seeds, *, truncation=1.0):
        return np.stack([noise(int(seed) % 2**32, 16, 16) for seed in seeds])


def record(number, label, origin="real"):
    image = encode_png(noise(number, 16, 16) // 3 + np.uint8(60 * label))
    return Record(image, label, f"image {number}", f"lesion {number // 2}", origin)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Thirty-six images of 18 lesions in three splits."""
    found = [record(number, number // 2 % 3) for number in range(36)]
    splits = {"train": found[:24], "validation": found[24:30], "test": found[30:]}
    out = tmp_path_factory.mktemp("own") / "data"
    return write_records(out, splits, class_names=NAMES, image_shape=(16, 16, 3))


@pytest.fixture
def generator(monkeypatch):
    monkeypatch.setattr(command.flags, "load_generator", lambda options: Noise())


@pytest.fixture(scope="module")
def advised(data, tmp_path_factory):
    """The output of the command, and what it printed."""
    out = tmp_path_factory.mktemp("advice") / "report"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command.flags, "load_generator", lambda options: Noise())
        words = ["advise", "--pretrained", "p", "--data", str(data), "--out", str(out), *FLAGS]
        assert cli.main_with(words) == 0
    return out


def test_the_command_writes_report_and_classifier(advised):
    assert {path.name for path in advised.iterdir()} == {
        "report.json",
        "report.html",
        "classifier.keras",
        "classifier.json",
    }
    report = json.loads((advised / "report.json").read_text())
    page = (advised / "report.html").read_text()
    assert report["schema_version"] == 1
    assert report["advice"]["sentence"] in page.replace("&#39;", "'")
    assert [each["name"] for each in report["advice"]["choices"]] == [
        arm.name for arm in AdviceOptions().arms
    ]
    assert [each["images"] for each in report["advice"]["classes"]] == [12, 12, 12]
    assert report["data"]["splits"] == {"train": 24, "validation": 6, "test": 6}
    for sentence in [*report["todo"], report["code"].splitlines()[-1]]:
        assert sentence in page
    about = json.loads((advised / "classifier.json").read_text())
    assert about["class_names"] == list(NAMES)
    assert about["image_size"] == 16
    assert about["trained_by"] == report["advice"]["advised"]


@pytest.mark.slow
def test_keras_alone_loads_the_classifier_in_a_new_process(advised, data):
    code = (
        "import sys, keras, numpy as np; model = keras.models.load_model(sys.argv[1]); "
        "images = np.full((2, 16, 16, 3), 90, np.uint8); found = model.predict(images, verbose=0); "
        "assert 'skin_synth' not in sys.modules; "
        "print(found.shape, bool(np.allclose(found.sum(axis=1), 1)))"
    )
    words = [sys.executable, "-W", "ignore", "-c", code, str(advised / "classifier.keras")]
    found = subprocess.run(words, capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith("(2, 3) True")


@pytest.mark.parametrize("name", ["small", "resnet"])
def test_the_keras_model_predicts_as_the_trainer(name, tmp_path):
    classifier = make_classifier(name)
    trainer = Trainer(classifier, 16, 3, batch_size=4, policy="float32")
    state, images = trainer.fresh(3), np.stack([noise(number, 16, 16) for number in range(5)])
    as_keras_model(classifier, state, 16, 3).save(tmp_path / "classifier.keras")
    found = keras.models.load_model(tmp_path / "classifier.keras").predict(images, verbose=0)
    expected = np.exp(trainer.log_probabilities(state, images))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_second_call_resumes_from_the_cache(advised, data, generator, monkeypatch, capsys):
    def train(*arguments, **options):
        raise AssertionError("trains again")

    monkeypatch.setattr(Trainer, "train", train)
    before = (advised / "report.json").read_text()
    words = ["advise", "--pretrained", "p", "--data", str(data), "--out", str(advised), *FLAGS]
    assert cli.main_with([*words, "--overwrite"]) == 0
    assert (advised / "report.json").read_text() == before
    assert capsys.readouterr().out.startswith(json.loads(before)["advice"]["sentence"])


def test_a_dry_run_writes_nothing(data, generator, tmp_path, capsys):
    out = tmp_path / "report"
    words = ["advise", "--pretrained", "p", "--data", str(data), "--out", str(out), *FLAGS]
    assert cli.main_with([*words, "--dry_run"]) == 0
    printed = capsys.readouterr().out
    assert "own images       36 of 18 lesions\n" in printed
    assert f"trainings        at most {2 * (6 + 2) + 1}\n" in printed
    assert "min on this machine\n" in printed
    assert not list(tmp_path.iterdir())


def test_the_test_split_can_be_kept(data):
    assert len(load_own_images(data)) == 36
    kept = load_own_images(data, keep_test=True)
    assert len(kept) == 30
    assert "image 35" not in kept.image_ids


def test_synthetic_images_are_no_own_images(tmp_path):
    found = [record(number, number % 3, "synthetic") for number in range(6)]
    data = write_records(tmp_path / "d", {"train": found}, class_names=NAMES)
    with pytest.raises(InputError, match="has synthetic images"):
        load_own_images(data)


def test_a_generator_of_the_same_images_is_refused(data, tmp_path):
    class Leaky(Noise):
        origin = make_origin(data, image_size=16)

    with pytest.raises(InputError, match="may repeat the lesions that would judge them"):
        advise(Leaky(), data, tmp_path / "out", policy="float32", loader="")


def test_images_from_training_are_counted_by_their_ids(data, tmp_path):
    listed = Noise()
    listed.data_images = dict.fromkeys(
        [f"image {number}" for number in range(19)], DataImage(NAMES[0], "train")
    )
    with pytest.raises(InputError, match="may repeat the lesions that would judge them"):
        advise(listed, data, tmp_path / "out", policy="float32", loader="")
    listed.data_images = {"image 3": DataImage(NAMES[0], "train")}
    [warning, _] = advisor._data_warnings(listed, data, AdviceOptions())
    assert "trained on 1 of your images, by their image ids" in warning
    listed.data_images = {}
    [test_split] = advisor._data_warnings(listed, data, AdviceOptions())
    assert "test split" in test_split
    [unknown, _] = advisor._data_warnings(Noise(), data, AdviceOptions())
    assert unknown.startswith("nobody checked whether the generator was trained on your images")


def test_the_forecast_measures_steps_and_images(data, monkeypatch):
    options = AdviceOptions(classifier="small", folds=2, seeds=2, steps=24, batch_size=8, pool=6)
    monkeypatch.setattr(advisor, "measure_speed", lambda *_: Speed(2.0, 0.0, 3.0))
    found = forecast(Noise(), data, options, policy="float32")
    assert found.hours == (2.0 * options.most_steps(36) + 3.0 * 18) / 3600
    assert found.lines()[0] == "own images       36 of 18 lesions"


@pytest.mark.parametrize("arm", ALL_ADVICE_ARMS, ids=lambda arm: arm.name)
def test_the_code_of_each_choice_compiles(arm, advised):
    class advice:
        advised, use_generator = arm.name, arm.kind == "use"

        class protocol:
            batch_size, steps = 64, 300

    made = {"loader": "load()", "adapting": "train('d', 'adapted', TrainingOptions())"}
    code = training_code(advice, **made, data_dir="d", split="train")
    compile(code, "code", "exec")
    adapted = "adapted" in arm.name
    assert ("generator = load()" in code) == (advice.use_generator and not adapted)
    assert ("generator = train('d'" in code) == ("import TrainingOptions, train" in code) == adapted
    assert ("steps_per_epoch=225" in code) == arm.name.endswith("synthetic, then own")
    assert ("MixUp" in code) == arm.method.mixup


def test_the_command_knows_all_classifiers():
    parser = cli.make_parser()
    for name in CLASSIFIERS:
        words = f"advise --run R --data D --out O --classifier {name}"
        assert parser.parse_args(words.split()).classifier == name


def test_an_adapted_generator_is_two_more_choices(data, tmp_path, monkeypatch, capsys, generator):
    class Dark:
        def __call__(self, own):
            return lambda labels, seeds: np.zeros((len(labels), 16, 16, 3), np.uint8)

        def key(self, own):
            return f"dark {len(own)}"

    asked = []
    monkeypatch.setattr(adaptation, "adaptation", lambda *request: asked.append(request) or Dark())
    words = ["advise", "--pretrained", "p", "--data", str(data), *FLAGS, "--adapt_images", "32"]
    out = tmp_path / "report"
    assert cli.main_with([*words, "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    names = [each["name"] for each in report["advice"]["choices"]]
    assert names[-2:] == ["adapted synthetic, then own", "own + 50 % adapted synthetic"]
    assert report["advice"]["protocol"]["uses"] == 5
    assert asked[0][1:] == (None, str(out), 32)
    monkeypatch.setattr(advisor, "measure_speed", lambda *_: Speed(2.0, 0.0, 3.0))
    assert cli.main_with([*words, "--out", str(tmp_path / "no"), "--dry_run"]) == 0
    assert "up to 5 adaptations by 32 images each" in capsys.readouterr().out
    assert len(asked) == 2  # a forecast refuses what the study would


def test_adapting_needs_its_maker(data, tmp_path):
    options = AdviceOptions(adapt_images=10)
    with pytest.raises(InputError, match="adapt_images is 10, but"):
        advise(Noise(), data, tmp_path / "out", options, policy="float32", loader="")


def test_a_folder_of_images_cannot_be_adapted(tmp_path):
    with pytest.raises(InputError, match="needs --run or --pretrained"):
        adaptation.adaptation(Noise(), None, tmp_path / "out", 10)
    assert adaptation.adaptation(Noise(), None, tmp_path / "out", 0) is None
