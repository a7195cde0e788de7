"""Outages by the summaries of earlier assessments, and what Prometheus reads of them."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from loadtest.live.status_page import answer
from loadtest.readiness.assessment import OutageRow
from loadtest.readiness.outages import Outages
from loadtest.readiness.policy import Policy
from loadtest.readiness.views.badge import badge
from loadtest.readiness.views.page_model import build_page
from loadtest.readiness.views.prometheus import prometheus
from tests.readiness.made import NOW, SMALL, assessed, down, policy, up


def course(folder: Path, *statuses: str, every_s: float = 60.0) -> list[dict[str, object]]:
    return [
        {"at": NOW + every_s * at, "components": {"api": {"status": status}}}
        for at, status in enumerate(statuses)
    ]


def outage_rows(read: Policy, rows: list[dict[str, object]]) -> tuple[OutageRow, ...]:
    """Those of all rows, the last one being that of now; the same however they come."""
    outages = Outages()
    for n in range(len(rows)):
        outages.add(read, rows[:n])
    at_once = Outages()
    at_once.add(read, rows[:-1])
    found = outages.rows(read, rows[-1])
    assert found == at_once.rows(read, rows[-1]) == outages.rows(read, rows[-1])
    return found


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
    notes = (
        next(each for each in build_page(found).sections if each.title == "Components")
        .tables[0]
        .rows[0]
        .notes
    )
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


HOUR = 3600.0


def shares(read: Policy, rows: list[dict[str, object]]) -> dict[str, tuple[float | None, float]]:
    return {each.over: (each.up, each.known) for each in outage_rows(read, rows)[0].shares}


def test_uptime_is_told_of_a_time_that_is_kept_as_a_whole_and_of_no_other(tmp_path: Path) -> None:
    read = policy(tmp_path)
    # 90 minutes, one summary each minute, down for the last 15 of them but one.
    found = shares(read, course(tmp_path, *["healthy"] * 75, *["down"] * 15, "healthy"))
    assert found["1h"] == (pytest.approx(0.75), pytest.approx(1.0))
    assert found["24h"] == (None, pytest.approx(1.5 / 24))
    assert found["7d"][0] is None


def test_unknown_time_is_in_no_uptime_and_is_never_100_percent(tmp_path: Path) -> None:
    read = policy(tmp_path)
    half = shares(
        read, course(tmp_path, *["healthy"] * 60, *["down"] * 15, *["unknown"] * 30, *["down"] * 16)
    )
    assert half["1h"] == (pytest.approx(0.0), pytest.approx(0.5))
    none = shares(read, course(tmp_path, "healthy", *["unknown"] * 121))
    assert none["1h"] == (None, 0.0)
    # Two looks a day apart: what was between them nobody knows, but for the time that evidence counts.
    seldom = shares(read, course(tmp_path, "down", "healthy", "healthy", every_s=24 * HOUR))
    assert seldom["1h"] == (None, 0.0)
    assert seldom["24h"] == (1.0, pytest.approx(300 / (24 * HOUR)))


def test_of_a_component_that_changes_without_end_only_the_last_times_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.readiness.outages.MAX_SPANS", 10)
    read = policy(tmp_path)
    found = shares(read, course(tmp_path, *["healthy", "down"] * 40))
    assert found["1h"][0] is None, "more than ten minutes are forgotten"
    week = course(tmp_path, *["healthy"] * 9, every_s=24 * HOUR)
    assert shares(read, week)["7d"][0] == 1.0


def test_a_round_costs_what_is_new_not_what_is_kept(tmp_path: Path) -> None:
    read, outages = policy(tmp_path), Outages()
    rows = course(tmp_path, *["healthy"] * 2000, every_s=60)
    outages.add(read, rows)
    seen = list[object]()

    class Row(dict[str, object]):
        def __getitem__(self, key: str) -> object:
            seen.append(key)
            return super().__getitem__(key)

    outages.add(read, [*map(Row, rows), Row({**rows[-1], "at": NOW + 1e6})])
    assert len(seen) < 10


def test_uptimes_are_shown_where_they_are_known(tmp_path: Path) -> None:
    read = policy(tmp_path)
    rows = course(tmp_path, *["healthy"] * 75, *["down"] * 15, "healthy")
    found = replace(assessed(read, api=up(), store=up("ping")), outages=outage_rows(read, rows))
    section = next(each for each in build_page(found).sections if each.title == "Uptime")
    (row,) = section.tables[0].rows
    assert [cell if isinstance(cell, str) else cell.text for cell in row.cells][1:] == ["75.0 %", "–", "–"]
    text = prometheus(found)
    assert 'component_uptime_ratio{policy="policy",component="api",over="1h"} 0.75\n' in text
    assert 'over="24h"' not in text
    assert "up 75.0 % of 1h" in (badge(found, "api") or "")
