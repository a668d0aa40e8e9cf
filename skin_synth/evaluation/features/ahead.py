"""Features of whole sets of images, from the cache, or computed ahead of their use in a thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features.extractors import EXTRACTOR_BATCH, Extractor
from skin_synth.provenance import content_hash

AHEAD_IMAGES = 2 * EXTRACTOR_BATCH
"""Images in one task of the thread, which cannot stop within a task."""


def kept_features(extractor: Extractor, cache: Cache, images: np.ndarray) -> np.ndarray:
    """Returns features from the cache: uint8[n, side, side, 3] to float32[n, d]."""
    return _kept(cache, _parts(extractor, images), lambda: extractor(images))


class FeaturesAhead:
    """Computes features in one thread, in the order of the requests.

    Many steps of an evaluation use one core. The features take the others meanwhile.
    """

    def __init__(self, extractor: Extractor, cache: Cache) -> None:
        """Starts no thread before the first request."""
        self._extractor, self._cache = extractor, cache
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="features")
        self._requested: dict[tuple[object, ...], Future[np.ndarray]] = {}

    def request(self, images: np.ndarray) -> None:
        """Asks for the features of uint8[n, side, side, 3], unless the cache has them."""
        parts = _parts(self._extractor, images)
        path = self._cache.path("features", parts)
        if parts in self._requested or (path is not None and path.exists()):
            return
        tasks = [
            self._thread.submit(self._extractor, images[start : start + AHEAD_IMAGES])
            for start in range(0, len(images), AHEAD_IMAGES)
        ]

        def joined() -> np.ndarray:
            return np.concatenate([task.result() for task in tasks])

        if tasks:
            self._requested[parts] = self._thread.submit(_kept, self._cache, parts, joined)

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Waits for requested features, and computes others: as `kept_features`."""
        found = self._requested.get(_parts(self._extractor, images))
        return found.result() if found else kept_features(self._extractor, self._cache, images)

    def close(self) -> None:
        """Waits for the task at work and drops the others."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _parts(extractor: Extractor, images: np.ndarray) -> tuple[object, ...]:
    return (*extractor.key, content_hash(images))


def _kept(cache: Cache, parts: tuple[object, ...], compute: Callable[[], np.ndarray]) -> np.ndarray:
    return cache.arrays("features", parts, lambda: {"rows": compute()})["rows"]
