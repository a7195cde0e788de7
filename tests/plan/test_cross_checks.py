from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.default_prompts import QUESTIONS

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'
EVERY = '[traffic]\nevery = "1s"\n'


def test_a_question_is_asked_from_the_built_in_list_where_there_is_no_data(folder: Folder) -> None:
    traffic = folder.load(HEAD + EVERY).traffic
    assert traffic is not None
    assert traffic.data == QUESTIONS


def test_who_asks_for_nothing_is_given_nothing(folder: Folder) -> None:
    traffic = folder.load(HEAD + EVERY + "message = '{turn.id}'").traffic
    assert traffic is not None
    assert traffic.data == ()


def test_values_kept_while_getting_ready_are_known_in_messages(folder: Folder) -> None:
    folder.write(
        "p.toml",
        "[events]\nturn = ['id']\n[connect]\nready = [{ wait = { a = 'b' }, keep = { thread = 't' } }]\n",
    )
    text = "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY + "message = '{turn.id} {ready.%s}'"
    assert folder.load(text % "thread").traffic
    (told,) = folder.mistakes(text % "tread")
    assert told == "mine.toml:6: there is no placeholder {ready.tread}; did you mean `ready.thread`?"


def test_identities_and_data_give_their_columns(folder: Folder) -> None:
    folder.write("users.csv", "id,plan\na,free\nb,pro\n")
    text = (
        HEAD + "identities = 'users.csv'\n" + EVERY + "data = [ { city = 'Bern' } ]\nmessage = '{turn.id} %s'"
    )
    assert folder.load(text % "{user.plan} {data.city}").traffic
    assert folder.mistakes(text % "{user.plann} {data.town}") == [
        "mine.toml:8: there is no placeholder {data.town}; did you mean `data.city`?",
        "mine.toml:8: there is no placeholder {user.plann}; did you mean `user.plan`?",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            HEAD + "[traffic]\nevery = '1s'\nmessage = 'hi'",
            "6: the message must contain {turn.id}: the protocol `agent-events` matches",
        ),
        (
            HEAD + EVERY + "data = [ { city = 'Bern' } ]",
            "1: `turn.message` of the protocol: there is no placeholder {data.question}",
        ),
        (
            HEAD + "identities = [ { id = 'a' } ]\n[load]\nconnections = 2",
            "4: 2 connections need 2 identities",
        ),
        (
            HEAD + "[load]\nconnections = 30000",
            "5: the scenario plans more connections than the limit of 20,000; if this is intended",
        ),
        (
            HEAD + "[load]\nduration = '48h'",
            "5: the run would last longer than the limit of 24 h; if this is intended",
        ),
        (
            HEAD + "[load]\nstages = [{ for = '2d', connections = 1 }]",
            "5: the run would last longer than the limit of 24 h",
        ),
        (
            HEAD + "[load]\nstages = [{ for = '1s', connections = 30000 }]",
            "5: the scenario plans more connections than the limit",
        ),
        (
            HEAD + "[traffic]\nrate = '200000/s'",
            "5: a rate of 200,000/s turns is above the limit of 100,000/s",
        ),
        (HEAD + "[traffic]\nevery = '1us'\nburst = 2", "5: a rate of 2,000,000/s turns is above the limit"),
        (
            HEAD + "[thresholds]\n'turn.completion.p50' = '< 1s'",
            "5: `turn.completion.p50` cannot be measured",
        ),
        (
            HEAD + "[traffic]\nturns = 0\n[thresholds]\n'turns.lost' = '== 0'",
            "7: `turns.lost` cannot be measured",
        ),
        (
            HEAD
            + "[load]\nstages = [{ for = '1s', connections = 1, thresholds = { 'turns.lost' = '== 0' } }]",
            "5: `turns.lost` cannot be measured",
        ),
    ],
)
def test_what_does_not_go_together_is_told(folder: Folder, text: str, sentence: str) -> None:
    (told,) = folder.mistakes(text)
    assert told.removeprefix("mine.toml:").startswith(sentence)


def test_a_protocol_without_a_message_has_nothing_to_send(folder: Folder) -> None:
    folder.write("p.toml", "[events]\nturn = ['id']\n")
    (told,) = folder.mistakes("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY)
    assert told.startswith(
        "mine.toml:4: there is nothing to send: neither [traffic] nor [turn] of the protocol `p` has a"
        " `message`"
    )


def test_a_protocol_in_place_of_the_answer_by_id_needs_the_id_in_its_own_message(folder: Folder) -> None:
    folder.write("p.toml", "[events]\nturn = ['id']\n[turn]\nmessage = 'hi'\n")
    (told,) = folder.mistakes("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY)
    assert told.startswith("mine.toml:1: the message must contain {turn.id}")


def test_a_column_of_a_protocols_ready_step_must_be_there_even_without_traffic(folder: Folder) -> None:
    folder.write("p.toml", "[events]\nturn = ['id']\n[connect]\nready = [{ send = '{user.key}' }]\n")
    (told,) = folder.mistakes("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n")
    assert told.startswith(
        "mine.toml:1: `connect.ready.0.send` of the protocol: there is no placeholder {user.key}"
    )


def test_limits_can_be_raised(folder: Folder) -> None:
    text = HEAD + "[load]\nconnections = 30000\n[limits]\nconnections = 30000"
    assert folder.load(text).load.connections == 30_000


def test_in_the_closed_model_there_is_no_rate_to_compare(folder: Folder) -> None:
    assert folder.load(HEAD + "[load]\nmodel = 'closed'\n[traffic]\nevery = '1us'").traffic


def test_claims_ask_for_columns_that_are_there(folder: Folder) -> None:
    folder.write("users.csv", "id,tenant\na,north\n")
    text = (
        HEAD
        + "identities = 'users.csv'\n[target.auth]\nkind = 'jwt'\nsecret_env = 'S'\nclaims = { t = '%s' }\n"
    )
    assert folder.load(text % "{user.tenant}" + EVERY).traffic
    (told,) = folder.mistakes(text % "{user.tennant}" + EVERY)
    assert told == "mine.toml:8: there is no placeholder {user.tennant}; did you mean `user.tenant`?"


def test_where_the_target_names_turns_the_message_need_not(folder: Folder) -> None:
    folder.write(
        "p.toml",
        "[turn]\nmessage = 'ask'\n[events]\nturn = ['id']\nadopt = { on = { has = 'made' }, id = 'made' }\n",
    )
    scenario = folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n" + EVERY)
    assert scenario.protocol.turn.message == "ask"
