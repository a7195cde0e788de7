"""Where the target's health comes from, and the seconds that samples go to."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadtest.drive.health.container_source import ContainerSource
from loadtest.drive.health.exposition_source import NodeSource, OwnEndpoint, SeriesSource, samples_of
from loadtest.drive.health.http_get import MAX_BYTES, get_url
from loadtest.drive.health.process_source import ProcessSource
from loadtest.drive.health.query_source import QuerySource
from loadtest.drive.health.sampler import HealthSampler, sources_of
from loadtest.drive.health.source import HealthSource, NotSampledError
from loadtest.measure.interval import Interval
from loadtest.plan.health import OF_SIMULATOR, Health, HealthMetric

NODE = """# HELP node_cpu_seconds_total Seconds.
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{{cpu="0",mode="idle"}} 999
node_cpu_seconds_total{{cpu="0",mode="iowait"}} 55
node_cpu_seconds_total{{cpu="0",mode="user"}} {user}
node_cpu_seconds_total{{cpu="1",mode="system"}} 4
node_memory_MemTotal_bytes 8e9
node_memory_MemAvailable_bytes 3e9
node_filefd_allocated 1200
node_filefd_maximum 9.2e18
"""


class Ticks:
    """A clock that goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s += 1.0
        return self.now_s


def test_what_cannot_be_is_not_measured() -> None:
    told = "process_cpu_seconds_total -1\nprocess_resident_memory_bytes -5\nprocess_open_fds 3\n"
    found = OwnEndpoint("http://h/metrics", lambda _: told.encode(), Ticks()).sample()
    wrong = "http://h/metrics reports {}, which is impossible"
    assert found == {"cpu": wrong.format(-1), "memory": wrong.format(-5), "open_files": 3.0}


def test_a_node_is_busy_where_it_neither_idles_nor_waits() -> None:
    answers = iter([NODE.format(user=10), NODE.format(user=11.5), "node_other 1\n"])
    source = NodeSource("http://h/metrics", lambda _: next(answers).encode(), Ticks())
    assert source.sample() == {"memory": 5e9, "open_files": 1200.0}
    assert source.sample() == {"cpu": 1.5, "memory": 5e9, "open_files": 1200.0}
    assert source.sample() == dict.fromkeys(
        ("cpu", "memory", "open_files"), "http://h/metrics does not report this metric"
    )


def test_a_targets_own_endpoint_that_began_anew_has_no_rate_once() -> None:
    def body(spent: float) -> bytes:
        return f"process_cpu_seconds_total {spent}\nprocess_open_fds 9\n".encode()

    answers = iter([body(5), body(5.25), body(1), body(2)])
    source = OwnEndpoint("http://h/metrics", lambda _: next(answers), Ticks())
    assert [source.sample().get("cpu") for _ in range(4)] == [None, 0.25, None, 1.0]


SERIES = b'depth{of="ask",n="a b"} 3\ndepth{of="ask",n="c\\"d"} 4\ndepth{of="cancel"} 100\ndepths 9\n'


@pytest.mark.parametrize(("labels", "value"), [({"of": "ask"}, 7.0), ({"n": 'c"d'}, 4.0), ({}, 107.0)])
def test_a_series_is_summed_over_the_labels_that_are_not_named(
    labels: Mapping[str, str], value: float
) -> None:
    metric = HealthMetric(name="queue", url="http://h", series="depth", labels=labels)
    assert SeriesSource(metric, lambda _: SERIES).sample() == {"queue": value}


def test_a_counter_is_its_increase_a_second() -> None:
    answers = iter([b"n_total 5\n", b"n_total 9\n"])
    metric = HealthMetric(name="n", url="http://h", series="n_total", rate=True)
    source = SeriesSource(metric, lambda _: next(answers), Ticks())
    assert [source.sample(), source.sample()] == [{}, {"n": 4.0}]


@pytest.mark.parametrize(
    "body", [b"", b"depth NaN\n", b'depth{of="other"} 1\n', b"depth 1 2 3 4\n", b"\xff\xfe"]
)
def test_what_is_no_number_of_the_series_is_told(body: bytes) -> None:
    metric = HealthMetric(name="queue", url="http://u:secret@h", series="depth", labels={"of": "ask"})
    with pytest.raises(NotSampledError) as caught:
        SeriesSource(metric, lambda _: body).sample()
    assert "secret" not in str(caught.value)


def test_only_the_lines_of_wanted_series_are_parsed() -> None:
    broken = b"other{ 1\n" * 1000 + b"x" * 20_000 + b"\ndepth 1\n"
    assert [each.value for each in samples_of(broken, ("depth",))] == [1.0]


def answer(result: object, kind: str = "vector") -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def test_a_query_has_one_value() -> None:
    metric = HealthMetric(name="q", url="http://prom:9090/", query="sum(x)")
    asked: list[str] = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        return answer([{"metric": {}, "value": [1, "2.5"]}])

    assert QuerySource(metric, fetch).sample() == {"q": 2.5}
    assert asked == ["http://prom:9090/api/v1/query?query=sum%28x%29"]
    assert QuerySource(metric, lambda _: answer([1, "3"], "scalar")).sample() == {"q": 3.0}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (answer([]), "Prometheus has no value for sum(x)"),
        (answer([{"value": [1, "1"]}, {"value": [1, "2"]}]), "Prometheus has 2 values for sum(x)"),
        (answer([{"value": [1, "NaN"]}]), "Prometheus has no number for sum(x)"),
        (b"[]", "the answer of http://p is not that of a Prometheus server"),
        (b"[" * 100_000, "the answer of http://p is not that of a Prometheus server"),
    ],
)
def test_a_query_without_one_value_is_not_sampled(body: bytes, told: str) -> None:
    with pytest.raises(NotSampledError) as caught:
        QuerySource(HealthMetric(name="q", url="http://p", query="sum(x)"), lambda _: body).sample()
    assert str(caught.value) == told


def test_a_process_is_sampled_until_it_is_gone() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    source = ProcessSource(child.pid, Ticks())
    first, second = source.sample(), source.sample()
    assert set(first) == {"memory", "open_files"}
    assert isinstance(second["cpu"], float)
    assert second["cpu"] >= 0
    assert float(second["memory"]) > 1e5
    child.communicate(b"\n")
    with pytest.raises(NotSampledError, match=f"process {child.pid} is gone"):
        source.sample()
    with pytest.raises(NotSampledError, match="is gone"):
        ProcessSource(child.pid).sample()


def test_children_of_a_process_are_part_of_it() -> None:
    own = ProcessSource(os.getpid())
    alone = float(own.sample()["memory"])
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert float(ProcessSource(os.getpid()).sample()["memory"]) > alone
    finally:
        child.communicate(b"\n")


class Handler(http.server.BaseHTTPRequestHandler):
    bodies: Mapping[str, tuple[int, bytes]]

    def do_GET(self) -> None:
        status, body = self.bodies.get(self.path, (404, b""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body + str(self.headers.get("Authorization", "")).encode())

    def address_string(self) -> str:
        return "here"

    def log_message(self, *_: object) -> None: ...


@contextmanager
def served(server: socketserver.BaseServer, **bodies: tuple[int, bytes]) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


STATS = {
    "cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000}},
    "memory_stats": {"usage": 900, "stats": {"inactive_file": 300}},
}


def test_a_container_is_asked_of_its_engine(tmp_path: Path) -> None:
    path = "/containers/my%2Fchat/stats?stream=false&one-shot=true"
    bodies = {path: (200, json.dumps(STATS).encode())}
    handler = type("Engine", (Handler,), {"bodies": bodies})
    where = str(tmp_path / "engine.sock")
    with served(socketserver.ThreadingUnixStreamServer(where, handler)):
        source = ContainerSource("my/chat", where, Ticks())
        assert source.sample() == {"memory": 600.0}
        assert source.sample() == {"memory": 600.0, "cpu": 0.0}
        with pytest.raises(NotSampledError, match="answered with HTTP status 404"):
            ContainerSource("other", where).sample()
        bodies[path] = (200, b'{"cpu_stats": {}}')
        with pytest.raises(
            NotSampledError,
            match="the container engine reports nothing about my/chat: is this container running",
        ):
            source.sample()
    with pytest.raises(NotSampledError, match="could not be queried"):
        source.sample()


def test_one_answer_is_bounded_and_carries_the_credential_of_its_url() -> None:
    bodies = {"/": (200, b"all "), "/large": (200, b"x" * (MAX_BYTES + 1)), "/no": (503, b"")}
    handler = type("Endpoint", (Handler,), {"bodies": bodies})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with served(server):
        url = f"127.0.0.1:{server.server_port}"
        assert get_url(f"http://u%20:w@{url}") == b"all Basic dSA6dw=="
        with pytest.raises(NotSampledError, match=rf"^{url} answered with more than \d+ bytes$"):
            get_url(f"http://{url}/large")
        with pytest.raises(NotSampledError, match=rf"^{url} answered with HTTP status 503$"):
            get_url(f"http://{url}/no")


class Given(HealthSource):
    """A source that says what it is told to."""

    def __init__(self, name: str, *said: object) -> None:
        self.names = (name,)
        self.said = list(said)

    def sample(self) -> Mapping[str, float | str]:
        found = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(found, Exception):
            raise found
        return {} if found is None else {self.names[0]: found}  # type: ignore[dict-item]  # as given


def test_samples_go_to_their_second_and_what_lacks_says_why() -> None:
    import gevent

    sources = [
        Given("a", None, 1.5),
        Given("b", NotSampledError("it is down")),
        Given("c", ValueError("odd")),
    ]
    started_ns = time.time_ns()
    sampler = HealthSampler(sources, lambda: started_ns)
    sampler.start()
    interval = Interval(second=0)
    while not sampler._samples or len(sampler.reasons) < 2:
        gevent.sleep(0.01)
    sampler.stop()
    second = min(sampler._samples)
    sampler.add_to(Interval(second=second + 99))
    interval = Interval(second=second)
    sampler.add_to(interval)
    assert interval.gauges == {"target.a": 1.5}
    facts = sampler.facts()
    assert facts["sampled"] == ["a", "b", "c"]
    assert facts["reasons"] == {"b": "it is down", "c": "ValueError: odd"}


def test_every_source_of_a_scenario_is_asked() -> None:
    series = HealthMetric(name="s", url="http://h", series="s")
    query = HealthMetric(name="q", url="http://h", query="q")
    found = sources_of(Health(pid=OF_SIMULATOR, metrics=(series, query)), 77)
    assert [type(each).__name__ for each in found] == ["ProcessSource", "SeriesSource", "QuerySource"]
    for health in (Health(container="c"), Health(node="http://h"), Health(endpoint="http://h")):
        (source,) = sources_of(health, None)
        assert source.names == health.names
