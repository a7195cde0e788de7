"""Counters that a protocol cannot measure: they are null with a reason, never 0."""

from __future__ import annotations

from loadtest.plan.placeholder_names import asks_for
from loadtest.plan.protocol import Protocol
from loadtest.plan.template import Template

NUMBERED = ("lost", "duplicate", "out_of_order")


def unmeasured_counters(protocol: Protocol) -> dict[str, str]:
    """The event counters that no run with this protocol can measure: reason by name."""
    events = protocol.events
    reasons: dict[str, str] = {}
    by_order = "the protocol matches events by their order, not by an id"
    if events.match == "order":
        reasons |= dict.fromkeys((*NUMBERED, "foreign"), by_order)
        reasons["unmatched"] = f"{by_order}: an event always belongs to the oldest turn in flight"
    if not events.sequence:
        reasons |= dict.fromkeys(NUMBERED, "the protocol has no sequence number")
    if not events.user:
        reasons["foreign"] = (
            "the protocol does not say which user an event belongs to (`user` in [events] is missing)"
        )
    if events.format != "json":
        reasons["malformed"] = f'with format = "{events.format}" every payload is readable'
    return reasons


def has_uuid(protocol: Protocol) -> bool:
    """Whether turn ids hold ``{uuid}``, which identifies the turns of a run and their users."""
    return asks_for(protocol.turn.id, "uuid")


def unless_marked(protocol: Protocol, processes: int) -> dict[str, str]:
    """The event counters that a run can measure only if the target marks its events: reason by name.

    Whose an event is follows from its turn's id as well: anywhere where the id holds ``{uuid}``, and within
    one process where it tells users or turns apart.
    """
    names = Template.parse(protocol.turn.id).names
    apart = "turn.number" in names or any(name.startswith("user.") for name in names)
    if "foreign" in unmeasured_counters(protocol):
        return {}
    if protocol.events.adopt:
        return {
            "foreign": (
                "no event carried a user mark, and loadtest cannot tell users apart by ids that the target"
                " makes"
            )
        }
    if has_uuid(protocol) or (processes == 1 and apart):
        return {}
    return {
        "foreign": (
            "no event carried a user mark, and loadtest cannot tell users apart by turn ids without {uuid}"
        )
    }
