from __future__ import annotations

import json

from suites import SUITE, made

from loadtest.errors import Exit
from loadtest.judge.suite import Suite
from loadtest.show.suite import as_json, as_markdown, as_text

PASSED = Suite(None, "2026-11-22T12:00:00Z", (made("burst", "pass", Exit.PASS),), 12.0)


def test_every_run_is_a_line_and_what_is_no_pass_a_sentence() -> None:
    text = as_text(SUITE)
    lines = text.splitlines()
    assert [line.split("  ")[0] for line in lines[1:7]] == [
        "ERROR", "FAIL", "INVALID", "NOT RUN", "PASS", "PASS",
    ]  # fmt: skip
    assert lines[5].split() == ["PASS", "0", "burst", "1", "of", "1", "20", "ms", "–", "99.0", "%", "12", "s"]
    assert lines[6].split()[:4] == ["PASS", "0", "burst", "(2)"]
    assert lines[4].split() == ["NOT", "RUN", "–", "soak", "–", "–", "–", "–", "–"]
    assert "NOT RUN soak: it takes about 50 s, and 3 s of the budget were left" in text
    assert "ERROR crashed: " in text
    assert "PASS burst:" not in text
    last = "exit code 70: 1 ERROR, 1 FAIL, 1 INVALID, 1 NOT RUN, 2 PASS in 1 min 3 s of 1 min 5 s"
    assert lines[-1] == last


def test_a_suite_that_passed_needs_no_sentences() -> None:
    assert as_text(PASSED).splitlines()[2:] == ["", "exit code 0: 1 PASS in 12 s"]


def test_a_narrow_screen_and_a_poor_one() -> None:
    assert max(map(len, as_text(SUITE, width=100).splitlines()[:7])) <= 100
    as_text(SUITE, ascii_only=True).encode("ascii")


def test_an_interrupted_suite_says_so() -> None:
    stopped = Suite(None, "2026-11-22T12:00:00Z", PASSED.runs, 12.0, interrupted=True)
    assert as_text(stopped).endswith("exit code 130: 1 PASS in 12 s; interrupted\n")


def test_markdown_for_a_job_summary() -> None:
    text = as_markdown(SUITE)
    assert text.startswith("# Suite v1.4.0 (SIMULATED): exit code 70\n")
    assert "| ✅ PASS | 0 | burst | 1 of 1 | 20 ms |" in text
    assert "| ❌ FAIL | 1 | steady |" in text
    assert "| ❔ NOT RUN | – | soak |" in text
    assert "- **FAIL** steady (`2026-steady`): It is a fail \\| of \\<course\\>." in text
    assert "Left out, being no scenario: `scenarios/ready.toml` (a readiness policy)." in text
    assert "Left out" not in as_markdown(PASSED)


def test_json_for_machines() -> None:
    data = json.loads(as_json(SUITE))
    assert (data["exit_code"], len(data["runs"])) == (70, 6)
