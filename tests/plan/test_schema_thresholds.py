from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.scenario import Abort, Compare, Limits, Scenario
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.threshold import DELIVERY_RATIOS, TURNS, parse_threshold

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

COMPLETE = ("turns.complete.ratio", ">= 99%", None)
READY = ("connections.ready.ratio", ">= 99%", None)
HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'


def test_a_name_may_have_several_promises(folder: Folder) -> None:
    scenario = folder.load(
        HEAD + '[thresholds]\n"connections.ready.peak" = "> 10"\n"connect.total.p95" = ["< 1s", "> 1us"]'
    )
    assert scenario.thresholds == (
        parse_threshold("connections.ready.peak", "> 10"),
        parse_threshold("connect.total.p95", "< 1s"),
        parse_threshold("connect.total.p95", "> 1us"),
    )


SENDS = HEAD + "[traffic]\nevery = '1s'\n"


def told(scenario: Scenario) -> list[tuple[str, str, int | None]]:
    defaults = [each for each in scenario.judged if each.default and each.name not in DELIVERY_RATIOS]
    return [(each.name, each.expression, each.stage) for each in defaults]


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        (SENDS, [COMPLETE, READY]),
        (HEAD, [READY]),
        (SENDS + "turns = 0", [READY]),
        (SENDS + "[thresholds]\n'connections.ready.peak' = '> 10'", [COMPLETE, READY]),
        (SENDS + "[thresholds]\n'turns.complete.ratio' = '>= 50%'", [READY]),
        (SENDS + "[thresholds]\n'turns.complete' = '>= 50'\n'connections.ready' = '> 5'", []),
        (SENDS + "[thresholds]\n'turns.complete.ratio' = 'none'\n'connections.ready.ratio' = 'none'", []),
        (SENDS + "[chaos]\nleavers = { share = '10%' }", [COMPLETE, READY]),
        (
            SENDS
            + "[load]\nstages = [{ for = '1s', connections = 1 }, "
            + "{ for = '1s', connections = 2, thresholds = { 'turns.complete.ratio' = '> 1%' } }]",
            [("turns.complete.ratio", ">= 99%", 0), READY],
        ),
    ],
)
def test_what_is_judged_where_nothing_else_is_said(
    folder: Folder, text: str, judged: list[tuple[str, str, int | None]]
) -> None:
    scenario = folder.load(text)
    assert told(scenario) == judged
    assert scenario.judged[: len(scenario.thresholds)] == scenario.thresholds


def test_events_that_are_not_delivered_as_promised_are_judged_too(folder: Folder) -> None:
    text = SENDS + "[thresholds]\n'events.lost' = '< 5'\n'events.malformed.ratio' = 'none'"
    judged = [f"{each.name} {each.expression}" for each in folder.load(text).judged if each.default]
    assert judged[2:] == [
        "events.duplicate.ratio <= 1%",
        "events.out_of_order.ratio <= 1%",
        "events.stray_errors.ratio <= 1%",
        "turns.ended_again.ratio <= 1%",
        "turns.request_refused.ratio <= 1%",
        "deliveries.missing.ratio <= 1%",
    ]


def test_a_turn_that_never_ends_is_not_to_be_complete(folder: Folder) -> None:
    folder.write("p.toml", "[turn]\nmessage = '{turn.id}'\n[events]\nturn = ['id']\n")
    scenario = folder.load("protocol = 'p.toml'\n[target]\nurl = 'simulator'\n[traffic]\nevery = '1s'\n")
    assert told(scenario) == [READY]


def test_only_what_is_judged_by_default_can_be_turned_off(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        folder.load(HEAD + '[thresholds]\n"turns.failed" = "none"')
    assert "`turns.complete.ratio`, `connections.ready.ratio`, `events.lost.ratio`" in str(caught.value)
    off = folder.load(SENDS + '[thresholds]\n"turns.complete.ratio" = "none"')
    assert off.turned_off == ("turns.complete.ratio",)
    assert off.settings["thresholds"] == {"turns.complete.ratio": "none"}


def test_rules_that_end_a_run_early(folder: Folder) -> None:
    scenario = folder.load(HEAD + '[abort]\n"connections.refused" = "> 5"\nafter = "10s"')
    assert scenario.abort == Abort(
        rules=(parse_threshold("connections.refused", "> 5"),), after_ns=10_000_000_000
    )


def test_limits(folder: Folder) -> None:
    assert folder.load(HEAD).limits == Limits()
    scenario = folder.load(HEAD + '[limits]\nconnections = 5\nrate = "7/s"\nduration = "1m"')
    assert scenario.limits == Limits(connections=5, rate=7.0, duration_ns=60_000_000_000)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "[thresholds]\nconnect.total.p95 = '< 1s'",
            '5: `connect` must be text such as "< 100ms", not a table; put quotes',
        ),
        (
            "[thresholds]\n'connect.total.p95' = 5",
            '5: `connect.total.p95` must be text such as "< 100ms", not 5',
        ),
        ("[thresholds]\n'connect.total.p95' = ['< 1s', 5]", "5: `connect.total.p95` must be text"),
        (
            "[thresholds]\n'connect.totl.p95' = '< 1s'",
            '5: "connect.totl.p95" is not a metric; did you mean',
        ),
        (
            "[thresholds]\n'connect.total.p99.9' = '< 1s'\n'connect.total.p99_9' = '< 1s'",
            "6: `connect.total.p99_9` means the same as",
        ),
        (
            "[abort]\nafter = '1s'",
            "5: `after` says from when the rules of [abort] count, but there is no rule",
        ),
        ("[abort]\n'connections.refused' = 'many'", '5: "many" is not an operator with a value'),
        ("[limits]\nusers = 5", "5: unknown key `users`"),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentence: str) -> None:
    (told,) = folder.mistakes(HEAD + text)
    assert told.removeprefix("mine.toml:").startswith(sentence)


def test_how_runs_are_compared(folder: Folder) -> None:
    assert folder.load(HEAD).compare == Compare()
    scenario = folder.load(
        HEAD
        + '[compare]\nprimary = ["turn.first_event.p99.9", "turns.lost", "turns.lost"]\n'
        + 'smallest_effect = "2.5%"\n'
        + '"turn.first_event.p99.9" = "12.5%"'
    )
    assert scenario.compare == Compare(
        primary=("turn.first_event.p99_9", "turns.lost"),
        smallest_effect=0.025,
        effects={"turn.first_event.p99_9": 0.125},
    )
    assert scenario.settings["compare"] == {
        "primary": ["turn.first_event.p99_9", "turns.lost"],
        "smallest_effect": "0.025",
        "turn.first_event.p99_9": "0.125",
    }
    assert scenario_from_settings(worker_settings(scenario)) == scenario


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('primary = ["turn.first.p95"]', 'did you mean "turn.first_event.p95"?'),
        ('primary = "turns.lost"', "`primary` must be a list of text"),
        (
            f"primary = {[f'turns.{name}' for name in TURNS[:7]]}",
            "`primary` may name at most 6 metrics, not 7",
        ),
        ('smallest_effect = "0%"', "`smallest_effect` must be above 0 and below 100 %"),
        ('smallest_effect = "100%"', "must be above 0 and below 100 %"),
        ("smallest_effect = 5", "must be above 0 and below 100 %"),
        ('smallest_effect = "five"', '`smallest_effect`: "five" is not a ratio'),
        ('"turns.lots" = "5%"', 'did you mean "turns.lost"?'),
        ('"turns.lost" = "x"', '`turns.lost`: "x" is not a ratio'),
    ],
)
def test_mistakes_in_how_runs_are_compared(folder: Folder, text: str, sentence: str) -> None:
    (told,) = folder.mistakes(HEAD + "[compare]\n" + text)
    assert sentence in told
    assert told.startswith("mine.toml:5:")
