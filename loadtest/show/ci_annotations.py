"""What a CI service shows beside a commit: a line of its own form for each threshold that was not held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.show.build_report import IN_DOUBT
from loadtest.show.report_model import Report, ThresholdRow

GITHUB, GITLAB = "GITHUB_ACTIONS", "GITLAB_CI"
"""The variables with which either service says ``true`` to the jobs that it runs."""

RED, PLAIN = "\x1b[31;1m", "\x1b[0;m"
"""As GitLab's own runner marks the lines of errors, by which its page of a job colours them."""


def ci_annotations(report: Report, environment: Mapping[str, str]) -> list[str]:
    """The lines for the CI service that the environment names; none elsewhere, nor of a run that passed."""
    found = list(_sentences(report))
    if environment.get(GITHUB) == "true":
        title = _property(f"loadtest {report.scenario} {report.label}".strip())
        return [f"::{kind} title={title}::{_data(sentence)}" for kind, sentence in found]
    if environment.get(GITLAB) == "true":
        red, plain = ("", "") if environment.get("NO_COLOR") else (RED, PLAIN)
        return [f"{red}{kind.upper()}: {sentence}{plain}" for kind, sentence in found]
    return []


def _sentences(report: Report) -> Iterator[tuple[str, str]]:
    """Kind and sentence of what was missed, then of what was not measured; else why the run failed."""
    judged = report.judgement
    if judged.exit_code == 0:
        return
    missed = [row for row in report.thresholds if row.tone == "bad"]
    if not missed:
        yield "error", f"{judged.word}: {judged.why}"
    for row in missed:
        yield "error", _missed(row)
    for row in report.thresholds:
        if row.tone == "doubt":
            yield "warning", _open(row)


def _open(row: ThresholdRow) -> str:
    was = f"is in doubt, it was {row.measured}" if row.outcome == IN_DOUBT else "was not measured"
    return f"{row.name} {row.expression} {was}: {row.reason}".removesuffix(": ")


def _missed(row: ThresholdRow) -> str:
    of = f" (n={row.n})" if row.n else ""
    why = f"; {row.reason}" if row.reason else ""
    return f"{row.name} was {row.measured}{of}, not {row.expression}{why}"


def _data(text: str) -> str:
    """What may follow the second ``::``: GitHub reads the line to its end, and ``%`` as an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
