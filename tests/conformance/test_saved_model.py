"""The exported generator of every preset generates the images of the library.

It is float32 under every policy, so each preset is exported once.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.conformance.cases import EVERY_PRESET


@pytest.mark.parametrize("name", EVERY_PRESET)
def test_it_generates_the_pixels_of_the_library(name, one_step, tmp_path):
    gan = one_step((name, "mixed_bfloat16")).gan
    served = tf.saved_model.load(str(gan.export(tmp_path / "model"))).signatures["generate"]
    ids, seeds = tf.constant([0, 2], tf.int64), tf.constant([5, 6], tf.int64)
    images = served(label_id=ids, seed=seeds, truncation=tf.ones([2]))["image"].numpy()
    np.testing.assert_array_equal(images, gan.generate([0, 2], [5, 6]))
