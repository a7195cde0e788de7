from __future__ import annotations

import json

from suites import SUITE, made

from loadtest.errors import Exit
from loadtest.judge.suite import Suite
from loadtest.show.render.json import as_json
from loadtest.show.render.markdown import markdown
from loadtest.show.render.terminal import render
from loadtest.show.suite import document


def as_text(suite: Suite, *, width: int = 110, ascii_only: bool = False) -> str:
    return render([document(suite)], width=width, ascii_only=ascii_only)


def as_markdown(suite: Suite) -> str:
    return markdown([document(suite)])


PASSED = Suite(None, "2026-11-22T12:00:00Z", (made("burst", "pass", Exit.PASS),), 12.0)


def test_every_run_is_a_line_and_what_is_no_pass_a_sentence() -> None:
    text = as_text(SUITE)
    lines = text.splitlines()
    table = lines[lines.index("Runs") + 2 :][:6]
    assert [line[5:13].strip() for line in table] == ["ERROR", "FAIL", "INVALID", "NOT RUN", "PASS", "PASS"]
    assert table[4].split() == [
        "✓",
        "PASS",
        "0",
        "burst",
        "1",
        "of",
        "1",
        "20",
        "ms",
        "–",
        "99.0",
        "%",
        "12",
        "s",
    ]
    assert table[5].split()[:5] == ["✓", "PASS", "0", "burst", "(2)"]
    assert table[3].split() == ["?", "NOT", "RUN", "–", "soak", "–", "–", "–", "–", "–"]
    assert "NOT RUN soak: the run takes about 50 s, but only 3 s of the budget were left" in text
    assert "ERROR crashed: " in text
    assert "PASS burst:" not in text
    last = "ERROR, exit code 70: 1 ERROR, 1 FAIL, 1 INVALID, 1 NOT RUN, 2 PASS in 1 min 3 s of 1 min 5 s"
    assert lines[-1] == last


def test_a_suite_that_passed_needs_no_sentences() -> None:
    lines = as_text(PASSED).splitlines()
    assert lines[2:4] == ["PASS  exit code 0", "  1 PASS in 12 s"]
    assert lines[-3:] == [lines[-3], "", "PASS, exit code 0: 1 PASS in 12 s"]
    assert lines[-3].split()[:4] == ["✓", "PASS", "0", "burst"]


def test_a_narrow_screen_and_a_poor_one() -> None:
    assert max(map(len, as_text(SUITE, width=100).splitlines()[:7])) <= 100
    as_text(SUITE, ascii_only=True).encode("ascii")


def test_an_interrupted_suite_says_so() -> None:
    stopped = Suite(None, "2026-11-22T12:00:00Z", PASSED.runs, 12.0, interrupted=True)
    assert as_text(stopped).endswith("INTERRUPTED, exit code 130: 1 PASS in 12 s; interrupted\n")


def test_markdown_for_a_job_summary() -> None:
    text = as_markdown(SUITE)
    assert text.startswith("# ERROR: Suite v1.4.0, 6 runs (SIMULATED)\n")
    assert "| ✅ PASS | 0 | burst | 1 of 1 | 20 ms |" in text
    assert "| ❌ FAIL | 1 | steady |" in text
    assert "| ❔ NOT RUN | – | soak |" in text
    (failed,) = (line for line in text.splitlines() if "| steady |" in line)
    assert failed.endswith("| `2026-steady` | It is a fail \\| of \\<course\\>. |")
    assert "Not run, because these files are no scenarios: scenarios/ready.toml (a readiness policy)." in text
    assert "Not run" not in as_markdown(PASSED)


def test_json_for_machines() -> None:
    data = json.loads(as_json(SUITE.as_dict()))
    assert (data["exit_code"], len(data["runs"])) == (70, 6)
