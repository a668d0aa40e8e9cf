"""The client against a server on the loopback interface: the library's pixels, clear refusals."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from skin_synth.serving import Client, ServingError
from tests.skin_synth.serving.stand_in import MAX_BATCH_SIZE, MODEL
from tfrecords_tools.errors import InputError


@pytest.fixture(params=["rest", "grpc"])
def client(request, server, served_version):
    address = server.rest_address if request.param == "rest" else server.grpc_address
    options = {"origin": served_version, "backoff": 0.0}
    # On a busy machine a request that times out would be sent, and counted, again.
    with Client(address, model=MODEL, timeout=300.0, **options) as client:
        yield client


def test_images_are_those_of_the_library(client, tiny_run):
    ids, seeds = [0, 3, 6], [0, 2**62, -5]
    labels = [tiny_run.class_names[label] for label in ids]
    expected = tiny_run.generate(ids, seeds)
    np.testing.assert_array_equal(client.images(labels, seeds), expected)
    np.testing.assert_array_equal(client.generate(ids, seeds), expected)
    halved = tiny_run.generate(ids, seeds, truncation=0.5)
    np.testing.assert_array_equal(client.generate(ids, seeds, truncation=0.5), halved)
    latents = tiny_run.gan.sampler.latents(np.array(seeds, np.int64)).numpy()
    generated = client.from_latent(latents, ids)
    assert generated.dtype == np.uint8
    assert np.abs(generated.astype(int) - expected.astype(int)).max() <= 1


def test_pngs_carry_their_provenance(client, tiny_run):
    label = tiny_run.class_names[2]
    [png] = client.pngs([label], [7])
    with Image.open(io.BytesIO(png)) as image:
        chunks = {key.removeprefix("skin_synth:"): text for key, text in image.text.items()}
        np.testing.assert_array_equal(np.asarray(image), tiny_run.generate([2], [7])[0])
    origin = tiny_run.origin
    assert (chunks["label"], chunks["seed"], chunks["truncation"]) == (label, "7", "1.0")
    assert (chunks["run_id"], chunks["checkpoint_hash"]) == (origin.run_id, origin.checkpoint_hash)
    assert chunks["image_id"].startswith(f"served/{MODEL}")
    assert "synthetic" in chunks["Comment"]


def test_many_rows_travel_in_several_requests(client, server, tiny_run):
    count = MAX_BATCH_SIZE + 6
    before = server.model.requests
    ids, seeds = np.arange(count) % 7, np.arange(count)
    np.testing.assert_array_equal(client.generate(ids, seeds), tiny_run.generate(ids, seeds))
    assert server.model.requests - before == 2


def test_refusals_of_the_server_are_input_errors(client, tiny_run):
    with pytest.raises(InputError, match="INVALID_ARGUMENT") as refusal:
        client.images(["mole"], [1])
    assert ", ".join(tiny_run.class_names) in str(refusal.value)
    with pytest.raises(InputError, match="truncation must be finite"):
        client.generate([0], [1], truncation=float("inf"))
    latent = np.full((1, tiny_run.gan.latent_dim), np.nan)
    with pytest.raises(InputError, match="latent must be finite"):
        client.from_latent(latent, [0])


@pytest.mark.parametrize(
    ("labels", "seeds", "message"),
    [
        ([], [], "at least 1"),
        (["star"], [1, 2], "one number of rows"),
        (["star", "disc"], [1], "one number of rows"),
        (["star"], [[1]], "seeds must be a vector"),
        ("star", [1], "a list of class names"),
        (["star"], [1.5], "whole numbers"),
        (["star"], np.array([2**63], np.uint64), "must fit int64"),
    ],
)
def test_invalid_rows_are_never_sent(client, server, labels, seeds, message):
    before = server.model.requests
    for request in (client.images, client.pngs):
        with pytest.raises(InputError, match=message):
            request(labels, seeds)
    assert server.model.requests == before


def test_temporary_failures_are_retried(client, server, tiny_run):
    server.model.unavailable = 3
    label = tiny_run.class_names[0]
    np.testing.assert_array_equal(client.images([label], [3]), tiny_run.generate([0], [3]))
    server.model.unavailable = 9
    with pytest.raises(ServingError, match=r"queue is full \(after 4 attempts\)") as failure:
        client.images([label], [3])
    assert failure.value.code in ("UNAVAILABLE", "503")
    assert server.model.unavailable == 5
    server.model.unavailable = 0


def test_an_unknown_model_is_reported_at_once(server):
    for address in (server.rest_address, server.grpc_address):
        before = server.model.requests
        with Client(address, model="other") as client, pytest.raises(InputError, match="NOT_FOUND"):
            client.images(["star"], [1])
        assert server.model.requests == before + 1


@pytest.mark.parametrize(
    ("address", "options", "message"),
    [
        ("", {}, "address must be"),
        ("localhost:8500/v1", {}, "address must be"),
        ("localhost:8500", {"timeout": 0}, "timeout must be above 0"),
        ("localhost:8500", {"retries": -1}, "retries and backoff"),
        ("localhost:8500", {"batch_size": 0}, "batch_size must be at least 1"),
        ("localhost:8500", {"origin": "/nowhere"}, r"origin\.json does not exist"),
    ],
)
def test_invalid_options_are_refused(address, options, message):
    with pytest.raises(InputError, match=message):
        Client(address, model=MODEL, **options)
