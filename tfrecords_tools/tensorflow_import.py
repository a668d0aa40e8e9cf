"""Imports TensorFlow without its output, so that our messages on standard error are seen."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from absl import flags, logging


def load_tensorflow() -> None:
    """Imports TensorFlow and drops what it prints meanwhile.

    TensorFlow describes its build on standard error before any log level applies. Later it logs
    only fatal errors, unless TF_CPP_MIN_LOG_LEVEL is set; other errors are exceptions.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    _name_temporary_folder()
    if "tensorflow" not in sys.modules:
        with stderr_held_back():
            importlib.import_module("tensorflow")
    # TensorFlow's Python code logs every file that it saves; absl's --verbosity overrides this.
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Drops what the block writes to file descriptor 2; prints it if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with _file_without_name() as held:
        os.dup2(held.fileno(), 2)
        try:
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
                os.close(kept)
        except BaseException:
            held.seek(0)
            os.write(2, held.read())
            raise


def _file_without_name() -> IO[bytes]:
    """Opens a temporary file; where no folder for it can be written, one that keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return open(os.devnull, "r+b")


def _name_temporary_folder() -> None:
    """Lets TensorFlow's import find the name of a folder for temporary files; it writes none."""
    try:
        tempfile.gettempdir()
    except OSError:
        tempfile.tempdir = os.path.join(os.sep, "tmp")
