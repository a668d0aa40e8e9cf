"""The networks have the sizes that the documents promise, and start from the right weights."""

from __future__ import annotations

import os

import keras
import numpy as np
import pytest

from skin_synth.evaluation.utility.classifiers import networks
from skin_synth.evaluation.utility.classifiers.networks import make_classifier
from tfrecords_tools.errors import InputError


@pytest.mark.parametrize(
    ("side", "width", "millions"), [(64, 32, 0.7), (64, 64, 2.8), (128, 32, 0.7)]
)
def test_a_resnet_has_as_many_parameters_as_promised(side, width, millions):
    network = networks.resnet(side, 7, 0, width=width)
    assert network.count_params() == pytest.approx(millions * 1e6, rel=0.05)


def test_larger_images_have_a_stage_more_and_end_at_eight_pixels():
    def stages(side):
        network = networks.resnet(side, 2, 0)
        maps = [layer.output.shape[1:] for layer in network.layers if "add" in layer.name]
        return list(dict.fromkeys(maps))

    assert stages(64) == [(32, 32, 32), (16, 16, 64), (8, 8, 128)]
    assert stages(128) == [(64, 64, 16), *stages(64)]


@pytest.mark.parametrize("name", ["resnet", "small"])
def test_a_network_follows_from_its_seed_and_gives_logits(name):
    build = make_classifier(name).build
    one, again, other = build(16, 3, 5), build(16, 3, 5), build(16, 3, 6)
    images = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype(np.float32)
    found = one(images).numpy()
    assert found.shape == (4, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, again(images).numpy())
    assert (found != other(images).numpy()).any()


def test_logits_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert make_classifier("resnet").build(16, 3, 0).output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


def test_choices_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"unknown classifier 'vgg'; there are resnet, finetuned"):
        make_classifier("vgg")
    with pytest.raises(InputError, match="takes no weights"):
        make_classifier("resnet", "a.h5")
    with pytest.raises(InputError, match="no file at"):
        make_classifier("finetuned", tmp_path / "no.weights.h5")
    (tmp_path / "wrong.weights.h5").write_bytes(b"no weights")
    with pytest.raises(InputError, match="holds no weights for mobilenet"):
        make_classifier("finetuned", tmp_path / "wrong.weights.h5")


def test_weights_of_a_finetuned_network_are_downloaded_once_and_kept(monkeypatch):
    asked, application = [], keras.applications.MobileNet

    def mobilenet(*, weights, **options):
        if weights == "imagenet":
            asked.append(options)
        network = application(weights=None, **options)
        if weights == "imagenet":
            network.set_weights([np.full_like(each, 0.25) for each in network.get_weights()])
        return network

    monkeypatch.setattr(keras.applications, "MobileNet", mobilenet)
    classifier = make_classifier("finetuned")
    for seed in (0, 1):
        body = classifier.build(32, 2, seed).get_layer("mobilenet_0.75_128")
        assert all(np.all(each == 0.25) for each in body.get_weights())
    assert asked == [{"alpha": 0.75, "input_shape": (224, 224, 3)}]
    assert len(classifier.weights_hash) == 64

    def no_network(**options):
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.applications, "MobileNet", no_network)
    with pytest.raises(InputError, match=r"cannot be downloaded .*: give --weights"):
        make_classifier("finetuned")


@pytest.mark.skipif("MOBILENET_WEIGHTS" not in os.environ, reason="needs MOBILENET_WEIGHTS")
def test_a_finetuned_network_starts_as_mobilenet():
    """Below the head it computes the features of Keras' own network at the same side."""
    path = os.environ["MOBILENET_WEIGHTS"]
    network = make_classifier("finetuned", path).build(128, 2, 0)
    whole = keras.applications.MobileNet(alpha=0.75, input_shape=(224, 224, 3), weights=None)
    whole.load_weights(path)
    body = keras.applications.MobileNet(
        alpha=0.75, input_shape=(128, 128, 3), weights=None, include_top=False, pooling="avg"
    )
    body.set_weights(whole.get_weights()[: len(body.get_weights())])
    images = np.random.default_rng(0).uniform(-1, 1, (2, 128, 128, 3)).astype(np.float32)
    features = keras.Model(network.input, network.layers[-1].input)
    np.testing.assert_allclose(features(images), body(images), rtol=1e-4, atol=1e-5)
    assert len(make_classifier("finetuned", path).weights_hash) == 64
