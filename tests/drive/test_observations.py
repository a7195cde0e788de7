"""What is observed beside counters is kept, and never without bound."""

from __future__ import annotations

from loadtest.drive.observations import REASONS, REASONS_KEPT, Observations
from loadtest.errors import Layer
from loadtest.speak.refused import Refused


def test_the_first_few_reasons_of_refusals_are_kept_with_their_number() -> None:
    seen = Observations()
    for number in [*range(REASONS_KEPT + 10), 0]:
        seen.saw_refusal(Refused(Layer.TCP, f"reason {number}"))
    reasons = seen.facts["refusals"]
    assert len(reasons) == REASONS_KEPT
    assert reasons["tcp: reason 0"] == 2


def test_each_kind_of_reason_has_a_name_of_its_own() -> None:
    seen = Observations()
    seen.saw_close(1011, "boom")
    seen.saw_still_opening("tcp: no answer yet")
    assert seen.facts == {"closes": {"code 1011: boom": 1}, "still_opening": {"tcp: no answer yet": 1}}
    assert seen.facts.keys() < REASONS


def test_what_a_target_says_of_itself_is_kept_once() -> None:
    seen = Observations()
    seen.saw_server("a", None)
    seen.saw_server("b", "c")
    assert seen.facts == {"server": {"server": "a", "subprotocol": None}}
