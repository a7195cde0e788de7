from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from loadtest.drive.proxy import Proxy, proxy_for, proxy_variables
from loadtest.errors import ConfigError
from loadtest.plan.overrides import Overrides
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.secrets import secrets_of
from loadtest.run.options import RunOptions
from loadtest.run.prepare_run import platform_facts, prepare, start_target

AUTH = """
name = "mine"
protocol = "echo"

[target]
url = "ws://somebody:word-of-url@127.0.0.1:1/echo"
headers = { X-Key = "{env.OF_HEADER}" }
cookies = { session = "{env.OF_COOKIE}" }
query = { ticket = "{env.OF_QUERY}" }
auth = AUTH

[load]
connections = 3
duration = "1s"

[traffic]
every = "1s"
"""
NAMED = {"OF_HEADER": "word-of-header", "OF_COOKIE": "word-of-cookie", "OF_QUERY": "word-of-query"}


def test_a_scenario_that_was_read_is_not_read_again() -> None:
    plan = load_scenario("agent-burst")
    assert prepare(RunOptions(scenario="no-such-scenario"), plan).scenario is plan


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def test_a_shipped_scenario_is_prepared() -> None:
    prepared = prepare(RunOptions(scenario="agent-burst", connections=7))
    assert prepared.users == 7
    assert prepared.simulated
    assert prepared.step_ns == 0
    assert prepared.limits.get("open_files_soft", 1) > 0


def test_another_target_is_not_simulated() -> None:
    prepared = prepare(RunOptions(scenario="agent-burst", target="ws://127.0.0.1:1"))
    assert not prepared.simulated
    assert prepared.endpoint().url == "ws://127.0.0.1:1/ws"
    with prepared.closing:
        start_target(prepared)
        assert prepared.url == "ws://127.0.0.1:1"


def test_the_simulator_is_started_and_stopped() -> None:
    prepared = prepare(RunOptions(scenario="agent-burst"))
    with prepared.closing:
        start_target(prepared)
        assert prepared.url.startswith("ws://127.0.0.1:")
        assert prepared.endpoint().path == "/ws"


def test_a_secret_that_is_missing_is_told_before_anything_is_sent(
    scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario.write_text(AUTH.replace("AUTH", '{ kind = "jwt", send_as = "query", secret_env = "OF_AUTH" }'))
    for name in ("OF_AUTH", *NAMED):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError) as raised:
        prepare(RunOptions(scenario=str(scenario)))
    told = str(raised.value)
    assert all(name in told for name in ("OF_AUTH", *NAMED))


def test_the_secrets_of_a_run_are_known_so_that_they_can_be_kept_quiet(
    scenario: Path, tmp_path: Path
) -> None:
    (tmp_path / "agent.token").write_text("word-of-file\n")
    scenario.write_text(
        AUTH.replace("AUTH", '{ kind = "token", send_as = "query", token_file = "agent.token" }')
    )
    found = secrets_of(load_scenario(str(scenario)).target, NAMED)
    assert sorted(found) == sorted(
        ["word-of-header", "word-of-cookie", "word-of-query", "word-of-file", "word-of-url"]
    )
    scenario.write_text(AUTH.replace("AUTH", '{ kind = "jwt", send_as = "query", secret_env = "OF_AUTH" }'))
    assert "word-of-auth" in secrets_of(
        load_scenario(str(scenario)).target, NAMED | {"OF_AUTH": "word-of-auth"}
    )


def test_a_clock_step_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADTEST_CLOCK_STEP", "often")
    with pytest.raises(ConfigError, match="LOADTEST_CLOCK_STEP"):
        prepare(RunOptions(scenario="agent-burst"))
    monkeypatch.setenv("LOADTEST_CLOCK_STEP", "15.6ms")
    assert prepare(RunOptions(scenario="agent-burst")).step_ns == 15_600_000


def test_more_connections_than_the_machine_has_ports_for_are_told() -> None:
    with pytest.raises(ConfigError, match=r"local ports|open files"):
        prepare(
            RunOptions(
                scenario="agent-burst",
                connections=70_000,
                sets=("limits.connections=100000", "limits.rate='10000000/s'"),
            )
        )


MANY = ("limits.connections=100000", "limits.rate='10000000/s'")


def test_the_machines_of_workers_look_at_their_own_limits() -> None:
    sets = (*MANY, "target.source_addresses=['203.0.113.9']")
    prepared = prepare(RunOptions(scenario="agent-burst", connections=70_000, sets=sets, workers=4))
    assert prepared.limits == {}


def test_source_addresses_are_checked_and_noted() -> None:
    with pytest.raises(
        ConfigError, match=r"source_addresses: this machine has none of the addresses 203.0.113.9"
    ):
        prepare(RunOptions(scenario="agent-burst", sets=("target.source_addresses=['203.0.113.9']",)))
    prepared = prepare(RunOptions(scenario="agent-burst", sets=("target.source_addresses=['127.0.0.1']",)))
    assert prepared.limits["source_addresses"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only there it is known how many ports there are")
def test_more_sources_hold_more_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.drive.generator_health.local_ports", lambda: 10)

    def prepared(*sources: str) -> dict[str, int]:
        sets = (f"target.source_addresses={list(sources)}",)
        return prepare(RunOptions(scenario="agent-burst", connections=30, sets=sets)).limits

    with pytest.raises(ConfigError, match="there are only 10 for each of 2 source addresses"):
        prepared("127.0.0.2", "127.0.0.3")
    assert prepared("127.0.0.2", "127.0.0.4/30")["source_addresses"] == 3


def test_what_makes_certificates_worthless_is_noted() -> None:
    secure, insecure = (
        prepare(RunOptions(scenario="agent-burst", target="wss://127.0.0.1:1", insecure=insecure))
        for insecure in (False, True)
    )
    assert [fact["code"] for fact in platform_facts(insecure) if fact not in platform_facts(secure)] == [
        "insecure_tls"
    ]


def test_reading_a_plan_loads_no_locust() -> None:
    script = (
        "import sys; from loadtest.run import RunOptions; from loadtest.run.prepare_run import prepare; "
        "prepare(RunOptions(scenario='agent-burst')); assert 'locust' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_a_simulator_has_the_faults_that_its_scenario_asks_for() -> None:
    prepared = prepare(RunOptions(scenario="leaver"))
    with prepared.closing:
        start_target(prepared)
        with urllib.request.urlopen(prepared.url.replace("ws", "http", 1) + "/health", timeout=10) as answer:
            assert json.load(answer)["faults"] == ["gap=20ms"]


def test_wrong_faults_are_told_before_anything_is_started() -> None:
    wrong = ('target.faults=["gpa=20ms", "drop=2"]',)
    with pytest.raises(ConfigError) as caught:
        prepare(RunOptions(scenario="leaver", sets=wrong))
    assert [problem.where for problem in caught.value.problems] == ["[target] faults"] * 2
    assert "did you mean" in str(caught.value)
    # Another target has none, whatever is written.
    prepare(RunOptions(scenario="leaver", sets=wrong, target="ws://127.0.0.1:1"))


@pytest.mark.parametrize(
    ("url", "environment", "found"),
    [
        ("wss://a.example/ws", {"HTTPS_PROXY": "http://p:1"}, ["HTTPS_PROXY"]),
        ("ws://a.example/ws", {"HTTPS_PROXY": "http://p:1"}, []),
        ("ws://a.example/ws", {"http_proxy": "http://p:1"}, ["http_proxy"]),
        ("ws://a.example/ws", {"ALL_PROXY": "socks5://p:1"}, ["ALL_PROXY"]),
        ("ws://a.example/ws", {"ALL_PROXY": "socks5://p:1", "NO_PROXY": ".example"}, []),
        ("ws://127.0.0.1:1/ws", {"ALL_PROXY": "socks5://p:1"}, []),
        ("ws://[::1]:1/ws", {"ALL_PROXY": "socks5://p:1"}, []),
        ("ws://localhost:1/ws", {"ALL_PROXY": "socks5://p:1"}, []),
        ("simulator", {"ALL_PROXY": "socks5://p:1"}, []),
    ],
)
def test_a_proxy_that_is_not_used_is_noticed(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], found: list[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [name for name, _ in proxy_variables(url)] == found


def test_a_proxy_that_is_not_used_is_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:word@proxy.example:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    changes = Overrides(target="ws://a.example", sets=("target.proxy=none",))
    prepared = prepare(RunOptions(scenario="agent-burst"), load_scenario("agent-burst", changes))
    (fact,) = [fact for fact in platform_facts(prepared) if fact["code"] == "proxy_ignored"]
    assert "HTTP_PROXY" in fact["numbers"]["variables"]
    assert "word" not in str(fact)


def test_the_proxy_of_the_environment_is_used_unless_the_scenario_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("https_proxy", "user:word-of-mine@proxy.example:3128")
    found = proxy_for("environment", "wss://a.example/ws")
    assert found is not None
    assert (found.address, found.variable) == (("proxy.example", 3128), "https_proxy")
    assert found.shown == "http://proxy.example:3128"
    assert "word-of-mine" in found.secrets
    assert b"CONNECT [::1]:81 HTTP/1.1" in found.request("::1", 81)
    assert proxy_for("none", "wss://a.example/ws") is None
    assert proxy_for("environment", "ws://a.example/ws") is None
    assert proxy_for("environment", "wss://127.0.0.1/ws") is None
    assert proxy_for("http://[::2]", "wss://127.0.0.1/ws") == Proxy("::2", 80)
    monkeypatch.setenv("https_proxy", "socks5://proxy.example:1080")
    with pytest.raises(ConfigError, match=r"https_proxy: must be a URL such as http://proxy"):
        prepare(RunOptions(scenario="agent-burst", target="wss://a.example"))
