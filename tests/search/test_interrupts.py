"""Signals end a command at once, or at the next check where a library must not be torn apart."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from search import interrupts


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    with interrupts.installed():
        yield
    with interrupts.installed():  # forgets what was asked for
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_interrupts_at_once(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)
    # Had it been swallowed, the next check would have raised it again.
    with pytest.raises(KeyboardInterrupt):
        interrupts.check()


def test_a_deferred_signal_waits_for_the_check() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("what must not be torn apart")
            interrupts.check()
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["what must not be torn apart"]


def test_a_deferred_signal_is_not_lost_without_a_check() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("all of it")
        done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]


def test_a_second_signal_does_not_wait() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("first")
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["first"]


def test_what_goes_wrong_inside_is_not_hidden_by_the_interrupt() -> None:
    def work() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGINT)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        work()
    with pytest.raises(KeyboardInterrupt):
        work()  # the wish is known already: nothing is begun
