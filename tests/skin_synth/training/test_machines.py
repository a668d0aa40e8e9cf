"""Two machines, played by two processes on loopback: a signal stops both, one dies, both go on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from skin_synth.training.run_directory import RunDirectory
from tests.conftest import TINY

ROOT = Path(__file__).parents[3]
SMALL = TINY | {
    "generator_widths": (16, 8, 8, 8),
    "discriminator_widths": (8, 8, 16),
    "batch_size": 64,
}
"""Few steps to the first checkpoint, for each waits for the other machine many times."""
WORKER = """
import dataclasses, sys
from tfrecords_tools.tensorflow_import import load_tensorflow
load_tensorflow()
from skin_synth.commands.log import show_log
from skin_synth.presets import PRESETS, get_preset
from skin_synth.training import TrainingOptions, train
from tfrecords_tools.errors import InputError, Stopped
preset = dataclasses.replace(get_preset("derm-32"), **eval(sys.argv[3]))
PRESETS[preset.name] = preset
try:
    options = TrainingOptions(preset=preset.name, images=int(sys.argv[4]))
    with show_log(warnings_to_stdout=True):
        run = train(sys.argv[1], sys.argv[2], options)
except InputError as error:
    sys.exit(f"refused: {error}")
except Stopped as stop:
    print(f"stopped: {stop}", file=sys.stderr)
    sys.exit(128 + stop.signal)
print("done", run.origin.images_seen, run.origin.checkpoint_hash, flush=True)
"""
PATIENCE = 300
"""Seconds in which a process must end that has nothing left to do."""


def start(data, run, images):
    with socket.create_server(("127.0.0.1", 0)) as a, socket.create_server(("127.0.0.1", 0)) as b:
        workers = [f"127.0.0.1:{server.getsockname()[1]}" for server in (a, b)]
    command = [sys.executable, "-c", WORKER, str(data), str(run), repr(SMALL), str(images)]
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task}),
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        processes.append(subprocess.Popen(command, env=environment, cwd=ROOT, **pipes))
    return processes


def outcome(process):
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"did not end: {err[-2000:]}")
    return process.returncode, out, err


def wait_for_checkpoint(run, process, known):
    """Whether the process was still at work when one was there that is not among the known."""
    deadline = time.monotonic() + PATIENCE
    while set(RunDirectory(run).checkpoints()) <= set(known) and process.poll() is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return process.poll() is None


def reached(run):
    """Images of the last checkpoint."""
    return int(RunDirectory(run).checkpoints()[-1].name.split("-")[1].split(".")[0])


@pytest.fixture(scope="module")
def signalled(phantom_data, tmp_path_factory):
    """A run stopped twice, by a signal to either machine: its place, what was said, the images."""
    run = tmp_path_factory.mktemp("machines") / "run"
    results, images = [], []
    for receiver in range(2):
        known = RunDirectory(run).checkpoints()
        processes = start(phantom_data, run, 10**6)
        at_work = wait_for_checkpoint(run, processes[0], known)
        processes[receiver].send_signal(signal.SIGTERM)
        results.append([outcome(process) for process in processes])
        assert at_work, results
        images.append(reached(run))
    return run, results, images


@pytest.fixture(scope="module")
def killed(signalled, phantom_data):
    """The same run, gone on with until the second machine was killed after a checkpoint."""
    run, *_ = signalled
    known = RunDirectory(run).checkpoints()
    first, second = start(phantom_data, run, 10**6)
    at_work = wait_for_checkpoint(run, first, known)
    second.send_signal(signal.SIGKILL)
    other = second.communicate()
    result = outcome(first)
    assert at_work, (result, other)
    return run, result, reached(run)


@pytest.mark.parametrize("receiver", [0, 1])
def test_a_signal_to_either_machine_stops_both_after_the_same_step(signalled, receiver):
    results, images = signalled[1][receiver], signalled[2][receiver]
    assert [code for code, _, _ in results] == [128 + signal.SIGTERM] * 2, results
    lines = [[line for line in err.splitlines() if "stopped:" in line] for _, _, err in results]
    assert lines[0] == lines[1] != []
    assert f"stopped by SIGTERM at {images:,} images, checkpoint written" in lines[0][0]


def test_what_a_signal_stopped_goes_on_from_there(signalled):
    _, results, images = signalled
    assert 0 < images[0] < images[1]
    assert all(f"from image {images[0]:,} on" in out for _, out, _ in results[1])


def test_a_killed_machine_stops_the_other(killed, signalled):
    _, (code, out, err), images = killed
    assert code == 1
    assert images > signalled[2][1]
    assert f"from image {signalled[2][1]:,} on" in out
    assert "refused: another machine of TF_CONFIG stopped" in err
    assert "start the same command on all of them again" in err


def test_both_go_on_from_the_last_checkpoint(killed, phantom_data):
    run, _, images = killed
    results = [outcome(process) for process in start(phantom_data, run, images + 448)]
    assert [code for code, _, _ in results] == [0, 0]
    assert all(f"from image {images:,} on" in out for _, out, _ in results)
    done = {out.splitlines()[-1] for _, out, _ in results}
    assert len(done) == 1
    assert done.pop().startswith(f"done {images + 448} ")
