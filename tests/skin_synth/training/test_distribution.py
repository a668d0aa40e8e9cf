"""Several devices: the same steps as one device, to rounding; refusals; who writes."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.presets import get_preset
from skin_synth.training import distribution, fit_loop
from skin_synth.training.options import TrainingOptions
from skin_synth.training.trainer import train
from tests.skin_synth.training.two_devices import SMALL, run_with_devices
from tfrecords_tools.errors import InputError

COMPARE = """
import keras

class Note(keras.callbacks.Callback):
    # Adam's first moment with beta_1 = 0 is the gradient, of the global batch, as it was applied.
    def __init__(self):
        super().__init__()
        self.losses, self.gradients = [], None
    def on_epoch_end(self, epoch, logs=None):
        self.losses.append([float(logs[name]) for name in sorted(logs)])
        if self.gradients is None:
            optimizers = self.model.discriminator_optimizer, self.model.optimizer
            self.gradients = [np.array(m) for o in optimizers for m in o._momentums]

def trained(strategy):
    gan, note = compiled(strategy), Note()
    fit_loop.fit(gan, source, strategy, epochs=20, steps_per_epoch=1, callbacks=[note])
    return gan, note

strategy = distribution.make_strategy("all")
(alone, one), (both, two) = trained(None), trained(strategy)
both.save_weights(sys.argv[1])
print(json.dumps({
    "replicas": strategy.num_replicas_in_sync,
    "steps": [alone.images_seen, both.images_seen],
    "gradients": [float(np.abs(a - b).max() / np.abs(a).max())
                  for a, b in zip(one.gradients, two.gradients)],
    "losses": {name: [[step[i] for step in note.losses] for note in (one, two)]
               for i, name in enumerate(sorted(alone.means))},
    "generated": both.generate([0, 1, 2], [7, 7, 7]).tolist(),
}))
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    file = tmp_path_factory.mktemp("two") / "both.weights.h5"
    return run_with_devices(COMPARE, file) | {"file": file}


def test_one_step_on_two_devices_has_the_gradients_of_one_device(compared):
    assert compared["replicas"] == 2
    assert len(compared["gradients"]) > 20
    assert max(compared["gradients"]) < 1e-5


def test_twenty_steps_on_two_devices_have_the_losses_of_one_device(compared):
    assert compared["steps"] == [320, 320]
    assert len(compared["losses"]) == 5
    for name, (alone, both) in compared["losses"].items():
        assert len(alone) == 20
        np.testing.assert_allclose(both, alone, rtol=1e-3, atol=1e-3, err_msg=name)


def test_what_two_devices_trained_loads_on_one(compared):
    from skin_synth.models.gan import ConditionalGAN
    from skin_synth.presets import Preset

    gan = ConditionalGAN(Preset(**SMALL), ("a", "b", "c"), policy="float32")
    gan.compile()
    gan.load_weights(compared["file"])
    assert gan.images_seen == 320
    np.testing.assert_array_equal(gan.generate([0, 1, 2], [7, 7, 7]), compared["generated"])


def test_one_device_needs_no_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert distribution.make_strategy(1) is None
    assert distribution.make_strategy("all") is None  # a CPU is one device
    assert distribution.writes(None)
    distribution.check_agreement(None, "the run", 7)


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(InputError, match=r"--devices 3: there are 1 \(.*CPU:0\)"):
        distribution.make_strategy(3)


def test_only_batches_that_divide_are_shared():
    def check(count):
        strategy = SimpleNamespace(num_replicas_in_sync=count)
        distribution.check_shares(strategy, get_preset("derm-64"))

    for count in (1, 2, 4, 8):
        check(count)
    for count in (3, 16):
        with pytest.raises(
            InputError, match=f"{count} devices cannot share batches of 32 images, 8"
        ):
            check(count)


def cluster(**kinds):
    return json.dumps({"cluster": kinds, "task": {"type": "worker", "index": 0}})


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("{}", 0),
        (cluster(worker=["a:1", "b:1"]), 2),
        (cluster(chief=["a:1"], worker=["b:1", "c:1"]), 3),
    ],
)
def test_machines_are_counted(text, count, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert distribution.count_machines() == count


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}', '"x"'])
def test_a_tf_config_that_cannot_be_read_is_refused(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match=r"TF_CONFIG cannot be read.*must hold JSON such as"):
        distribution.make_strategy()


def test_several_machines_take_no_devices(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(worker=["a:1", "b:1"]))
    with pytest.raises(InputError, match="--devices 2 with TF_CONFIG"):
        distribution.make_strategy(2)


@pytest.mark.parametrize("name", ["minutes", "schedule_minutes"])
def test_several_machines_take_no_minutes(phantom_data, tmp_path, name, monkeypatch):
    """`train` says so before it connects to anyone."""
    monkeypatch.setenv("TF_CONFIG", cluster(worker=["a:1", "b:1"]))
    images = name.replace("minutes", "images")
    with pytest.raises(InputError, match=rf"--{name} 5 with TF_CONFIG.*: give --{images}$"):
        train(phantom_data, tmp_path / "run", TrainingOptions(**{name: 5.0}))
    distribution.check_clocks(**{name: None})
    monkeypatch.delenv("TF_CONFIG")
    distribution.check_clocks(**{name: 5.0})


def test_the_loss_of_a_machine_is_one_line(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster(worker=["a:1", "b:1"]))
    error = tf.errors.UnavailableError(None, None, "peer gone")
    refusal = pytest.raises(
        InputError, match=r"stopped or .*UnavailableError, peer gone\): start the same command"
    )
    with refusal, fit_loop._lost_machine_explained():
        raise error
