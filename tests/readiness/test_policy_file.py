"""Policies from TOML: every mistake at once, with its line and the nearest right word."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.shipped import shipped_names, shipped_text
from loadtest.readiness.policy_file import load_policy
from tests.readiness.made import SMALL, policy

WRONG = """name = "wrong"
[components.api]
probe = "htp"
[components.store]
probe = "database"
url = "mysql://x"
prioritty = "critical"
levels = { "query.p59" = { warn = "> 50ms" }, "query.p95" = { warn = "50ms" } }
through = ["apy"]
score = "query.p95"
[components.loop]
probe = "tcp"
host = "x"
port = 99999
through = ["loop"]
[functions.chat]
needs = ["stor"]
users = "190%"
[[criteria]]
component = "store"
measure = "query.p95"
expect = "< 50"
[[criteria]]
component = "nobody"
[[triggers]]
fact = "health.overal"
when = "< 50%"
[[gates]]
fact = "impact.business"
expect = ">= awful"
[alerts.routes.hook]
kind = "webhok"
[alerts.routes.mail]
kind = "email"
severities = ["critcal"]
[remedies.stor]
command = ["x"]
[rollback]
check = ["x"]
"""


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, WRONG)
    told = str(caught.value).replace(str(tmp_path / "policy.toml"), "p")
    for part in (
        'p:3: `probe` cannot be "htp"; did you mean `http`?',
        "p:6: `url` must begin with postgresql:// or postgres:// or sqlite://",
        "p:7: unknown key `prioritty`; did you mean `priority`?",
        "p:8: a probe of the kind database does not measure `query.p59`; did you mean `query.p",
        'p:8: `warn`: "50ms" is not an operator with a value; write for example "< 500ms"',
        "p:9: the policy has no component `apy`; did you mean `api`?",
        "p:10: `query.p95` is not a ratio",
        "p:14: `port` must be a whole number from 1 to 65535",
        "p:15: the component `loop` is reached through itself; correct `through`",
        "p:17: the policy has no component `stor`; did you mean `store`?",
        'p:18: `users`: "190%" is more than 100%',
        'p:22: `expect`: "50" is not a duration',
        "p:24: the policy has no component `nobody`; known here: api, store, loop",
        'p:26: `fact` cannot be "health.overal"; did you mean `health.overall`?',
        'p:30: `expect`: "awful" is not a business impact',
        'p:32: `kind` cannot be "webhok"; did you mean `webhook`?',
        "p:33: `host` is missing; a route of the kind `email` needs it",
        "p:35: there is no severity `critcal`; did you mean `critical`?",
        "p:36: the policy has no component `stor`; did you mean `store`?",
        "p:38: `command` is missing",
    ):
        assert part in told, part


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        ('["deploy", "--token={env.HEALTH_TOKEN}", "{env.DB_URL}"]', ["HEALTH_TOKEN", "DB_URL"]),
        ('["deploy", "{env.RELEASE}", "{env.HOST}"]', []),
    ],
)
@pytest.mark.parametrize(
    "table",
    [
        "[components.tool]\nprobe = 'command'\ncommand = {}\n",
        "[rollback]\ncommand = ['x']\ncheck = {}\n",
        "[remedies.api]\ncommand = {}\n",
        "[alerts.routes.own]\nkind = 'command'\ncommand = {}\n",
    ],
)
def test_a_secret_is_never_put_on_a_command_line(
    tmp_path: Path, table: str, words: str, refused: list[str]
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(f"{SMALL}\n{table.format(words)}")
    try:
        load_policy(path)
        told = ""
    except ConfigError as error:
        told = str(error)
    assert [
        name for name in ("HEALTH_TOKEN", "DB_URL", "RELEASE", "HOST") if f"${name} from" in told
    ] == refused


@pytest.mark.parametrize("name", shipped_names("policy"))
def test_what_ships_can_be_read_and_says_what_it_is_for(name: str) -> None:
    read = load_policy(name)
    assert read.question.endswith("?")
    assert read.criteria
    assert read.triggers
    tomllib.loads(shipped_text("policy", name))


def test_the_preset_holds_the_usual_numbers() -> None:
    read = load_policy("ready-agent-platform")
    levels = {
        f"{each.name} {level.measure}": level
        for each in read.components
        for level in each.levels
        if not level.default
    }
    limits = {
        name: (level.warn and level.warn.limit, level.critical and level.critical.limit)
        for name, level in levels.items()
    }
    assert limits == {
        "auth latency.p95": (200, 500),
        "backend latency.p95": (500, 1000),
        "websocket turn.first_event.p95": (100, 200),
        "websocket turns.complete.ratio": (0.95, 0.9),
        "database query.p95": (50, 100),
        "redis ping.p95": (10, 50),
        "tests passed.ratio": (0.9, 0.7),
        "machine cpu.ratio": (0.7, 0.85),
        "machine memory.ratio": (0.8, 0.9),
        "machine disk.ratio": (0.85, 0.95),
    }
    triggers = {each.fact: each.objective.expression for each in read.triggers}
    assert triggers == {
        "components.critical.failed": ">= 3",
        "health.overall": "< 50%",
        "impact.business": ">= critical",
        "impact.users": "> 75%",
        "failures.in_a_row": ">= 5",
    }
    assert (read.alerts.most, read.alerts.per_s, read.alerts.cooldown_s["critical"]) == (5, 60, 60)


def test_a_mistyped_probe_makes_no_mistakes_of_its_measures(tmp_path: Path) -> None:
    text = """[components.chat]
probe = "websockets"
scenario = "agent-burst"
levels = { "turn.first_event.p95" = { warn = "> 100ms" } }
[[criteria]]
component = "chat"
measure = "turns.complete.ratio"
expect = ">= 99%"
"""
    with pytest.raises(ConfigError) as caught:
        policy(tmp_path, text)
    (problem,) = caught.value.problems
    assert problem.sentence == '`probe` cannot be "websockets"; did you mean `websocket`?'


def test_the_hash_is_of_what_it_says_and_not_of_comments(tmp_path: Path) -> None:
    first = policy(tmp_path, SMALL)
    assert policy(tmp_path, SMALL + "# a comment\n").sha256 == first.sha256
    assert policy(tmp_path, SMALL.replace("90%", "91%")).sha256 != first.sha256


def test_set_replaces_one_key(tmp_path: Path) -> None:
    policy(tmp_path, SMALL)
    read = load_policy(
        tmp_path / "policy.toml", ("components.api.url=http://other/", "components.api.samples=3")
    )
    assert (read.component("api").probe.url, read.component("api").probe.samples) == ("http://other/", 3)  # type: ignore[union-attr]  # an http probe
    with pytest.raises(ConfigError, match=r"--set components\.api\.samples=x"):
        load_policy(tmp_path / "policy.toml", ("components.api.samples=x",))


def test_a_scenario_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this file is a scenario, not a readiness policy: `loadtest run`"):
        policy(tmp_path, 'protocol = "echo"\n[target]\nurl = "simulator"\n')


def test_a_policy_without_components_is_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        policy(tmp_path, "name = 'x'\n")


def test_secrets_are_not_in_the_settings_that_are_kept(tmp_path: Path) -> None:
    text = SMALL.replace("redis://127.0.0.1:1", "redis://:red-pass-1@127.0.0.1:1") + (
        '[alerts.routes.s]\nkind = "slack"\nurl = "https://hooks.example/T0/B0/abcdef"\n'
    )
    text += '[rollback]\ncommand = ["deploy", "--token", "tok-in-words-9", "--to", "good"]\n'
    shown = str(policy(tmp_path, text).settings)
    assert "tok-in-words-9" not in shown
    assert "'good'" in shown
    assert "red-pass-1" not in shown
    assert "abcdef" not in shown


def test_a_ratio_of_which_more_is_worse_is_no_score(tmp_path: Path) -> None:
    text = '[components.a]\nprobe = "resources"\nscore = "cpu.ratio"\n'
    with pytest.raises(ConfigError, match="because a higher value is not better"):
        policy(tmp_path, text)
