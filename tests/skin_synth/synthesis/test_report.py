"""The report of a balance: shortfalls in words, warnings of copies, on known candidates."""

from __future__ import annotations

import json

import numpy as np
import pytest

from skin_synth.data.pipeline import LabelledImages
from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.synthesis.candidates import Candidates, Chunk
from skin_synth.synthesis.options import BalanceOptions
from skin_synth.synthesis.report import BalanceReport, audit, read_warnings
from tests.skin_synth.synthesis.conftest import table


def candidates_of(label, images, dropped=(), wanted=9):
    count = len(images) + len(dropped)
    chunk = Chunk(
        seeds=np.arange(count),
        outcome=("kept",) * len(images) + tuple(dropped),
        assigned=np.zeros(count, np.int64),
        nearest=np.zeros(count, np.int64),
        distance=np.full(count, 12.34567, np.float32),
        probability=np.full(count, 0.5, np.float32),
        realism=np.full(count, np.nan),
        images=images,
    )
    return Candidates(label, wanted, (chunk,))


def pixels(images):
    return images.reshape(len(images), -1)[:, :12].astype(np.float32)


DROPPED = ["other_class", "unrealistic", "other_class"]
OPTIONS = BalanceOptions(
    audit_features=Extractor("pixels", "FD (pixels)", 12, {"weights": "none"}, pixels), steps=1
)


@pytest.fixture
def report(training):
    """A report of four kept and three dropped candidates of class 0, none of the others."""
    rest = [Candidates(label, 0, ()) for label in range(1, len(training.class_names))]
    first = candidates_of(0, training.images[:4], DROPPED)
    return BalanceReport({"seed": 1}, training, None, [first, *rest], None)


def test_a_shortfall_is_reported_with_its_reasons(report, training):
    found = json.loads(report.json())
    name = training.class_names[0]
    assert found["classes"][name] == {
        "real": int(training.class_counts[0]),
        "wanted": 9,
        "synthetic": 4,
        "short": 5,
        "drawn": 7,
        "dropped": {
            "exact_copy": 0,
            "near_training_image": 0,
            "other_class": 2,
            "unrealistic": 1,
            "near_duplicate": 0,
        },
    }
    [warning] = found["warnings"]
    assert warning.startswith(f"class {name} is 5 short of the 9 wanted: of 7 candidates 4 were")
    assert "were kept (dropped: 2 other_class, 1 unrealistic)" in warning


def test_a_balance_that_adds_nothing_says_so_and_why(training):
    none = [Candidates(label, 0, ()) for label in range(len(training.class_names))]
    [warning] = BalanceReport({}, training, None, none, None).warnings()
    assert warning.startswith("no synthetic image was added: every class has as many real images")


def test_copies_that_the_filter_missed_are_reported(training, held_out):
    copies = candidates_of(0, training.images[:6], wanted=6)
    found = audit([copies], training, held_out, OPTIONS)
    assert (found.nearness.share_below, found.nearness.synthetic_minimum) == (1.0, 0.0)
    [warning] = BalanceReport({}, training, None, [copies], found).warnings()
    assert "by pixels features, 100%" in warning


def test_held_out_images_are_as_new_as_held_out_images(training, held_out):
    new = candidates_of(0, held_out.images, wanted=len(held_out))
    found = audit([new], training, held_out, OPTIONS).nearness
    assert found.synthetic_median == found.yardstick_median
    assert found.share_below <= found.share_expected < 0.1


def test_nothing_kept_nothing_audited(training, held_out):
    assert audit([], training, held_out, OPTIONS) is None


def test_the_report_is_written_with_candidates_and_sheets(report, training, tmp_path):
    report.write(tmp_path)
    assert len(read_warnings(tmp_path)) == 1
    rows = table(tmp_path / "candidates.csv")
    assert [row["outcome"] for row in rows] == ["kept"] * 4 + DROPPED
    assert rows[0] == {
        "label": training.class_names[0],
        "seed": "0",
        "outcome": "kept",
        "nearest_image_id": training.image_ids[0],
        "nearest_distance": "12.3457",
        "class_probability": "0.5000",
        "realism": "",
    }
    [sheet] = (tmp_path / "contact_sheets").iterdir()
    assert sheet.name == f"00_{training.class_names[0]}.png", "other classes got no images"


def test_a_tight_class_is_compared_with_its_own_images():
    """Images of a plain class are near each other; real ones of a varied class are not."""
    rng = np.random.default_rng(0)

    def images(count, spread):
        return np.clip(128 + spread * rng.normal(size=(count, 8, 8, 3)), 0, 255).astype(np.uint8)

    def split(name, plain, varied):
        rows = tuple(f"{name}{row}" for row in range(plain + varied))
        labels = np.repeat([0, 1], [plain, varied])
        both = np.concatenate([images(plain, 2), images(varied, 50)])
        return LabelledImages(both, labels, rows, rows, ("plain", "varied"))

    training, held_out = split("t", 20, 60), split("v", 0, 40)
    fresh = candidates_of(0, images(40, 2), wanted=40)
    found = audit([fresh], training, held_out, OPTIONS)
    assert found.nearness.share_below == 1
    assert found.share_below_own_class == found.share_below_by_class["plain"] < 0.2
    copied = candidates_of(0, training.images[:20], wanted=20)
    assert audit([copied], training, held_out, OPTIONS).share_below_own_class == 1
