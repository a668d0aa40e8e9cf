"""The public surface, loaded on first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tfrecords_tools


def test_every_public_name_is_there():
    for name in tfrecords_tools.__all__:
        assert getattr(tfrecords_tools, name).__name__ == name
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
