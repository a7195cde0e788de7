"""The numbers of a run that is over in Prometheus' text format; ``metric_families`` has one that goes on."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.judge.manifest_access import Manifest, section
from loadtest.show.build_report import build_report
from loadtest.show.manifest import as_integer, rows
from loadtest.show.report_model import Report
from loadtest.show.sanitize import printable
from loadtest.show.values import count_values, metric_values, rate_values

Labels = dict[str, str]


def prometheus(manifest: Manifest) -> str:
    """The exposition; what was not measured is absent, since there is no number for it."""
    report = build_report(manifest)
    parts = (_durations(manifest), _rates(manifest), _counts(manifest), _verdict(manifest, report))
    return "".join(line for part in parts for line in _labelled(part, report))


Sample = tuple[str, str, Labels, float | int]
"""Name, help, labels, value."""


def _labelled(samples: Iterator[Sample], report: Report) -> Iterator[str]:
    """Lines of exposition: HELP and TYPE before the first sample of a name."""
    of_run = {"scenario": report.scenario, "label": report.label}
    of_run["simulated"] = "true" if report.simulated else "false"
    said = ""
    for name, about, labels, value in samples:
        if name != said:
            yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
            said = name
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in (of_run | labels).items() if text)
        yield f"{name}{{{inner}}} {value!r}\n"


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _durations(manifest: Manifest) -> Iterator[Sample]:
    about = "Durations of the measured part by metric and statistic, percentiles by nearest rank."
    known = list(metric_values(manifest))
    for row in known:
        if row.value is not None:
            labels = {"metric": row.name, "statistic": row.statistic}
            yield "loadtest_duration_milliseconds", about, labels, row.value
    counted = {row.name: row.n for row in known if row.n}
    for name, n in counted.items():
        yield "loadtest_duration_samples", "Number of samples of a metric.", {"metric": name}, n


def _rates(manifest: Manifest) -> Iterator[Sample]:
    for row in rate_values(manifest):
        if row.value is not None:
            labels = {"rate": row.name, "bound": str(section(manifest, "rates", row.name).get("bound") or "")}
            yield "loadtest_rate_per_second", "Rates of the measured part.", labels, row.value


def _counts(manifest: Manifest) -> Iterator[Sample]:
    for row in count_values(manifest):
        if row.value is not None and row.group == "counts":
            group, _, name = row.name.partition(".")
            labels = {"of": group, "count": name}
            yield (
                "loadtest_count",
                "Counters over the whole run, warm-up and drain included.",
                labels,
                row.value,
            )


def _verdict(manifest: Manifest, report: Report) -> Iterator[Sample]:
    about = "1 if the threshold passed, 0 if it was missed; absent if it was not measured."
    for row in rows(manifest, "verdict", "thresholds"):
        if row.get("outcome") in {"held", "missed"}:
            labels = {"threshold": str(row.get("name")), "expression": str(row.get("expression"))}
            yield "loadtest_threshold_held", about, labels, int(row["outcome"] == "held")
    code = as_integer(section(manifest, "verdict").get("exit_code"))
    if code is not None:
        labels = {"verdict": report.judgement.word.lower()}
        yield "loadtest_exit_code", "Exit code of the run.", labels, code
