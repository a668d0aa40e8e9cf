"""A forked process gets an error; with TensorFlow's threads gone it would wait for ever."""

from __future__ import annotations

import os

import pytest

from skin_synth.models.gan import ConditionalGAN
from skin_synth.models.networks import Generator
from skin_synth.saved_model.process import check_not_forked
from skin_synth.saved_model.sampler import Sampler
from tfrecords_tools.errors import InputError

REFUSED, WORKED = 7, 8


def end_of_fork(work):
    """Returns the exit status of a forked process that does the work."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 1
    try:
        work()
        status = WORKED
    except InputError as error:
        status = REFUSED if "spawn" in str(error) else 1
    finally:
        os._exit(status)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_is_refused_before_it_waits_for_ever():
    network = Generator(widths=(8, 8), latent_dim=4, embedding_dim=2, num_classes=2)
    sampler = Sampler(network, ("a", "b"))
    sampler.sample([0], [1])
    assert end_of_fork(lambda: sampler.sample([0], [1])) == REFUSED
    assert end_of_fork(lambda: ConditionalGAN("derm-32", ("a", "b"))) == REFUSED
    check_not_forked()  # here it goes on


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_may_be_the_first_to_use_a_generator(monkeypatch):
    monkeypatch.setattr("skin_synth.saved_model.process._used_in", [])
    assert end_of_fork(check_not_forked) == WORKED
