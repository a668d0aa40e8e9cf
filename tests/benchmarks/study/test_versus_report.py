"""The report names the winner that was planted, from stored images alone."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from benchmarks.study import versus_report
from benchmarks.study.versus_marks import load_marks
from benchmarks.study.versus_tables import left_out_line
from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.features import classifier
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import fingerprint

pytestmark = pytest.mark.slow


def plant(out, data, contestant, noise, *, seed=0, threads=1, marks=(1.0, 2.0), **preset):
    """Stores a contestant whose images are training images under noise (grey levels)."""
    split = load_split(data, "train")
    rng = np.random.default_rng([seed, len(contestant)])
    place = out / f"{contestant}-{seed}"
    place.mkdir(parents=True)
    entry = {
        "contestant": contestant,
        "seed": seed,
        "threads": threads,
        "policy": "float32",
        "fingerprint": fingerprint(data),
        "preset": {"image_size": 32, "batch_size": 8, "sampling_exponent": 0.5} | preset,
    }
    (place / "state.json").write_text(json.dumps({"entry": entry}))
    for minutes in marks:
        spread = noise / minutes * rng.standard_normal(split.images.shape)
        images = np.clip(split.images + spread, 0, 255).astype(np.uint8)
        np.savez(
            place / f"mark-{minutes:07.2f}.npz",
            images=images,
            labels=split.labels,
            cpu_seconds=60 * minutes,
            images_seen=100,
        )


def test_the_planted_winner_is_named_and_the_second_report_is_the_same(
    phantom_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(classifier, "default_steps", lambda images: 3)
    for contestant, noise in (("ours", 20), ("dcgan", 120), ("sngan", 250)):
        plant(tmp_path, phantom_data, contestant, noise)
    text = versus_report.report(phantom_data, tmp_path)
    assert text.count("## KID (classifier)") == 2
    found = json.loads((tmp_path / "report.json").read_text())
    results = found["distances"]
    for result in results:
        whole = result["rows"]["whole"]
        assert whole["better"] == "dcgan"
        ours, dcgan, sngan = (whole["above_floor"][name] for name in ("ours", "dcgan", "sngan"))
        assert ours < dcgan < sngan
        to_dcgan, to_sngan = whole["differences"]["dcgan"], whole["differences"]["sngan"]
        assert [to_dcgan[0], to_sngan[0]] == pytest.approx([ours - dcgan, ours - sngan])
        assert to_sngan[2] < to_dcgan[2] < 0
        assert list(result["rows"])[2:] == list(load_split(phantom_data, "test").class_names)
        # Noisy copies of the training images themselves.
        assert any(share.get("ours") for share in result["coverage"].values())
    assert (tmp_path / "curves.png").stat().st_size > 1000
    shares = {row["who"]: row["share_below"] for row in found["nearness"]}
    assert shares["2, ours-0"] == 1
    assert shares["1, sngan-0"] == 0
    assert "| 2, ours-0 | 100.0% |" in text
    assert text.count("| sngan | -") == 2

    # All figures of the second report come from the files that the first one left.
    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr(classifier, "train_classifier", never)
    monkeypatch.setattr(versus_report, "nearest", never)
    made = versus_report.of_classifier
    monkeypatch.setattr(
        versus_report,
        "of_classifier",
        lambda judge: dataclasses.replace(made(judge), function=never),
    )
    assert versus_report.report(phantom_data, tmp_path) == text


@pytest.fixture
def planted(phantom_data, tmp_path):
    """Plants contestants under 20 grey levels of noise."""

    def plant_another(contestant, **options):
        plant(tmp_path, phantom_data, contestant, 20, **options)

    return plant_another


def test_contestants_trained_otherwise_are_not_compared(planted, phantom_data, tmp_path):
    planted("ours")
    with pytest.raises(InputError, match="train ours and another"):
        versus_report.report(phantom_data, tmp_path)
    planted("dcgan", threads=2)
    with pytest.raises(InputError, match="unlike preset, policy, threads or clock"):
        versus_report.report(phantom_data, tmp_path)


def test_a_variant_may_differ_in_what_a_baseline_may_not(planted, phantom_data, tmp_path):
    planted("ours", gamma=0.2)
    planted("ours batch_size=16", batch_size=16)
    marks, _ = load_marks(tmp_path, fingerprint(phantom_data))
    assert {mark.contestant for mark in marks[1.0]} == {"ours", "ours batch_size=16"}
    planted("dcgan", batch_size=16)
    with pytest.raises(InputError, match="unlike preset, policy, threads or clock"):
        load_marks(tmp_path, fingerprint(phantom_data))


def test_seeds_that_were_trained_unlike_are_no_seeds_of_one(planted, phantom_data, tmp_path):
    planted("ours", schedule_images=1000)
    planted("dcgan")
    load_marks(tmp_path, fingerprint(phantom_data))
    planted("ours", seed=1, schedule_images=2000)
    with pytest.raises(InputError, match="seeds of 'ours' that were trained unlike"):
        load_marks(tmp_path, fingerprint(phantom_data))


def test_only_marks_and_seeds_that_all_have_count(planted, phantom_data, tmp_path):
    planted("ours")
    planted("ours", seed=1)
    planted("dcgan", marks=(2.0,))
    marks, left_out = load_marks(tmp_path, fingerprint(phantom_data))
    assert list(marks) == [2.0]
    assert [mark.name for mark in marks[2.0]] == ["dcgan-0", "ours-0"]
    assert left_out_line(left_out).endswith(
        ": ours-0 after 1 minutes, ours-1 after 1 minutes, ours-1 after 2 minutes."
    )


def test_marks_without_a_state_are_not_passed_over(planted, phantom_data, tmp_path):
    for contestant in ("ours", "dcgan", "sngan"):
        planted(contestant)
    (tmp_path / "sngan-0" / "state.json").unlink()
    with pytest.raises(InputError, match=r"sngan-0 holds marks and no state: .* repeat"):
        load_marks(tmp_path, fingerprint(phantom_data))
