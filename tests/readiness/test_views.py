"""All views say the same: verdict, every component, every number; hostile words in them do no harm."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.readiness.assessment import Assessment
from loadtest.readiness.policy import Policy
from loadtest.readiness.timeline import MAX_POINTS, course
from loadtest.readiness.views.badge import badge
from loadtest.readiness.views.formats import VIEWS, view
from loadtest.readiness.views.html import html
from loadtest.readiness.views.page_model import build_page
from loadtest.show.render.terminal import MARKS, render
from tests.readiness.made import NOW, assessed, policy, unasked, up
from tests.readiness.original import original

HOSTILE = "<script>alert(1)</script> | `x` \x1b[31m =cmd() \u202e"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    return original(tmp_path_factory.mktemp("views"))


@pytest.fixture
def small(tmp_path: Path) -> Policy:
    return policy(tmp_path)


@pytest.fixture(scope="module")
def hostile(found: Assessment) -> Assessment:
    row = replace(found.components[1], said=HOSTILE, lines=(HOSTILE,), title=HOSTILE)
    criterion = replace(found.criteria[0], title=f"{HOSTILE}\x01")
    return replace(
        found,
        components=(found.components[0], row, *found.components[2:]),
        criteria=(criterion, *found.criteria[1:]),
        question=HOSTILE,
    )


@pytest.mark.parametrize("form", ["terminal", "html", "markdown", "json", "csv", "junit"])
def test_every_view_holds_the_verdict_and_every_part(found: Assessment, form: str) -> None:
    shown = view(found, form).decode()
    assert "NO-GO" in shown
    for row in found.components:
        assert row.title in shown or row.name in shown
    for trigger in found.triggers:
        assert trigger.title.split()[0] in shown
    assert "NaN" not in shown
    assert "Infinity" not in shown


@pytest.mark.parametrize("form", ["terminal", "html", "markdown"])
def test_the_arithmetic_can_be_read_on_the_page(found: Assessment, form: str) -> None:
    shown = " ".join(re.sub(r"\\(.)", r"\1", view(found, form).decode()).split())
    assert "= 4.71 ÷ 11 = 0.428; left out as unknown: database" in shown


@pytest.mark.parametrize("form", VIEWS)
def test_hostile_words_do_no_harm(hostile: Assessment, form: str) -> None:
    shown = view(hostile, form).decode("latin-1")
    assert form == "pdf" or "\x1b" not in shown, "the PDF is compressed"
    if form in {"html", "junit"}:
        assert "<script>" not in shown
    if form == "junit":
        ElementTree.fromstring(view(hostile, form))
    if form == "markdown":
        assert "\\<script\\>" in shown


def test_the_page_fetches_nothing(found: Assessment) -> None:
    page = view(found, "html").decode()
    assert "Content-Security-Policy" in page
    assert not re.search(r"(?:src|href)=", page)
    assert "@import" not in page
    assert "refresh" not in page


def test_json_is_what_is_kept(found: Assessment) -> None:
    data = json.loads(view(found, "json"))
    assert data["schema"] == "loadtest.readiness/1"
    assert data["components"][3]["score"] is None


def test_csv_has_a_row_per_fact_and_no_formula(hostile: Assessment) -> None:
    rows = list(csv.DictReader(io.StringIO(view(hostile, "csv").decode())))
    groups = {row["group"] for row in rows}
    assert groups == {"verdict", "figure", "component", "measure", "function", "criterion", "trigger"}
    unknown = next(row for row in rows if row["name"] == "database")
    assert (unknown["outcome"], unknown["value"]) == ("unknown", "")
    assert not any(cell[:1] in "=+@" for row in rows for cell in row.values() if cell)


def test_junit_counts_unknown_as_an_error_and_skips_nothing(found: Assessment) -> None:
    suite = ElementTree.fromstring(view(found, "junit")).find("testsuite")
    assert suite is not None
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("9", "2", "0")
    failed = {case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None}
    assert {"backend", "docker", "backend within 500 ms"} <= failed


def test_junit_is_never_better_than_the_verdict(found: Assessment, small: Policy) -> None:
    def counts(assessment: Assessment) -> tuple[bool, bool]:
        suite = ElementTree.fromstring(view(assessment, "junit")).find("testsuite")
        assert suite is not None
        return suite.get("failures") != "0", suite.get("errors") != "0"

    parts = {"api": up(), "store": up("ping"), "extra": up("connect")}
    late = replace(up(), missed=("turns.complete.ratio",), issues=("it was missed",))
    assert counts(assessed(small, **parts)) == (False, False)
    assert counts(assessed(small, **parts | {"api": unasked()})) == (False, True)
    assert counts(assessed(small, **parts | {"api": late}))[0]
    gone = replace(assessed(small, **parts), verdict="NO-GO")
    assert counts(gone)[0], "such as after a rollback that failed"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen_keeps_to_its_width(found: Assessment, width: int) -> None:
    for whole in (False, True):
        lines = render([build_page(found)], width=width, whole=whole).splitlines()
        assert max(map(len, lines)) <= width


def test_what_is_too_long_for_its_column_is_wrapped_and_said_once(found: Assessment) -> None:
    narrow = render([build_page(found)], width=60, cut=False)
    assert "…" not in narrow
    table = narrow.partition("\nRules: ")[2].partition("\n\n")[0]
    for criterion in (each for each in found.criteria if each.outcome != "met"):
        words = criterion.title.split()
        assert sum(word in table.split() for word in words) == len(words)
    title = max((each.title for each in found.criteria), key=len)
    assert title not in table
    assert render([build_page(found)], width=200).count(title) >= 1


def test_the_arithmetic_of_what_is_well_stands_in_the_files_only(found: Assessment) -> None:
    calm = [each for each in found.triggers if each.outcome == "not triggered"]
    pulled = [each for each in found.triggers if each.outcome == "TRIGGERED"]
    assert calm
    assert pulled
    screen, whole = (
        render([build_page(found)], width=2000),
        render([build_page(found)], width=2000, whole=True),
    )
    assert all(f"    {each.formula}: {each.arithmetic}\n" in whole for each in (*calm, *pulled))
    assert all(f"    {each.arithmetic}\n" in screen for each in pulled)
    assert not any(each.arithmetic in screen for each in calm)


def test_the_screen_without_colours_and_letters_beyond_ascii(found: Assessment) -> None:
    shown = render([build_page(found)], ascii_only=True)
    assert shown.isascii()
    assert "\x1b" not in shown
    assert "\x1b[1;31mNO-GO\x1b[0m" in render([build_page(found)], colour=True)


def test_the_pdf_is_one_with_its_own_letters(found: Assessment, tmp_path: Path) -> None:
    made = view(found, "pdf")
    assert made.startswith(b"%PDF-")
    assert b"DejaVuSans" in made
    assert made.count(b"/Type /Page\n") in {2, 3}


def test_each_state_has_a_sign_of_its_own_and_an_open_rule_is_not_ticked(found: Assessment) -> None:
    rows = [row for section in build_page(found).sections for row in section.tables[0].rows]
    marks = {row.text(0): row.mark or MARKS[row.tone] for row in rows}
    assert [marks[word] for word in ("healthy", "degraded", "unknown", "down", "open")] == list("✓▲?✗○")
    (open_,) = (row for row in rows if row.text(0) == "open")
    assert open_.text(1) == "not: three critical components failed", "it is 2, and the database is unknown"
    assert "○  open" in render([build_page(found)])
    assert "<i>○</i>open" in view(found, "html").decode()


def test_the_guesses_of_the_author_are_marked_as_the_policys(found: Assessment) -> None:
    page = " ".join(view(found, "html").decode().split())
    for words in (
        "of the business value (by the policy)",
        "The rules (by the policy)",
        "of each function are by the policy",
    ):
        assert words in page, words


def test_only_what_decides_is_open_on_the_page(found: Assessment) -> None:
    page = view(found, "html").decode()
    before, folds = page.partition("<details")[::2]
    assert [each.partition(":")[0] for each in re.findall("<h2>(.*?)</h2>", before)] == [
        "What is broken",
        "Rules",
    ]
    assert page.count("<details>") == len(re.findall("<h2>", folds)) + 0
    assert html(build_page(found), opened=True).count("<details open>") == page.count("<details>")


def course_of(found: Assessment, *healths: float | None) -> Assessment:
    rows = [
        {"at": NOW + 60 * n, "health": health, "components": {"backend": {"status": status}}}
        for n, (health, status) in enumerate(
            zip(healths, ("healthy", "down", "unknown", "healthy"), strict=True)
        )
    ]
    return replace(found, course=course(rows, ["backend"]))


def test_health_and_each_part_are_drawn_over_time(found: Assessment) -> None:
    assert build_page(found).plots == (), "one assessment has no course"
    (plot,) = build_page(course_of(found, 1.0, 0.5, None, 0.9)).plots
    drawn = plot.svg(9.0)
    assert drawn.count("var(--good)") == 2
    assert drawn.count('fill="var(--bad)"') == 1
    assert drawn.count("stroke-dasharray") == 1, "what is unknown is dotted"
    assert drawn.count("<polyline") + drawn.count("<circle") == 3 + 2 + 1, "with a gap where it was not known"
    assert "4 assessments" in plot.caption
    assert plot.png(4.0).startswith(b"\x89PNG")


def test_many_assessments_share_columns_and_the_worst_is_shown() -> None:
    rows = [
        {
            "at": n,
            "health": 1.0 - (n == 40) / 2,
            "components": {"a": {"status": "down" if n == 40 else "healthy"}},
        }
        for n in range(200)
    ]
    points = course(rows, ["a", "gone"])
    assert len(points) <= MAX_POINTS
    assert sum(each.n for each in points) == 200
    assert [(each.health, each.status) for each in points if each.health != 1.0] == [(0.5, {"a": "down"})]
    assert points[-1].at == 199


def test_a_badge_says_the_verdict_or_the_state_of_a_part(hostile: Assessment, found: Assessment) -> None:
    assert ">NO-GO</text>" in view(found, "badge").decode()
    part = badge(found, "backend")
    assert part is not None
    assert ">down" in part
    assert badge(found, "gone") is None
    ElementTree.fromstring(view(hostile, "badge"))
