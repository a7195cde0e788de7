"""Outages by the summaries of earlier assessments, and what Prometheus reads of them."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from loadtest.live.page import answer
from loadtest.readiness.outages import outage_rows
from loadtest.readiness.views.prometheus import prometheus
from loadtest.readiness.views.telling import tell
from tests.readiness.made import NOW, SMALL, assessed, down, policy, up


def course(folder: Path, *statuses: str, every_s: float = 60.0) -> list[dict[str, object]]:
    return [
        {"at": NOW + every_s * at, "components": {"api": {"status": status}}}
        for at, status in enumerate(statuses)
    ]


def test_an_outage_begins_where_it_was_first_found_and_ends_where_it_was_over(tmp_path: Path) -> None:
    read = policy(tmp_path)
    rows = course(
        tmp_path, "healthy", "down", "down", "unknown", "degraded", "healthy", "down", "healthy", "down"
    )
    api = outage_rows(read, rows)[0]
    assert (api.n, api.last_s, api.mean_s, api.since) == (2, 60, 120, NOW + 480)
    assert api.known_s == 7 * 60
    assert api.up == pytest.approx(1 - 3 / 7)


def test_a_time_without_assessments_is_not_known(tmp_path: Path) -> None:
    api = outage_rows(policy(tmp_path), course(tmp_path, "healthy", "healthy", every_s=86_400))[0]
    assert (api.known_s, api.up, api.n) == (300, 1, 0)


def test_what_was_never_assessed_has_no_number(tmp_path: Path) -> None:
    rows = [{"at": NOW, "components": {}}, {"at": NOW - 5}, {"at": NOW, "components": {"api": 3}}]
    api = outage_rows(policy(tmp_path), rows)[0]
    assert (api.n, api.since, api.last_s, api.mean_s, api.up, api.known_s) == (0, None, None, None, None, 0)


def test_owner_and_eta_are_shown_as_the_policys(tmp_path: Path) -> None:
    text = SMALL.replace('probe = "http"', 'probe = "http"\nowner = "team blue"\neta = "by noon"', 1)
    found = assessed(policy(tmp_path, text), api=down(), store=up("ping"), extra=up("connect"))
    notes = next(each for each in tell(found).sections if each.title == "Components").tables[0].rows[0].notes
    assert notes[-2:] == ("owner: team blue (by the policy)", "expected back: by noon (by the policy)")


def test_prometheus_reads_what_is_known_and_nothing_of_what_is_not(tmp_path: Path) -> None:
    read = policy(tmp_path)
    found = assessed(read, api=down(), store=up("ping"))
    found = replace(
        found, policy='a"b\\c', outages=outage_rows(read, course(tmp_path, "down", "healthy", "healthy"))
    )
    text = prometheus(found)
    assert 'loadtest_ready_verdict{policy="a\\"b\\\\c",verdict="NO-GO"} 1\n' in text
    assert 'component_status{policy="a\\"b\\\\c",component="api",status="down"} 1\n' in text
    assert 'component_up_ratio{policy="a\\"b\\\\c",component="api"} 0.5\n' in text
    assert 'component_recovery_seconds{policy="a\\"b\\\\c",component="api"} 60\n' in text
    assert 'age_seconds{policy="a\\"b\\\\c",component="extra"' not in text
    sample = re.compile(r'[a-z_]+\{([a-z]+="(\\.|[^"\\])*",?)+\} -?[0-9.e+-]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in text.splitlines())


def test_the_page_serves_metrics(tmp_path: Path) -> None:
    found = assessed(policy(tmp_path), api=up(), store=up("ping"), extra=up("connect"))
    status, kind, body = answer("/metrics", found)
    assert (status, kind.startswith("text/plain"), b"loadtest_ready_verdict" in body) == (
        HTTPStatus.OK,
        True,
        True,
    )
