"""The report that was once written by hand, from its own inputs: every number follows from them."""

from __future__ import annotations

import pytest

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.findings import findings, sentences
from loadtest.readiness.views.page_model import build_page
from loadtest.show.render.terminal import render
from tests.readiness.original import original


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    return original(tmp_path_factory.mktemp("original"))


def test_it_is_no_go_for_what_was_measured(found: Assessment) -> None:
    assert (found.verdict, found.exit_code) == ("NO-GO", 1)
    kinds = [blocker.kind for blocker in found.blockers]
    assert kinds == ["part", "part", "criterion", "criterion", "criterion", "trigger", "trigger", "trigger"]
    assert found.why == "3 things are broken: Backend API, Containers and WebSocket tests"
    second, third = sentences(found)[1:]
    assert second == (
        "Chat is out, for at least 90.0 % of the users and 90.0 % of the business value (by the policy);"
        " 6 of 10 rules do not hold, 1 cannot be judged, 3 call for a rollback."
    )
    assert third == (
        "The verdict is based on evidence of 4 of 5 components, all of it new (confidence 78.6 %; not known:"
        " Database)."
    )


def test_what_follows_from_a_cause_stands_below_it_and_is_no_cause_itself(found: Assessment) -> None:
    backend, containers, tests, together = findings(found)
    assert [each.state for each in (backend, containers, tests, together)] == [
        "down",
        "down",
        "degraded",
        "so",
    ]
    assert backend.follows == (
        "Database is unknown: it can be reached only through Backend API",
        "Chat is out (reaches 90.0 % of the users, by the policy)",
        "Persistence is unknown (reaches 30.0 % of the users, by the policy)",
        "the rule “backend within 500 ms” does not hold",
        "the rule “database queries within 50 ms” cannot be judged",
    )
    assert containers.follows == ("the rule “Docker stable” does not hold",)
    (follows,) = tests.follows
    assert follows.startswith(
        "the rule “at least 90 % of the tests” does not hold: 85.3 % (n=34), but must be "
    )
    assert len(together.follows) == 3
    assert all(each.endswith(": roll back") for each in together.follows)
    assert "nothing listens on that port" in backend.hint
    assert "docker compose up -d backend" in backend.hint


def test_each_part_is_what_its_evidence_says(found: Assessment) -> None:
    rows = {row.name: (row.status, row.score) for row in found.components}
    assert rows == {
        "auth": ("healthy", 1.0),
        "backend": ("down", 0.0),
        "websocket": ("degraded", 29 / 34),
        "database": ("unknown", None),
        "docker": ("down", 0.0),
    }
    said = {row.name: row.said for row in found.components}
    assert said["websocket"] == "29 of 34 tests passed (85.3 %)"
    assert "only through Backend API, which is down" in said["database"]
    assert said["docker"] == "auth: created but not running; backend: created but not running"


def test_the_latency_of_auth_is_a_measurement_and_not_its_limit(found: Assessment) -> None:
    assert found.components[0].response == "latency p95 118 ms (n=20)"


def test_overall_health_follows_from_its_inputs(found: Assessment) -> None:
    health = found.figures["health.overall"]
    known = 3 * 1 + 3 * 0 + 2 * (29 / 34) + 3 * 0
    assert health.value == pytest.approx(known / 11)
    assert health.low == pytest.approx(known / 14)
    assert health.high == pytest.approx((known + 3) / 14)
    assert health.arithmetic == (
        "(3 × 1 auth + 3 × 0 backend + 2 × 0.853 websocket + 3 × 0 docker) ÷ (3 + 3 + 2 + 3)"
        " = 4.71 ÷ 11 = 0.428; left out as unknown: database"
    )
    assert found.figures["health.coverage"].value == pytest.approx(11 / 14)


def test_the_users_are_those_of_chat_and_not_all(found: Assessment) -> None:
    users = found.figures["impact.users"]
    assert (users.value, users.high) == (0.9, 1.0)
    assert users.arithmetic == "largest of chat 90.0 %; unknown: data 30.0 %"
    assert found.figures["impact.value"].value == pytest.approx(0.9)
    assert found.figures["impact.business"].text == "critical"


def test_each_trigger_says_whether_it_is_pulled_and_why(found: Assessment) -> None:
    outcomes = {row.title: row.outcome for row in found.triggers}
    assert outcomes == {
        "three critical components failed": "not triggered",
        "overall health below a half": "TRIGGERED",
        "business impact critical": "TRIGGERED",
        "more than 75 % of the users": "TRIGGERED",
        "five failures in a row": "not triggered",
    }
    critical = found.triggers[0]
    assert (critical.measured, critical.note) == (
        "2",
        "unknown components could change this: between 2 and 3",
    )


def test_confidence_is_computed_from_what_is_known(found: Assessment) -> None:
    assert found.confidence.value == pytest.approx(11 / 14)


def test_criteria_are_a_check_list(found: Assessment) -> None:
    assert [row.outcome for row in found.criteria] == ["met", "missed", "unknown", "missed", "missed"]
    assert found.criteria[1].measured == "not measured"


def test_risks_are_ranked_and_say_a_cause_and_actions_begin_with_the_root(found: Assessment) -> None:
    assert [risk.level for risk in found.risks] == ["critical", "critical", "high", "medium"]
    assert "nothing listens on that port" in found.risks[0].cause
    assert "registry" in found.risks[1].cause
    assert [(action.urgency, action.component) for action in found.actions] == [
        ("IMMEDIATE", "backend"), ("IMMEDIATE", "docker"), ("HIGH", "database"), ("MEDIUM", "websocket"),
    ]  # fmt: skip
    assert found.actions[0].text == "Backend API: start it: docker compose up -d backend"


def test_no_zero_stands_where_nothing_was_measured(found: Assessment) -> None:
    shown = render([build_page(found)], width=120, whole=True)
    assert "0.00 connections" not in shown
    assert "0 ms" not in shown.replace("500 ms", "").replace("100 ms", "").replace("50 ms", "")
    assert "deploy rollback --to last-good" in shown
