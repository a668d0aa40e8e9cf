"""The public names load on first use; TensorFlow loads without output, unless it fails."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import tfrecords_tools
from tfrecords_tools import tensorflow_import


def test_every_public_name_is_there():
    for name in set(tfrecords_tools.__all__) - {"__version__"}:
        assert getattr(tfrecords_tools, name).__name__ == name
    assert tfrecords_tools.__version__[0].isdigit()
    assert set(tfrecords_tools.__all__) <= set(dir(tfrecords_tools))


def test_unknown_name():
    with pytest.raises(AttributeError, match=r"no attribute 'biuld'.*'build'"):
        _ = tfrecords_tools.biuld


def test_names_and_options_load_no_tensorflow():
    code = (
        "import sys, tfrecords_tools.options, tfrecords_tools.atomic\n"
        "import tfrecords_tools.records.schema\n"
        "from tfrecords_tools import InputError, Record\n"
        "sys.exit('tensorflow' in sys.modules or 'PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=clean | environment,
        check=True,
    )


def test_tensorflow_loads_and_works_without_a_word():
    done = run(
        "from tfrecords_tools.tensorflow_import import load_tensorflow; load_tensorflow()\n"
        "import tensorflow as tf; print(int(tf.constant(20) + 22))"
    )
    assert done.stdout == "42\n"
    assert done.stderr == ""


def test_a_log_level_that_is_set_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    tensorflow_import.load_tensorflow()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_what_is_written_is_dropped_and_the_descriptor_comes_back(capfd):
    with tensorflow_import.stderr_held_back():
        os.write(2, b"chatter\n")
        print("more chatter", file=sys.__stderr__)
    os.write(2, b"news\n")
    assert capfd.readouterr().err == "news\n"


def test_output_of_a_failing_block_is_printed(capfd):
    def fail() -> None:
        os.write(2, b"libtensorflow.so is missing\n")
        raise ImportError

    with pytest.raises(ImportError), tensorflow_import.stderr_held_back():
        fail()
    assert capfd.readouterr().err == "libtensorflow.so is missing\n"
