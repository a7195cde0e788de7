"""Kinds of turn in a protocol, and the mix of them in a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.settings import protocol_settings
from loadtest.speak.codec.sent_size import sent_size
from tests.plan.conftest import protocol_from_settings

if TYPE_CHECKING:
    from loadtest.plan.scenario import Scenario
    from tests.plan.conftest import Folder

PROTOCOL = """[turn]
message = '{"id":"{turn.id}"}'
[events]
type = ["type"]
turn = ["id"]
end = ["done"]
fail = ["error"]
"""
KINDS = """[turns.ask]
first = ["part"]
[turns.cancel]
message = '{"id":"{turn.id}","do":"cancel"}'
end = ["cancelled"]
[turns.note]
messages = ['{"id":"{turn.id}"}', { wait = "ack" }, "{data.question}"]
end = []
pairs = [["a", "b"]]
count = 3
"""
SCENARIO = "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n"
EVERY = "[traffic]\nevery = '1s'\n"
MIX = EVERY + "mix = { ask = 8, cancel = 1 }\n"


def scenario(folder: Folder, text: str = MIX, kinds: str = KINDS) -> Scenario:
    folder.write("p.toml", PROTOCOL + kinds)
    return folder.load(SCENARIO + text)


def test_a_kind_has_what_it_does_not_say_of_turn_and_events(folder: Folder) -> None:
    protocol = folder.protocol(PROTOCOL + KINDS)
    ask, cancel, note = protocol.turns.values()
    assert ask.turn == protocol.turn
    assert (ask.events.first, ask.events.end, ask.events.fail) == (("part",), ("done",), ("error",))
    assert (cancel.turn.message, cancel.events.end) == ('{"id":"{turn.id}","do":"cancel"}', ("cancelled",))
    assert (note.turn.message, len(note.turn.messages)) == ("", 3)
    assert (note.events.end, note.events.count, note.events.pairs) == ((), 3, (("a", "b"),))
    assert protocol_from_settings(protocol_settings(protocol)) == protocol


def test_each_kind_of_a_mix_is_judged_by_default(folder: Folder) -> None:
    def judged(text: str) -> list[str]:
        return [each.name for each in scenario(folder, text).judged if each.default and "[" in each.name]

    ask, cancel = (f"turns.complete[{kind}].ratio" for kind in ("ask", "cancel"))
    assert judged(MIX) == [ask, cancel]
    assert judged(EVERY + "mix = { ask = 1 }\n") == judged(EVERY) == []
    assert judged(MIX + "turns = 0\n") == judged(MIX + "[chaos]\nleavers = { share = '10%' }") == []
    assert judged(MIX + f"[thresholds]\n'{cancel}' = '>= 50%'\n") == [ask]
    assert judged(MIX + "[thresholds]\n'turns.complete.ratio' = '>= 50%'\n") == []
    assert judged(MIX + "[thresholds]\n'turns.complete.ratio' = 'none'\n") == []


def test_the_kinds_of_a_mix_are_those_that_are_sent(folder: Folder) -> None:
    mixed = scenario(folder)
    assert list(mixed.kinds) == ["ask", "cancel"]
    assert mixed.traffic is not None
    assert mixed.traffic.mix == {"ask": 8, "cancel": 1}
    assert mixed.traffic.data == ()
    assert scenario_from_settings(worker_settings(mixed)) == mixed
    assert scenario(folder, EVERY).kinds == {}
    assert scenario(folder, SCENARIO[:0] + "[load]\nconnections = 1\n").kinds == {}


def test_questions_are_those_that_a_kind_asks_for(folder: Folder) -> None:
    traffic = scenario(folder, EVERY + "mix = { note = 1 }\n").traffic
    assert traffic is not None
    assert traffic.data


@pytest.mark.parametrize(
    ("written", "sentences"),
    [
        ("[turns]\n'a b' = {}", ['9: "a b" cannot be the name of a kind of turn']),
        ("[turns]\nask = 3", ["9: `ask` must be a table, not 3"]),
        ("[turns.ask]\nfirts = ['x']", ["9: unknown key `firts`; did you mean `first`?"]),
        (
            "[turns.ask]\nid = 'x'",
            ["9: unknown key `id`; this key is the same for all kinds of turn; write it in [turn]"],
        ),
        (
            "[turns.ask]\nturn = ['x']",
            ["9: unknown key `turn`; this key is the same for all kinds of turn; write it in [events]"],
        ),
        ("[turns.ask]\nend = ['error']", ['9: "error" cannot be in both `end` and `fail`']),
        ("[turns.ask]\nfail = ['done']", ['9: "done" cannot be in both `end` and `fail`']),
        ("[turns.ask]\ncount = 0", ["9: `count` must be a whole number of at least 1"]),
        ("[turns.ask]\nmessage = '{turn.idd}'", ["9: there is no placeholder {turn.idd}"]),
        (
            f"[turns.ask]\nend_all = {[f'e{n}' for n in range(17)]}",
            ["9: `end_all` may have at most 16 entries, not 17"],
        ),
    ],
)
def test_mistakes_of_a_kind_are_told_with_their_line(
    folder: Folder, written: str, sentences: list[str]
) -> None:
    told = folder.protocol_mistakes(PROTOCOL + written)
    assert len(told) == len(sentences), told
    for line, sentence in zip(told, sentences, strict=True):
        assert line.startswith(sentence)


def test_where_types_are_named_it_is_known_where_they_stand(folder: Folder) -> None:
    (told,) = folder.protocol_mistakes("[events]\nturn = ['id']\n[turns.ask]\nend = ['x']\nfirst = [{a = 1}]")
    assert told == "4: `end` names event types; add `type` to [events], the path of the type in an event"
    assert folder.protocol("[events]\nformat = 'opaque'\n[turns.ask]\nend = ['x']").turns


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (EVERY + "mix = { asc = 1 }", "6: the protocol `p` has no kind of turn `asc`; did you mean `ask`?"),
        (EVERY + "mix = { ask = 0 }", "6: `ask` must be a whole number from 1 to 1000000, not 0"),
        (EVERY + "mix = { }", "6: `mix` must name at least one kind of turn"),
        (EVERY + "mix = 3", "6: `mix` must be a table, not 3"),
        (
            EVERY + "mix = { " + ", ".join(f"k{n} = 1" for n in range(17)) + " }",
            "6: `mix` may name at most 16 kinds of turn, not 17",
        ),
        (MIX + "message = '{turn.id}'", "7: `message` and `mix` both set what is sent; remove one of them"),
        (
            MIX + "[chaos]\nslow_readers = { share = '10%', rate = '4KiB/s' }",
            "8: `slow_readers` cannot be used with `mix`: loadtest does not separate the times",
        ),
        (
            MIX + "[thresholds]\n'turn.first_event[aks].p95' = '< 1s'",
            (
                "8: `turn.first_event[aks].p95`: the scenario sends no turn of the kind `aks`; did you mean"
                " `ask`?"
            ),
        ),
        (
            EVERY + "[thresholds]\n'turns.complete[ask].ratio' = '> 90%'",
            (
                "7: `turns.complete[ask].ratio`: the scenario sends no turn of the kind `ask`; [traffic] has"
                " no `mix`"
            ),
        ),
        (
            MIX + "[abort]\n'turns.failed[note]' = '> 3'",
            "8: `turns.failed[note]`: the scenario sends no turn of the kind `note`; known here: ask, cancel",
        ),
        (
            "[load]\nstages = [{ for = '1s', connections = 1, thresholds = { 'turns.lost[aks]' = '< 1' } }]\n"
            + MIX,
            "5: `turns.lost[aks]`: the scenario sends no turn of the kind `aks`; did you mean `ask`?",
        ),
        (
            MIX + "[thresholds]\n'connect.total[ask].p95' = '< 1s'",
            (
                "8: `connect.total[ask].p95`: no population has the name `ask`; the scenario has no"
                " [[population]]"
            ),
        ),
    ],
)
def test_mistakes_of_a_mix_are_told_with_their_line(folder: Folder, text: str, sentence: str) -> None:
    folder.write("p.toml", PROTOCOL + KINDS)
    told = folder.mistakes(SCENARIO + text)
    assert [line for line in told if line.startswith(f"mine.toml:{sentence}")], told


def test_a_kind_needs_a_message_that_names_the_turn(folder: Folder) -> None:
    events = "[events]\nturn = ['id']\ncount = 1\n"
    folder.write("p.toml", events + "[turns.ask]\n[turns.shout]\nmessage = 'x'\n")
    assert folder.mistakes(SCENARIO + EVERY + "mix = { ask = 1, shout = 1 }") == [
        "mine.toml:6: the kind of turn `ask` has no `message`, and [turn] has none either",
        (
            "mine.toml:6: the message of the kind of turn `shout` must contain {turn.id}: answers are matched"
            " by this id"
        ),
    ]
    (told,) = folder.mistakes(SCENARIO + EVERY)
    assert told.endswith("; choose the kinds of turn to send (ask, shout) in `mix` of [traffic]")
    folder.write("p.toml", events)
    (told,) = folder.mistakes(SCENARIO + MIX.replace(", cancel = 1", ""))
    assert told == "mine.toml:6: the protocol `p` has no kind of turn `ask`; the protocol has no [turns]"


def test_only_the_columns_of_kinds_that_are_sent_must_be_there(folder: Folder) -> None:
    kinds = KINDS + "[turns.rare]\nmessage = '{turn.id} {data.city}'\n"
    assert scenario(folder, kinds=kinds)
    folder.write("p.toml", PROTOCOL + kinds)
    (told,) = folder.mistakes(SCENARIO + EVERY + "mix = { rare = 1 }")
    assert "`turns.rare.message` of the protocol: there is no placeholder {data.city}" in told


def test_turns_are_judged_complete_by_default_where_every_kind_can_be(folder: Folder) -> None:
    assert "turns.complete.ratio" in [each.name for each in scenario(folder).judged]
    endless = KINDS + "[turns.watch]\nend = []\n"
    judged = scenario(folder, EVERY + "mix = { ask = 1, watch = 1 }", endless).judged
    assert "turns.complete.ratio" not in [each.name for each in judged]


def test_kinds_are_explained(folder: Folder) -> None:
    told = {section.title: section.lines for section in explain(scenario(folder), sent_size)}
    assert "kinds of turn, chosen by the seed: ask 88.9 %, cancel 11.1 %" in told["Turns"]
    assert [line for line in told["Message"] if line.endswith(":")] == ["ask:", "cancel:"]
    assert "cancel: a turn is complete with cancelled" in told["Answer"]
