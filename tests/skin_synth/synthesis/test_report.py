"""The account of a balance: shortfalls in words, warnings of copies, measured on known drawings."""

from __future__ import annotations

import csv
import io
import json

import numpy as np

from skin_synth.evaluation.features.extractors import Extractor
from skin_synth.synthesis.candidates import Chunk, Drawing
from skin_synth.synthesis.report import (
    Account,
    audit,
    candidates_csv,
    read_warnings,
    report_json,
    write_sheets,
)


def drawing(label, images, dropped=("other_class",), wanted=9):
    count = len(images) + len(dropped)
    return Drawing(
        label,
        wanted,
        (
            Chunk(
                seeds=np.arange(count),
                outcome=("kept",) * len(images) + tuple(dropped),
                nearest=np.zeros(count, np.int64),
                distance=np.full(count, 12.34567, np.float32),
                probability=np.full(count, 0.5, np.float32),
                realism=np.full(count, np.nan),
                images=images,
            ),
        ),
    )


def pixels(images):
    return images.reshape(len(images), -1)[:, :12].astype(np.float32)


EXTRACTOR = Extractor("pixels", "FD (pixels)", 12, {"weights": "none"}, pixels)


def account(training, drawings):
    counts = dict(zip(training.class_names, training.class_counts.tolist(), strict=True))
    rest = [Drawing(n, 0, ()) for n in range(len(drawings), len(counts))]
    return Account({"seed": 1}, counts, dict.fromkeys(counts, 0), drawings=[*drawings, *rest])


def test_a_shortfall_is_told_with_its_reasons(training):
    images = training.images[:4]
    dropped = ("other_class", "unrealistic", "other_class")
    report = json.loads(report_json(account(training, [drawing(0, images, dropped)])))
    name = training.class_names[0]
    assert report["classes"][name] == {
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
    [warning] = report["warnings"]
    assert warning.startswith(f"class {name} is 5 short of the 9 wanted: of 7 candidates 4 were")
    assert "(2 other_class, 1 unrealistic)" in warning


def test_copies_that_the_filter_missed_are_told(training, held_out):
    copies = drawing(0, training.images[:6], (), wanted=6)
    found = audit([copies], training, held_out, extractor=EXTRACTOR, seed=0, steps=1)
    assert found["share_below"] == 1.0
    assert found["synthetic_minimum"] == 0.0
    done = account(training, [copies])
    done.audit = found
    [warning] = json.loads(report_json(done))["warnings"]
    assert "by pixels features, 100%" in warning


def test_held_out_images_are_as_new_as_held_out_images(training, held_out):
    new = drawing(0, held_out.images, (), wanted=len(held_out))
    found = audit([new], training, held_out, extractor=EXTRACTOR, seed=0, steps=1)
    assert found["synthetic_median"] == found["yardstick_median"]
    assert found["share_below"] <= found["share_expected"] < 0.1


def test_nothing_kept_nothing_audited(training, held_out):
    assert audit([], training, held_out, extractor=EXTRACTOR, seed=0, steps=1) is None


def test_every_candidate_has_a_line(training):
    text = candidates_csv([drawing(1, training.images[:2])], training).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["outcome"] for row in rows] == ["kept", "kept", "other_class"]
    assert rows[0] == {
        "label": training.class_names[1],
        "seed": "0",
        "outcome": "kept",
        "nearest_image_id": training.image_ids[0],
        "nearest_distance": "12.3457",
        "class_probability": "0.5000",
        "realism": "",
    }


def test_sheets_are_of_classes_that_got_images(training, tmp_path):
    write_sheets(tmp_path, account(training, [drawing(0, training.images[:3])]))
    [sheet] = (tmp_path / "contact_sheets").iterdir()
    assert sheet.name == f"00_{training.class_names[0]}.png"


def test_warnings_are_read_back(training, tmp_path):
    done = account(training, [drawing(0, training.images[:4])])
    (tmp_path / "balance_report.json").write_bytes(report_json(done))
    assert len(read_warnings(tmp_path)) == 1
