"""A whole system of real software, well and then broken.

PostgreSQL, Redis by TLS, Prometheus, gRPC, a certificate that ends, alerts by Apprise: all of it is started
by this module on free ports of loopback. What is not installed is left out, and a test skipped with its name.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from loadtest.cli import main
from tests.end_to_end.parts import Health, free_port, health, postgresql, postgresql_bin, running
from tests.end_to_end.running import wait_until
from tests.end_to_end.test_readiness_page import fetched
from tests.readiness.probes.test_grpc import Serving
from tests.readiness.probes.test_tls import certificate, https

pytestmark = pytest.mark.long

NEEDED = {
    "PostgreSQL": postgresql_bin(),
    "redis-server": shutil.which("redis-server"),
    "prometheus": shutil.which("prometheus"),
}
PASSWORDS = {"DB_PASSWORD": "s3cret/of@postgres#1", "REDIS_PASSWORD": "of-redis-9"}

HEAD = """# May it go?
name = "real"
release = "1.4.2"
[[rules]]
title = "confident"
fact = "confidence"
expect = ">= 80%"
[alerts.routes.duty]
kind = "apprise"
url = "{env.DUTY_URL}"
"""


@contextmanager
def redis_by_tls(folder: Path, pem: Path) -> Iterator[int]:
    """Redis that speaks TLS only, with a password and a user of its own."""
    port, acl = free_port(), folder / "users.acl"
    acl.write_text(f"user default off\nuser app on >{PASSWORDS['REDIS_PASSWORD']} ~* +ping\n")
    command = ["redis-server", "--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--tls-cert-file", str(pem), "--tls-key-file", str(pem), "--tls-auth-clients", "no"]
    command += ["--tls-ca-cert-file", str(pem), "--aclfile", str(acl), "--dir", str(folder)]
    with running(command, port, folder):
        yield port


@contextmanager
def prometheus(folder: Path) -> Iterator[int]:
    """Prometheus that scrapes itself every second."""
    port = free_port()
    config = folder / "prometheus.json"
    job = {"job_name": "self", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}))
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with running(command, port, folder):
        # It answers queries before it has scraped anything.
        wait_until(lambda: b'"1"' in fetched(port, 'api/v1/query?query=up{job="self"}'), 60)
        yield port


class Real:
    """The system, and the policy that asks it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        good, ending = (folder / name for name in ("good", "ending"))
        for each, days in ((good, 60), (ending, 5)):
            each.mkdir()
            certificate(each, days)
        self.pem = good / "server.pem"
        self.health: Health = stack.enter_context(health())
        self.health.body = {"status": "ok", "version": "1.4.2"}
        self.hook: Health = stack.enter_context(health())
        self.grpc = Serving(self.pem)
        stack.callback(lambda: self.grpc.server.stop(None).wait(5))
        self.parts: dict[str, dict[str, Any]] = {
            "api": {"probe": "http", "url": self.health.url, "release": "version"},
            "chat": {"probe": "grpc", "url": f"grpcs://localhost:{self.grpc.safe}", "ca_file": str(self.pem)},
            "web": {
                "probe": "tls", "host": "localhost", "ca_file": str(ending / "server.pem"),
                "port": stack.enter_context(https(ending / "server.pem")),
            },
        }  # fmt: skip
        if NEEDED["PostgreSQL"]:
            store = stack.enter_context(postgresql(PASSWORDS["DB_PASSWORD"]))
            url = f"postgresql://app:{{env.DB_PASSWORD}}@127.0.0.1:{store.port}/postgres"
            self.parts["store"] = {"probe": "database", "url": url, "through": ["api"]}
        if NEEDED["redis-server"]:
            port = stack.enter_context(redis_by_tls(folder, self.pem))
            url = f"rediss://app:{{env.REDIS_PASSWORD}}@localhost:{port}"
            self.parts["cache"] = {"probe": "redis", "url": url, "ca_file": str(self.pem)}
        if NEEDED["prometheus"]:
            port = stack.enter_context(prometheus(folder))
            self.parts["metrics"] = {
                "probe": "prometheus", "url": f"http://127.0.0.1:{port}", "query": 'up{job="self"}',
                "levels": {"value.min": {"critical": "< 1"}},
            }  # fmt: skip

    def asked(
        self, capsys: pytest.CaptureFixture[str], *command: str, **changes: dict[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """The exit code of a command, and the assessment that it kept."""
        lines = [HEAD]
        for name, part in self.parts.items():
            lines.append(f"[components.{name}]\n")
            keys = {**part, **changes.get(name, {})}
            lines += [f"{key} = {_toml(value)}\n" for key, value in keys.items()]
        path = self.folder / "policy.toml"
        path.write_text("".join(lines))
        results = self.folder / "results"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in PASSWORDS.items():
                patch.setenv(name, value)
            patch.setenv("DUTY_URL", f"json://127.0.0.1:{self.hook.port}/hook")
            code = main([command[0], str(path), *command[1:], "--results", str(results)])
        said = capsys.readouterr()
        for secret in PASSWORDS.values():
            assert secret not in said.out + said.err
        last = max(
            (results / "readiness" / "real").glob("*/ready.json"), key=lambda each: each.stat().st_mtime_ns
        )
        text = last.read_text()
        assert not any(secret in text for secret in PASSWORDS.values())
        return code, json.loads(text)


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


def rows(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["name"]: (each["status"], each["error"]) for each in found["components"]}


@pytest.mark.parametrize("name", NEEDED)
def test_every_service_is_there_to_be_asked(name: str) -> None:
    if not NEEDED[name]:
        pytest.skip(f"{name} is not installed: the others are asked without it")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    with ExitStack() as stack:
        yield Real(tmp_path_factory.mktemp("real"), stack)


def test_all_of_it_is_well_but_for_a_certificate_that_ends(
    real: Real, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = real.asked(capsys, "ready", "--quiet")
    assert rows(found) == {
        name: ("degraded", "certificate") if name == "web" else ("healthy", "") for name in real.parts
    }
    assert (code, found["verdict"], found["release"]) == (0, "GO", "1.4.2")
    measured = {each["name"]: each["measures"] for each in found["components"]}
    assert measured["chat"]["latency.n"]["value"] == 20
    assert 59 < measured["chat"]["tls.expires_in"]["value"] < 60
    assert 4 < measured["web"]["tls.expires_in"]["value"] < 5
    if "cache" in measured:
        assert measured["cache"]["ping.n"]["value"] == 20
        assert 59 < measured["cache"]["tls.expires_in"]["value"] < 60
    if "metrics" in measured:
        assert measured["metrics"]["value.min"]["value"] == 1


BROKEN: dict[str, tuple[dict[str, Any], str, str]] = {
    "api": ({"release": "status"}, "unknown", "release"),
    "chat": ({"service": "gone"}, "down", "answer"),
    "web": ({"name": "elsewhere.example"}, "down", "tls"),
    "store": ({"query": "select * from gone"}, "down", "query"),
    "cache": ({"ca_file": "ending/server.pem"}, "down", "tls"),
    "metrics": ({"query": "up{job="}, "unknown", "policy"),
}


def test_each_of_it_broken_says_what_it_is(real: Real, capsys: pytest.CaptureFixture[str]) -> None:
    changes = {
        name: change for name, (change, _, _) in BROKEN.items() if name in real.parts and name != "api"
    }
    code, found = real.asked(capsys, "ready", "--quiet", **changes)
    assert rows(found) == {
        name: ("healthy", "") if name == "api" else BROKEN[name][1:] for name in real.parts
    }
    assert (code, found["verdict"]) == (1, "NO-GO")
    wrong = {
        "cache": {
            "url": real.parts.get("cache", {}).get("url", "").replace("{env.REDIS_PASSWORD}", "wrong-one-7")
        },
        "store": {
            "url": real.parts.get("store", {}).get("url", "").replace("{env.DB_PASSWORD}", "wrong-one-7")
        },
        "api": BROKEN["api"][0],
    }
    code, found = real.asked(
        capsys, "ready", "--quiet", **{name: change for name, change in wrong.items() if name in real.parts}
    )
    state = rows(found)
    assert state["api"] == ("unknown", "release")
    assert {state[name] for name in ("cache", "store") if name in state} <= {("unknown", "credential")}
    (confident,) = found["gates"]
    assert (code, found["verdict"], confident["outcome"]) == (1, "NO-GO", "missed")


def test_a_watch_tells_by_apprise_what_broke_and_that_it_is_over(
    real: Real, capsys: pytest.CaptureFixture[str]
) -> None:
    def watched() -> list[str]:
        real.hook.seen.clear()
        real.asked(capsys, "watch", "--rounds", "1", "--quiet")
        return [json.loads(body)["title"] for _, body in real.hook.seen]

    real.grpc.says("", health_pb2.HealthCheckResponse.NOT_SERVING)
    first = watched()
    # Each round of a new process probes what is due: all of it is, once its interval is over.
    state = real.folder / "results" / "readiness" / "real" / "watch.json"
    data = json.loads(state.read_text())
    state.write_text(json.dumps({**data, "due": {}}))
    real.grpc.says("", health_pb2.HealthCheckResponse.SERVING)
    second = watched()
    assert any("ALERT critical: chat down" in title for title in first), first
    assert any("RECOVERED critical: chat down" in title for title in second), second


def test_what_has_no_listener_any_more_is_refused(real: Real, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        changes = {"chat": {"url": f"grpcs://localhost:{port}"}, "web": {"port": port}}
        _, found = real.asked(capsys, "ready", "--quiet", **changes)
    assert [rows(found)[name] for name in ("chat", "web")] == [("down", "refused")] * 2


@pytest.mark.skipif(
    not NEEDED["prometheus"], reason="prometheus is not installed (Debian: apt-get install prometheus)"
)
def test_prometheus_can_read_what_the_watch_tells(real: Real, tmp_path: Path) -> None:
    from loadtest.readiness.assessment import from_plain
    from loadtest.readiness.views.prometheus import prometheus as told

    kept = sorted((real.folder / "results" / "readiness" / "real").glob("*/ready.json"))
    text = told(from_plain(json.loads(kept[-1].read_text())))
    ended = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False, timeout=30
    )
    assert "error" not in ended.stderr, ended.stderr
    assert ended.returncode in {0, 3}, "3: advice on names"
