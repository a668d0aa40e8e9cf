"""Stop signals: noted, passed on at the second SIGINT; the handlers are restored at the end."""

from __future__ import annotations

import signal
import threading

import pytest

from skin_synth.training.callbacks.stopping import AgreeToStop
from skin_synth.training.stop_signals import (
    SIGNALS,
    SharedStopSignal,
    StopSignal,
    receiving_signals,
)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_asks_to_stop(number, request):
    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP
    request.addfinalizer(lambda: signal.signal(number, before))
    with receiving_signals(StopSignal()) as stop:
        assert not stop
        signal.raise_signal(number)
        assert stop
        assert stop.received is number


@pytest.mark.parametrize("first", [[signal.SIGINT], 3 * [signal.SIGTERM]], ids=str)
def test_a_sigint_after_another_signal_ends_at_once(first):
    with receiving_signals(StopSignal()) as stop:
        for number in first:
            signal.raise_signal(number)
        assert stop.received is first[0]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert stop.received is first[0]


def test_the_first_signal_is_answered_at_once(capfd):
    with receiving_signals(StopSignal()) as stop:
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        assert stop
    assert capfd.readouterr().err.count("stopping after this step, with a checkpoint") == 1


def test_a_closed_stderr_does_not_lose_the_signal(monkeypatch):
    def closed(*_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("skin_synth.training.stop_signals.os.write", closed)
    with receiving_signals(StopSignal()) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in SIGNALS]
    with receiving_signals(StopSignal()):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_hangup_that_is_ignored_as_under_nohup_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with receiving_signals(StopSignal()) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop
            signal.raise_signal(signal.SIGTERM)
            assert stop.received is signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_sets_no_handlers():
    seen = []

    def work():
        with receiving_signals(StopSignal()) as stop:
            seen.append((bool(stop), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGTERM))]


def test_a_shared_signal_counts_once_all_machines_know():
    with receiving_signals(SharedStopSignal()) as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.received is signal.SIGINT
        assert not stop
        stop.agree()
    assert stop
    assert stop.received is signal.SIGINT


def test_the_first_sigint_after_the_signal_of_another_machine_is_no_second_one():
    with receiving_signals(SharedStopSignal()) as stop:
        stop.agree()
        assert stop.received is signal.SIGTERM
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("length", [7, 8, 31, 1000])
def test_machines_ask_each_other_every_ten_steps_however_short_epochs_are(length):
    stop = SharedStopSignal()
    stop.received = signal.SIGTERM
    ask = AgreeToStop(None, stop)
    asked = []
    ask.total = lambda own: asked.append(step) or 0
    for step in range(1, 41):
        ask.on_train_batch_end((step - 1) % length)
    assert asked == [10, 20, 30, 40]
    ask.total = lambda own: own
    for step in range(10):
        assert not stop
        ask.on_train_batch_end(step % length)
    assert stop
