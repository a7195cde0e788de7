from __future__ import annotations

from loadtest.plan.protocol import Adopt, Events, Protocol, TurnShape
from loadtest.plan.protocol_file import load_protocol
from loadtest.plan.unmeasured import unless_marked, unmeasured_counters


def test_agent_events_can_know_everything() -> None:
    assert unmeasured_counters(load_protocol("agent-events")) == {}


def test_without_numbers_there_is_no_loss_and_no_order() -> None:
    reasons = unmeasured_counters(load_protocol("echo"))
    assert set(reasons) == {"lost", "duplicate", "out_of_order"}
    assert set(reasons.values()) == {"the protocol has no sequence number"}


def test_without_a_user_nothing_is_foreign() -> None:
    events = Events(turn=("id",), sequence=("seq",))
    assert set(unmeasured_counters(Protocol(name="x", events=events))) == {"foreign"}


def test_by_order_hardly_anything_can_be_known() -> None:
    numbered = Events(match="order", sequence=("seq",), user=("user",))
    assert set(unmeasured_counters(Protocol(name="x", events=numbered))) == {
        "lost", "duplicate", "out_of_order", "foreign", "unmatched",
    }  # fmt: skip
    opaque = unmeasured_counters(Protocol(name="x", events=Events(format="opaque", match="order")))
    assert "malformed" in opaque
    assert all(reason and not reason.endswith(".") for reason in opaque.values())


def test_whose_an_event_is_follows_from_ids_where_they_tell() -> None:
    def unknown(turn_id: str, processes: int, *user: str) -> bool:
        protocol = Protocol(name="x", turn=TurnShape(id=turn_id), events=Events(turn=("id",), user=user))
        return bool(unless_marked(protocol, processes))

    assert not unknown("a-{uuid}", 4, "user")
    assert not unknown("{user.number}", 1, "user")
    assert not unknown("{turn.number}", 1, "user")
    assert unknown("{turn.number}", 2, "user")
    assert unknown("{data.id}", 1, "user")
    # Without a path to the user it is unmeasured in any case, and told there.
    assert not unknown("{turn.number}", 2)


def test_ids_that_the_target_makes_do_not_tell_users_apart() -> None:
    adopt = (Adopt(on="created", id="response.id"),)
    marked = Protocol(name="x", events=Events(turn=("id",), user=("user",), adopt=adopt))
    assert "ids that the target makes" in unless_marked(marked, 1)["foreign"]
    assert unless_marked(Protocol(name="x", events=Events(turn=("id",), adopt=adopt)), 1) == {}


def test_texts_may_hold_anything() -> None:
    reasons = unmeasured_counters(Protocol(name="x", events=Events(format="text", turn=("turn",))))
    assert reasons["malformed"] == 'with format = "text" every payload is readable'
