"""The first signal ends the run and keeps it; one right after it is the same wish; a later one leaves."""

from __future__ import annotations

import signal
from pathlib import Path

import gevent
import pytest

from loadtest.errors import END_SIGNALS, PATIENCE_S
from loadtest.run.interrupts import Interrupts


class Made:
    def __init__(self) -> None:
        self.now = 5.0
        self.left: list[int] = []
        self.stopped = 0
        self.interrupts = Interrupts(Path("results/x"), lambda: self.now, self.left.append)

    def stop(self) -> None:
        self.stopped += 1

    def signal(self) -> None:
        self.interrupts.signalled(signal.SIGINT, None)


def test_two_at_once_end_the_run_once_and_a_later_one_leaves(capfd: pytest.CaptureFixture[str]) -> None:
    made = Made()
    made.interrupts.begin(made.stop)
    made.signal()
    made.now += PATIENCE_S / 2
    made.signal()
    assert (made.stopped, made.left, made.interrupts.caught) == (1, [], True)
    made.now += PATIENCE_S
    made.signal()
    assert (made.stopped, made.left) == (1, [130])
    assert "stored in results/x" in capfd.readouterr().err


@pytest.mark.parametrize("number", END_SIGNALS)
def test_each_of_the_signals_ends_a_run(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    made = Made()
    # What starts the tests may have had a signal ignored, as nohup does.
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with made.interrupts:
            made.interrupts.begin(made.stop)
            signal.raise_signal(number)
    finally:
        signal.signal(number, before)
    assert made.stopped == 1
    assert "ending the run early" in capfd.readouterr().err


def test_under_nohup_a_run_goes_on_when_its_terminal_is_closed() -> None:
    made = Made()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with made.interrupts:
            made.interrupts.begin(made.stop)
            signal.raise_signal(signal.SIGHUP)
        assert made.stopped == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_while_the_report_is_written_the_first_is_only_answered(capfd: pytest.CaptureFixture[str]) -> None:
    made = Made()
    made.interrupts.begin(made.stop)
    made.interrupts.reporting = True
    made.signal()
    assert (made.stopped, made.left, made.interrupts.caught) == (0, [], False)
    assert made.interrupts.too_late
    assert "writing the report" in capfd.readouterr().err
    made.now += PATIENCE_S
    made.signal()
    assert made.left == [130]


def test_before_the_run_it_ends_the_command() -> None:
    made = Made()
    with pytest.raises(KeyboardInterrupt):
        made.signal()
    with pytest.raises(KeyboardInterrupt):
        made.interrupts.begin(made.stop)


def test_afterwards_everything_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    made = Made()
    with made.interrupts:
        assert signal.getsignal(signal.SIGTERM) == made.interrupts.signalled
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_interrupt_that_strikes_the_loop_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with Made().interrupts as interrupts:
        gevent.get_hub().loop.run_callback(interrupts.signalled, signal.SIGINT, None)
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(10)
    assert capfd.readouterr().err == ""


def test_a_run_may_be_ended_by_somebody_on_a_page_once_and_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    made = Made()
    made.interrupts.end_early("a page")
    assert (made.stopped, made.interrupts.caught) == (0, False)
    made.interrupts.begin(made.stop)
    for _ in range(2):
        made.interrupts.end_early("a page")
    assert (made.stopped, made.interrupts.caught, made.interrupts.by) == (1, True, "a page")
    assert capfd.readouterr().err == "loadtest: ending the run early: stopped on a page\n"


def test_a_page_does_not_end_what_has_ended() -> None:
    made = Made()
    made.interrupts.begin(made.stop)
    made.interrupts.reporting = True
    made.interrupts.end_early("a page")
    assert (made.stopped, made.interrupts.caught, made.interrupts.by) == (0, False, None)


def test_a_signal_closes_a_page_that_stays_and_changes_nothing_else() -> None:
    made = Made()
    made.interrupts.begin(made.stop)
    made.interrupts.reporting = True
    assert not made.interrupts.signalled_already
    closed: list[bool] = []
    made.interrupts.waiting = lambda: closed.append(True)
    made.signal()
    assert closed == [True]
    assert made.interrupts.signalled_already
    assert (made.stopped, made.left, made.interrupts.caught, made.interrupts.too_late) == (
        0,
        [],
        False,
        False,
    )
