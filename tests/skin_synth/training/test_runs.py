"""The run directory: what is frozen, what is refused, what survives."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import os
import re
import shutil

import h5py
import numpy as np
import pytest

from skin_synth.provenance import content_hash
from skin_synth.sealing import SEAL, seal
from skin_synth.training.checkpoints import damage
from skin_synth.training.run_config import RUN_SCHEMA_VERSION
from skin_synth.training.run_directory import RunDirectory
from skin_synth.training.runs import load_run, new_gan
from tests.skin_synth.training.test_run_config import config
from tfrecords_tools.errors import InputError


@pytest.fixture
def directory(tmp_path):
    """Of a run that has just been started."""
    directory = RunDirectory(tmp_path / "run")
    directory.create(config())
    return directory


def test_config_survives_the_file(directory):
    assert directory.config() == config()
    fields = json.loads((directory.path / "config.json").read_text())
    assert fields["run_id"] == config().run_id
    assert fields["schema_version"] == RUN_SCHEMA_VERSION


def test_a_directory_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="not a run directory"):
        RunDirectory(tmp_path).create(config())
    with pytest.raises(InputError, match="not a run directory"), RunDirectory(tmp_path).training():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_damaged_config_is_named(directory):
    (directory.path / "config.json").write_text('{"preset": {"na')
    with pytest.raises(InputError, match=r"config.json cannot be read"):
        load_run(directory.path)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a run directory"):
        load_run(tmp_path)


def test_a_run_without_checkpoint_is_refused(directory):
    with pytest.raises(InputError, match="no checkpoint yet"):
        load_run(directory.path)


def test_weights_hash_sees_values_shapes_and_order():
    a, b = np.zeros((2, 3), np.float32), np.ones((2,), np.float32)
    hashes = {content_hash(*w) for w in ([a, b], [b, a], [a.reshape(3, 2), b], [a, b + 1])}
    assert len(hashes) == 4


def test_a_loaded_run_generates_what_the_trained_one_generated(tiny_run):
    again = load_run(tiny_run.directory)
    assert again.origin.checkpoint_hash == tiny_run.origin.checkpoint_hash
    assert again.origin.images_seen == tiny_run.origin.images_seen >= 2_000
    np.testing.assert_array_equal(again.generate([0, 6], [1, 2]), tiny_run.generate([0, 6], [1, 2]))


def test_a_run_gives_the_scores_of_its_discriminator(tiny_run):
    size = tiny_run.image_size
    images = np.random.default_rng(0).integers(0, 256, (70, size, size, 3), np.uint8)
    labels = np.arange(70) % len(tiny_run.class_names)
    found = tiny_run.discriminator_scores(images, labels)
    expected = tiny_run.gan.discriminator((images / np.float32(127.5) - 1, labels))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, np.float32(expected), rtol=1e-3, atol=1e-3)


def test_a_run_knows_what_it_was_trained_on(tiny_run, phantom_data):
    assert tiny_run.origin.data_name == "phantoms"
    assert tiny_run.data_dir == phantom_data
    assert len(tiny_run.origin.data_fingerprint) == 64
    assert tiny_run.origin.preset_name == "tiny-32"
    assert tiny_run.image_size == 32
    assert len(tiny_run.class_names) == 7


def test_a_run_started_before_presets_knew_validation_goes_on(directory):
    path = directory.path / "config.json"
    fields = json.loads(path.read_text())
    del fields["preset"]["validation_images"]
    path.write_text(json.dumps(fields))
    assert directory.config() == config()
    assert directory.config().run_id == fields["run_id"]


class Weights:
    """A GAN whose weights are one number; it may end saving with an error."""

    state = ()

    def __init__(self, images_seen, error=None):
        self.images_seen, self.error = images_seen, error

    def save_weights(self, path):
        with h5py.File(path, "w") as file:
            file["images"] = self.images_seen
        if self.error:
            raise self.error

    def load_weights(self, path):
        with h5py.File(path) as file:
            self.images_seen = int(file["images"][()])


def test_the_best_checkpoint_is_replaced_by_a_better_one_only(directory):
    assert directory.best() is None
    kept = [directory.save_best(Weights(n), kid) for n, kid in enumerate([3.0, 4.0, 3.0, -1.0])]
    assert kept == [True, False, False, True]
    best = directory.best()
    assert (best.images_seen, best.mean_kid) == (3, -1.0)
    with h5py.File(best.path) as file:
        assert file["images"][()] == 3
    assert directory.checkpoints() == []
    assert [path.name for path in best.path.parent.iterdir()] == ["best.weights.h5"]


def test_a_best_checkpoint_that_cannot_be_written_leaves_the_old_one(directory):
    directory.save_best(Weights(1), 1.0)
    before = directory.best()
    with pytest.raises(OSError, match="disk full"):
        directory.save_best(Weights(2, OSError("disk full")), 0.0)
    assert directory.best() == before
    assert [path.name for path in before.path.parent.iterdir()] == ["best.weights.h5"]


@pytest.fixture
def three(directory):
    """A run directory with three checkpoints."""
    for images in (10, 20, 30):
        directory.save(Weights(images), keep=3)
    return directory


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_so_many_checkpoints_are_kept(three, keep):
    three.save(Weights(40), keep=keep)
    seen = [int(path.name[7:19]) for path in three.checkpoints()]
    assert seen == [10, 20, 30, 40][-keep:]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def replaced_by(make):
    """Puts something else in the place of a checkpoint."""

    def replace(path):
        path.unlink()
        make(path)

    return replace


DAMAGES = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:300]),
    "flipped": flip,
    "empty": lambda path: path.write_bytes(b""),
    "link to nothing": replaced_by(lambda path: path.symlink_to("/nonexistent")),
    "link to itself": replaced_by(lambda path: path.symlink_to(path.name)),
    "folder": replaced_by(lambda path: path.mkdir()),
    "pipe": replaced_by(os.mkfifo),
    "another number": lambda path: shutil.copy(path.with_name(path.name.replace("3", "1")), path),
}


@pytest.mark.parametrize("hurt", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(three, hurt, caplog):
    hurt(three.checkpoints()[-1])
    gan = Weights(0)
    three.restore(gan, set_aside=True)
    assert gan.images_seen == 20
    (message,) = caplog.messages
    assert "warning: " in message
    assert "images-000000000030.weights.h5 is damaged" in message
    three.save(Weights(25), keep=2)
    assert [int(path.name[7:19]) for path in three.checkpoints()] == [20, 25]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_checkpoint_that_may_not_be_read_is_passed_over(three, caplog):
    three.checkpoints()[-1].chmod(0)
    gan = Weights(0)
    three.restore(gan, set_aside=False)
    assert gan.images_seen == 20
    assert "it cannot be read: Permission denied" in caplog.text


def rewrite(path, name, value):
    """Changes one array in the file of a checkpoint, and seals it again."""
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(SEAL)])
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = value
    seal(path)


EMBEDDING = "ema_generator/embedding/vars/0"
FOREIGN = {
    "NaN": (EMBEDDING, np.full((7, 8), np.nan, np.float32)),
    "other classes": (EMBEDDING, np.zeros((5, 8), np.float32)),
    "negative steps": ("vars/0", np.int64(-3)),
}


@pytest.mark.parametrize("change", FOREIGN.values(), ids=FOREIGN)
def test_a_checkpoint_that_is_not_of_the_run_is_passed_over(tiny_run, tmp_path, caplog, change):
    copy = RunDirectory(shutil.copytree(tiny_run.directory, tmp_path / "run"))
    rewrite(copy.checkpoints()[-1], *change)
    assert load_run(copy.path).origin.images_seen < tiny_run.origin.images_seen
    assert "is damaged" in caplog.text
    for path in copy.checkpoints()[:-1]:
        path.unlink()
    with pytest.raises(InputError, match=r"all checkpoints in .* are damaged, the oldest: "):
        load_run(copy.path)


def test_the_origin_is_that_of_the_present_weights(tiny_run):
    run = load_run(tiny_run.directory)
    before = run.origin
    bias = run.ema_generator.to_rgb.bias
    bias.assign(bias + 0.5)
    assert run.origin.checkpoint_hash == content_hash(*run.ema_generator.get_weights())
    assert run.origin.checkpoint_hash != before.checkpoint_hash
    assert run.origin.run_id == before.run_id


def test_a_machine_that_does_not_write_sets_nothing_aside(three, monkeypatch, caplog):
    """It goes on if the one that writes has just renamed a file."""
    damaged = three.checkpoints()[-1]
    damaged.write_bytes(b"")
    gan = Weights(0)
    three.restore(gan, set_aside=False)
    assert gan.images_seen == 20
    assert damaged in three.checkpoints()

    def look(path):
        if path == damaged:
            damaged.rename(damaged.with_name("damaged"))
            return damage(path)
        return None

    monkeypatch.setattr("skin_synth.training.run_directory.damage", look)
    gan = Weights(0)
    caplog.clear()
    three.restore(gan, set_aside=False)
    assert gan.images_seen == 20
    assert not caplog.messages


def test_where_all_are_damaged_nothing_is_begun_afresh(three):
    for path in three.checkpoints():
        path.write_bytes(b"")
    with pytest.raises(InputError, match=r"all checkpoints in .* are damaged"):
        three.restore(Weights(0), set_aside=True)
    assert len(three.checkpoints()) == 3


def test_the_way_out_of_damage_keeps_what_is_trained_after_it(three):
    three.save_best(Weights(15), 1.0)
    for path in three.checkpoints():
        path.write_bytes(b"")
    advice = r"remove them and copy best.weights.h5 to (\S+) to go on"
    with pytest.raises(InputError, match=advice) as error:
        three.restore(Weights(0), set_aside=True)
    name = re.search(advice, str(error.value))[1]
    for path in three.checkpoints():
        path.unlink()
    shutil.copy(three.best_file, three.best_file.with_name(name))
    gan = Weights(0)
    three.restore(gan, set_aside=True)
    assert gan.images_seen == 15
    assert three.save(Weights(18), keep=1) in three.checkpoints()


@pytest.mark.parametrize("left", [".tmp-4194999.new.config.json", "lock", "lock.soft"])
def test_what_a_killed_start_leaves_does_not_bar_the_next(tmp_path, left):
    (tmp_path / left).write_text("{")
    directory = RunDirectory(tmp_path)
    directory.create(config())
    assert directory.config() == config()
    assert not list(tmp_path.glob(".tmp-*"))


def test_reading_a_run_falls_back_too_and_moves_nothing(tiny_run, tmp_path, caplog):
    copy = RunDirectory(shutil.copytree(tiny_run.directory, tmp_path / "run"))
    flip(copy.checkpoints()[-1])
    before = sorted(copy.path.rglob("*"))
    assert load_run(copy.path).origin.images_seen < tiny_run.origin.images_seen
    assert "is damaged (its checksum does not fit)" in caplog.text
    assert sorted(copy.path.rglob("*")) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_full_disk_leaves_the_checkpoints_that_there_are(three, number):
    before = [path.read_bytes() for path in three.checkpoints()]
    with pytest.raises(OSError, match=os.strerror(number)):
        three.save(Weights(40, OSError(number, os.strerror(number))))
    assert [path.read_bytes() for path in three.checkpoints()] == before
    assert not [path for path in three.best_file.parent.iterdir() if path.name.startswith(".")]


def test_a_directory_is_trained_in_by_one_at_a_time_and_read_meanwhile(three):
    with three.training():
        with pytest.raises(InputError, match=f"in use by process {os.getpid()}"), three.training():
            pass
        gan = Weights(0)
        three.restore(gan, set_aside=False)
        assert gan.images_seen == 30
    with three.training():
        pass


def test_networks_larger_than_their_checkpoint_or_this_machine_take_no_memory(tmp_path, tiny_run):
    config = tiny_run.config
    wide = dataclasses.replace(config.preset, generator_widths=(4096,) * 4)
    edited = dataclasses.replace(config, preset=wide)
    directory = RunDirectory(tmp_path / "run")
    directory.create(edited)
    newest = RunDirectory(tiny_run.directory).checkpoints()[-1]
    (directory.path / "checkpoints" / newest.name).write_bytes(newest.read_bytes())
    with pytest.raises(InputError, match=r"config\.json describes networks of about 7,\d{3},\d{3}"):
        load_run(directory.path)
    wider = dataclasses.replace(config.preset, generator_widths=(8192,) * 4)
    many = dataclasses.replace(wider, discriminator_widths=(8192,) * 3, latent_dim=8192)
    with pytest.raises(InputError, match="GiB to train, this machine has"):
        new_gan(dataclasses.replace(config, preset=many))


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_run_starts_where_there_is_no_flock(tmp_path, number, monkeypatch):
    def no_flock(handle, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_flock)
    directory = RunDirectory(tmp_path / "run")
    with directory.training():
        with pytest.raises(InputError, match="in use by process"), directory.training():
            pass
        directory.create(config())
    assert directory.config() == config()
