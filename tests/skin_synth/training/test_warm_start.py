"""Warm start: networks that grow compute what the old ones did; classes are found by name."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from skin_synth.generator import on_ancestors
from skin_synth.models.gan import ConditionalGAN
from skin_synth.presets import Preset, Ramp, get_preset
from skin_synth.pretrained import load_exported
from skin_synth.pretrained.network import network_of
from skin_synth.training import forecast
from skin_synth.training.configure import configure
from skin_synth.training.options import TrainingOptions
from skin_synth.training.run_config import RunConfig
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.trainer import train
from skin_synth.training.warm_start import (
    _classes,
    check_fits,
    grown,
    is_source,
    load_ancestor,
    warm_start,
    warm_start_source,
)
from skin_synth.training.weight_inheritance import inherit
from tests.data_sets import records, write_records
from tfrecords_tools.errors import InputError


def sizes(image_size, generator_widths, discriminator_widths):
    """Fields of a preset."""
    return {
        "image_size": image_size,
        "generator_widths": generator_widths,
        "discriminator_widths": discriminator_widths,
    }


LENGTHS = {"latent_dim": 8, "embedding_dim": 4, "mapping_layers": 1}
OLD = Preset(name="old-16", **LENGTHS, **sizes(16, (12, 8, 8), (8, 10)))
WIDER = dataclasses.replace(OLD, name="wider-16", **sizes(16, (14, 10, 9), (9, 12)))
LARGER = dataclasses.replace(OLD, name="larger-64", **sizes(64, (14, 10, 9, 8, 7), (7, 8, 9, 12)))
NAMES = ("a", "b", "c")


def perturbed(gan):
    """A GAN with no weight at the value that it starts with, and sane moving variances."""
    rng = np.random.default_rng(0)
    for network in (gan.generator, gan.ema_generator, gan.discriminator):
        for variable in network.variables:
            noise = 0.1 * rng.normal(size=variable.shape)
            variable.assign(
                1 + noise**2 if "variance" in variable.path else variable.numpy() + noise
            )
    return gan


@pytest.fixture(scope="module")
def old():
    return perturbed(ConditionalGAN(OLD, NAMES, policy="float32"))


def heir(old, preset, names=NAMES):
    gan = ConditionalGAN(preset, names, seed=1, policy="float32")
    inherit(gan, old)
    return gan


def halved(images, times):
    for _ in range(times):
        images = tf.nn.avg_pool2d(images, 2, 2, "VALID")
    return images


@pytest.mark.parametrize(("preset", "doublings"), [(OLD, 0), (WIDER, 0), (LARGER, 2)], ids=str)
def test_the_discriminator_starts_as_the_old_one_on_the_image_made_smaller(old, preset, doublings):
    gan = heir(old, preset)
    rng = np.random.default_rng(1)
    images = rng.uniform(-1, 1, (6, preset.image_size, preset.image_size, 3)).astype(np.float32)
    labels = tf.constant([0, 1, 2, 0, 1, 2])
    expected = old.discriminator((halved(images, doublings), labels))
    np.testing.assert_allclose(gan.discriminator((images, labels)), expected, atol=2e-5)


@pytest.mark.parametrize("preset", [OLD, WIDER], ids=lambda preset: preset.name)
@pytest.mark.parametrize("training", [False, True])
def test_a_generator_of_the_same_size_generates_what_the_old_one_did(old, preset, training):
    gan = heir(old, preset)
    inputs = tf.random.stateless_normal([6, 8], [1, 2]), tf.constant([0, 1, 2, 0, 1, 2])
    for name in ("generator", "ema_generator"):
        first, second = (getattr(g, name)(inputs, training=training) for g in (gan, old))
        np.testing.assert_allclose(first, second, atol=2e-5)


def test_a_larger_generator_makes_the_old_image_of_enlarged_features(old):
    gan = heir(old, LARGER)
    latents, labels = tf.random.stateless_normal([6, 8], [1, 2]), tf.constant([0, 1, 2, 0, 1, 2])
    x = features_of(old.ema_generator, latents, labels)
    enlarged = tf.repeat(tf.repeat(x, 2, axis=1), 2, axis=2)
    to_rgb = old.ema_generator.to_rgb
    picture = tf.nn.conv2d(enlarged, to_rgb.kernel.value, 1, "SAME") + to_rgb.bias.value
    expected = np.tanh(np.repeat(np.repeat(picture, 2, axis=1), 2, axis=2))
    np.testing.assert_allclose(gan((latents, labels)), expected, atol=2e-4)


def features_of(generator, latents, labels):
    """What the last convolution of a generator meets, by the layers' own description."""
    condition = tf.concat([latents, tf.gather(generator.embedding.embeddings.value, labels)], 1)
    (dense,) = generator.mapping
    condition = tf.nn.leaky_relu(condition @ dense.kernel.value + dense.bias.value, 0.2)
    x = tf.reshape(condition @ generator.first.kernel.value, [-1, 4, 4, generator.widths[0]])
    x = tf.nn.leaky_relu(generator.norms[0]((x, condition)), 0.2)
    for up, norm in zip(generator.ups, generator.norms[1:], strict=True):
        x = tf.nn.leaky_relu(norm((up(x), condition)), 0.2)
    return x


def test_in_training_the_larger_generator_gives_nearly_that_image(old):
    gan = heir(old, LARGER)
    inputs = tf.random.stateless_normal([64, 8], [3, 4]), tf.range(64) % 3
    ours = halved(gan.generator(inputs, training=True), 2).numpy().ravel()
    theirs = old.generator(inputs, training=True).numpy().ravel()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.6  # the moments of a batch are not the moving ones


def test_new_parts_learn(old):
    """All weights get a gradient but those of added channels, of which the next layer takes nothing
    yet; the last layers of both networks, behind which nothing is zero, learn them at once."""
    gan = heir(old, LARGER)
    inputs = tf.random.stateless_normal([4, 8], [3, 4]), tf.constant([0, 1, 2, 0])
    with tf.GradientTape() as tape:
        logits = gan.discriminator((gan.generator(inputs, training=True), inputs[1]))
        loss = tf.reduce_mean(logits)
    variables = gan.generator.trainable_variables + gan.discriminator.trainable_variables
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    idle = {
        variable.path: float(np.mean(tf.convert_to_tensor(gradient).numpy() == 0))
        for variable, gradient in zip(variables, gradients, strict=True)
    }
    assert max(idle.values()) <= 0.25
    assert idle["generator/to_rgb/kernel"] == idle["discriminator/hidden/kernel"] == 0


def test_classes_are_found_by_name(old):
    gan = heir(old, OLD, ("c", "new", "a"))
    fresh = ConditionalGAN(OLD, ("c", "new", "a"), seed=1, policy="float32")
    for network in ("generator", "ema_generator", "discriminator"):
        table = getattr(gan, network).embedding.embeddings.numpy()
        theirs = getattr(old, network).embedding.embeddings.numpy()
        np.testing.assert_array_equal(table[[0, 2]], theirs[[2, 0]])
        own = getattr(fresh, network).embedding.embeddings.numpy()
        np.testing.assert_array_equal(table[1], own[1])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"latent_dim": 9}, "latent_dim"),
        ({"embedding_dim": 5}, "embedding_dim"),
        ({"mapping_layers": 2}, "mapping_layers"),
        ({"generator_widths": (12, 7, 8)}, "generator_widths"),
        ({"discriminator_widths": (8, 9)}, "discriminator_widths"),
        (sizes(32, (12, 8, 8, 5), (8, 8, 10)), "generator_widths"),
        (sizes(8, (12, 8), (10,)), "image_size"),
    ],
    ids=str,
)
def test_networks_that_do_not_fit_are_refused(changes, field):
    with pytest.raises(InputError, match=rf"cannot start from one of old-16: {field} is"):
        check_fits(OLD, dataclasses.replace(OLD, name="new", **changes))


@pytest.mark.parametrize(
    "pair", [("derm-32", "derm-64"), ("derm-64", "derm-128"), ("derm-128", "derm-256")]
)
def test_each_preset_can_start_from_the_one_below(pair):
    check_fits(*map(get_preset, pair))


@pytest.fixture(scope="module")
def source(phantom_data, tiny_preset, tmp_path_factory):
    """A run of a step, to start others from."""
    directory = tmp_path_factory.mktemp("source") / "run"
    return train(phantom_data, directory, TrainingOptions(preset=tiny_preset.name, images=8))


@pytest.mark.usefixtures("eager_steps")
def test_a_run_tells_where_it_started_and_resumes_without_the_other(
    source, tiny_preset, phantom_data, tmp_path
):
    options = {"init_from": source.directory, "seed": 5}
    whole = train(phantom_data, tmp_path / "whole", TrainingOptions(images=24, **options))
    pieces = train(phantom_data, tmp_path / "pieces", TrainingOptions(images=8, **options))
    origin = json.loads((tmp_path / "whole" / "config.json").read_text())["init_from"]
    assert origin["run_id"] == source.origin.run_id
    assert origin["checkpoint_hash"] == source.origin.checkpoint_hash
    assert whole.config.preset == tiny_preset
    # The other run may be gone by now.
    path = tmp_path / "pieces" / "config.json"
    path.write_text(path.read_text().replace(str(source.directory), "/gone"))
    pieces = train(phantom_data, tmp_path / "pieces", TrainingOptions(images=24))
    assert pieces.origin.run_id == whole.origin.run_id
    assert pieces.origin.checkpoint_hash == whole.origin.checkpoint_hash
    with pytest.raises(InputError, match="was started with --init_from"):
        train(phantom_data, tmp_path / "whole", TrainingOptions(images=32, init_from=tmp_path))
    options = TrainingOptions(images=10_000, init_from=tmp_path / "whole")
    with pytest.raises(InputError, match="was started from fresh weights"):
        train(phantom_data, source.directory, options)


@pytest.mark.usefixtures("eager_steps")
def test_a_start_that_was_killed_needs_the_same_checkpoint(source, phantom_data, tmp_path):
    options = TrainingOptions(images=8, init_from=source.directory)
    started = train(phantom_data, tmp_path / "run", options)
    directory = RunDirectory(tmp_path / "run")
    for path in directory.checkpoints():
        path.unlink()
    again = train(phantom_data, tmp_path / "run", TrainingOptions(images=8))
    assert again.origin.checkpoint_hash == started.origin.checkpoint_hash
    for path in directory.checkpoints():
        path.unlink()
    config = directory.config()
    other = dataclasses.replace(config.init_from, checkpoint_hash="0" * 64)
    changed = dataclasses.replace(config, init_from=other)
    fields = changed.to_json() | {"run_id": changed.run_id}
    (directory.path / "config.json").write_text(json.dumps(fields), "utf-8")
    with pytest.raises(InputError, match="was trained beyond"):
        train(phantom_data, tmp_path / "run", TrainingOptions(images=8))


TUNED = dataclasses.replace(
    get_preset("derm-32"),
    gamma=Ramp(1.0, 1.0),
    **{**LENGTHS, "mapping_layers": 0},
    generator_widths=(300, 16, 70, 8),
    discriminator_widths=(8, 16, 300),
)


@pytest.mark.parametrize("wanted", [None, get_preset("derm-32")], ids=str)
def test_a_run_takes_the_settings_of_the_one_it_starts_from(wanted):
    assert grown(TUNED, wanted) == TUNED


def test_a_larger_preset_takes_the_lengths_and_is_nowhere_narrower():
    wanted = get_preset("derm-64")
    found = grown(TUNED, wanted)
    check_fits(TUNED, found)
    assert found.generator_widths == (300, 128, 96, 48, 24)
    assert found.discriminator_widths == (48, 96, 192, 300)
    assert (found.latent_dim, found.embedding_dim, found.mapping_layers) == (8, 4, 0)
    assert found.gamma == wanted.gamma


def test_a_smaller_preset_is_still_refused():
    with pytest.raises(InputError, match="image_size"):
        check_fits(get_preset("derm-64"), grown(get_preset("derm-64"), get_preset("derm-32")))


def test_what_a_warm_start_takes_over_is_said(tiny_run, phantom_data, caplog):
    """Neither the preset of the ancestor nor its widths need be known."""
    options = TrainingOptions(init_from=tiny_run.directory, overrides=["gamma=1"])
    with caplog.at_level("INFO"):
        config = configure(RunDirectory("nowhere"), phantom_data, options)
    assert config.preset == dataclasses.replace(tiny_run.config.preset, gamma=Ramp(1.0, 1.0))
    assert "its settings, except gamma=1" in caplog.text


def test_a_data_set_that_has_grown_is_refused_with_the_way_on(tiny_run, phantom_data, tmp_path):
    import tfrecords_tools
    from skin_synth.phantoms import write_folder

    write_folder(tmp_path / "folder", counts=4, size=32, seed=5)
    columns = {"id_column": "image_id", "label_column": "label", "group_column": "group"}
    labels = tmp_path / "folder" / "labels.csv"
    data = tmp_path / "data"
    tfrecords_tools.build(
        tmp_path / "folder", data, name="phantoms", labels=labels, size=32, **columns
    )
    with pytest.raises(InputError, match=f"--init_from {tiny_run.directory} starts from its wei"):
        configure(RunDirectory(tiny_run.directory), data, TrainingOptions())


WAITING = ["generator_warm_up=32"]
"""Of a batch of eight: two steps without the generator, then it learns more and more."""


@pytest.mark.usefixtures("eager_steps")
def test_a_generator_that_comes_alone_waits_for_its_discriminator(
    served_version, tiny_run, phantom_data, tmp_path, caplog
):
    options = TrainingOptions(images=16, init_from=served_version, overrides=WAITING)
    with caplog.at_level("INFO"):
        run = train(phantom_data, tmp_path / "run", options)
    assert "its generator with a new discriminator: 7 classes known" in caplog.text
    before = network_of(load_exported(served_version))
    assert moved(run.gan.generator, before) == 0.0
    fresh = ConditionalGAN(run.config.preset, run.class_names, policy=run.config.policy)
    assert moved(run.gan.discriminator, fresh.discriminator) > 0.0
    inputs = tf.random.stateless_normal([4, run.gan.latent_dim], [1, 2]), tf.range(4)
    # The moving statistics of its normalisation follow the batches, the images hardly change.
    np.testing.assert_allclose(run.gan(inputs), tiny_run.gan(inputs), atol=0.1)
    options = TrainingOptions(images=40, init_from=served_version.parent)
    run = train(phantom_data, tmp_path / "run", options)
    assert moved(run.gan.generator, before) > 0.0
    # The discriminator has learnt: a run that starts from this one need not wait for it.
    options = TrainingOptions(init_from=run.directory)
    next_run = configure(RunDirectory("nowhere"), phantom_data, options)
    assert next_run.preset == dataclasses.replace(run.config.preset, generator_warm_up=0)


def test_a_run_that_stopped_while_its_generator_waited_passes_the_rest_on(
    tiny_run, phantom_data, monkeypatch
):
    seen = tiny_run.origin.images_seen
    where = RunDirectory("nowhere")

    def inherited(images, **options):
        preset = dataclasses.replace(tiny_run.config.preset, generator_warm_up=images)
        config = dataclasses.replace(tiny_run.config, preset=preset)
        ancestor = dataclasses.replace(tiny_run, config=config)
        monkeypatch.setattr("skin_synth.training.configure.load_ancestor", lambda _: ancestor)
        chosen = TrainingOptions(init_from=tiny_run.directory, **options)
        return configure(where, phantom_data, chosen).preset.generator_warm_up

    long = {"schedule_images": 1_000_000}
    assert [inherited(seen + rest, **long) for rest in (-1, 0, 1, 5_000)] == [0, 0, 1, 5_000]
    # A short run must not wait for most of its images: its generator would learn nothing.
    assert inherited(seen + 5_000, schedule_images=1_000) == 200
    kept = ["generator_warm_up=900"]
    assert inherited(seen + 5_000, schedule_images=1_000, overrides=kept) == 900


def moved(network, other):
    """How far the weights of a network are from those of another."""
    pairs = zip(network.trainable_variables, other.trainable_variables, strict=True)
    return max(float(np.abs(a.numpy() - b.numpy()).max()) for a, b in pairs)


def test_a_generator_waits_for_a_part_of_a_short_run(served_version, tiny_run, phantom_data):
    where = RunDirectory("nowhere")

    def warm_up(source, **options):
        chosen = TrainingOptions(init_from=source, **options)
        return configure(where, phantom_data, chosen).preset.generator_warm_up

    assert warm_up(served_version, schedule_images=1_000) == 200
    assert warm_up(served_version, schedule_images=1_000_000) == 50_000
    assert warm_up(served_version, overrides=["generator_warm_up=7"]) == 7
    assert warm_up(tiny_run.directory, schedule_images=1_000) == 0


@pytest.mark.usefixtures("eager_steps")
def test_a_generator_waits_for_a_part_of_the_minutes(
    served_version, phantom_data, tmp_path, monkeypatch
):
    monkeypatch.setattr(forecast, "measure_speed", lambda *args: 2.0)
    options = TrainingOptions(init_from=served_version, schedule_minutes=1.0, images=40)
    preset = train(phantom_data, tmp_path / "run", options).config.preset
    assert (preset.schedule_images, preset.generator_warm_up) == (40, 8)


def test_a_generator_alone_goes_on_at_the_last_learning_rate(served_version, phantom_data):
    def rate(**options):
        chosen = TrainingOptions(init_from=served_version, **options)
        return configure(RunDirectory("nowhere"), phantom_data, chosen).preset.learning_rate

    assert rate() == Ramp(1e-4, 1e-4)
    assert rate(overrides=["learning_rate=8e-4:1e-4"]) == Ramp(8e-4, 1e-4)


def test_larger_images_can_start_from_a_generator_alone(served_version, tiny_run, phantom_data):
    preset = grown(tiny_run.config.preset, get_preset("derm-64"))
    gan = ConditionalGAN(preset, tiny_run.class_names, policy="float32")
    warm_start(gan, warm_start_source(load_ancestor(served_version), preset, phantom_data))
    inputs = tf.random.stateless_normal([4, gan.latent_dim], [1, 2]), tf.range(4)
    small, large = tiny_run.gan(inputs).numpy(), halved(gan(inputs), 1).numpy()
    assert np.corrcoef(small.ravel(), large.ravel())[0, 1] > 0.9


def test_another_export_is_another_source(served_version, tiny_run, phantom_data, tmp_path):
    source = warm_start_source(load_ancestor(served_version), tiny_run.config.preset, phantom_data)
    assert is_source(source, served_version)
    assert is_source(source, served_version.parent)
    assert not is_source(source, tmp_path)
    assert not is_source(source, tiny_run.directory)
    of_run = warm_start_source(
        load_ancestor(tiny_run.directory), tiny_run.config.preset, phantom_data
    )
    assert not is_source(of_run, tiny_run.directory.parent)


def test_a_start_without_a_known_class_says_which_are_known():
    assert _classes(["a", "b"], ["b", "c"]) == "1 classes known, new: a"
    assert _classes(["a"], ["b", "c"]).endswith("learnt anew (it knows b, c)")


def test_what_is_neither_a_run_nor_a_generator_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("skin_synth.training.warm_start.known_names", lambda: ("shared-32",))
    for path in (tmp_path, tmp_path / "nothing", "shared-64"):
        with pytest.raises(InputError, match=r"no run and no export is there, .*: shared-32\)"):
            load_ancestor(path)


def test_a_link_that_leads_to_itself_is_no_source(served_version, tiny_run, phantom_data, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "link")
    with pytest.raises(InputError, match="no run and no export is there"):
        load_ancestor(tmp_path / "link")
    source = warm_start_source(load_ancestor(served_version), tiny_run.config.preset, phantom_data)
    assert not is_source(source, tmp_path / "link")


def test_an_installed_generator_is_found_by_its_name(
    served_version, tiny_run, phantom_data, monkeypatch
):
    monkeypatch.setattr("skin_synth.training.warm_start.known_names", lambda: ("shared-32",))
    finding = {"skin_synth.training.warm_start.find_generator": (served_version, "")}
    finding["skin_synth.training.warm_start.load_pretrained"] = load_exported(served_version)
    for place, found in finding.items():
        monkeypatch.setattr(place, lambda name, found=found: found)
    source = warm_start_source(load_ancestor("shared-32"), tiny_run.config.preset, phantom_data)
    assert source.directory == str(served_version.resolve())
    assert is_source(source, "shared-32")


@pytest.fixture
def turned_round(tiny_run, phantom_data, tmp_path):
    """The images of the run with other ids; its training split tests, and its test split trains."""
    splits = {"train": "test", "test": "train", "validation": "validation"}
    turned = {
        splits[split]: [dataclasses.replace(each, image_id=f"new {each.image_id}") for each in of]
        for split, of in records(phantom_data).items()
    }
    options = {"class_names": tiny_run.class_names, "image_shape": (32, 32, 3)}
    return write_records(tmp_path / "turned", turned, **options)


def test_held_out_images_that_the_source_was_trained_on_are_counted_and_said(
    tiny_run, phantom_data, turned_round, caplog
):
    options = TrainingOptions(init_from=tiny_run.directory)
    config = configure(RunDirectory("nowhere"), turned_round, options)
    seen = config.init_from.held_out_seen
    assert seen == sum(tiny_run.class_counts)
    assert f"was trained on {seen:,} of the validation and test images" in caplog.text
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    [sentence] = on_ancestors(dataclasses.replace(tiny_run, config=config))
    assert f"trained on {seen:,} of the validation and test images" in sentence

    caplog.clear()
    honest = configure(RunDirectory("nowhere"), phantom_data, options)
    assert honest.init_from.held_out_seen == 0
    assert "held_out_seen" not in honest.to_json()["init_from"]  # as in files of earlier releases
    assert not [each for each in caplog.records if each.levelname == "WARNING"]
    assert (
        on_ancestors(dataclasses.replace(tiny_run, config=honest)) == on_ancestors(tiny_run) == []
    )


def test_the_source_of_a_source_counts_too(tiny_run, turned_round, monkeypatch):
    options = TrainingOptions(init_from=tiny_run.directory)
    config = configure(RunDirectory("nowhere"), turned_round, options)
    other = dataclasses.replace(tiny_run.config.data, fingerprint="0" * 64, directory="/gone")
    child = dataclasses.replace(config, data=other)  # trained on a third data set
    monkeypatch.setattr(
        "skin_synth.training.configure.load_ancestor",
        lambda _: dataclasses.replace(tiny_run, config=child),
    )
    config = configure(RunDirectory("nowhere"), turned_round, options)
    assert config.init_from.held_out_seen == sum(tiny_run.class_counts)


def test_a_data_set_without_held_out_images_is_not_searched(tiny_run, turned_round, tmp_path):
    trained = records(turned_round)["test"]
    options = {"class_names": tiny_run.class_names, "image_shape": (32, 32, 3)}
    data = write_records(tmp_path / "alone", {"train": trained}, **options)
    chosen = TrainingOptions(init_from=tiny_run.directory)
    assert configure(RunDirectory("nowhere"), data, chosen).init_from.held_out_seen == 0


def test_a_new_run_on_few_images_is_told_of_a_trained_generator(
    tiny_preset, phantom_data, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr("skin_synth.training.trainer.names_for", {32: ("shared-32",)}.get)

    def advised(**options):
        caplog.clear()
        chosen = TrainingOptions(preset=tiny_preset.name, dry_run=True, **options)
        with caplog.at_level("INFO"):
            train(phantom_data, tmp_path / "run", chosen)
        return "--init_from shared-32" in caplog.text

    assert advised()
    assert "only 119 training images: a start from a trained generator" in caplog.text
    monkeypatch.setattr("skin_synth.training.trainer.FEW_IMAGES", 119)
    assert not advised()
