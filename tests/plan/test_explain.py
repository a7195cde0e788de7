from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.scenario_file import load_scenario

if TYPE_CHECKING:
    from loadtest.plan.scenario import Scenario
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'
EVERY = "[traffic]\nevery = '1s'\n"


def told(scenario: Scenario) -> str:
    return "\n".join(
        line for section in explain(scenario) for line in (f"== {section.title}", *section.lines)
    )


def test_agent_burst_is_told_from_target_to_judgement() -> None:
    sections = explain(load_scenario("agent-burst"))
    assert [section.title for section in sections][1:] == [
        "Target", "Connections", "Until ready", "Turns", "Message", "Answer", "Judged by",
    ]  # fmt: skip
    text = told(load_scenario("agent-burst"))
    for words in (
        "every report will say SIMULATED",
        "20 at most at once, opened at 20/s",
        "the first is opened at 0 s, the last at 950 ms",
        "wait for type = connection_established (within 10 s)",
        "open model: bursts of 5, every 1 s on each connection, at even distances, connections spread",
        "100/s once all 20 are connected",
        "1,200 fall due in the run",
        "the first bursts: user 0 at 0 s, user 1 at 50 ms",
        '"user_request":"What did we spend last week, and on what?"',
        "a turn is complete with agent_completed",
        "turn.first_event.p95 < 100ms",
    ):
        assert words in text


def test_stages_are_told_over_time() -> None:
    text = told(load_scenario("spike"))
    assert "10 at 3.75 s, 10 at 7.5 s, 100 at 11.2 s" in text
    assert "turn.first_event.p95 < 1s (in stage 2)" in text


def test_who_leaves_and_comes_back_is_told(folder: Folder) -> None:
    stages = ", ".join(f"{{ for = '1s', connections = {n} }}" for n in (2, 1, 2))
    text = told(folder.load(HEAD + f"[load]\nstages = [{stages}]"))
    assert "3 connects in all: some users leave and come back" in text


def test_a_run_so_short_that_nothing_falls_due(folder: Folder) -> None:
    text = told(folder.load(HEAD + "[load]\nduration = '1ns'\n[traffic]\nevery = '1s'\narrivals = 'poisson'"))
    assert "0 fall due in the run" in text
    assert "the first turns: " not in text


def test_a_stage_that_is_over_at_once(folder: Folder) -> None:
    stages = (
        "[load]\nstages = [{ for = '1s', connections = 0 }, { for = '1ns', connections = 2, ramp = true }]"
    )
    text = told(folder.load(HEAD + stages + "\n" + EVERY))
    assert "2 at most at once, opened as fast as they open" in text


def test_without_traffic_nothing_is_sent() -> None:
    text = told(load_scenario("connect-storm"))
    assert "none: connections are opened and held, nothing is sent" in text
    assert "== Message" not in text
    assert "== Answer" not in text


def test_what_a_protocol_cannot_know_is_told() -> None:
    assert "events.lost: the protocol has no sequence number" in told(load_scenario("echo-steady"))


def test_random_arrivals_and_early_ends_are_told() -> None:
    text = told(load_scenario("soak"))
    assert "at random (Poisson)" in text
    assert "the run ends early where turns.timed_out.ratio > 20%, after 1 min" in text


def test_a_schedule_too_long_to_count_says_so(folder: Folder) -> None:
    text = told(
        folder.load(HEAD + "[load]\nduration = '10h'\n[traffic]\nrate = '1000/s'\narrivals = 'poisson'")
    )
    assert "how many, is too long to count" in text


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        (
            "every = '2s'\nburst = 3\nturns = 9",
            "closed model: 3 at once, the next after the replies and 2 s of thinking",
        ),
        ("turns = 9", "closed model: one after the other, the next after the replies; how many"),
        ("turns = 9", "at most 9 per connection; the run ends when all are done"),
    ],
)
def test_the_closed_model_is_told(folder: Folder, traffic: str, words: str) -> None:
    assert words in told(folder.load(HEAD + "[load]\nmodel = 'closed'\n[traffic]\n" + traffic))


def test_who_is_asked_and_how_users_show_themselves(folder: Folder) -> None:
    text = told(
        folder.load(
            """protocol = "agent-events"
[target]
url = "wss://me:pw@host/ws?token=abc"
headers = { Authorization = "abc", Origin = "https://a", X-Inside = "between us" }
identities = [{ id = "a", mail = "b" }]
insecure = true
auth = { kind = "jwt", secret_env = "S", send_as = "subprotocol" }
"""
        )
    )
    assert "wss://[not kept]@host/ws?token=[not+kept]" in text
    assert "headers: Authorization = a value that is not shown" in text
    assert "headers: Origin = https://a" in text
    assert "headers: X-Inside = a value that is not shown" in text
    assert "1 identities, one per virtual user (id, mail)" in text
    assert "INSECURE" in text
    assert "signed with the secret in $S, good for 15 min, sent as subprotocol" in text
    assert "abc" not in text


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ('token_env = "T"', "one token for all users, from $T, sent as header `Authorization`"),
        ('token_file = "t"', "one token for all users, from the file"),
    ],
)
def test_a_token_is_told_by_where_it_comes_from(folder: Folder, auth: str, words: str) -> None:
    assert words in told(folder.load(HEAD + f'auth = {{ kind = "token", {auth} }}'))


def test_another_kind_of_protocol(folder: Folder) -> None:
    folder.write(
        "p.toml",
        """[connect]
ready = [
  { wait = { type = "hi" }, keep = { thread = "t" } },
  { send = "{ready.thread}" },
  { pause = "500ms" },
]
[turn]
message = "go {ready.thread} {now_ms}"
encoding = "binary"
[events]
match = "order"
type = ["type"]
count = 3
end = ["end"]
""",
    )
    text = told(folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY))
    assert "wait for type = hi (within 10 s), and keep thread\nsend {ready.thread}\npause 500 ms" in text
    assert "go ... 0\n8 B of binary" in text
    assert "an event belongs to the oldest turn in flight: one lost answer shifts" in text
    assert "a turn is complete with end or after 3 events" in text
    assert "turns.complete.ratio >= 99% (default)\nconnections.ready.ratio >= 99% (default)" in text


def test_a_subscription_never_ends(folder: Folder) -> None:
    folder.write("p.toml", "[turn]\nmessage = '{turn.id}'\n[events]\nturn = ['id']\n")
    text = told(folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY))
    assert "a turn never ends by itself (a subscription): all are abandoned" in text


def test_what_goes_wrong_on_purpose_is_told(folder: Folder) -> None:
    text = told(
        folder.load(
            HEAD
            + 'faults = ["gap=20ms"]\n[load]\nreconnect = true\n'
            + EVERY
            + """[chaos]
cut = { share = "50%", at = "5s", every = "2s" }
slow_readers = { share = "20%", rate = "4KiB/s" }
leavers = { share = "10%" }
malformed = { share = "5%" }
"""
        )
    )
    for words in (
        "with the faults gap=20ms",
        (
            "one that is lost is opened again after 100 ms, then 2 times as long each, 10 s at most, each"
            " up to 50.0 % shorter by chance; 10 tries"
        ),
        "== Goes wrong on purpose",
        "50.0 % of the connections are cut, 5 s after the start, and every 2 s from then",
        "20.0 % of the users read 4.0 KiB a second; their times are kept apart",
        "in 10.0 % of the turns the user leaves after the first event",
        "before 5.0 % of the turns a broken message is sent",
    ):
        assert words in text, text


def test_a_single_cut_and_even_waits_are_told(folder: Folder) -> None:
    load = "[load]\nreconnect = { factor = 1, jitter = '0%', tries = 3 }\n"
    text = told(folder.load(HEAD + load + "[chaos]\ncut = { share = '50%', at = '5s' }\n"))
    assert "one that is lost is opened again after 100 ms; 3 tries" in text
    assert "are cut, 5 s after the start\n" in f"{text}\n"


def test_what_is_turned_off_is_said(folder: Folder) -> None:
    off = "[thresholds]\n'turns.complete.ratio' = 'none'\n"
    text = told(folder.load("protocol = 'echo'\n[target]\nurl = 'simulator'\n" + EVERY + off))
    assert "turns.complete.ratio: turned off" in text


SOCKET_IO = """
[protocol]
name = "socket-io"
[protocol.turn]
message = '42["ask",{"q":"{data.question}"}]'
[protocol.events]
format = "opaque"
ordered = true
end_all = [{ prefix = "43" }, "done"]
fail = [{ has = "error" }]
[target]
url = "ws://host/"
compression = true
"""


def test_text_in_order_is_told_with_what_is_escaped_and_compressed(folder: Folder) -> None:
    text = told(folder.load(SOCKET_IO + EVERY))
    assert "it is no JSON but holds some: values inside the quotes of that are JSON-escaped" in text
    assert "a turn is complete when all of type begins with 43 and done came" in text
    assert "it has failed with has error" in text
    assert "what is sent to it never is" in text
    assert "times are not measured, unless `ordered`" not in text
    unsure = told(folder.load((SOCKET_IO + EVERY).replace("ordered = true", "")))
    assert "times are not measured, unless `ordered`" in unsure
