"""What stands on the screen after a run: few lines, the verdict first and last."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from rich.cells import cell_len
from sample import SampleRun

from loadtest.show.document import Document
from loadtest.show.render.terminal import short
from loadtest.show.short_run import short_document

Golden = Callable[[str, str], None]
Sample = Callable[[str], SampleRun]

WHERE = "results/x/report.html"


def made(run: SampleRun, against: tuple[str, Any] | None = None) -> Document:
    return short_document(run.manifest, run.totals().histograms, against)


def test_golden(stored: tuple[str, SampleRun], sample: Sample, golden: Golden) -> None:
    name, run = stored
    document = short_document(run.manifest, sample(name).totals().histograms, ("baseline", run.manifest))
    golden(f"{name}.screen.txt", short(document, where=WHERE))


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_it_has_at_most_20_lines_and_none_is_wider_than_the_screen(run: SampleRun, width: int) -> None:
    lines = short(made(run, ("last run", run.manifest)), width=width, where=WHERE).splitlines()
    assert len(lines) <= 20
    assert max(map(cell_len, lines)) <= width


def test_the_verdict_is_the_first_and_the_last_line(run: SampleRun) -> None:
    document = made(run)
    lines = short(document, where=WHERE).splitlines()
    assert lines[0].startswith(document.word)
    assert lines[-1].startswith(document.word)
    assert lines[-2] == f"  Report  {WHERE}"
    assert "None" not in lines[-1]


def test_thresholds_that_were_missed_come_first(sample: Sample) -> None:
    run = sample("failed")
    lines = short(made(run), width=120).splitlines()
    assert [line.split()[0] for line in lines[1:6]] == ["✗", "✗", "?", "✓", "✓"]
    assert lines[6] == "  and 1 more held"


def test_what_is_left_out_is_counted_by_what_became_of_it(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    missed = manifest["verdict"]["thresholds"][2]
    manifest["verdict"]["thresholds"] += [missed] * 4
    assert "  and 1 more missed, 1 more not measured, 3 more held\n" in short(short_document(manifest, {}))


def test_turns_that_never_answered_are_in_the_times_that_are_shown(sample: Sample) -> None:
    text = short(made(sample("failed")), width=120)
    assert "first event, of all due   7,500" in text
    assert "never" in text


def test_reasons_of_failures_are_named_the_most_frequent_first(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    manifest["counts"]["turns"] |= {"failed": 6, "failed_by": {"required": 1, "event": 5}}
    manifest["refusals"] = {"upgrade: HTTP 503": 3}
    manifest["closes"] = {"1006 after 3 s": 2}
    manifest["error_answers"] = {"no such\x1b model": 5, "busy": 1}
    text = short(short_document(manifest, {}), width=160)
    assert "; 6 failed (5 by an error event, 1 without a required event); 103 timed out" in text
    assert (
        "Connections  3 of 53 refused, 3 at upgrade (upgrade: HTTP 503); closed by the target: 2 with" in text
    )
    assert "2 with code 1006 (1006 after 3 s)\n" in text
    assert "the target said most often: no such" in text
    assert "\x1b" not in text


def test_a_run_that_a_rule_ended_says_which(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    manifest["notices"].append({"code": "aborted", "message": "The abort rule turns.lost > 5 ended the run."})
    assert (
        short(short_document(manifest, {})).splitlines()[1]
        == "  The abort rule turns.lost > 5 ended the run."
    )


def test_another_run_is_set_beside_without_a_judgement(sample: Sample) -> None:
    run = sample("passed")
    other = deepcopy(run.manifest)
    text = short(made(run, ("baseline", other)), width=120)
    assert "Against    baseline v1.4.0: pass, p95 9.01 ms first event, 23.7 ms completion\n" in text
    other["label"] = None
    other["scenario"]["settings"]["load"] = {}
    other["target"]["simulated"] = False
    text = short(made(run, ("last run", other)), width=200)
    assert "last run 2026-11-22 12:15: pass" in text
    assert "23.7 ms completion, other settings, other target\n" in text


def test_commands_in_foreign_text_do_not_reach_the_terminal(sample: Sample) -> None:
    run = sample("hostile")
    text = short(made(run, ("last run", run.manifest)), width=200)
    assert not set(text) & set("\x1b\x00\u202e")


def test_ascii_is_ascii(run: SampleRun) -> None:
    assert short(made(run), ascii_only=True).isascii()


def test_colour_only_where_it_is_wanted(sample: Sample) -> None:
    assert "\x1b[" not in short(made(sample("failed")))
    assert "\x1b[31m" in short(made(sample("failed")), colour=True)


def test_shares_of_the_whole_run_and_of_its_measured_part_are_told_apart(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    turns = manifest["counts"]["turns"]
    manifest["counts"]["measured"]["turns"] |= {"due": 1000, "complete": 971}
    share = f"({turns['complete'] / turns['due']:.1%}".replace("%", " %")
    assert f"{share} with warm-up, 97.1 % without)" in short(short_document(manifest, {}), width=100)


def test_a_generator_in_need_beside_a_miss_is_named_above(sample: Sample) -> None:
    manifest = deepcopy(sample("failed").manifest)
    clause = (
        "The generator itself waited for a core for 36.0 % of the time, but the miss counts, because it was."
    )
    manifest["verdict"]["reason"] = f"1 of 3 thresholds missed: a was 1.02 s, not < 300ms. {clause} Else."
    assert short_document(manifest, {}).brief == clause


@pytest.mark.parametrize(
    ("lag", "waited", "told"),
    [
        (900.0, 900.0, "send lateness p99 464 µs, receive"),
        (
            0.1,
            900.0,
            "send lateness p99 464 µs (at most 100 µs by the generator, the rest waiting for connections)",
        ),
        (None, 900.0, "send lateness p99 464 µs (none of it by the generator, all waiting for connections)"),
    ],
)
def test_what_waits_for_connections_is_no_lateness_of_ours(
    sample: Sample, lag: float | None, waited: float, told: str
) -> None:
    manifest = deepcopy(sample("failed").manifest)
    manifest["generator"]["loop_lag"] = {"max": lag}
    manifest["generator"]["cpu"] |= {"mean": 0.1, "saturated": 0}
    manifest["metrics"]["connect.total"] |= {"max_exact": waited}
    assert told in short(short_document(manifest, {}), width=160)
