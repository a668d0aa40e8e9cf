"""Lets Keras find the classes of a saved model after `import skin_synth`, which loads no Keras.

Keras finds a class that a `.keras` file names only if its module was imported. That import would
load TensorFlow, so it waits until Keras itself is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

from tfrecords_tools.errors import InputError

KERAS = "keras"
MODULE = "skin_synth.models.gan"
"""The module whose import registers all classes."""


def register() -> None:
    """Registers the classes now if Keras is imported, or else at its import."""
    if KERAS in sys.modules:
        _import_classes()
    else:
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds Keras as the other finders do, and adds the import of the classes to it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != KERAS:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(importlib.abc.Loader):
    """Loads Keras, then the classes; once."""

    def __init__(self, loader: importlib.abc.Loader, finder: _Finder) -> None:
        self.loader, self.finder = loader, finder

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        _import_classes()


def _import_classes() -> None:
    # The import fails under another backend, and if one of our own modules is importing Keras.
    # The first says so once a network is made; the second imports the classes itself.
    with contextlib.suppress(InputError, ImportError):
        importlib.import_module(MODULE)
