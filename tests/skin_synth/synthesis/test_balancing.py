"""A balanced data set: real records untouched, each synthetic one accounted for, honest gaps."""

from __future__ import annotations

import dataclasses
import io
import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

import tfrecords_tools
from skin_synth.data.pipeline import load_split
from skin_synth.evaluation.metrics.nearest import nearest
from skin_synth.provenance import pixels_sha256
from skin_synth.synthesis import BalanceOptions, balance
from skin_synth.synthesis.candidates import (
    CHUNK_SIZE,
    DRAWS_PER_KEPT_IMAGE,
    FREE_DRAWS,
    WorkDirectory,
)
from tests.files import contents
from tests.origins import make_origin
from tests.skin_synth.rewriting import rewritten
from tests.skin_synth.synthesis.conftest import (
    EXACT_COPY,
    GOOD,
    NEAR_DUPLICATE,
    NEAR_TRAINING,
    NOISE,
    OTHER_CLASS,
    STEPS,
    table,
)
from tfrecords_tools.errors import InputError
from tfrecords_tools.records.reader import read, read_info, read_records
from tfrecords_tools.records.schema import parse_record

TARGET = 24
ALL_FILTERS = BalanceOptions(target=TARGET, seed=10, steps=STEPS, image_folder=True)
COPIES = BalanceOptions(target=TARGET, seed=10, filters="copies")
ONE_CLASS = BalanceOptions(target={"star": TARGET}, filters="copies")


def manifest(directory):
    return table(directory / "manifest.csv")


@pytest.fixture(scope="module")
def balanced(fake_run, phantom_data, tmp_path_factory):
    out = tmp_path_factory.mktemp("balanced") / "data"
    balance(fake_run, phantom_data, out, ALL_FILTERS)
    assert [path.name for path in out.parent.iterdir()] == ["data"], "the work directory is left"
    return out


@pytest.fixture(scope="module")
def candidates(balanced):
    return table(balanced / "candidates.csv")


@pytest.fixture(scope="module")
def report(balanced):
    return json.loads((balanced / "balance_report.json").read_text())


def test_training_is_filled_up_and_the_rest_stays(balanced, phantom_data):
    for split in ("validation", "test"):
        assert list(read_records(balanced, split)) == list(read_records(phantom_data, split))
    records, real = list(read_records(balanced, "train")), list(read_records(phantom_data, "train"))
    assert records[: len(real)] == real
    counts = Counter(parse_record(record).label for record in records)
    assert counts == dict.fromkeys(range(7), TARGET)


def test_synthetic_records_have_their_origin_and_their_row(balanced):
    records = read(balanced, "train")
    synthetic = {record.image_id: record for record in records if record.origin == "synthetic"}
    rows = {row["image_id"]: row for row in manifest(balanced)}
    assert synthetic.keys() == rows.keys()
    assert len(synthetic) == len({row["pixels_sha256"] for row in rows.values()}) > 0
    for image_id, record in synthetic.items():
        assert record.group == image_id
        with Image.open(io.BytesIO(record.image)) as image:
            assert image.text["skin_synth:image_id"] == image_id
            assert pixels_sha256(np.asarray(image)) == rows[image_id]["pixels_sha256"]


def test_the_balanced_set_is_sound_and_tfds_reads_it(balanced):
    import tensorflow_datasets as tfds

    assert tfrecords_tools.verify(balanced).problems == ()
    builder = tfds.builder_from_directory(balanced)
    origins = [example["origin"] for example in tfds.as_numpy(builder.as_dataset(split="train"))]
    assert Counter(origins)[b"synthetic"] == len(manifest(balanced))
    assert len(origins) == 7 * TARGET


def test_bad_candidates_are_dropped_for_their_reason(candidates):
    ends = {}
    for row in candidates:
        ends.setdefault(int(row["seed"]) % 10, Counter())[row["outcome"]] += 1
    assert set(ends[EXACT_COPY]) == {"exact_copy"}
    assert set(ends[NEAR_TRAINING]) == {"near_training_image"}
    assert set(ends[NOISE]) <= {"other_class", "unrealistic"}
    assert ends[OTHER_CLASS]["other_class"] >= 0.8 * ends[OTHER_CLASS].total()
    outcomes = {(row["label"], int(row["seed"])): row["outcome"] for row in candidates}
    repeated = [
        outcomes[label, seed]
        for label, seed in outcomes
        if seed % 10 == NEAR_DUPLICATE and outcomes.get((label, seed - 3)) == "kept"
    ]
    assert len(repeated) >= 5
    assert "kept" not in repeated
    assert Counter(repeated)["near_duplicate"] >= 0.8 * len(repeated)
    good = sum((ends[digit] for digit in range(GOOD, 10)), Counter())
    assert good["kept"] >= 0.5 * good.total()


def test_candidates_report_and_manifest_agree(candidates, report, balanced):
    for label, counts in report["classes"].items():
        rows = [row for row in candidates if row["label"] == label]
        outcomes = Counter(row["outcome"] for row in rows)
        assert counts["drawn"] == len(rows)
        assert counts["synthetic"] == outcomes.pop("kept") == counts["wanted"]
        assert counts["short"] == 0
        assert {reason: n for reason, n in counts["dropped"].items() if n} == outcomes
        assert rows[-1]["outcome"] == "kept", "what comes after the last one is not counted"
    kept = [(row["label"], row["seed"]) for row in candidates if row["outcome"] == "kept"]
    assert kept == [(row["label"], row["seed"]) for row in manifest(balanced)]
    assert report["warnings"] == []


def test_kept_images_are_as_new_as_held_out_images(report, balanced, phantom_data):
    limits = report["limits"]["distance_by_class"]
    assert report["limits"]["distance"] == min(limits.values())
    held_out, training = (load_split(phantom_data, split) for split in ("validation", "train"))
    distance = nearest(held_out.images, training.images)[1]
    for label, name in enumerate(training.class_names):
        assert limits[name] <= distance[held_out.labels == label].min() + 1e-3
    for row in manifest(balanced):
        assert float(row["nearest_distance"]) >= limits[row["label"]] - 1e-3


def test_an_audit_uses_other_features(report):
    audit = report["audit"]
    assert audit["provenance"]["sha256"] != report["limits"]["classifier"]
    assert audit["images"] == sum(c["synthetic"] for c in report["classes"].values())
    assert audit["share_below"] <= 0.05
    assert set(audit["share_below_by_class"]) == set(report["classes"])


def test_sheets_and_image_folder_show_what_is_there(balanced, report):
    sheets = sorted((balanced / "contact_sheets").iterdir())
    assert len(sheets) == sum(c["synthetic"] > 0 for c in report["classes"].values())
    rows = table(balanced / "image_folder" / "images.csv")
    assert Counter(row["origin"] for row in rows)["synthetic"] == len(manifest(balanced))
    assert all((balanced / "image_folder" / row["file"]).is_file() for row in rows)


@pytest.fixture
def stop(fake_run, monkeypatch):
    """Makes fake runs raise an error at a class; returns the (label, first seed) of each call."""
    honest = type(fake_run).generate

    def stop_at(error=None, label=None):
        calls = []

        def ending(self, label_ids, seeds, **options):
            calls.append((int(label_ids[0]), int(seeds[0])))
            if calls[-1][0] == label:
                raise error
            return honest(self, label_ids, seeds, **options)

        monkeypatch.setattr(type(fake_run), "generate", ending)
        return calls

    return stop_at


def test_a_balance_that_was_killed_goes_on_and_gives_the_same_bytes(
    fake_run, phantom_data, balanced, tmp_path, stop
):
    out = tmp_path / "out"
    first = stop(SystemExit, label=2)
    with pytest.raises(SystemExit):
        balance(fake_run, phantom_data, out, ALL_FILTERS)
    assert not out.exists()
    second = stop()
    balance(fake_run, phantom_data, out, ALL_FILTERS)
    assert second[0] == first[-1]
    calls = first[:-1] + second
    assert calls == sorted(set(calls)), "a chunk was generated a second time"
    assert contents(out) == contents(balanced)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_work_outlives_errors_and_is_not_taken_up_for_another_seed(
    fake_run, phantom_data, tmp_path, stop
):
    out, work = tmp_path / "out", tmp_path / ".balance-out"
    stop(KeyboardInterrupt, label=2)
    with pytest.raises(KeyboardInterrupt):
        balance(fake_run, phantom_data, out, dataclasses.replace(COPIES, seed=20))
    assert len(list(work.glob("candidates-000[01]-*"))) >= 2
    calls = stop(OSError(28, "No space left on device"), label=2)
    with pytest.raises(OSError, match="No space"):
        balance(fake_run, phantom_data, out, COPIES)
    assert calls[0] == (0, 10)
    calls = stop(InputError("mend it"), label=3)
    with pytest.raises(InputError, match="mend it"):
        balance(fake_run, phantom_data, out, COPIES)
    assert min(calls)[0] == 2, "what was done is not done again"
    done = contents(work)
    out.mkdir()
    with pytest.raises(InputError, match="exists already"):
        balance(fake_run, phantom_data, out, COPIES)
    assert contents(work) == done
    calls = stop()
    balance(fake_run, phantom_data, out, COPIES, overwrite=True)
    assert min(calls)[0] == 3
    assert min(int(row["seed"]) for row in manifest(out)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_two_balances_do_not_share_a_place(fake_run, phantom_data, tmp_path):
    out = tmp_path / "out"
    work = WorkDirectory(out)
    with work.held():
        work.open({"checkpoint_hash": "d" * 64})
        work.chunk_file(0, 0).write_bytes(b"of another checkpoint")
        done = contents(work.path)
        with pytest.raises(InputError, match=r"out is in use by process .* balances it"):
            balance(fake_run, phantom_data, out, ONE_CLASS)
        assert contents(work.path) == done
    balance(fake_run, phantom_data, out, ONE_CLASS)
    assert {row["checkpoint_hash"] for row in manifest(out)} == {fake_run.origin.checkpoint_hash}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_class_whose_candidates_fail_is_left_short_and_reported(
    fake_run, phantom_data, tmp_path, monkeypatch
):
    one = fake_run.training.images[:1]
    monkeypatch.setattr(
        type(fake_run),
        "generate",
        lambda self, ids, seeds, **_: np.repeat(255 - one, len(seeds), 0),
    )
    info = balance(fake_run, phantom_data, tmp_path / "out", ONE_CLASS)
    report = json.loads((tmp_path / "out" / "balance_report.json").read_text())
    counts = report["classes"]["star"]
    assert counts["synthetic"] == 1
    assert counts["drawn"] <= FREE_DRAWS + DRAWS_PER_KEPT_IMAGE + CHUNK_SIZE
    assert counts["short"] == counts["wanted"] - 1
    assert "class star is" in report["warnings"][0]
    assert f"{counts['drawn'] - 1} exact_copy" in report["warnings"][0]
    real = read_info(phantom_data).splits["train"].num_records
    assert info.splits["train"].num_records == real + 1


def test_max_fills_up_to_the_largest_class(tiny_run, phantom_data, tmp_path):
    out = tmp_path / "max"
    info = balance(tiny_run, phantom_data, out, BalanceOptions(filters="copies"))
    largest = max(tiny_run.config.data.class_counts)
    assert info.splits["train"].num_records == 7 * largest
    report = json.loads((out / "balance_report.json").read_text())
    assert report["target"] == "max"
    assert all(c["real"] + c["synthetic"] == largest for c in report["classes"].values())


def test_classes_above_the_target_keep_all_they_have(tiny_run, phantom_data, tmp_path):
    info = balance(tiny_run, phantom_data, tmp_path / "one", BalanceOptions(target=1))
    assert info.splits["train"].num_records == read_info(phantom_data).splits["train"].num_records
    assert manifest(tmp_path / "one") == []


def test_other_data_sets_and_classes_are_refused(tiny_run, phantom_data, balanced, tmp_path):
    with pytest.raises(InputError, match="give the data set that it was trained on"):
        balance(tiny_run, balanced, tmp_path / "out")
    with pytest.raises(InputError, match="names class 'wart'; there are blotch"):
        balance(tiny_run, phantom_data, tmp_path / "out", BalanceOptions(target={"wart": 3}))
    assert list(tmp_path.iterdir()) == []


def test_a_balanced_data_set_is_not_balanced_again(fake_run, balanced, tmp_path):
    count = read_info(fake_run.data_dir).splits["train"].num_records
    trained_on_it = dataclasses.replace(fake_run, origin=make_origin(balanced))
    with pytest.raises(InputError, match=rf"synthetic images already \(training record {count} is"):
        balance(trained_on_it, balanced, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_overwriting_spares_run_and_data(tiny_run, phantom_data, tmp_path):
    for out in (tiny_run.directory, phantom_data, phantom_data.parent):
        with pytest.raises(InputError, match="which would be replaced"):
            balance(tiny_run, phantom_data, out, overwrite=True)
    with pytest.raises(InputError, match="lies in the data set"):
        balance(tiny_run, phantom_data, phantom_data / "balanced")
    (tmp_path / "notes").touch()
    with pytest.raises(InputError, match=r"something else \(no dataset_info\.json\)"):
        balance(tiny_run, phantom_data, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_limits_need_held_out_images(fake_run, phantom_data, tmp_path):
    training_only, out = tmp_path / "training_only", tmp_path / "deep" / "out"
    rewritten(phantom_data, {"train": read_records(phantom_data, "train")}, training_only)
    alone = dataclasses.replace(fake_run, origin=make_origin(training_only))
    with pytest.raises(InputError, match="neither a validation nor a test split"):
        balance(alone, training_only, out, BalanceOptions(target=TARGET))
    assert list(tmp_path.iterdir()) == [training_only]
    balance(alone, training_only, out, ONE_CLASS)
    assert len(manifest(out)) > 0
