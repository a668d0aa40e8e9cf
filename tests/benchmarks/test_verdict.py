"""The study of the verdict: its state, how it resumes, and which verdicts are right."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import verdict
from tfrecords_tools.errors import InputError

TRIED: list[tuple[int, str]] = []


class Fake:
    """Names the fault that was planted, and counts."""

    def __init__(self, seed):
        self.seed = seed

    def faults(self, name):
        if len(TRIED) == 3:
            raise KeyboardInterrupt
        TRIED.append((self.seed, name))
        fault = verdict.GENERATORS[name].fault
        return [fault] if fault else []


def test_a_killed_study_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(verdict, "Trial", Fake)
    TRIED.clear()
    path = tmp_path / "state" / "verdict.json"
    names = ("faultless", "blur")
    with pytest.raises(KeyboardInterrupt):
        verdict.study(2, names, path)
    kept = verdict.read_state(path)
    assert kept == {"faultless": {"0": [], "1": []}, "blur": {"0": ["blur"]}}
    TRIED.clear()
    state = verdict.study(2, names, path)
    assert TRIED == [(1, "blur")]
    assert state["blur"] == {"0": ["blur"], "1": ["blur"]}
    TRIED.clear()
    assert verdict.study(2, names, path) == state
    assert not TRIED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "holds no state of this study"),
        ("no json", "holds no state of this study"),
        ('{"protocol": {"count": 1}, "verdicts": {}}', "is of another protocol"),
    ],
)
def test_another_state_is_refused(tmp_path, text, message):
    path = tmp_path / "verdict.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        verdict.read_state(path)


def test_what_is_right():
    clean, faulty = [[]] * 19, [["blur"]]
    assert verdict.is_right("faultless", clean + faulty)
    assert not verdict.is_right("faultless", clean + faulty * 2)
    assert verdict.is_right("blur", [["blur"], ["blur", "drift"]])
    assert not verdict.is_right("blur", [["blur"], []])


def test_phantoms_of_a_seed_are_new_in_each_collection():
    collections = [verdict.fresh(seed, use)[::30] for seed in (0, 1) for use in range(4)]
    flat = np.concatenate(collections).reshape(8 * 6, -1)
    assert len(np.unique(flat, axis=0)) == len(flat)
    assert {generator.fault for generator in verdict.GENERATORS.values()} >= {
        *("copies", "missing_class", "swapped_labels", "little_variety", "blur", "noise"),
        *("no_lesion", "drift", "leak"),
    }
