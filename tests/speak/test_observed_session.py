"""A session that shows its frames: every message of a turn, and which values it keeps for itself."""

from __future__ import annotations

import json
from typing import Any

from loadtest.plan.protocol import MessageStep, ReadyStep
from loadtest.speak.kept_secrets import KeptSecrets
from loadtest.speak.observed_session import ObservedFrame, ObservedSession, SessionTally
from tests.speak.talk import Talk


def observed(talk: Talk) -> tuple[ObservedSession, list[ObservedFrame]]:
    frames: list[ObservedFrame] = []
    session = ObservedSession(talk.protocol, SessionTally(), 0, {}, rules=(), on_frame=frames.append)
    session.upgraded(0)
    return session, frames


def test_each_message_of_a_turn_is_shown_when_it_is_sent() -> None:
    talk = Talk(messages=(MessageStep(send="one"), MessageStep(send="two")))
    session, frames = observed(talk)
    turn, first = session.begin(0, 0, 0, {})
    assert first == b"one"
    session.sent(turn, 10)
    session.sent(turn, 20)
    assert [(each.at_ns, each.payload) for each in frames if not each.inward] == [(10, b"one"), (20, b"two")]
    assert session.secrets == ()


def test_kept_values_whose_names_sound_like_secrets_are_known() -> None:
    wait: dict[str, Any] = {"has": "token", "keep": {"token": "token"}}
    session, _ = observed(Talk(ready=(ReadyStep(wait=wait),)))
    session.receive([json.dumps({"token": "s3cr3t-0123456789"}).encode()], 5)
    assert session.secrets == ("s3cr3t-0123456789",)


def test_there_is_one_record_whatever_the_phase() -> None:
    tally = SessionTally()
    assert tally.metrics_in(2) is tally.metrics_at(0) is tally.metrics


def test_secrets_are_told_in_the_order_of_coming() -> None:
    secrets = KeptSecrets()
    for text in ("first-0123456789", "second-0123456789"):
        secrets.add(text)
    assert secrets.texts == ("first-0123456789", "second-0123456789")
