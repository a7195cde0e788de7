from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from loadtest.errors import ConfigError, Exit
from loadtest.keep.read import read_run
from loadtest.run import ab as module
from loadtest.run.ab import AbOptions, orders, run_ab
from loadtest.run.options import RunOptions
from loadtest.run.subprocess_runs import FinishedRun
from tests.cli.stored import store
from tests.run.made_up import MadeUp


class InTurns(MadeUp):
    """A sequence whose runs are made up: each takes longer than the one before, by ``drift``."""

    folder = Path()
    drift = 0
    slower: ClassVar[dict[str, int]] = {}
    code: ClassVar[dict[int, Exit]] = {}

    def run(self, options: RunOptions) -> FinishedRun:
        number = self.note(options)
        code = self.code.get(number, Exit.INTERRUPTED if self.interrupted else Exit.PASS)
        if code is Exit.UNREACHABLE:
            return FinishedRun(code, None, 1.0, "")
        late = number * self.drift + self.slower.get(str(options.target), 0)
        kept = store(self.folder, options.label, first_event_ms=100 + late)
        return FinishedRun(code, read_run(kept), 1.0, "")


@pytest.fixture(autouse=True)
def sequence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[type[InTurns]]:
    monkeypatch.setattr(module, "RunSequence", InTurns)
    InTurns.asked, InTurns.folder = [], tmp_path / "results"
    yield InTurns
    InTurns.drift, InTurns.slower, InTurns.code, InTurns.interrupt_at = 0, {}, {}, None


A, B = "ws://127.0.0.1:1/ws", "ws://127.0.0.1:2/ws"


def options(pairs: int = 2, **more: object) -> AbOptions:
    return AbOptions(a=A, b=B, each=RunOptions(scenario="agent-burst", label="v1", **more), pairs=pairs)  # type: ignore[arg-type]  # as given


def test_the_order_cancels_a_drift_that_is_straight_or_bent() -> None:
    order = "".join(which for pair in orders(8) for which in pair)
    assert order == "abbabaabbaababba"
    for power in (1, 2, 3):
        drift = {which: sum(at**power for at, each in enumerate(order) if each == which) for which in "ab"}
        assert drift["a"] == drift["b"]


def test_blocks_are_kept_runs_in_pairs_a_first(sequence: type[InTurns]) -> None:
    taken = run_ab(options(pairs=3))
    assert [each.target for each in sequence.asked] == [A, B, B, A, B, A]
    assert taken.labels == ("v1-a", "v1-b")
    assert [(a.manifest["label"], b.manifest["label"]) for a, b in taken.pairs] == [("v1-a", "v1-b")] * 3
    assert taken.ended_by is None


@pytest.mark.parametrize("code", [Exit.UNREACHABLE, Exit.INTERNAL, Exit.INTERRUPTED])
def test_what_ends_a_block_for_good_ends_all_and_whole_pairs_stay(
    sequence: type[InTurns], code: Exit
) -> None:
    sequence.code = {4: code}
    taken = run_ab(options(pairs=3))
    assert (taken.ended_by, len(taken.pairs), len(sequence.asked)) == (code, 1, 4)


def test_a_pair_whose_target_was_down_is_made_whole_and_the_last(
    sequence: type[InTurns], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(self: InTurns, options: RunOptions) -> FinishedRun:
        down = self.note(options) == 3
        kept = read_run(store(self.folder, options.label, first_event_ms=100))
        if down:
            kept.manifest["verdict"] = {"outcome": "unreachable"}
        return FinishedRun(Exit.UNREACHABLE if down else Exit.PASS, kept, 1.0, "")

    monkeypatch.setattr(InTurns, "run", run)
    taken = run_ab(options(pairs=4))
    assert (taken.ended_by, len(taken.pairs), len(sequence.asked)) == (Exit.UNREACHABLE, 2, 4)


def test_a_missed_threshold_ends_nothing(sequence: type[InTurns]) -> None:
    sequence.code = {1: Exit.FAIL, 2: Exit.INVALID}
    assert run_ab(options()).ended_by is None


def test_an_interrupt_between_blocks(sequence: type[InTurns]) -> None:
    sequence.interrupt_at, sequence.code = 1, {1: Exit.PASS}
    taken = run_ab(options())
    assert (taken.ended_by, taken.pairs, len(sequence.asked)) == (Exit.INTERRUPTED, (), 1)


def test_every_mistake_for_either_target_at_once(sequence: type[InTurns]) -> None:
    wrong = AbOptions(
        a="http://a/", b="ftp://b/", each=RunOptions(scenario="connect-ramp", label="v1"), pairs=2
    )
    with pytest.raises(ConfigError) as caught:
        run_ab(wrong)
    told = str(caught.value)
    assert "--a" in told
    assert "--b" in told
    staged = AbOptions(a=A, b=B, each=RunOptions(scenario="connect-ramp"), pairs=2)
    with pytest.raises(ConfigError, match="the scenario has stages"):
        run_ab(staged)
    assert sequence.asked == []
