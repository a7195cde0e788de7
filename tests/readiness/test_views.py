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
from loadtest.readiness.views.every import VIEWS, view
from loadtest.readiness.views.telling import tell
from loadtest.readiness.views.text import text
from tests.readiness.original import original

HOSTILE = "<script>alert(1)</script> | `x` \x1b[31m =cmd() \u202e"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    return original(tmp_path_factory.mktemp("views"))


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
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("8", "2", "0")
    failed = {case.get("name") for case in suite.findall("testcase") if case.find("failure") is not None}
    assert {"backend", "docker", "backend within 500 ms"} <= failed


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_screen_keeps_to_its_width(found: Assessment, width: int) -> None:
    for whole in (False, True):
        lines = text(tell(found), width=width, whole=whole).splitlines()
        assert max(map(len, lines)) <= width


def test_what_is_too_long_for_its_column_is_wrapped_and_said_once(found: Assessment) -> None:
    narrow = text(tell(found), width=60)
    assert "…" not in narrow
    table = narrow.partition("Success criteria\n")[2].partition("\n\n")[0]
    for criterion in found.criteria:
        words = criterion.title.split()
        assert sum(word in table.split() for word in words) == len(words)
    title = max((each.title for each in found.criteria), key=len)
    assert title not in text(tell(found), width=60)
    assert text(tell(found), width=200).count(title) >= 1


def test_the_arithmetic_of_what_is_well_stands_in_the_files_only(found: Assessment) -> None:
    calm = [each for each in found.triggers if each.outcome == "not triggered"]
    pulled = [each for each in found.triggers if each.outcome == "TRIGGERED"]
    assert calm
    assert pulled
    screen, whole = text(tell(found), width=2000), text(tell(found), width=2000, whole=True)
    assert all(f"    {each.formula}: {each.arithmetic}\n" in whole for each in (*calm, *pulled))
    assert all(f"    {each.formula}: {each.arithmetic}\n" in screen for each in pulled)
    assert not any(f"    {each.formula}: {each.arithmetic}\n" in screen for each in calm)


def test_the_screen_without_colours_and_letters_beyond_ascii(found: Assessment) -> None:
    shown = text(tell(found), ascii_only=True)
    assert shown.isascii()
    assert "\x1b" not in shown
    assert "\x1b[1;7;31m NO-GO \x1b[0m" in text(tell(found), colour=True)


def test_the_pdf_is_one_with_its_own_letters(found: Assessment, tmp_path: Path) -> None:
    made = view(found, "pdf")
    assert made.startswith(b"%PDF-")
    assert b"DejaVuSans" in made
    assert made.count(b"/Type /Page\n") in range(2, 6)
