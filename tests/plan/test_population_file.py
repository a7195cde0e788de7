"""Populations: what each inherits and says itself, who its users are, and what is told of mistakes."""

from __future__ import annotations

import json

import pytest

from loadtest.plan.explain import explain
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import public_settings, scenario_from_settings, worker_settings
from loadtest.plan.schedule import Schedule, planned_users, schedules, turns_due
from loadtest.plan.secrets import missing_secrets, scenario_secrets
from loadtest.plan.worker_settings import identities_of, shared_settings, with_identities
from loadtest.plan.written_secrets import plan_secrets
from loadtest.speak.codec.sent_size import sent_size
from tests.plan.conftest import Folder

HEAD = """protocol = "agent-events"
[target]
url = "ws://host"
headers = { Origin = "https://app" }
[load]
connect_rate = "10/s"
duration = "4s"
warmup = "1s"
[traffic]
every = "1s"
"""
TWO = """
[[population]]
name = "listeners"
load = { connections = 3 }
traffic = { turns = 0 }
[[population]]
name = "askers"
protocol = "echo"
[population.load]
connections = 2
[population.traffic]
burst = 2
[population.target]
identities = [{ id = "a", password = "s3cr3t-a" }, { id = "b", password = "s3cr3t-b" }]
"""
STAGED = """[[population]]
name = 'x'
[[population.load.stages]]
for = '4s'
connections = 1
thresholds = { 'turns.lost' = '< 1' }
"""


def parts(scenario: Scenario) -> dict[str, Scenario]:
    return {each.name: each.scenario for each in scenario.populations}


def test_a_population_is_the_file_with_what_it_says_itself(folder: Folder) -> None:
    scenario = folder.load(HEAD + TWO)
    listeners, askers = parts(scenario).values()
    assert (listeners.protocol.name, askers.protocol.name) == ("agent-events", "echo")
    assert listeners.target.headers == askers.target.headers == {"Origin": "https://app"}
    assert [each.load.connect_rate for each in (listeners, askers)] == [10, 10]
    assert askers.traffic is not None
    assert (askers.traffic.burst, askers.traffic.every_ns) == (2, 1_000_000_000)
    assert (listeners.sends, askers.sends, scenario.sends) == (False, True, True)
    assert scenario.load.connections == planned_users(scenario) == 5
    assert scenario.parts == (listeners, askers)


def test_users_and_turns_are_numbered_round_the_whole_run(folder: Folder) -> None:
    scenario = folder.load(HEAD + TWO)
    listeners, askers = schedules(scenario)
    assert [visit.user for visit in listeners.visits()] == [0, 1, 2]
    visits = askers.visits()
    assert [visit.user for visit in visits] == [3, 4]
    seqs = [arrival.seq for visit in visits for arrival in askers.arrivals(visit)]
    assert len(set(seqs)) == len(seqs) == turns_due(scenario)
    assert {seq % 5 for seq in seqs} == {3, 4}, "the number of a turn says whose it is"
    assert next(iter(askers.think(4))) == 4
    alone = Schedule(parts(scenario)["askers"].load, parts(scenario)["askers"].traffic)
    at = [arrival.offset_ns for visit in alone.visits() for arrival in alone.arrivals(visit)]
    assert at == [arrival.offset_ns for visit in visits for arrival in askers.arrivals(visit)]
    closed = folder.load(HEAD + TWO + "[population.chaos]\n", sets=("population.askers.load.model=closed",))
    assert turns_due(closed) is None


def test_a_population_may_say_everything_itself(folder: Folder) -> None:
    own = HEAD.replace("[target]", "[population.target]").replace("[load]", "[population.load]")
    own = own.replace("[traffic]", "[population.traffic]").replace('"10/s"', '"20/s"')
    text = HEAD + f"[[population]]\nname = 'own'\ninherits = false\n{own}"
    (part,) = folder.load(text).parts
    assert part.load.connect_rate == 20
    without = "[[population]]\nname = 'bare'\ninherits = false\nprotocol = 'echo'\n"
    assert folder.mistakes(HEAD + without)[0] == (
        'mine.toml:11: `url` is missing; write url = "simulator" or url = "wss://..."'
    )


def test_stages_of_one_population_replace_what_the_file_says(folder: Folder) -> None:
    staged = "[[population]]\nname = 'x'\nload = { stages = [{ for = '%s', connections = 2 }] }\n"
    assert planned_users(folder.load(HEAD + staged % "4s")) == 2
    assert folder.mistakes(HEAD + staged % "5s") == [
        "mine.toml:13: `duration` is the same for all populations; move it to [load] of the file"
    ]


def test_only_populations_may_say_a_protocol(folder: Folder) -> None:
    head = HEAD.replace('protocol = "agent-events"\n', "")
    each = "[[population]]\nname = '{0}'\nprotocol = '{0}'\n"
    scenario = folder.load(head + each.format("echo") + each.format("json-id"))
    assert [part.protocol.name for part in scenario.parts] == ["echo", "json-id"]
    assert "`protocol` is missing" in folder.mistakes(head + "[[population]]\nname = 'x'\n")[0]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[population]]\nload = {}\n", "11: a population needs a `name`"),
        ("[[population]]\nname = 'a b'\n", '12: "a b" cannot be the name of a population'),
        (
            "[[population]]\nname = 'x'\n[[population]]\nname = 'x'\n",
            '14: two populations have the name "x"',
        ),
        (
            "[[population]]\nname = 'x'\nconnections = 3\n",
            "13: unknown key `connections`; write `load.connections`",
        ),
        ("[[population]]\nname = 'x'\ntraffc = {}\n", "13: unknown key `traffc`; did you mean `traffic`?"),
        ("[[population]]\nname = 'x'\nload = { connectons = 3 }\n", "13: unknown key `connectons`"),
        (
            "[[population]]\nname = 'x'\ntraffic = { rate = '5/s' }\n",
            "13: `rate` and `every` both set how often",
        ),
        (
            "[[population]]\nname = 'x'\nload = { warmup = '2s' }\n",
            "13: `warmup` is the same for all populations",
        ),
        (
            "[[population]]\nname = 'x'\ntarget = { url = 'ws://b' }\n",
            "13: `url` is the same for all populations",
        ),
        (
            STAGED.replace("turns.lost", "connections.ready.peak"),
            "16: `connections.ready.peak` exists only for all populations together",
        ),
        (
            STAGED.replace("turns.lost", "target.cpu.max"),
            "16: `target.cpu.max` exists only for all populations together",
        ),
        (
            STAGED.replace("turns.lost", "turns.lost[ask]"),
            "16: `turns.lost[x/ask]`: the scenario sends no turn of the kind `ask`",
        ),
        (
            "[[population]]\nname = 'y'\n" + STAGED.replace("turns.lost", "turns.lost[ask]"),
            "18: `turns.lost[x/ask]`: the scenario sends no turn of the kind `ask`",
        ),
        (STAGED + "[population.traffic]\nturns = 0\n", "16: `turns.lost[x]` cannot be measured"),
        (
            "[[population]]\nname = 'x'\nchaos = { slow_readers = { share = '10%', rate = '4KiB/s' } }\n",
            "13: `slow_readers` cannot be used with [[population]]",
        ),
        (
            "[[population]]\nname = 'x'\nload = { connections = 30000 }\n",
            "13: the scenario plans more connections than the limit",
        ),
        (
            "".join(f"[[population]]\nname = '{name}'\nload = {{ connections = 15000 }}\n" for name in "xy"),
            "11: the populations together plan more connections than the limit of 20,000",
        ),
        (
            "".join(
                f"[[population]]\nname = '{name}'\nload.connections = 9000\ntraffic.every = '100ms'\n"
                for name in "xy"
            ),
            (
                "11: the populations together send too much: a rate of 180,000/s turns is above the limit of"
                " 100,000/s"
            ),
        ),
        (
            "".join(f"[[population]]\nname = 'p{n}'\n" for n in range(9)),
            "11: there may be 8 populations, not 9",
        ),
        (
            "[thresholds]\n'turns.complete[x].ratio' = '> 1%'\n",
            "12: `turns.complete[x].ratio`: the scenario sends no turn of the kind",
        ),
        (
            TWO + "[thresholds]\n'ping.rtt[asker].p95' = '< 1s'\n",
            "no population has the name `asker`; did you mean `askers`?",
        ),
        (
            TWO + "[thresholds]\n'turns.lost[askr/ask]' = '< 1'\n",
            "no population has the name `askr`; did you mean `askers`?",
        ),
        (TWO + "[thresholds]\n'turns.lost[askers/ask]' = '< 1'\n", "sends no turn of the kind `ask`"),
        (
            TWO + "[thresholds]\n'turns.lost[askr]' = '< 1'\n",
            "the scenario sends no turn of the kind `askr`; did you mean `askers`?",
        ),
        (
            TWO + "[thresholds]\n'conversation.time[a].p50' = '< 1s'\n",
            "no conversation has the name `a`; known here: listeners",
        ),
        (TWO + "[thresholds]\n'connections.ready.peak[askers]' = '> 1'\n", "is not a metric"),
        (
            TWO + "[thresholds]\n'connections.ready[askers].peak' = '> 1'\n",
            "this metric exists only for all populations together",
        ),
        (TWO + "[thresholds]\n'turns.lost[listeners]' = '< 1'\n", "cannot be measured: without [traffic]"),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentence: str) -> None:
    assert any(sentence in told for told in folder.mistakes(HEAD + text)), folder.mistakes(HEAD + text)


def test_a_population_is_not_called_as_a_kind_of_turn(folder: Folder) -> None:
    ask = 'turns = { ask = { message = \'{"id":"{turn.id}"}\' } }'
    kinds = f"protocol = {{ events = {{ turn = ['id'], count = 1 }}, {ask} }}\n"
    mixed = HEAD.replace('protocol = "agent-events"\n', kinds) + "mix = { ask = 1 }\n"
    assert folder.mistakes(mixed + "[[population]]\nname = 'ask'\n") == [
        (
            'mine.toml:13: "ask" is also the name of a kind of turn; rename one, because thresholds use both'
            " names"
        )
    ]
    talk = mixed.replace("mix = { ask = 1 }\n", "").replace("[load]", '[load]\nmodel = "closed"')
    said = "[[conversation]]\nname = 'chat'\nsteps = [{ turn = 'ask' }]\n"
    assert (
        '"chat" is also the name of a conversation'
        in folder.mistakes(talk + said + "[[population]]\nname = 'chat'\n")[0]
    )
    judged = "[thresholds]\n'conversation.time[x/chat].p50' = '< 1s'\n'turns.lost[x/ask]' = '< 1'\n"
    judged += "'turns.lost[ask]' = '< 2'\n"
    assert len(folder.load(talk + said + judged + "[[population]]\nname = 'x'\n").thresholds) == 3
    stage = 'stages = [{ for = "4s", connections = 1, thresholds = { "connections.ready" = "> 0" } }]'
    staged = HEAD.replace('duration = "4s"', stage) + "[[population]]\nname = 'x'\n"
    assert any(
        "with [[population]], write the thresholds of stages" in told for told in folder.mistakes(staged)
    )


def test_what_a_stage_of_a_population_promises_is_of_that_population(folder: Folder) -> None:
    scenario = folder.load(HEAD + STAGED + "[thresholds]\n'connections.ready' = '> 0'\n")
    told = {(each.name, each.stage) for each in scenario.thresholds}
    assert told == {("connections.ready", None), ("turns.lost[x]", 0)}
    assert scenario_from_settings(json.loads(json.dumps(worker_settings(scenario)))) == scenario
    part = STAGED.replace("'turns.lost' = '< 1'", "'turns.complete.ratio' = '> 10%'").replace("'4s'", "'2s'")
    more = "[[population.load.stages]]\nfor = '2s'\nconnections = 1\n"
    judged = [(each.name, each.stage) for each in folder.load(HEAD + part + more).judged]
    ratio = "turns.complete[x].ratio"
    assert [each for each in judged if each[0] == ratio] == [(ratio, 0), (ratio, 1)], "the others by default"


def test_what_an_option_sets(folder: Folder) -> None:
    scenario = folder.load(HEAD + TWO, sets=("population.askers.load.connections=1",))
    assert parts(scenario)["askers"].load.connections == 1
    wrong = folder.mistakes(
        HEAD + TWO, sets=("population.askers.load.connectons=7", "population.bskers.load.x=1")
    )
    assert wrong == [
        "--set population.askers.load.connectons=7: unknown key `connectons`; did you mean `connections`?",
        "--set population.bskers.load.x=1: no population has the name `bskers`; did you mean `askers`?",
    ]
    (none,) = folder.mistakes(HEAD, sets=("population.x.load.connections=1",))
    assert none.endswith("no population has the name `x`; the scenario has no [[population]]")
    (own,) = folder.mistakes(HEAD + TWO, connections=9)
    assert own.startswith("--connections: each population has its own `connections`; write --set popul")
    hidden = folder.mistakes(
        HEAD + TWO, sets=("population.askers.target.headers.X=s3cr3t", "population.askers.target.z=1")
    )
    assert "s3cr3t" not in "".join(hidden)
    assert "must be a list of tables" in folder.mistakes(HEAD + "[population]\n")[0]
    told = folder.mistakes("population = [3]\n" + HEAD, sets=("population.x.y=1",))
    assert any("no population has the name" in each for each in told)


def test_all_of_it_reaches_the_workers_and_no_secret_the_files(folder: Folder) -> None:
    scenario = folder.load(HEAD + TWO)
    assert scenario_from_settings(json.loads(json.dumps(worker_settings(scenario)))) == scenario
    assert "s3cr3t" not in json.dumps(public_settings(scenario))
    shared = json.loads(json.dumps(shared_settings(scenario)))
    assert "s3cr3t" not in json.dumps(shared)
    rows = identities_of(scenario, [0, 2, 4])
    assert rows == [(1, 1, {"id": "b", "password": "s3cr3t-b"})], "user 4 is the second of the askers"
    given = with_identities(shared, json.loads(json.dumps(rows)))
    assert "s3cr3t-a" not in json.dumps(given)
    assert scenario_from_settings(with_identities(given, identities_of(scenario, [3]))) == scenario
    both = with_identities(shared, identities_of(scenario, [3, 4]))
    assert scenario_from_settings(both) == scenario, "several users of one population"
    other = folder.load(HEAD.replace("ws://host", "ws://other") + TWO)
    assert other.sha256 == scenario.sha256, "the same load on another target"


def test_secrets_of_every_population_are_known(folder: Folder) -> None:
    auth = "[population.target.auth]\nkind = 'token'\ntoken_env = 'ASKER_TOKEN'\n"
    said = '[population.traffic]\nmessage = \'{"id":"{turn.id}","password":"hunter22"}\'\n'
    scenario = folder.load(HEAD + f"[[population]]\nname = 'x'\nprotocol = 'json-id'\n{said}{auth}")
    assert [problem.where for problem in missing_secrets(scenario, {})] == ["ASKER_TOKEN"]
    assert "t0ken" in scenario_secrets(scenario, {"ASKER_TOKEN": "t0ken"})
    assert "hunter22" in plan_secrets(scenario)


def test_explain_tells_of_each(folder: Folder) -> None:
    told = {section.title: section.lines for section in explain(folder.load(HEAD + TWO), sent_size)}
    assert told["mine"][0] == "2 populations: 3 listeners, 2 askers"
    assert told["listeners: Turns"][0] == "none: connections stay open, and nothing is sent"
    assert any("of user 3" in line for line in told["askers: Message"])
    assert any("(user 3" in line or "user 3 at" in line for line in told["askers: Turns"])
    assert "askers: Not measurable" in told
    assert "turns.complete[askers].ratio >= 99% (default)" in told["Judged by"]
    assert not [line for line in told["Judged by"] if line.startswith("turns.complete[listeners]")]
