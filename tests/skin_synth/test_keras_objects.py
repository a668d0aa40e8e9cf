"""A saved network is loaded in a new process after `import skin_synth`."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from skin_synth import keras_objects
from skin_synth.models.networks import Generator

LOAD = """
import sys
import {first}
import {second}
assert "keras" in sys.modules
import keras
network = keras.saving.load_model(sys.argv[1])
print(float(abs(network.first.kernel.numpy()).sum()))
"""


@pytest.mark.parametrize("order", [("skin_synth", "keras"), ("keras", "skin_synth")], ids=str)
def test_it_is_loaded_whichever_is_imported_first(tmp_path, order):
    network = Generator(widths=(16, 8), latent_dim=8, embedding_dim=4, num_classes=3)
    network.save(tmp_path / "network.keras")
    code = LOAD.format(first=order[0], second=order[1])
    words = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path / "network.keras")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = float(np.abs(network.first.kernel.numpy()).sum())
    assert float(done.stdout.splitlines()[-1]) == pytest.approx(expected, rel=1e-6)


def test_all_classes_are_registered_where_keras_is_imported():
    keras_objects.register()
    for name in ("ConditionalGAN", "Generator", "Discriminator", "FusedAdam"):
        assert keras.saving.get_registered_object(f"skin_synth>{name}") is not None
    assert not any(isinstance(finder, keras_objects._Finder) for finder in sys.meta_path)
