from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import Problem
from loadtest.plan.overrides import Assignment, Overrides, applied, assignments

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'


def one(text: str) -> Assignment | None:
    problems: list[Problem] = []
    found = assignments(Overrides(sets=(text,)), problems)
    assert len(found) + len(problems) == 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("load.connections=20", ("load", "connections"), 20),
        ("load.connections = 20", ("load", "connections"), 20),
        ("load.duration=30s", ("load", "duration"), "30s"),
        ('load.duration="30s"', ("load", "duration"), "30s"),
        ("name=a=b", ("name",), "a=b"),
        ("traffic.message=", ("traffic", "message"), ""),
        ("target.insecure=true", ("target", "insecure"), True),
        ("target.headers.\"X.Y\"='v'", ("target", "headers", "X.Y"), "v"),
        (
            "load.stages=[{ for = '1s', connections = 2 }]",
            ("load", "stages"),
            [{"for": "1s", "connections": 2}],
        ),
        ("thresholds.turn.first_event.p95=< 1us", ("thresholds", "turn.first_event.p95"), "< 1us"),
        ('thresholds."turn.first_event.p95"="< 1us"', ("thresholds", "turn.first_event.p95"), "< 1us"),
        ("abort.turns.timed_out.ratio=> 5%", ("abort", "turns.timed_out.ratio"), "> 5%"),
        ("abort.after=1s", ("abort", "after"), "1s"),
        ("name=2026-01-01", ("name",), date(2026, 1, 1)),
        ("name=1\nb = 2", ("name",), "1\nb = 2"),
        ("name=" + "[" * 9999, ("name",), "[" * 9999),
    ],
)
def test_a_setting_is_split_at_its_first_equals_sign(text: str, path: tuple[str, ...], value: object) -> None:
    found = one(text)
    assert (found.path, found.value) == (path, value)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("load.seed=5", "load.seed=5"),
        ("name=1\nb = 2", "name=1?b = 2"),
        ("name=" + "x" * 9999, "name=" + "x" * 52 + "..."),
        ('target.auth={kind="token",token="RAW"', "target.auth=..."),
        ("target.headers.X-Key=RAW", "target.headers.X-Key=..."),
        ("target.url=ws://me:RAW@host", "target.url=..."),
        ("target.insecure=true", "target.insecure=true"),
    ],
)
def test_a_setting_is_named_without_what_may_be_a_secret_and_not_in_full(text: str, where: str) -> None:
    assert one(text).where == f"--set {where}"


@pytest.mark.parametrize("text", ["", "load", "=1", " = 1", "a b=1", ".=1", "a.=1", "thresholds.=1"])
def test_what_is_no_setting_is_told(text: str) -> None:
    problems: list[Problem] = []
    assert assignments(Overrides(sets=(text,)), problems) == []
    assert [problem.where for problem in problems] == [f"--set {text}"]


def test_options_hold_before_settings() -> None:
    given_all = Overrides(
        target="ws://a", duration="5s", connections=3, connect_rate="9/s", insecure=True, sets=("name=x",)
    )
    assert [(each.path, each.value, each.where) for each in assignments(given_all, [])] == [
        (("target", "url"), "ws://a", "--target"),
        (("load", "duration"), "5s", "--duration"),
        (("load", "connections"), 3, "--connections"),
        (("load", "connect_rate"), "9/s", "--connect-rate"),
        (("target", "insecure"), True, "--insecure"),
        (("name",), "x", "--set name=x"),
    ]
    numbers = assignments(Overrides(duration=1_500_000_000, connect_rate=2.5), [])
    assert [each.value for each in numbers] == ["1500ms", "2.5/s"]
    assert assignments(Overrides(), []) == []


def test_the_document_is_changed_in_a_copy() -> None:
    data: dict[str, object] = {"load": {"connections": 1, "seed": 2}}
    changed, given_by = applied(
        data, [Assignment(("load", "connections"), 5, "--x"), Assignment(("a", "b"), 1, "--y")], []
    )
    assert changed == {"load": {"connections": 5, "seed": 2}, "a": {"b": 1}}
    assert data == {"load": {"connections": 1, "seed": 2}}
    assert given_by == {("load", "connections"): "--x", ("a", "b"): "--y"}


def test_nothing_is_set_inside_of_what_is_no_table() -> None:
    problems: list[Problem] = []
    changed, given_by = applied({"a": {"b": 5}}, [Assignment(("a", "b", "c"), 1, "--x")], problems)
    assert (changed, given_by) == ({"a": {"b": 5}}, {})
    assert [str(problem) for problem in problems] == [
        "--x: `a.b` is not a table, so keys in it cannot be set"
    ]


def test_a_scenario_runs_with_what_the_options_say(folder: Folder) -> None:
    scenario = folder.load(
        HEAD + "[load]\nconnections = 5",
        target="wss://host/x", duration="3s", connections=7, connect_rate=2.0, insecure=True,
        sets=("load.seed=9", "thresholds.connect.total.p95=< 1us"),
    )  # fmt: skip
    assert (scenario.target.url, scenario.target.insecure) == ("wss://host/x", True)
    assert (scenario.load.connections, scenario.load.connect_rate, scenario.load.seed) == (7, 2.0, 9)
    assert scenario.load.duration_ns == 3_000_000_000
    assert scenario.thresholds[0].expression == "< 1us"


def test_mistakes_in_options_are_told_as_the_options(folder: Folder) -> None:
    told = folder.mistakes(
        HEAD + "[load]\nbrust = 1",
        target="http://x", duration="10", sets=("load.seed=-1", "thresholds.connect.totl.p95=< 1us", "x"),
    )  # fmt: skip
    assert [line.partition(": ")[0] for line in told] == [
        "--duration",
        "--set load.seed=-1",
        "--set thresholds.connect.totl.p95=< 1us",
        "--set x",
        "--target",
        "mine.toml:5",
    ]


@given(st.text())
def test_any_text_is_a_setting_or_a_problem(text: str) -> None:
    problems: list[Problem] = []
    changes = assignments(Overrides(sets=(text,)), problems)
    applied({}, changes, problems)
    assert len(changes) + len(problems) == 1
    assert all("\n" not in str(problem) for problem in problems)
