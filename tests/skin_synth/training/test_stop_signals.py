"""Signals as wishes: noted, passed on at the second SIGINT, and as before in the end."""

from __future__ import annotations

import signal
import threading

import pytest

from skin_synth.training.distribution import AgreeToStop
from skin_synth.training.stop_signals import SIGNALS, SharedStopWish, StopWish, stop_wish


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_is_a_wish(number):
    with stop_wish(StopWish()) as wish:
        assert not wish
        signal.raise_signal(number)
        assert wish
        assert wish.signal is number


def test_the_second_sigint_ends_at_once():
    with stop_wish(StopWish()) as wish:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert wish.signal is signal.SIGINT


def test_sigterm_may_come_again_and_again():
    with stop_wish(StopWish()) as wish:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
        assert wish.signal is signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_as_before_afterwards():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_wish(StopWish()):
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_another_thread_sets_no_handlers():
    seen = []

    def work():
        with stop_wish(StopWish()) as wish:
            seen.append((bool(wish), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGTERM))]


def test_a_shared_wish_counts_once_all_machines_know():
    with stop_wish(SharedStopWish()) as wish:
        signal.raise_signal(signal.SIGINT)
        assert wish.signal is signal.SIGINT
        assert not wish
        wish.agree()
    assert wish
    assert wish.signal is signal.SIGINT


def test_the_first_sigint_after_the_wish_of_another_machine_is_no_second_one():
    with stop_wish(SharedStopWish()) as wish:
        wish.agree()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("length", [7, 8, 31, 1000])
def test_machines_ask_each_other_every_ten_steps_however_short_epochs_are(length):
    wish = SharedStopWish()
    wish.signal = signal.SIGTERM
    ask = AgreeToStop(None, wish)
    asked = []
    ask.total = lambda own: asked.append(step) or 0
    for step in range(1, 41):
        ask.on_train_batch_end((step - 1) % length)
    assert asked == [10, 20, 30, 40]
    ask.total = lambda own: own
    for step in range(10):
        assert not wish
        ask.on_train_batch_end(step % length)
    assert wish


def test_a_wish_that_came_to_another_machine_is_taken_for_sigterm():
    wish = SharedStopWish()
    wish.agree()
    assert wish.signal is signal.SIGTERM
