"""Turns that go by HTTP: what is sent, when it counts as sent, and what their connection is told."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from loadtest.drive import http_turns
from loadtest.drive.http_client import (
    WRITE_BYTES,
    HttpClient,
    HttpNotSent,
    HttpRequestFailed,
    HttpTimedOut,
    NoCookies,
)
from loadtest.drive.http_turns import HttpTurns
from loadtest.plan.prepare import HttpRequest
from loadtest.speak.turn import NEVER, Outcome
from tests.drive.http_peer import HttpPeer, answer, http_peer, moved
from tests.drive.serving import until_left
from tests.drive.spoken import Spoken
from tests.drive.standing_in import FakeContext, scenario_of
from tests.speak.talk import said

REQUEST = HttpRequest(
    post="/ask/{turn.id}", headers={"X-User": "{user.id}"}, json={"id": "{turn.id}", "text": "{data.text}"}
)
VALUES = {"turn.id": "t 1", "user.id": "anna", "data.text": 'say "so"'}


class Host:
    """A process that knows where paths lead."""

    def __init__(self, peer: HttpPeer | None) -> None:
        self.peer = peer
        self.now = time.monotonic_ns

    def http_url(self, url: str) -> str:
        if self.peer is None:
            raise ValueError(url)
        return self.peer.url() + url

    def cookies_of(self, _user: int) -> NoCookies:
        return NoCookies()


class Listener:
    """A connection that only takes down what it is told."""

    user = 3

    def __init__(self) -> None:
        self.wrote: list[int] = []
        self.told: list[tuple[HttpRequestFailed | None, int]] = []

    def http_wrote(self, _turn: Any, at_ns: int) -> None:
        self.wrote.append(at_ns)

    def http_answered(self, _turn: Any, refused: HttpRequestFailed | None, status: int) -> None:
        self.told.append((refused, status))

    @property
    def reason(self) -> str:
        refused, _ = self.told[0]
        assert refused is not None
        return refused.reason


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(lambda: None, lambda origin: (origin[1], origin[2]), lambda _origin: None)
    yield made
    made.close()


def done(
    client: HttpClient,
    peer: HttpPeer | None,
    request: HttpRequest = REQUEST,
    *,
    values: dict[str, Any] = VALUES,
    within_ns: int = 5_000_000_000,
) -> Listener:
    """One turn by HTTP, when it is over."""
    listener = Listener()
    turns = HttpTurns({"": request}, client, Host(peer), within_ns=within_ns, after=lambda step: step())
    turns.send(listener, object(), "", values)
    turns._going_on.join()
    return listener


def test_a_turn_is_one_request_with_its_values_in_place(client: HttpClient) -> None:
    with http_peer({"/ask/t%201": answer({"ok": 1}, "202 Accepted")}) as peer:
        before = time.monotonic_ns()
        listener = done(client, peer)
        after = time.monotonic_ns()
    (asked,) = peer.asked
    assert (asked.method, asked.path, asked.headers["x-user"]) == ("POST", "/ask/t%201", "anna")
    assert asked.body == b'{"id": "t 1", "text": "say \\"so\\""}'
    assert asked.headers["content-type"] == "application/json"
    assert listener.told == [(None, 202)]
    assert before <= listener.wrote[0] <= after


@pytest.mark.parametrize(
    ("answered", "status", "told"),
    [
        (answer("over\nloaded", "503 Busy"), 503, "the target answered HTTP 503: over loaded"),
        (answer("", "404 No"), 404, "the target answered HTTP 404"),
        (moved("/elsewhere"), 302, "the target answered HTTP 302"),
        (b"", 0, "closed without an answer"),
        (b"rubbish\r\n\r\n", 0, "the answer is not valid HTTP"),
        (answer("x" * (1 << 20) + "y"), 0, "the answer is larger than 1 MiB"),
    ],
)
def test_any_other_answer_is_none(client: HttpClient, answered: bytes, status: int, told: str) -> None:
    def serve(sock: Any, _asked: Any) -> None:
        sock.sendall(answered)

    with http_peer({"/ask/t%201": serve}) as peer:
        listener = done(client, peer)
    assert (listener.reason, listener.told[0][1]) == (told, status)
    assert len(listener.wrote) == 1
    assert not isinstance(listener.told[0][0], HttpTimedOut)


def test_an_answer_that_does_not_come_in_time_is_overdue(client: HttpClient) -> None:
    with http_peer({"/ask/t%201": lambda sock, _asked: until_left(sock)}) as peer:
        listener = done(client, peer, within_ns=50_000_000)
        client.close()
    assert isinstance(listener.told[0][0], HttpTimedOut)
    assert len(listener.wrote) == 1


def test_what_cannot_be_sent_is_told_and_nothing_is_sent(client: HttpClient) -> None:
    for peer, values, told in (
        (None, VALUES, "the request was not sent: with its values the URL is not a valid HTTP URL"),
        (HttpPeer({}), {**VALUES, "turn.id": "\ud800"}, "half of a character"),
        (HttpPeer({}), {**VALUES, "user.id": "a\nb"}, "the request was not sent: the header X-User"),
    ):
        listener = done(client, peer, values=values)
        assert isinstance(listener.told[0][0], HttpNotSent)
        assert told in listener.reason
        assert listener.wrote == []


def test_a_large_request_is_written_in_pieces_and_sent_with_the_last(client: HttpClient) -> None:
    text = "x" * (3 * WRITE_BYTES)
    with http_peer({"/ask/t%201": answer()}) as peer:
        listener = done(client, peer, values={**VALUES, "data.text": text})
    assert text.encode() in peer.asked[0].body
    assert len(listener.wrote) == 1


def test_a_request_that_a_kept_connection_lost_is_sent_when_it_was_first_written(client: HttpClient) -> None:
    served: list[int] = []

    def leave(sock: Any, _asked: Any) -> None:
        # The first connection is kept for one answer, and then takes a request without a word.
        served.append(1)
        if len(served) == 2:
            return
        sock.sendall(answer("ok"))
        if len(served) == 1:
            data = sock.recv(65_536)
            served.append(len(data) and 1)

    put = HttpRequest(put="/put")
    with http_peer({"/put": leave}) as peer:
        assert done(client, peer, put).told == [(None, 200)]
        listener = done(client, peer, put)
    assert listener.told == [(None, 200)]
    assert len(listener.wrote) == 1


def test_too_many_that_wait_are_not_sent(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_turns, "MAX_WAITING", 1)
    with http_peer({"/ask/t%201": lambda sock, _asked: until_left(sock)}) as peer:
        turns = HttpTurns(
            {"": REQUEST}, client, Host(peer), within_ns=5_000_000_000, after=lambda step: step()
        )
        first, second = Listener(), Listener()
        turns.send(first, object(), "", VALUES)
        turns.send(second, object(), "", VALUES)
        assert second.reason == "the request was not sent, because 1 others wait for their answers"
        gevent.sleep(0)
        turns.close()
    assert (first.told, second.wrote) == ([], [])


def test_a_mistake_of_ours_is_no_answer(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpClient, "send", lambda *_args, **_kwargs: 1 / 0)
    steps: list[Callable[[], None]] = []
    turns = HttpTurns({"": REQUEST}, client, Host(HttpPeer({})), within_ns=1, after=steps.append)
    turns.send(Listener(), object(), "", VALUES)
    turns._going_on.join()
    with pytest.raises(ZeroDivisionError):
        steps[0]()


# ------------------------------------------------------------------ what a connection makes of it


class Taken(HttpTurns):
    """Takes down what is to be sent."""

    def __init__(self, *kinds: str) -> None:
        self.kinds = kinds
        self.asked: list[tuple[Any, str, dict[str, Any]]] = []

    def takes(self, kind: str) -> bool:
        return kind in self.kinds

    def send(self, _listener: Any, turn: Any, kind: str, values: Any) -> None:
        self.asked.append((turn, kind, values))


def connected(**about: Any) -> tuple[Spoken, Taken]:
    request = HttpRequest(post="/ask", json={"run_id": "{turn.id}", "n": "{random.int 1 9}"})
    talk, taken = Spoken(send=request, **about), Taken("")
    talk.connection.context.before = cast("Any", SimpleNamespace(http_turns=taken))
    talk.connection._sends_otherwise = True
    return talk, taken


def test_nothing_of_such_a_turn_goes_by_the_socket_and_its_events_come_there() -> None:
    talk, taken = connected()
    turn = talk.begin()
    talk.poller.turn()
    assert talk.frames == []
    ((asked, kind, values),) = taken.asked
    assert (asked, kind) == (turn, "")
    assert values["turn.id"] == "turn-0"
    assert values["user.id"] == "anna"
    assert values["random.int 1 9"].isdigit()
    talk.context.hand.ns += 5
    talk.connection.http_wrote(turn, talk.now)
    assert (turn.sent_ns, talk.counts("events.")["sent"]) == (talk.now, 1)
    talk.hear(b'{"type":"completed","run_id":"turn-0"}')
    assert turn.outcome is Outcome.COMPLETE
    talk.connection.http_answered(turn, None, 200)
    assert talk.counts("http.") == {"answered": 1}


def test_a_text_of_a_users_own_goes_by_the_socket() -> None:
    talk, taken = connected()
    talk.connection.begin(0, 0, talk.now, {}, written='{"run_id":"{turn.id}"}')
    talk.poller.turn()
    assert (talk.texts, taken.asked) == ([b'{"run_id":"turn-0"}'], [])


def test_a_status_of_an_error_fails_the_turn_and_is_told() -> None:
    talk, _ = connected()
    turn = talk.begin()
    talk.connection.http_wrote(turn, talk.now)
    talk.connection.http_answered(turn, HttpRequestFailed("the target answered HTTP 503: busy"), 503)
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "http 503")
    assert talk.counts("http.") == {"refused": 1}
    assert talk.counts("turns.failed_by.") == {"http 503": 1}
    told = talk.context.observations.facts["error_answers"]
    assert told == {"http: the target answered HTTP 503: busy": 1}


def test_a_turn_that_was_complete_before_its_request_was_refused_is_counted() -> None:
    talk, _ = connected()
    turns = [talk.begin(seq) for seq in range(3)]
    for turn in turns:
        talk.connection.http_wrote(turn, talk.now)
    talk.hear(*(said("completed", turn) for turn in turns))
    ends = (HttpRequestFailed("the target answered HTTP 500: no"), 500), (HttpTimedOut("no answer"), 0)
    for turn, (refused, status) in zip(turns, (*ends, (None, 200)), strict=True):
        talk.connection.http_answered(turn, refused, status)
    assert [turn.outcome for turn in turns] == [Outcome.COMPLETE] * 3
    assert talk.counts("turns.request_refused") == {"": 1}
    told = talk.context.observations.facts["error_answers"]
    assert told == {"http: the target answered HTTP 500: no": 1}


def test_what_we_did_not_send_is_no_answer_of_the_target() -> None:
    talk, _ = connected()
    turn = talk.begin()
    talk.connection.http_answered(turn, HttpNotSent("nothing was sent: 4,096 requests wait"), 0)
    assert (turn.outcome, turn.reason) == (Outcome.FAILED, "http_unsent")
    assert talk.counts("http.") == {"unsent": 1}
    assert "error_answers" not in talk.context.observations.facts


def test_what_was_not_sent_fails_and_what_is_overdue_times_out() -> None:
    talk, _ = connected()
    unsent, sent = talk.begin(), talk.begin(1)
    overdue = HttpTimedOut("no answer within 10 s")
    talk.connection.http_answered(unsent, overdue, 0)
    assert (unsent.outcome, unsent.reason, unsent.sent_ns) == (Outcome.FAILED, "http", NEVER)
    talk.connection.http_wrote(sent, talk.now)
    talk.connection.http_answered(sent, overdue, 0)
    assert sent.outcome is None
    talk.poller.pass_until(talk.now + talk.context.timeout_ns)
    assert sent.outcome is Outcome.TIMED_OUT


def test_an_answer_after_the_end_of_its_turn_changes_nothing_but_the_count() -> None:
    talk, _ = connected()
    turn = talk.begin()
    talk.connection.close()
    talk.connection.http_wrote(turn, talk.now)
    talk.connection.http_answered(turn, HttpRequestFailed("closed without an answer"), 0)
    assert turn.outcome is Outcome.ABANDONED
    assert talk.counts("http.") == {"refused": 1}
    assert "error_answers" not in talk.context.observations.facts
    talk.poller.pass_until(talk.now + 1)


def test_such_turns_need_what_is_done_beside_the_socket() -> None:
    request = HttpRequest(post="/ask", json={"id": "{turn.id}"})
    plain = FakeContext(scenario_of())
    by_http = FakeContext(scenario_of(send=request))
    assert plain.http_turns is None
    assert by_http.http_turns is not None
    assert by_http.http_turns.takes("")
    assert not by_http.http_turns.takes("ask")
    assert by_http.before is not None
    assert not by_http.before.waits
    by_http._from_greenlet(lambda: None)
    by_http.before.close()
