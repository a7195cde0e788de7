"""Single probes where the end-to-end tests do not look: layers, processes, manifests, and one that hangs."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.judge.generator_delay import COUNTS
from loadtest.judge.matching_doubts import CONTRADICTED, UNASKED, UNMATCHED, UNSURE
from loadtest.judge.threshold_measurement import of_all_due
from loadtest.plan.threshold import plain_names
from loadtest.readiness.evidence import Evidence, distribution
from loadtest.readiness.probe import (
    CommandProbe,
    DatabaseProbe,
    HttpProbe,
    RedisProbe,
    ResourcesProbe,
    TcpProbe,
    WebsocketProbe,
)
from loadtest.readiness.prober import probe_all
from loadtest.readiness.probes.command import ProgramResult, probe_command, run_program
from loadtest.readiness.probes.database import probe_database
from loadtest.readiness.probes.http import field_of, probe_http
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.readiness.probes.redis import command, probe_redis
from loadtest.readiness.probes.resources import probe_resources
from loadtest.readiness.probes.tcp import probe_tcp
from loadtest.readiness.probes.websocket import of_manifest, probe_websocket
from loadtest.readiness.verdict import assess
from tests.end_to_end.parts import sqlite_file
from tests.readiness.made import policy

GOLDEN = Path(__file__).parents[2] / "golden"


def context(folder: Path, for_s: float = 2.0) -> ProbeContext:
    return ProbeContext(folder, dict(os.environ), folder, time.monotonic() + for_s)


@contextmanager
def answering(*answers: bytes, heard: list[bytes] | None = None) -> Iterator[int]:
    """A server that gives each connection one answer and closes, the last one for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    left = list(answers)

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    said = connection.recv(4096)
                    (heard if heard is not None else []).append(said)
                    connection.sendall(left.pop(0) if len(left) > 1 else left[0])
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)


@contextmanager
def dripping() -> Iterator[int]:
    """A server that answers in HTTP, one byte at a time, for ever."""
    server, over = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")
            while not over.wait(0.05):
                connection.sendall(b"x")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        thread.join(5)
        server.close()


def test_statistics_need_samples() -> None:
    few = distribution("x", [3.0, 1.0, 2.0])
    assert [few[f"x.{name}"].value for name in ("n", "min", "p50", "p95", "max", "mean")] == [
        3,
        1,
        2,
        None,
        3,
        2,
    ]
    assert few["x.p95"].reason == "not enough samples (n=3 of at least 20)"
    assert distribution("x", [float(n) for n in range(1, 21)])["x.p95"].value == 19


def test_tcp_says_at_which_layer(tmp_path: Path) -> None:
    with answering(b"") as port:
        found = probe_tcp(TcpProbe("127.0.0.1", port, 3), context(tmp_path))
        assert (found.outcome, found.measures["connect.n"].value) == ("answered", 3)
    assert probe_tcp(TcpProbe("127.0.0.1", port, 3), context(tmp_path)).error == "refused"
    assert probe_tcp(TcpProbe("no-such-host.invalid", 1, 3), context(tmp_path)).error == "resolve"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", "closed"),
        (b"no http\r\n\r\n", "closed"),
        (b"HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n", "status"),
    ],
)
def test_http_that_is_none_or_says_no(tmp_path: Path, answer: bytes, error: str) -> None:
    with answering(answer) as port:
        found = probe_http(HttpProbe(f"http://127.0.0.1:{port}/"), context(tmp_path))
    assert (found.outcome, found.error, len(found.samples)) == ("failed", error, 2)


def test_https_where_there_is_no_tls_is_told_as_tls(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        assert probe_http(HttpProbe(f"https://127.0.0.1:{port}/"), context(tmp_path)).error == "tls"


def test_some_failures_of_many_are_issues_and_a_share(tmp_path: Path) -> None:
    good, bad = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n",
    )
    with answering(good, bad, good) as port:
        found = probe_http(HttpProbe(f"http://127.0.0.1:{port}/", samples=4), context(tmp_path))
    assert (found.outcome, found.measures["answered.ratio"].value) == ("answered", 0.75)
    assert found.issues == ("1 of 4 tries failed, the last: HTTP status 503",)


def test_an_answer_that_breaks_off_in_the_middle_is_none(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhealthy") as port:
        found = probe_http(HttpProbe(f"http://127.0.0.1:{port}/", contains="healthy"), context(tmp_path))
    assert (found.outcome, found.error) == ("failed", "closed")


def test_a_credential_that_is_missing_is_ours(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n") as port:
        with pytest.raises(NotProbedError, match="our credential is missing") as caught:
            probe_http(HttpProbe(f"http://127.0.0.1:{port}/"), context(tmp_path))
        wanted = probe_http(HttpProbe(f"http://127.0.0.1:{port}/", statuses=(401,)), context(tmp_path))
    assert (caught.value.error, wanted.outcome) == ("credential", "answered")


def test_an_answer_that_does_not_name_its_release_is_not_of_the_release(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
    named, silent = (head % (len(body), body) for body in (b'{"v": "1.4.2"}', b"{}"))
    with answering(named, silent, named) as port:
        probe = HttpProbe(f"http://127.0.0.1:{port}/", samples=3, release="v")
        assert probe_http(probe, context(tmp_path)).release == ("1.4.2", "")


def test_user_and_password_of_a_url_are_sent_whatever_signs_they_have(tmp_path: Path) -> None:
    heard: list[bytes] = []
    here = ProbeContext(tmp_path, {"PASS": "a@b/c:d#%41"}, tmp_path, time.monotonic() + 2)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", heard=heard) as port:
        found = probe_http(HttpProbe(f"http://me:{{env.PASS}}@127.0.0.1:{port}/", samples=1), here)
    assert found.outcome == "answered"
    assert f"Authorization: Basic {base64.b64encode(b'me:a@b/c:d#%41').decode()}" in heard[0].decode()
    assert not any("a@b" in line or "%40" in line for line in found.lines)


def test_what_drips_for_ever_is_ended_at_the_probes_time(tmp_path: Path) -> None:
    with dripping() as port:
        text = f'[components.a]\nprobe = "http"\nurl = "http://127.0.0.1:{port}/"\ntimeout = "200ms"\n'
        found = probe_all(policy(tmp_path, text), tmp_path, environ={})["a"]
        assert (found.outcome, found.error) == ("failed", "timeout")
        until = time.monotonic() + 10
        while any("probe a" in thread.name for thread in threading.enumerate()):
            assert time.monotonic() < until, "the thread of the probe goes on"
            time.sleep(0.02)


def test_a_command_that_writes_without_end_is_ended_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="wrote more than 64 MiB"):
        probe_command(CommandProbe(("yes",)), context(tmp_path, 60))


def test_what_a_program_leaves_on_purpose_goes_on(tmp_path: Path) -> None:
    mark, script = tmp_path / "late", "(sleep 0.3; touch late) &"
    run_program(["sh", "-c", script], tmp_path, 5)
    time.sleep(0.6)
    assert not mark.exists()
    run_program(["sh", "-c", script], tmp_path, 5, leaves=True)
    until = time.monotonic() + 10
    while not mark.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_query_of_a_file_that_has_no_end_and_one_that_writes(tmp_path: Path) -> None:
    sqlite_file(tmp_path / "a.db")
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    found = probe_database(DatabaseProbe("sqlite:///a.db", endless, 3), context(tmp_path, 0.3))
    assert (found.outcome, found.error) == ("failed", "timeout")
    with pytest.raises(NotProbedError, match="must only read"):
        probe_database(DatabaseProbe("sqlite:///a.db", "delete from threads"), context(tmp_path))


@pytest.mark.parametrize("url", ["ftp://x/", "http:///x", "http://x:99999/"])
def test_a_url_that_is_none_is_the_policys_fault(tmp_path: Path, url: str) -> None:
    with pytest.raises(NotProbedError) as caught:
        probe_http(HttpProbe(url), context(tmp_path))
    assert caught.value.error == "policy"


def test_fields_are_found_by_their_path() -> None:
    data = {"a": {"b": [{"c": 1}]}}
    assert (field_of(data, "a.b.0.c"), field_of(data, "a.x"), field_of(data, "a.b.7"), field_of(3, "a")) == (
        1, None, None, None,
    )  # fmt: skip


@pytest.mark.parametrize(("answer", "error"), [(b"+NO\r\n", "answer"), (b"", "closed")])
def test_redis_that_answers_something_else_is_down(tmp_path: Path, answer: bytes, error: str) -> None:
    with answering(answer) as port:
        assert probe_redis(RedisProbe(f"redis://127.0.0.1:{port}", 3), context(tmp_path)).error == error
    assert command("AUTH", "é") == b"*2\r\n$4\r\nAUTH\r\n$2\r\n\xc3\xa9\r\n"


def test_redis_that_asks_for_a_password_is_unknown(tmp_path: Path) -> None:
    with answering(b"-NOAUTH Authentication required.\r\n") as port, pytest.raises(NotProbedError) as caught:
        probe_redis(RedisProbe(f"redis://127.0.0.1:{port}", 3), context(tmp_path))
    assert caught.value.error == "credential"


def test_resources_of_the_host_and_of_a_process(tmp_path: Path) -> None:
    host = probe_resources(ResourcesProbe(over_s=0.05), context(tmp_path))
    assert set(host.measures) == {"cpu.ratio", "memory.ratio", "disk.ratio"}
    assert all(0 <= (each.value or 0) <= 1 for each in host.measures.values())
    (tmp_path / "pid").write_text(str(os.getpid()))
    mine = probe_resources(ResourcesProbe(pid_file="pid", over_s=0.05), context(tmp_path))
    assert (mine.measures["memory.ratio"].value or 0) > 0
    for probe in (
        ResourcesProbe(pid_file="gone"),
        ResourcesProbe(disk="/gone"),
    ):
        with pytest.raises(ProbeError) as caught:
            probe_resources(probe, context(tmp_path))
        assert caught.value.error == "missing file"


@pytest.mark.parametrize("written", [str(2**22 + 1), "no number"])
def test_a_process_that_is_gone_is_no_missing_file(tmp_path: Path, written: str) -> None:
    (tmp_path / "pid").write_text(written)
    with pytest.raises(ProbeError, match="does not run") as caught:
        probe_resources(ResourcesProbe(pid_file="pid"), context(tmp_path))
    assert caught.value.error == "process"


def test_what_a_command_started_is_ended_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "late"
    script = f"(sleep 1; touch {mark}) & sleep 30"
    with pytest.raises(ProbeError, match="did not end"):
        probe_command(CommandProbe(("sh", "-c", script)), context(tmp_path, 0.2))
    time.sleep(1.3)
    assert not mark.exists()


def test_one_that_hangs_and_one_that_crashes_cost_only_their_rows(tmp_path: Path) -> None:
    text = "".join(
        f'[components.{name}]\nprobe = "{kind}"\nhost = "x"\nport = 1\ntimeout = "100ms"\n'
        if kind == "tcp"
        else f'[components.{name}]\nprobe = "{kind}"\n'
        for name, kind in (("hangs", "tcp"), ("crashes", "resources"))
    )
    release = threading.Event()

    def hang(_: object, __: ProbeContext) -> Evidence:
        release.wait(20)
        return Evidence("answered", "late", 0.0)

    def crash(_: object, __: ProbeContext) -> Evidence:
        raise ZeroDivisionError("of ours")

    begun = time.monotonic()
    found = probe_all(policy(tmp_path, text), tmp_path, environ={}, probes={"tcp": hang, "resources": crash})
    release.set()
    assert time.monotonic() - begun < 5
    assert (found["hangs"].outcome, found["hangs"].error) == ("failed", "timeout")
    assert (found["crashes"].outcome, "ZeroDivisionError" in found["crashes"].said) == ("unasked", True)


def manifest(outcome: str, ready: int = 10, complete: int = 20) -> dict[str, object]:
    return {
        "schema": "loadtest.run/1", "id": "r1",
        "ended": "2025-09-06T12:00:00+00:00", "target": {"url": "ws://x/ws", "simulated": True},
        "verdict": {"outcome": outcome, "thresholds": [
            {"name": "turn.first_event.p95", "expression": "< 100ms", "outcome": "missed"},
            {"name": "turns.lost", "expression": "== 0", "outcome": "not_measured", "reason": "no turn"},
        ]},
        "counts": {
            "connections": {"attempted": 10, "established": ready, "ready": ready, "peak": ready,
                            "refused": {"tcp": 10 - ready}},
            "turns": {"due": 20, "complete": complete}, "events": {"sent": 20, "received": 100, "lost": None},
            "measured": {
                "turns": {"due": 20, "complete": complete},
                "events": {"expected": 100, "matched": 99, "received": 100, "unmatched": 1},
            },
        },
        "metrics": {"turn.first_event": {"unit": "ms", "n": 20, "p95": 120.0, "p99": None, "reasons": {}}},
        "rates": {
            "events_received_per_s": {"value": 50.0, "n": 99},
            "turns_per_s": {"value": None, "reason": "too short"},
        },
        "notices": [{"code": "cpu", "message": "the generator was busy", "spoils": True}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"measured": 312.0, "unit": "ms"}, ": it was 312 ms"),
        ({"measured": None, "unbounded": True, "unit": "ms"}, ": it was never answered"),
    ],
)
def test_what_was_missed_is_told_with_its_value_and_the_cause_that_the_run_names(
    row: dict[str, object], said: str
) -> None:
    made: Any = manifest("fail")
    made["verdict"]["thresholds"][0] |= row
    made["verdict"]["reason"] = (
        "The target flooded us. 1 of 2 thresholds missed: turn.first_event.p95 was 312 ms, not < 100ms."
        f" The generator itself was late, {COUNTS}it was not late enough. 3 of 20 turns due failed."
    )
    found = of_manifest(made, 0.0)
    assert found.issues == (f"turn.first_event.p95 < 100ms was missed{said}",)
    assert found.cause == "The target flooded us. 3 of 20 turns due failed"


def test_a_threshold_that_was_measured_and_is_in_doubt_is_told_so() -> None:
    made: Any = manifest("invalid")
    made["verdict"]["thresholds"][1] |= {"measured": 1.0}
    assert "turns.lost is in doubt (no turn)" in of_manifest(made, 0.0).said


def test_a_run_becomes_evidence() -> None:
    found = of_manifest(manifest("fail"), 0.0)
    assert (found.outcome, found.error, found.at) == ("answered", "run", 1757160000.0)
    assert found.issues == ("turn.first_event.p95 < 100ms was missed",)
    assert (found.cause, found.report) == ("", "r1/report.html")
    assert found.missed == ("turn.first_event.p95",)
    values = {name: each.value for name, each in found.measures.items()}
    assert values["turn.first_event.p95"] == 120
    assert values["turn.first_event.p99"] is None
    assert found.measures["turn.first_event.p99"].reason
    assert (values["turns.complete.ratio"], values["events.matched.ratio"]) == (1, 0.99)
    assert values["events.unmatched.ratio"] == pytest.approx(1 / 100)
    assert (values["connections.ready.peak"], values["rates.turns_per_s"]) == (10, None)
    assert found.measures["rates.turns_per_s"].reason == "too short"
    assert "(SIMULATED)" in found.lines[0]
    assert found.lines[1] == "events: sent 20, received 100"


def test_whatever_a_threshold_can_name_is_measured_as_thresholds_are_judged() -> None:
    run: Any = json.loads((GOLDEN / "passed.run.json").read_text("utf-8"))
    run["counts"]["events"]["foreign"] = 3  # in the warm-up: of the measured part it is 0
    run["metrics"]["turn.first_event"]["upper_bound"] = True
    run["clock"] = {"resolution_ns": 15_000_000}
    measures = of_manifest(run, 0.0).measures
    assert {*plain_names(), "turn.first_event.p95"} <= set(measures)
    for name, measure in measures.items():
        if name == "answered.ratio":
            continue
        found = of_all_due(name, run)
        told = (measure.value, measure.n, measure.reason, measure.bound)
        assert told == (found.value, found.n, found.reason or "", found.bound), name
    assert measures["events.foreign"].value == 3
    assert measures["turn.first_event.p95"].bound is not None


def test_turns_that_were_never_answered_are_the_slowest() -> None:
    run: Any = manifest("fail", complete=8)
    run["of_due"] = {
        "turn.first_event": {"unit": "ms", "n": 20, "answered": 8, "p95": None, "unbounded": ["p95", "max"]}
    }
    measures = of_manifest(run, 0.0).measures
    assert measures["turn.first_event.p95"].text("ms") == "above every limit"
    assert measures["answered.ratio"].value == 0.4
    assert json.loads(json.dumps(asdict(measures["turn.first_event.p95"])))["bound"][0] > 1e28


def test_a_run_without_a_verdict_is_unknown_and_one_that_failed_otherwise_missed_it() -> None:
    for verdict in (None, {}, {"outcome": None}, {"outcome": "passed"}):
        found = of_manifest(manifest("pass") | {"verdict": verdict}, 0.0)
        assert (found.outcome, found.at, dict(found.measures)) == ("unasked", None, {})
    run: Any = manifest("fail")
    run["verdict"] |= {"thresholds": [], "reason": "The target flooded loadtest."}
    found = of_manifest(run, 0.0)
    assert (found.outcome, found.missed) == ("answered", ("verdict",))
    assert found.issues == ("verdict pass was missed: The target flooded loadtest.",)


@pytest.mark.parametrize(
    ("counted", "why"),
    [
        ({"events": {"order_unsure": 2}}, UNSURE),
        ({"events": {"unmatched": 2}}, UNMATCHED),
        ({"turns": {"ends_unasked": 1}}, UNASKED),
        ({"turns": {"failed_by": {"interleaved": 1}}}, CONTRADICTED),
    ],
)
@pytest.mark.parametrize("unbounded", [False, True])
def test_times_that_may_belong_to_other_turns_are_not_measured(
    counted: dict[str, dict[str, object]], why: str, *, unbounded: bool
) -> None:
    run: Any = manifest("pass")
    run["metrics"]["turn.completion"] = run["metrics"]["turn.first_event"]
    run["metrics"]["connect.ready"] = run["metrics"]["turn.first_event"]
    if unbounded:
        row = {"unit": "ms", "n": 20, "answered": 8, "p95": None, "unbounded": ["p95"]}
        run["of_due"] = {"turn.first_event": row}
    for name, more in counted.items():
        run["counts"]["measured"][name] |= more
    measures = of_manifest(run, 0.0).measures
    for name in ("turn.first_event.p95", "turn.completion.p95"):
        assert (measures[name].value, measures[name].bound, measures[name].reason) == (None, None, why)
    assert measures["connect.ready.p95"].value == 120, "no event of a turn is in it"
    # Other ends may have ended a turn, so that fewer were complete.
    bound = (0.0, 1.0) if why == UNASKED else None
    for name in ("turns.complete.ratio", "answered.ratio"):
        assert (measures[name].value, measures[name].bound) == (None if bound else 1.0, bound)


def test_too_few_complete_turns_are_too_few_also_where_they_are_in_doubt(tmp_path: Path) -> None:
    text = '[components.chat]\nprobe = "websocket"\nscenario = "chat.toml"\n'
    for complete, status in ((8, "down"), (18, "unknown"), (20, "unknown")):
        run: Any = manifest("pass", complete=complete)
        run["verdict"]["thresholds"] = []
        run["counts"]["measured"]["turns"] |= {"ends_unasked": 5}
        found = of_manifest(run, 0.0)
        rows = assess(policy(tmp_path, text), {"chat": found}, id="", at=found.at or 0.0).components
        assert rows[0].status == status, rows[0].why


def test_a_run_without_turns_is_answered_by_the_connections_that_became_ready() -> None:
    run: Any = manifest("pass", ready=9)
    run["counts"]["turns"] = run["counts"]["measured"]["turns"] = {"due": 0, "complete": 0}
    run["load"] = {"planned": {"connections": 10}}
    assert of_manifest(run, 0.0).measures["answered.ratio"].value == 0.9


def test_a_run_that_cannot_be_believed_is_unknown_and_one_without_connections_down() -> None:
    invalid = of_manifest(manifest("invalid"), 0.0)
    assert (invalid.outcome, invalid.error, dict(invalid.measures)) == ("unasked", "generator", {})
    assert "the generator was busy; turns.lost was not measured (no turn)" in invalid.said
    unreachable = of_manifest(manifest("unreachable", ready=0), 0.0)
    assert (unreachable.outcome, unreachable.error) == ("failed", "refused")
    silent = of_manifest(manifest("fail", complete=0), 0.0)
    assert (silent.outcome, "nothing was ever answered" in silent.said) == ("failed", True)


def test_a_run_that_is_not_over_in_its_time_is_unknown_and_not_the_targets_fault(tmp_path: Path) -> None:
    with pytest.raises(NotProbedError, match="the run did not end within the probe's time") as caught:
        probe_websocket(WebsocketProbe("agent-burst"), context(tmp_path, 0.2))
    assert caught.value.error == "generator"


def test_a_target_that_never_answers_is_down_though_nothing_could_be_measured() -> None:
    run: Any = manifest("invalid", complete=0)
    run["counts"]["turns"]["begun"] = 20
    assert of_manifest(run, 0.0).outcome == "unasked", "the generator was at fault"
    run["notices"] = []
    found = of_manifest(run, 0.0)
    assert (found.outcome, found.error) == ("failed", "timeout")
    assert "nothing was ever answered" in found.said


def test_a_scenario_without_promises_hides_nothing() -> None:
    run: Any = manifest("pass")
    run["verdict"]["thresholds"] = []
    run["counts"]["measured"]["turns"] |= {"timed_out": 2, "lost": 1}
    assert of_manifest(run, 0.0).issues == ("of 20 turns 2 timed out, 1 lost",)
    run["counts"]["events"]["foreign"] = 3
    assert of_manifest(run, 0.0).issues[0] == "3 events belonged to another user"


def test_a_target_that_asks_everybody_for_a_credential_is_unknown() -> None:
    run: Any = manifest("unreachable", ready=0) | {"refusals": {"upgrade: HTTP 401 Unauthorized": 10}}
    found = of_manifest(run, 0.0)
    assert (found.outcome, found.error) == ("unasked", "credential")
    run["refusals"]["tcp: refused"] = 1
    assert of_manifest(run, 0.0).outcome == "failed"


def test_a_run_is_marked_by_who_asked_and_known_by_its_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two watches of one results folder may make runs of one name in one second."""
    started: list[list[str]] = []

    def run(command: list[str], *_: object) -> ProgramResult:
        started.append(command)
        for number, pid in enumerate((41, 42, 43)):
            folder = tmp_path / f"20261122T120000Z-agent-burst-ready-chat{f'-{number}' if number else ''}"
            folder.mkdir()
            made: Any = manifest("pass")
            (folder / "run.json").write_text(json.dumps({**made, "id": folder.name, "process": {"pid": pid}}))
        return ProgramResult(0, "", "", 42)

    monkeypatch.setattr("loadtest.readiness.probes.websocket.run_program", run)
    asked = replace(context(tmp_path), asking=("platform", "chat"))
    assert (
        "run 20261122T120000Z-agent-burst-ready-chat-1 "
        in probe_websocket(WebsocketProbe("agent-burst"), asked).lines[0]
    )
    words = started[0]
    assert words[words.index("--label") + 1] == "ready-chat"
    assert words[words.index("--asked-by") + 1] == "platform: chat"


def test_a_scenario_that_cannot_run_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(NotProbedError) as caught:
        probe_websocket(WebsocketProbe("gone.toml"), context(tmp_path, 30))
    assert caught.value.error == "policy"
    assert "gone.toml" in str(caught.value)
