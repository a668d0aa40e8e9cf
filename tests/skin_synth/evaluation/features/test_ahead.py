"""Features that a thread computes ahead are those that are computed when they are needed."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from skin_synth.evaluation.cache import Cache
from skin_synth.evaluation.features import ahead
from skin_synth.evaluation.features.ahead import FeaturesAhead, kept_features
from skin_synth.evaluation.features.extractors import Extractor
from tfrecords_tools.errors import InputError


def random_images(n):
    return np.random.default_rng(n).integers(0, 256, (n, 8, 8, 3), dtype=np.uint8)


class Means:
    """Means of images; it counts images and notes threads."""

    def __init__(self, fails=False):
        self.fails, self.count, self.threads = fails, 0, set()

    def __call__(self, images):
        if self.fails:
            raise InputError("no features")
        self.count += len(images)
        self.threads.add(threading.current_thread())
        return images.mean(axis=(1, 2)).astype(np.float32)


def extractor_of(function):
    provenance = {"sha256": "0" * 64, "resize": "none"}
    return Extractor("means", "means", 3, provenance, function)


@pytest.fixture(params=["cache", "no cache"])
def cache(request, tmp_path):
    return Cache(tmp_path if request.param == "cache" else None)


@pytest.mark.parametrize("count", [1, 7, 10])
def test_requested_features_are_those_of_the_extractor(monkeypatch, cache, count):
    monkeypatch.setattr(ahead, "AHEAD_IMAGES", 5)
    means, images = Means(), random_images(count)
    features = FeaturesAhead(extractor_of(means), cache)
    features.request(images)
    features.request(images.copy())
    np.testing.assert_array_equal(features(images), extractor_of(Means())(images))
    features.close()
    assert means.count == count
    assert threading.current_thread() not in means.threads
    if cache.directory is not None:
        again = Means(fails=True)
        kept = FeaturesAhead(extractor_of(again), cache)
        kept.request(images)
        np.testing.assert_array_equal(kept(images), features(images))
        np.testing.assert_array_equal(
            kept_features(extractor_of(again), cache, images), features(images)
        )
        kept.close()


def test_features_without_a_request_are_computed_at_once(cache):
    means, images = Means(), random_images(4)
    features = FeaturesAhead(extractor_of(means), cache)
    features.request(images[:0])
    assert features(images[:0]).shape == (0, 3)
    assert features(images).shape == (4, 3)
    features.close()
    assert means.threads == {threading.current_thread()}


def test_an_error_of_the_thread_reaches_the_caller(cache):
    features = FeaturesAhead(extractor_of(Means(fails=True)), cache)
    images = random_images(4)
    features.request(images)
    with pytest.raises(InputError, match="no features"):
        features(images)
    features.close()
    assert cache.directory is None or not list(cache.directory.iterdir())


def test_the_end_drops_what_is_not_computed(monkeypatch):
    monkeypatch.setattr(ahead, "AHEAD_IMAGES", 1)
    started, goes_on, count = threading.Event(), threading.Event(), []

    def function(images):
        count.append(len(images))
        started.set()
        assert goes_on.wait(10)
        return images.mean(axis=(1, 2)).astype(np.float32)

    features = FeaturesAhead(extractor_of(function), Cache(None))
    features.request(random_images(20))
    assert started.wait(10)
    threading.Timer(0.1, goes_on.set).start()
    features.close()
    assert sum(count) <= 2
