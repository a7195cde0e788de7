"""The verdict and its order, unknown that is never averaged in, and laws that hold for any evidence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.keep.json import json_text
from loadtest.readiness.assessment import Assessment, from_plain
from loadtest.readiness.evidence import Evidence, Measure, distribution, shares
from loadtest.readiness.findings import findings
from loadtest.readiness.history import failures_before, summary
from loadtest.readiness.policy import Policy
from loadtest.readiness.views.formats import view
from loadtest.readiness.views.page_model import build_page
from tests.readiness.made import NOW, SMALL, assessed, down, policy, unasked, up


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return policy(tmp_path_factory.mktemp("policy"))


def healthy() -> dict[str, Evidence]:
    return {"api": up(), "store": up("ping"), "extra": up("connect")}


def judged(read: Policy, before: int = 0, at: float = NOW, **changes: Evidence) -> Assessment:
    return assessed(read, before, at, **{**healthy(), **changes})


def statuses(found: Assessment) -> dict[str, str]:
    return {row.name: row.status for row in found.components}


def test_all_healthy_is_go(small: Policy) -> None:
    found = judged(small)
    assert (found.verdict, found.exit_code, found.blockers) == ("GO", 0, ())
    assert found.figures["health.overall"].text == "100 %"
    assert found.confidence.value == 1


def test_a_go_of_our_own_simulator_says_so_beside_the_verdict(small: Policy) -> None:
    made_up = dataclasses.replace(up(), simulated=True)
    found = judged(small, api=made_up)
    assert found.verdict == "GO"
    assert "SIMULATED" in found.why
    # What a part answers says nothing of it.
    assert "SIMULATED" not in judged(small, api=dataclasses.replace(up(), lines=("(SIMULATED)",))).why


def test_a_critical_part_that_is_down_is_no_go_before_anything_unknown(small: Policy) -> None:
    found = judged(small, api=down(), store=unasked())
    assert (found.verdict, found.exit_code) == ("NO-GO", 1)
    assert all(blocker.kind != "unknown" for blocker in found.blockers)


def test_a_required_part_that_is_unknown_is_inconclusive(small: Policy) -> None:
    found = judged(small, store=unasked())
    assert (found.verdict, found.exit_code) == ("INCONCLUSIVE", 4)
    assert found.blockers[0].text == "store unknown: the driver is missing"


def test_a_part_that_was_never_asked_is_unknown(small: Policy) -> None:
    found = assessed(small, api=up(), store=up("ping"))
    assert statuses(found)["extra"] == "unknown"


def test_an_optional_part_decides_nothing(small: Policy) -> None:
    for evidence in (down(), unasked()):
        assert judged(small, extra=evidence).verdict == "GO"


def test_a_missed_criterion_is_no_go_though_all_parts_answer(small: Policy) -> None:
    found = judged(small, api=up(ms=600))
    assert statuses(found)["api"] == "degraded"
    assert found.verdict == "NO-GO"
    assert found.blockers[0].text == "fast: 600 ms (n=20), expected latency.p95 < 500ms"


def test_beyond_its_critical_level_a_part_is_down(small: Policy) -> None:
    found = judged(small, api=up(ms=1200))
    assert statuses(found)["api"] == "down"
    assert "latency.p95 is 1.2 s (n=20), beyond the critical level > 1s" in found.components[0].issues


def test_too_few_samples_for_a_level_are_unknown_and_no_pass(small: Policy) -> None:
    found = judged(small, api=up(n=5))
    assert statuses(found)["api"] == "unknown"
    assert found.verdict == "INCONCLUSIVE"
    assert found.criteria[0].reason != ""
    assert "not enough samples" in found.components[0].issues[0]


def test_what_is_reached_only_through_a_part_that_is_down_is_unknown(small: Policy) -> None:
    found = judged(small, api=down(), store=down())
    assert statuses(found)["store"] == "unknown"
    assert found.components[1].error == "through"
    assert judged(small, store=down()).components[1].status == "down"
    assert judged(small, api=unasked(), store=down()).components[1].status == "unknown"


def test_unknown_is_left_out_of_the_mean_and_its_span_is_told(small: Policy) -> None:
    health = judged(small, store=unasked()).figures["health.overall"]
    assert (health.value, health.low, health.high) == (1, pytest.approx(4 / 7), 1)
    assert "left out as unknown: store" in health.arithmetic


def test_five_failures_in_a_row_pull_the_trigger(small: Policy) -> None:
    outcomes = {before: judged(small, before, api=down()).triggers[1].outcome for before in (3, 4)}
    assert outcomes == {3: "not triggered", 4: "TRIGGERED"}
    assert judged(small, 9).figures["failures.in_a_row"].value == 0


def test_evidence_that_ages_until_its_part_is_probed_again_lowers_the_confidence(tmp_path: Path) -> None:
    seldom = policy(tmp_path, SMALL.replace("[components.api]", 'every = "10m"\n[components.api]'))
    found = judged(seldom, at=NOW + 600)
    assert found.confidence.value == pytest.approx(0.5)
    assert found.components[0].freshness == pytest.approx(0.5)
    late = judged(seldom, at=NOW + 600 + seldom.component("api").timeout_s + 6)
    assert (late.verdict, late.components[0].status) == ("INCONCLUSIVE", "unknown")


@pytest.mark.parametrize("probe", ['probe = "tests"\nfiles = ["junit.xml"]',
                                   'probe = "containers"\nfile = "ps.json"\nservices = ["api"]'])  # fmt: skip
def test_a_file_older_than_its_fresh_meets_no_criterion(tmp_path: Path, probe: str) -> None:
    text = f"""[components.a]
{probe}
priority = "optional"
every = "1h"
fresh = "10m"
[[criteria]]
component = "a"
[[criteria]]
component = "a"
measure = "{"passed" if "tests" in probe else "running"}.ratio"
expect = ">= 90%"
"""
    name = "passed.ratio" if "tests" in probe else "running.ratio"
    good = Evidence("answered", "all well", NOW, measures={name: Measure(1.0, "ratio", 9)})
    read = policy(tmp_path, text)
    assert assessed(read, at=NOW + 600, a=good).verdict == "GO"
    stale = assessed(read, at=NOW + 601, a=good)
    assert stale.verdict == "INCONCLUSIVE"
    assert [each.outcome for each in stale.criteria] == ["unknown", "unknown"]
    assert "is 10 min 1 s old, but counts only for 10 min" in stale.criteria[0].reason


def test_every_number_carries_the_age_of_its_oldest_evidence(small: Policy) -> None:
    found = judged(small, at=NOW + 120, store=up("ping", at=NOW + 100))
    page = build_page(found)
    assert "oldest evidence 2 min" in dict(page.facts)["confidence"]
    aged = [each for each in page.sections if "age" in each.tables[0].heads]
    titles = [each.title.partition(":")[0] for each in aged]
    assert titles == ["Rules", "Components", "Evidence", "Levels", "How the numbers are computed"]
    for section in aged:
        (table,) = section.tables
        ages = {str(row.cells[table.heads.index("age")]) for row in table.rows}
        assert ages <= {"2 min", "20 s"}, section.title
        assert "2 min" in ages, section.title
    assert [each.age_s for each in found.criteria] == [120, 20]
    assert {each.age_s for each in found.figures.values()} == {120}
    assert {each.age_s for each in (*found.gates, *found.triggers, found.confidence)} == {120}


def test_the_default_levels_hold_where_the_policy_says_nothing_and_the_share_was_measured(
    tmp_path: Path,
) -> None:
    def levels(more: str) -> list[tuple[str, str]]:
        text = f'[components.a]\nprobe = "websocket"\nscenario = "agent-burst"\n{more}'
        return [
            (each.measure, each.warn.expression)
            for each in policy(tmp_path, text).components[0].levels
            if each.warn
        ]

    ends = ("tls.expires_in", "< 14d")
    assert levels("") == [("answered.ratio", "< 95%"), ends]
    for name in ("answered.ratio", "turns.complete.ratio"):
        assert levels(f'levels = {{ "{name}" = {{ warn = "< 90%" }} }}') == [(name, "< 90%"), ends]
    nothing_tried = Evidence("answered", "ran", NOW)
    text = '[components.a]\nprobe = "websocket"\nscenario = "agent-burst"\n'
    assert assessed(policy(tmp_path, text), a=nothing_tried).components[0].levels == ()


def test_what_is_above_every_limit_survives_json(small: Policy) -> None:
    broken = dataclasses.replace(up(), measures={**distribution("latency", [1.0], 19), **shares(1, 20)})
    found = judged(small, api=broken)
    assert found.components[0].status == "down"
    assert from_plain(json.loads(json_text(found.plain()))) == found


def test_where_nothing_is_known_no_number_is_made_up(small: Policy) -> None:
    found = assessed(small, api=unasked(), store=unasked(), extra=unasked())
    assert found.figures["health.overall"].value is None
    assert found.figures["health.overall"].text == "not measured"
    assert found.confidence.value == 0
    assert found.triggers[0].outcome == "unknown"
    assert found.verdict == "INCONCLUSIVE"


def test_a_function_is_out_where_a_part_is_down_and_its_impact_counts(small: Policy) -> None:
    found = judged(small, extra=down())
    assert [row.status for row in found.functions] == ["working", "out"]
    assert found.figures["impact.business"].text == "minor"
    assert found.figures["impact.users"].value == pytest.approx(0.2)


def test_a_gate_that_is_missed_is_no_go(small: Policy) -> None:
    found = judged(small, api=up(ms=490), store=up("ping"), extra=down())
    assert found.gates[0].outcome == "met"
    degraded = judged(small, extra=down(), store=Evidence("answered", "slow", NOW, "run", issues=("slow",)))
    assert (degraded.gates[0].outcome, degraded.gates[0].measured) == ("missed", "64.3 %")
    assert degraded.verdict == "NO-GO"


def test_an_assessment_survives_json(small: Policy) -> None:
    found = judged(small, api=down())
    assert from_plain(json.loads(json_text(found.plain()))) == found


EVIDENCE = st.sampled_from([up(), up(ms=600), up(ms=1200), up(n=5), down(), down("timeout"), unasked()])


@given(api=EVIDENCE, store=EVIDENCE, extra=EVIDENCE, before=st.integers(0, 6))
def test_laws(small: Policy, api: Evidence, store: Evidence, extra: Evidence, before: int) -> None:
    found = assessed(small, before, api=api, store=store, extra=extra)
    rows = found.components
    critical = [row for row in rows if row.priority == "critical"]
    if found.verdict == "GO":
        assert all(row.status in {"healthy", "degraded"} for row in critical)
        assert all(row.outcome == "met" for row in (*found.criteria, *found.gates))
        assert all(row.outcome == "not triggered" for row in found.triggers)
        assert not found.blockers
    else:
        assert found.blockers
    if any(row.status == "down" for row in critical):
        assert found.verdict == "NO-GO"
    assert found.exit_code in {0, 1, 4}
    assert all((row.score is None) == (row.status == "unknown") for row in rows)
    health = found.figures["health.overall"]
    if health.value is not None:
        assert health.low is not None
        assert health.high is not None
        assert -1e-9 <= health.low <= health.value + 1e-9
        assert health.value <= health.high + 1e-9 <= 1 + 2e-9
    assert found.confidence.value is not None
    assert 0 <= found.confidence.value <= 1
    assert len(found.risks) == len(found.actions) == sum(row.status != "healthy" for row in rows)


def test_a_policy_without_functions_has_no_impact(tmp_path: Path) -> None:
    start, _, rest = SMALL.partition("[functions.chat]")
    text = start + rest[rest.index("[[criteria]]") :]
    found = judged(policy(tmp_path, text))
    assert not any(name.startswith("impact.") for name in found.figures)


def test_where_no_part_is_required_and_none_is_known_it_is_no_go_ahead(tmp_path: Path) -> None:
    text = """[components.a]
probe = "tcp"
host = "x"
port = 1
required = false
"""
    found = assessed(policy(tmp_path, text), a=unasked())
    assert (found.verdict, found.exit_code) == ("INCONCLUSIVE", 4)
    assert found.blockers[0].text == "all 1 components are unknown"
    assert assessed(policy(tmp_path, text), a=up("connect")).verdict == "GO"


@pytest.mark.parametrize(
    ("age_s", "said"),
    [(301, "is 5 min 1 s old, but counts only for 5 min"), (-3600, "in the future")],
)
def test_evidence_that_is_too_old_or_dated_wrongly_says_nothing(
    small: Policy, age_s: float, said: str
) -> None:
    found = judged(small, store=up("ping", at=NOW - age_s))
    row = found.components[1]
    assert (row.status, row.error, row.freshness, row.measures) == ("unknown", "stale", 0, {})
    assert said in row.said
    assert found.verdict == "INCONCLUSIVE"


def test_an_unknown_part_neither_counts_as_a_failure_nor_ends_their_row(small: Policy) -> None:
    found = judged(small, 7, api=unasked())
    row = found.figures["failures.in_a_row"]
    assert (row.value, row.low, row.high) == (0, 0, 8)
    assert "7 before; now a critical component is unknown" in row.arithmetic
    assert (found.verdict, found.triggers[1].outcome) == ("INCONCLUSIVE", "not triggered")
    assert "between 0 and 8" in found.triggers[1].note
    assert failures_before([summary(found)]) == 7
    assert failures_before([summary(judged(small, 7))]) == 0


def test_no_score_is_more_than_all(tmp_path: Path) -> None:
    text = """[components.a]
probe = "websocket"
scenario = "agent-burst"
score = "events.matched.ratio"
"""
    twice = Evidence("answered", "ran", NOW, measures={"events.matched.ratio": Measure(2.0, "ratio", 5)})
    assert assessed(policy(tmp_path, text), a=twice).figures["health.overall"].value == 1


def test_a_secret_in_the_rollback_command_is_not_shown(tmp_path: Path) -> None:
    text = SMALL.replace("redis://127.0.0.1:1", "redis://:red-pass-1@127.0.0.1:1")
    text += '[rollback]\ncommand = ["deploy", "red-pass-1", "--token", "tok-9-tok", "postgres://a:pg-pass-3@h/x"]\n'
    shown = str(assessed(policy(tmp_path, text), api=down()).rollback)
    assert "deploy" in shown
    for secret in ("red-pass-1", "tok-9-tok", "pg-pass-3"):
        assert secret not in shown


LOAD = """
[components.chat]
probe = "websocket"
scenario = "agent-burst"
"""


def missed(measure: str = "turns.complete.ratio") -> Evidence:
    return Evidence(
        "answered", "10 connections ready, 109 of 200 turns complete", NOW, "run",
        {"answered.ratio": Measure(0.545, "ratio", 200), measure: Measure(0.545, "ratio", 200)},
        issues=(f"{measure} >= 90% was missed: it was 54.5 %",), missed=(measure,),
        cause="the backend queued", report="20250906-x/report.html",
    )  # fmt: skip


def test_a_missed_threshold_of_its_own_scenario_is_no_go_on_a_critical_part(tmp_path: Path) -> None:
    found = assessed(policy(tmp_path, LOAD), chat=missed())
    assert (found.verdict, found.exit_code) == ("NO-GO", 1)
    assert [each.kind for each in found.blockers] == ["threshold"]
    said = "critical: its scenario missed turns.complete.ratio >= 90%: was 54.5 %"
    assert found.blockers[0].text == f"chat is {said}; 10 connections ready, 109 of 200 turns complete"
    assert found.why == f"1 thing is broken: chat; chat is {said}"
    (cause,) = findings(found)
    assert (cause.state, cause.said.startswith(said), cause.report) == (
        "missed",
        True,
        "20250906-x/report.html",
    )
    assert cause.hint.startswith("likely: the backend queued; do: ")
    assert cause.hint.endswith("(report of the run, in the results folder: 20250906-x/report.html)")
    rules = next(each for each in build_page(found).sections if each.title.startswith("Rules"))
    (row,) = rules.tables[0].rows
    assert (row.text(0), row.text(4), row.notes) == ("missed", "NO-GO", (said,))
    assert "The one rule does not hold" in build_page(found).why
    assert f'<a href="../../../{cause.report}">' in view(found, "html", "../../../").decode()
    assert "<a href" not in view(found, "html").decode()


@pytest.mark.parametrize(
    "more",
    [
        'thresholds = "advisory"',
        'priority = "important"',
        'levels = { "turns.complete.ratio" = { critical = "< 50%" } }',
    ],
)
def test_a_missed_threshold_only_degrades_where_the_policy_says_so(tmp_path: Path, more: str) -> None:
    found = assessed(policy(tmp_path, LOAD + more + "\n"), chat=missed())
    assert (found.verdict, found.components[0].status) == ("GO", "degraded")


def test_what_is_wrong_is_said_before_what_was_answered(tmp_path: Path) -> None:
    slow = up(ms=1500)
    found = assessed(policy(tmp_path), api=slow, store=up("ping"), extra=up("connect"))
    assert found.blockers[0].text.startswith(
        "api down: latency.p95 is 1.5 s (n=20), beyond the critical level > 1s"
    )
    assert found.risks[0].title.startswith("api down: latency.p95 is 1.5 s")


def test_confidence_can_be_gated_and_the_value_that_is_out_pull_a_trigger(tmp_path: Path) -> None:
    text = SMALL + '[[gates]]\nfact = "confidence"\nexpect = ">= 90%"\n'
    text += '[[triggers]]\ntitle = "revenue"\nfact = "impact.value"\nwhen = "> 50%"\n'
    read = policy(tmp_path, text)
    sure = judged(read)
    assert (sure.verdict, sure.gates[1].outcome, sure.triggers[2].outcome) == ("GO", "met", "not triggered")
    doubt = judged(read, extra=unasked())
    assert (doubt.gates[1].measured, doubt.gates[1].outcome) == ("85.7 %", "missed")
    out = judged(read, api=down())
    assert (out.triggers[2].measured, out.triggers[2].outcome) == ("90.0 %", "TRIGGERED")
