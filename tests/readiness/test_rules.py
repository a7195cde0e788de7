"""Rules: one word for what must hold, whatever follows; the older words are still read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.readiness.assessment import Assessment
from loadtest.readiness.findings import findings, sentences
from loadtest.readiness.objectives import opposite
from loadtest.readiness.views.page_model import build_page
from tests.readiness.made import assessed, down, policy, unasked, up

PARTS = """[components.api]
probe = "http"
url = "http://127.0.0.1:1/"
[components.extra]
probe = "tcp"
host = "h"
port = 1
priority = "optional"
[functions.shop]
needs = ["api"]
users = "50%"
value = "80%"
[functions.blog]
needs = ["extra"]
users = "10%"
value = "20%"
impact = "minor"
"""

RULES = """[[rules]]
title = "fast"
component = "api"
measure = "latency.p95"
expect = "< 500ms"
[[rules]]
component = "extra"
status = "degraded"
[[rules]]
title = "well"
fact = "health.overall"
expect = ">= 80%"
[[rules]]
title = "sure"
fact = "confidence"
expect = ">= 90%"
[[rules]]
title = "most of the revenue"
fact = "impact.value"
expect = "< 50%"
else = "roll back"
"""

OLD = """[[criteria]]
title = "fast"
component = "api"
measure = "latency.p95"
expect = "< 500ms"
[[criteria]]
component = "extra"
status = "degraded"
[[gates]]
title = "well"
fact = "health.overall"
expect = ">= 80%"
[[gates]]
title = "sure"
fact = "confidence"
expect = ">= 90%"
[[triggers]]
title = "most of the revenue"
fact = "impact.value"
when = ">= 50%"
"""


def judged(folder: Path, text: str = RULES, **found: object) -> Assessment:
    known = {"api": up(), "extra": up("connect"), **found}
    return assessed(policy(folder, PARTS + text), **known)  # type: ignore[arg-type]  # evidence by name


def test_old_policies_say_the_same(tmp_path: Path) -> None:
    new, old = policy(tmp_path, PARTS + RULES), policy(tmp_path, PARTS + OLD)
    assert (new.criteria, new.gates) == (old.criteria, old.gates)
    assert new.triggers == tuple(replace(each, turned=False) for each in old.triggers)
    told = judged(tmp_path, OLD.replace('"most of the revenue"', '"half of the revenue gone"'), api=down())
    assert "not: half of the revenue gone" in [
        row.text(1) for section in build_page(told).sections for row in section.tables[0].rows
    ]


def test_every_rule_stands_in_one_table_with_what_must_hold_and_what_follows(tmp_path: Path) -> None:
    (rules,) = (each for each in build_page(judged(tmp_path)).sections if each.title == "Rules")
    rows = [tuple(map(row.text, (0, 1, 2, 4))) for row in rules.tables[0].rows]
    assert rows == [
        ("met", "fast", "latency.p95 < 500ms", "NO-GO"),
        ("met", "extra healthy", "degraded", "NO-GO"),
        ("met", "well", "overall health ≥ 80%", "NO-GO"),
        ("met", "sure", "confidence ≥ 90%", "NO-GO"),
        ("met", "most of the revenue", "business value out < 50%", "roll back"),
    ]


def test_lost_revenue_can_call_for_a_rollback(tmp_path: Path) -> None:
    found = judged(tmp_path, api=down())
    assert [row.outcome for row in found.triggers] == ["TRIGGERED"]
    assert found.figures["impact.value"].text == "80.0 %"
    assert "1 calls for a rollback" in sentences(found)[1]


def test_a_low_confidence_can_stop_a_release(tmp_path: Path) -> None:
    found = judged(tmp_path, extra=unasked())
    (sure,) = (row for row in found.gates if row.title == "sure")
    assert (found.verdict, sure.outcome, sure.measured) == ("NO-GO", "missed", "75.0 %")


def test_a_rule_that_does_not_hold_though_nothing_is_broken_stands_for_itself(tmp_path: Path) -> None:
    found = judged(tmp_path, RULES.replace(">= 80%", ">= 100%"), extra=down())
    assert found.verdict == "NO-GO"
    assert [(each.title, each.state) for each in findings(found)] == [("extra", "down")]
    alone = judged(tmp_path, '[[rules]]\nfact = "components.unknown"\nexpect = "== 0"\n', extra=unasked())
    assert [(each.title, each.state) for each in findings(alone)][:1] == [("components.unknown", "missed")]
    assert alone.why == "1 thing is broken: components.unknown"


def test_one_rule_is_told_as_one_and_a_rule_that_may_still_break_is_not_said_to_hold(tmp_path: Path) -> None:
    one = '[[rules]]\nfact = "components.failed"\nexpect = "{}"\n'
    assert sentences(judged(tmp_path, one.format("<= 0")))[1] == "The one rule holds."
    said = sentences(judged(tmp_path, one.format("<= 0"), extra=unasked()))[1]
    assert said == "The one rule holds unless unknown components break it."
    assert (
        "the one rule does not hold"
        in sentences(judged(tmp_path, one.format("<= 0"), extra=down()))[1].lower()
    )
    both = one.format("<= 0") + one.format("<= 5")
    assert sentences(judged(tmp_path, both, extra=unasked()))[1] == (
        "All 2 rules hold (1 only if no unknown component breaks it)."
    )


def test_value_that_no_function_has_is_not_lost(tmp_path: Path) -> None:
    parts = PARTS.partition("[functions")[0]
    for other, lost in (("20%", 0.3), ("90%", 0.25)):
        text = '[functions.f]\nneeds = ["api"]\nvalue = "30%"\n[functions.g]\nneeds = ["extra"]\n'
        found = assessed(
            policy(tmp_path, f'{parts}{text}value = "{other}"\n'), api=down(), extra=up("connect")
        )
        assert found.figures["impact.value"].value == pytest.approx(lost)


def test_a_cause_says_whose_it_is_and_when_it_is_expected_back(tmp_path: Path) -> None:
    owned = PARTS.replace('url = "http', 'owner = "team blue"\neta = "14:00"\nurl = "http', 1)
    (cause,) = findings(assessed(policy(tmp_path, owned), api=down(), extra=up("connect")))
    assert cause.hint.endswith("; owner: team blue; expected back: 14:00 (by the policy)")


def test_one_cause_carries_the_rules_on_the_whole_system(tmp_path: Path) -> None:
    (cause,) = findings(judged(tmp_path, api=down()))
    assert (
        cause.follows[-1]
        == "the rule “most of the revenue” does not hold (business value out is 80.0 %): roll back"
    )


def test_go_names_what_is_not_healthy_and_inconclusive_what_is_not_known(tmp_path: Path) -> None:
    well = judged(tmp_path)
    assert sentences(well) == (
        "Nothing is broken: all 2 components are healthy.", "All 5 rules hold.",
        "The verdict is based on evidence of 2 of 2 components, all of it new (confidence 100 %).",
    )  # fmt: skip
    weak = judged(tmp_path, "", extra=down())
    assert weak.why == "nothing that counts is broken: 1 of 2 components are healthy, all but extra (down)"
    unknown = judged(tmp_path, "", api=unasked())
    assert (unknown.verdict, unknown.why) == ("INCONCLUSIVE", "1 thing is not known: api")
    assert "The policy has no rules" in sentences(unknown)[1]
    nothing = judged(tmp_path, "", api=unasked(), extra=unasked())
    assert sentences(nothing)[2] == "There is no evidence: the state of all 2 components is unknown."


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('component = "api"\nelse = "roll back"', "only a rule with a `fact`"),
        ("title = 'x'", "a rule needs `component` or `fact`"),
        ('fact = "confidence"', "`expect` is missing"),
        ('fact = "confidence"\nexpect = "many"\nelse = "roll back"', "is not an operator with a value"),
        ('fact = "confidence"\nexpect = "> 1%"\nelse = "panic"', "`else`"),
        ('fact = "confidence"\nwhen = "> 1%"', "unknown key `when`"),
    ],
)
def test_mistakes_in_rules_are_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as told:
        policy(tmp_path, f"{PARTS}[[rules]]\n{text}\n")
    assert said in str(told.value)


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">=", "==", "!="])
def test_the_opposite_of_the_opposite_is_the_same(operator: str) -> None:
    expression = f"{operator} 50%"
    assert opposite(expression) != expression
    assert opposite(opposite(expression)) == expression
