from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from loadtest.show.links import link_to
from loadtest.show.plot.style import HATCHES, closed
from loadtest.show.runs_index import POINTS, course, index, thinned, write_index

GOLDEN = Path(__file__).parent.parent / "golden"
HOSTILE = "<script>alert(1)<"


def stored(results: Path, name: str, of: str, *, report: bool = True, **changes: object) -> Path:
    """A run's folder with ``run.json``, and a report or not."""
    folder = results / name
    folder.mkdir(parents=True)
    manifest = json.loads((GOLDEN / f"{of}.run.json").read_text("utf-8")) | changes
    (folder / "run.json").write_text(json.dumps(manifest), encoding="utf-8")
    if report:
        (folder / "report.html").write_text("a report", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("results")
    passed = stored(made, "one", "passed")
    head = "second,turn.first_event.p95_ms\n"
    (passed / "timeline.csv").write_text(head + "".join(f"{at},{at % 7}\n" for at in range(90)))
    stored(made, "two", "failed", report=False)
    stored(made, "down", "unreachable")
    stored(made, "javascript:alert(1)", "passed", label=f"{HOSTILE}/b>")
    stored(made, "probe", "passed", asked_by="api: backend")
    broken = made / HOSTILE
    broken.mkdir()
    (broken / "run.json").write_text("{")
    (made / "compare.html").write_text("a comparison")
    write_index(made)
    return made


@pytest.fixture(scope="module")
def page(results: Path) -> str:
    return (results / "index.html").read_text("utf-8")


def test_every_run_has_its_verdict_its_numbers_and_its_report(page: str) -> None:
    assert page.count("<tr>") == 4 + page.count("<thead>")
    assert {"PASS", "FAIL", "UNREACHABLE"} <= set(re.findall(r'class="outcome \w+ full">(\w+)<', page))
    assert '<a href="./one/report.html">' in page
    assert "turn.first_event.p95 265 ms" in page
    assert page.count("no report") == 1
    assert "1 more that probed" in page
    assert '<a href="./compare.html">compare.html</a>' in page
    assert page.count("<path") >= 1


def test_what_is_broken_is_named_and_what_is_hostile_is_text(results: Path, page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/run.json cannot be read" in page
    assert str(results) not in page
    assert "&lt;script&gt;alert(1)&lt;/b&gt;" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert all(link.startswith("./") for link in links if link != "data:,")
    assert "./javascript%3Aalert%281%29/report.html" in links


def test_an_empty_folder_says_how_a_run_is_made(tmp_path: Path) -> None:
    assert "loadtest run agent-burst" in index(tmp_path)
    assert "loadtest run agent-burst" in index(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["", "second\n1\n", "x" * 100_000, 'second,turn.first_event.p95_ms\n1,nan\n2,-3\n3,"\n', "\0\n\0"]
)
def test_a_damaged_timeline_draws_nothing_and_harms_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "timeline.csv"
    path.write_text(text)
    assert [value for value in course(path) if value is not None] == []
    assert course(tmp_path / "none") == []


def test_a_long_course_keeps_its_peaks() -> None:
    found = thinned([1.0] * 3000 + [9.0] + [None] * 999)
    assert len(found) <= POINTS
    assert max(value for value in found if value is not None) == 9
    assert found[-1] is None


def test_a_link_leads_only_to_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x.html").touch()
    assert link_to(tmp_path / "a b" / "x.html", tmp_path) == "./a%20b/x.html"
    assert link_to(tmp_path / "a b" / "x.html", tmp_path / "other") == "../a%20b/x.html"
    assert link_to(tmp_path / "none.html", tmp_path) == ""


def test_a_name_that_is_no_text_leads_to_its_report(tmp_path: Path) -> None:
    name = os.fsdecode(b"run\xff")
    stored(tmp_path, name, "passed")
    assert link_to(tmp_path / name / "report.html", tmp_path) == "./run%FF/report.html"
    page = write_index(tmp_path).read_text("utf-8")
    assert '<a href="./run%FF/report.html">' in page


@pytest.mark.parametrize("code", ["²", "٣", "9" * 5000, "", "1006", "x"])
def test_a_close_code_of_any_text_has_a_colour(code: str) -> None:
    assert closed(code).hatch in HATCHES
