from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.scenario import Load, Stage, Traffic
from loadtest.plan.threshold import parse_threshold

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'

NS = 1_000_000_000


def test_without_load_one_connection_is_held_for_half_a_minute(folder: Folder) -> None:
    scenario = folder.load(HEAD)
    assert scenario.load == Load(connections=1, duration_ns=30 * NS)
    assert scenario.traffic is None


def test_every_key_of_load_and_traffic(folder: Folder) -> None:
    scenario = folder.load(
        HEAD
        + """
[load]
model = "open"
connections = 50
connect_rate = "25/s"
duration = "10s"
warmup = "5s"
seed = 3
[traffic]
burst = 5
rate = "2000/s"
arrivals = "poisson"
timeout = "3s"
data = [ { question = "a" } ]
turns = 20
message = "{turn.id} {data.question}"
ping = "1s"
"""
    )
    assert scenario.load == Load(
        connections=50, connect_rate=25.0, duration_ns=10 * NS, warmup_ns=5 * NS, seed=3
    )
    assert scenario.traffic == Traffic(
        burst=5,
        rate=2000.0,
        arrivals="poisson",
        timeout_ns=3 * NS,
        data=({"question": "a"},),
        turns=20,
        message="{turn.id} {data.question}",
        ping_ns=NS,
    )


def test_with_stages_the_duration_is_their_sum(folder: Folder) -> None:
    scenario = folder.load(
        HEAD
        + """[[load.stages]]
for = "10s"
connections = 10
thresholds = { "turn.first_event.p95" = "< 1s" }
[[load.stages]]
for = "500ms"
connections = 0
ramp = true
[traffic]
every = "1s"
phase = "together"
"""
    )
    threshold = parse_threshold("turn.first_event.p95", "< 1s", 0)
    first = Stage(for_ns=10 * NS, connections=10, thresholds=(threshold,))
    stages = (first, Stage(for_ns=NS // 2, connections=0, ramp=True))
    assert scenario.load == Load(connections=10, duration_ns=10 * NS + NS // 2, stages=stages)
    assert scenario.thresholds == (threshold,)
    assert scenario.traffic is not None
    assert scenario.traffic.phase == "together"


@pytest.mark.parametrize("every", ['every = "2s"', 'every = "0s"', ""])
def test_in_the_closed_model_every_is_think_time_and_may_be_none(folder: Folder, every: str) -> None:
    scenario = folder.load(HEAD + f'[load]\nmodel = "closed"\n[traffic]\n{every}\nturns = 3')
    assert scenario.traffic is not None
    assert scenario.traffic.every_ns in {2 * NS, 0, None}


def test_with_turns_0_connections_are_held_and_pinged(folder: Folder) -> None:
    scenario = folder.load(HEAD + '[traffic]\nturns = 0\nping = "1s"')
    assert scenario.traffic == Traffic(
        turns=0, ping_ns=NS, data=scenario.traffic.data if scenario.traffic else ()
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[load]\nburst = 5", "5: unknown key `burst`; it belongs to [traffic]"),
        ("[load]\nconnections = 0", "5: `connections` must be a whole number from 1 to 1000000, not 0"),
        ("[load]\nduration = '0s'", "5: `duration` must be more than 0"),
        (
            "[load]\nstages = [{ for = '1s', connections = 1 }]\nduration = '1s'",
            "6: `duration` is the sum of the stages",
        ),
        (
            "[load]\nstages = [{ for = '1s', connections = 1 }]\nconnections = 1",
            "6: `connections` is set in each stage",
        ),
        ("[load]\nstages = [{ for = '1s', connections = 0 }]", "5: no stage has a connection"),
        (
            "[load]\nwarmup = '1s'\nstages = [{ for = '1s', connections = 1, ramp = true }]",
            "5: `warmup` would have no connections",
        ),
        ("[load]\nstages = [{ connections = 1 }]", "5: a stage needs `for`"),
        ("[load]\nstages = [{ for = '1s' }]", "5: a stage needs `connections`"),
        (
            "[load]\nstages = [\n{ for = '1s', connections = 1, duration = '1s' }]",
            "6: `duration` means the same as `for`; remove one of them",
        ),
        ("[load]\nmodel = 'opened'", '5: `model` cannot be "opened"; did you mean `open`?'),
        ("[traffic]\nburst = 5", "4: the open model needs `every` or `rate`"),
        ("[traffic]\nevery = '1s'\nrate = '1/s'", "6: `rate` and `every` both set how often"),
        ("[traffic]\nevery = '0s'", "5: `every` must be more than 0"),
        ("[traffic]\nevery = '1s'\nburst = 0", "6: `burst` must be a whole number from 1 to 100000, not 0"),
        ("[traffic]\nevery = '1s'\nduration = '1s'", "6: unknown key `duration`; it belongs to [load]"),
        ("[traffic]\nevery = '1s'\nmessage = ''", "6: `message` must not be empty"),
        (
            "[traffic]\nevery = '1s'\narrivals = 'poisson'\nphase = 'spread'",
            "7: remove `phase`: with arrivals",
        ),
        ("[load]\nmodel = 'closed'\n[traffic]\nrate = '1/s'", '7: `rate` works only with model = "open"'),
        (
            "[load]\nmodel = 'closed'\n[traffic]\nphase = 'spread'",
            '7: `phase` works only with model = "open"',
        ),
        ("[traffic]\nevery = 1", '5: `every` must be a duration such as "30s" or "100ms" in quotes, not 1'),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentence: str) -> None:
    (told,) = folder.mistakes(HEAD + text)
    assert told.removeprefix("mine.toml:").startswith(sentence)
