"""Captures of the protocols that ship, by ``try --save`` from the servers or stubs they were run against."""

from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.plan.capture import read_capture
from loadtest.plan.protocol_file import load_protocol
from loadtest.speak.replay import replay
from loadtest.speak.turn import Outcome

CAPTURES = Path(__file__).parent / "captures"

SUBSCRIPTIONS = {"exchange-feed"}
"""Protocols whose turns never end."""


@pytest.mark.parametrize("path", sorted(CAPTURES.iterdir()), ids=lambda path: path.stem)
def test_a_capture_of_a_protocol_that_ships_is_understood_whole(path: Path) -> None:
    played = replay(load_protocol(path.stem), read_capture(path))
    assert played.not_ready == ""
    ended = Outcome.ABANDONED if path.stem in SUBSCRIPTIONS else Outcome.COMPLETE
    assert [turn.turn.outcome for turn in played.turns] == [ended]
    assert played.unmatched() == played.contested() == []
