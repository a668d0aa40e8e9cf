"""The comparison reports why it is skipped, and refuses a twin of another size."""

from __future__ import annotations

import sys

import pytest

from benchmarks.study.versus_torch import Worker, check_twin, without_torch
from tfrecords_tools.errors import InputError

pytestmark = pytest.mark.slow

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def test_without_pytorch_the_reason_is_given(tmp_path):
    assert "--torch_python" in without_torch(str(tmp_path / "python"))
    bare, error = tmp_path / "bare", "ModuleNotFoundError: No module named 'torch'"
    bare.write_text(f'#!/bin/sh\necho "{error}" >&2\nexit 1\n')
    bare.chmod(0o755)
    assert without_torch(str(bare)) == f"{bare}: {error}"


def test_a_twin_of_another_size_is_refused():
    ours = {"generator": 1_000, "discriminator": 2_000}
    check_twin(ours, dict(ours))
    with pytest.raises(InputError, match=r"discriminator of .* has 2,001 parameters, ours 2,000"):
        check_twin(ours, {**ours, "discriminator": 2_001})


def test_workers_take_turns_line_by_line_and_one_that_ends_is_noticed():
    worker = Worker([sys.executable, "-c", ECHO], {"first": 1})
    assert worker.about == {"first": 1}
    assert worker.ask({"steps": 2}) == {"steps": 2}
    worker.end()
    assert worker.process.returncode == 0
    with pytest.raises(RuntimeError, match="ended with 3"):
        Worker([sys.executable, "-c", "import sys; sys.stdin.readline(); sys.exit(3)"], {})
