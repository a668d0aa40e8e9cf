"""Image files are read again, and an image that changed meanwhile stops the build."""

from __future__ import annotations

import pytest

from tfrecords_tools.build_steps.reread import ImageFiles
from tfrecords_tools.build_steps.runners import ThreadRunner
from tfrecords_tools.errors import InputError
from tfrecords_tools.options import ImageOptions


def test_image_that_changes_while_the_build_runs(source):
    files = ImageFiles(source, ImageOptions(), ThreadRunner(2))
    assert len(set(files.pixels_hashes([0, 1, 2]))) == 3
    (source.root / source.records[1].file).unlink()
    with pytest.raises(InputError, match="an image changed or disappeared while the build ran"):
        list(files.greys([0, 1, 2]))
