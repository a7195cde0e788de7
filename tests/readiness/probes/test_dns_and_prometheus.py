"""Look-ups of names, and queries of Prometheus held against levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loadtest.readiness.assessment import ComponentRow
from loadtest.readiness.prober import probe_all
from loadtest.readiness.verdict import assess
from tests.end_to_end.parts import free_port, health
from tests.readiness.made import policy


def row(folder: Path, text: str) -> ComponentRow:
    read = policy(folder, text)
    found = probe_all(read, folder, environ={})
    at = next(iter(found.values())).at or 0.0
    return assess(read, found, id="", at=at).components[0]


DNS = '[components.name]\nprobe = "dns"\nhost = "{host}"\n'


def test_a_name_that_resolves_is_healthy_and_shows_its_addresses(tmp_path: Path) -> None:
    found = row(tmp_path, DNS.format(host="localhost"))
    assert found.status == "healthy"
    assert "address 127.0.0.1" in found.lines
    assert found.measures["resolve.n"].value == 20


def test_a_name_that_does_not_resolve_or_leads_elsewhere_is_down(tmp_path: Path) -> None:
    gone = row(tmp_path, DNS.format(host="no-such-host.invalid"))
    assert (gone.status, gone.error) == ("down", "resolve")
    other = row(tmp_path, DNS.format(host="localhost") + 'addresses = ["192.0.2.7"]\n')
    assert (other.status, other.error) == ("down", "answer")
    assert "not to 192.0.2.7" in other.said


QUERY = """[components.errors]
probe = "prometheus"
url = "{url}"
query = "job:errors:ratio"
levels = {{ "value.max" = {{ warn = "> 0.01", critical = "> 0.05" }} }}
"""


def vector(*values: str) -> dict[str, Any]:
    series = [{"metric": {"job": f"j{at}"}, "value": [1.7e9, each]} for at, each in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


SCALAR = {"status": "success", "data": {"resultType": "scalar", "result": [1.7e9, "0.2"]}}
WRONG = {"status": "error", "errorType": "bad_data", "error": "parse error"}


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        (vector("0.001"), "healthy", ""),
        (vector("0.001", "0.02"), "degraded", "level"),
        (vector("0.2", "0.001"), "down", "level"),
        (SCALAR, "down", "level"),
        (vector(), "unknown", "stale"),
        (vector("NaN"), "unknown", "answer"),
        (WRONG, "unknown", "policy"),
        ({"hello": 1}, "unknown", "answer"),
    ],
)
def test_the_result_of_a_query_is_held_against_its_levels(
    tmp_path: Path, answer: dict[str, Any], status: str, error: str
) -> None:
    with health() as server:
        server.body = answer
        found = row(tmp_path, QUERY.format(url=f"http://127.0.0.1:{server.port}"))
    assert (found.status, found.error) == (status, error)


def test_a_prometheus_that_cannot_be_asked_tells_nothing_of_the_component(tmp_path: Path) -> None:
    assert row(tmp_path, QUERY.format(url=f"http://127.0.0.1:{free_port()}")).status == "unknown"
    with health() as server:
        server.status = 503
        found = row(tmp_path, QUERY.format(url=f"http://127.0.0.1:{server.port}"))
    assert (found.status, "503" in found.said) == ("unknown", True)
