"""What a terminal shows after a run, as a document of few rows: what matters, and the worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from loadtest.judge.censored_turns import unbounded
from loadtest.judge.generator_delay import COUNTS
from loadtest.judge.generator_summary import lateness_ms, own_lateness_ms
from loadtest.judge.manifest_access import Manifest, number, planned, section
from loadtest.judge.verdict import FAILED_BY
from loadtest.measure.histogram import Histogram
from loadtest.plan.threshold import split_kind
from loadtest.show.build_report import build_report, instant_text
from loadtest.show.counter_table import OUTCOMES, closed_by_target
from loadtest.show.document import NOTHING, DataTable, Document, DocumentSection, TableColumn, TableRow
from loadtest.show.manifest import as_integer
from loadtest.show.metric_table import NEVER, duration_text
from loadtest.show.report_model import MetricRow, Report, ThresholdRow
from loadtest.show.sanitize import printable
from loadtest.show.sparkline import distribution
from loadtest.units import format_count, format_duration, format_ms, format_ratio

THRESHOLDS_SHOWN = 5
BESIDE_REASONS = 3
"""How many thresholds are shown, and how many where a long sentence says why they do not decide."""

REASONS_SHOWN = 3

OURS = "given up by us"
"""What the reason of a connection says that we ended ourselves."""

PICTURE = 18
"""Columns of the picture of a distribution."""

TIMES = ("turn.first_event", "turn.first_audio", "event.gap", "turn.completion")
"""The metrics of the table; of a run without turns those of its connections."""
OF_CONNECTIONS = ("connect.total", "ping.rtt")
SHOWN = ("p50", "p95", "p99", "max")

WORST_FIRST = ("bad", "doubt", "plain", "good")

THRESHOLD_COLUMNS = (
    TableColumn("", names=True),
    TableColumn("measured", right=True),
    TableColumn("promise"),
    TableColumn("why"),
)


def short_document(
    manifest: Manifest,
    histograms: Mapping[str, Histogram],
    against: tuple[str, Manifest] | None = None,
) -> Document:
    """A run in few lines. ``histograms`` are of its measured part, by metric.

    ``against``: what the run is set beside ("baseline", "last run") and its manifest.
    """
    report = build_report(manifest)
    judged = report.judgement
    doubtful = judged.word not in {"PASS", "FAIL"}
    told = any(row.outcome == "missed" for row in report.thresholds) and judged.word == "FAIL"
    return Document(
        kind="run",
        subject=f"{report.scenario} {report.label}".strip(),
        about=report.target,
        word=judged.word,
        tone=judged.tone,
        exit_code=judged.exit_code,
        why=judged.why,
        # The thresholds that were missed stand right below.
        brief=_beside_what_missed(judged.why) if told else judged.why,
        simulated=report.simulated,
        context=(*((report.standing,) if report.standing else ()), *_said_aloud(report)),
        sections=tuple(_sections(report, histograms, BESIDE_REASONS if doubtful else THRESHOLDS_SHOWN)),
        facts=tuple(_facts(report, manifest, against)),
        footer=report.id,
    )


def _beside_what_missed(why: str) -> str:
    """The sentence on a generator that was itself in need, which no row below says; else empty."""
    return next((f"{each.rstrip('.')}." for each in why.split(". ") if COUNTS in each), "")


def _said_aloud(report: Report) -> Iterator[str]:
    """What nobody may overlook: why a rule of the scenario ended the run, that anyone could have answered."""
    return (row.message for row in report.notices if row.code in {"aborted", "insecure_tls"})


def _sections(report: Report, histograms: Mapping[str, Histogram], most: int) -> Iterator[DocumentSection]:
    ranked = sorted(report.thresholds, key=lambda row: WORST_FIRST.index(row.tone))
    shown, rest = ranked[:most], ranked[most:]
    rows = tuple(TableRow((row.name, row.measured, row.expression, _why(row)), row.tone) for row in shown)
    remarks = (f"and {_counted(rest)}",) if rest else ()
    yield DocumentSection("Thresholds", (DataTable(THRESHOLD_COLUMNS, rows),), remarks=remarks)
    metrics = _chosen(report)
    known = [histograms[name] for name in metrics if name in histograms]
    low = min((each.min_ns for each in known if each.min_ns is not None), default=0)
    high = max((each.max_ns for each in known if each.max_ns is not None), default=0)
    # A clock with wide steps may show no time at all, which was not measured.
    begins = f"{format_duration(low)} to" if low else "up to"
    axis = f"{begins} {format_duration(high)}" if known else ""
    columns = (
        TableColumn("", names=True),
        TableColumn("n", right=True),
        *(TableColumn(key, right=True) for key in SHOWN),
        TableColumn(axis),
    )
    times = tuple(
        TableRow(
            (row.label, row.n, *(row.cells[key] for key in SHOWN), _picture(histograms.get(name), low, high))
        )
        for name, row in metrics.items()
    )
    yield DocumentSection("Times", (DataTable(columns, times),))


def _why(row: ThresholdRow) -> str:
    return row.reason if row.outcome != "held" else ""


def _counted(rows: list[ThresholdRow]) -> str:
    """Rows that are not shown: "3 more held", or by what became of them where they differ."""
    words = [row.outcome for row in rows]
    return ", ".join(f"{words.count(word)} more {word}" for word in dict.fromkeys(words))


def _chosen(report: Report) -> dict[str, MetricRow]:
    """The rows of the table by the metric whose distribution is drawn.

    Where turns were never answered, the row of all turns that were due: by that one they are judged.
    """
    found = {row.name: row for group in report.groups for row in group.metrics}
    apart = {
        name: kind
        for name in found
        for whole, kind in [split_kind(name)]
        if whole in TIMES and kind in report.populations
    }
    if len(set(apart.values())) > 1:
        # Times of users who do different things, put together, are those of nobody.
        names = tuple(sorted(apart, key=lambda name: (apart[name], TIMES.index(split_kind(name)[0]))))
    else:
        names = TIMES if any(name in found for name in TIMES) else OF_CONNECTIONS
    return {name: found.get(f"{name}, of all due", found[name]) for name in names if name in found}


def _picture(histogram: Histogram | None, low: float, high: float) -> str:
    return "" if histogram is None else distribution(histogram, low, high, PICTURE)


def _facts(
    report: Report, manifest: Manifest, against: tuple[str, Manifest] | None
) -> Iterator[tuple[str, str]]:
    found = {
        "Turns": _turns(manifest),
        "Connections": _connections(manifest),
        "Generator": _generator(manifest),
        "Against": _against(manifest, *against) if against else "",
        "Warnings": _warnings(report),
    }
    return ((name, printable(text, 500)) for name, text in found.items() if text)


def _turns(manifest: Manifest) -> str:
    """How the turns of the whole run ended, those that were not complete with their reasons.

    After a warm-up thresholds are judged by the measured part, so that its share stands here too.
    """
    turns = section(manifest, "counts", "turns")
    due = as_integer(turns.get("due"))
    if not due:
        return ""
    complete = as_integer(turns.get("complete")) or 0
    share, warmed = format_ratio(complete / due), planned(manifest, "warmup_s")
    measured = _measured_share(manifest) if warmed else ""
    apart = measured not in {"", share}
    if apart:
        share = f"{share} with warm-up, {measured} without"
    told = [f"{format_count(complete)} of {format_count(due)} complete ({share})"]
    for key, label in OUTCOMES.items():
        n = as_integer(turns.get(key)) or 0
        if n and key != "complete":
            by = {FAILED_BY.get(why, why): n for why, n in section(turns, f"{key}_by").items()}
            told.append(f"{format_count(n)} {label}{_reasons(by)}")
    if words := next(iter(section(manifest, "error_answers")), ""):
        told.append(f"the target said most often: {words}")
    return "; ".join(told) + ("; warm-up included" if warmed and not apart else "")


def _measured_share(manifest: Manifest) -> str:
    """The share that thresholds are judged by; empty where no turn fell due in the measured part."""
    turns = section(manifest, "counts", "measured", "turns")
    due, complete = as_integer(turns.get("due")), as_integer(turns.get("complete")) or 0
    return format_ratio(complete / due) if due else ""


def _reasons(by: Mapping[str, Any]) -> str:
    """The most frequent reasons in brackets; nothing where the run counted none."""
    ranked = sorted(by.items(), key=lambda item: -(as_integer(item[1]) or 0))[:REASONS_SHOWN]
    told = ", ".join(f"{n} {printable(reason, 80).replace('_', ' ')}" for reason, n in ranked)
    return f" ({told})" if told else ""


def _connections(manifest: Manifest) -> str:
    """Connections that were refused, by layer, closed, by code, or given up: each with the first reason."""
    counts, closes = section(manifest, "counts", "connections"), section(manifest, "closes")
    told = []
    if layers := section(counts, "refused"):
        total, attempted = (
            sum(as_integer(n) or 0 for n in layers.values()),
            as_integer(counts.get("attempted")) or 0,
        )
        by = ", ".join(f"{format_count(as_integer(n) or 0)} at {layer}" for layer, n in layers.items())
        why = _first(section(manifest, "refusals"))
        told.append(f"{format_count(total)} of {format_count(attempted)} refused, {by}{why}")
    if codes := closed_by_target(counts):
        by = ", ".join(f"{format_count(n)} with code {code}" for code, n in codes.items())
        told.append(f"closed by the target: {by}{_first(reason for reason in closes if OURS not in reason)}")
    if given_up := sum(as_integer(n) or 0 for n in section(counts, "ended_by_us").values()):
        whys = [reason.partition(OURS)[2] for reason in closes if OURS in reason]
        told.append(f"{format_count(given_up)} {OURS}{whys[0] if whys else ''}")
    return "; ".join(told)


def _first(reasons: Iterable[str]) -> str:
    first = next(iter(reasons), "")
    return f" ({first})" if first else ""


def _generator(manifest: Manifest) -> str:
    """What the generator itself had to spare, and its own delays."""
    cpu = number(section(manifest, "generator", "cpu").get("max"))
    metrics = section(manifest, "metrics")
    told = [] if cpu is None else [f"CPU max {format_ratio(cpu)}"]
    for name, label in (("send.lateness", "send lateness"), ("receive.lag", "receive lag")):
        value = duration_text(section(metrics, name), "p99")
        if value:
            told.append(f"{label} p99 {value}{_waited(manifest) if name == 'send.lateness' else ''}")
    return ", ".join(told)


def _waited(manifest: Manifest) -> str:
    """How much of the lateness need be ours, where turns waited for their connections as well."""
    late, own = lateness_ms(manifest), own_lateness_ms(manifest)
    if late is None or own == late:
        return ""
    ours = "none of it by the generator" if own is None else f"at most {format_ms(own)} by the generator"
    return (
        f" ({ours}, the rest waiting for connections)" if own else f" ({ours}, all waiting for connections)"
    )


def _against(manifest: Manifest, what: str, other: Manifest) -> str:
    """The same figures of the other run, without a word on which is better: that takes repeats."""
    figures = []
    for name, label in (("turn.first_event", "first event"), ("turn.completion", "completion")):
        of_due = section(other, "of_due", name)
        value = number((of_due or section(other, "metrics", name)).get("p95"))
        if value is not None or unbounded(of_due, "p95"):
            figures.append(f"{NEVER if value is None else format_ms(value)} {label}")
    verdict = str(section(other, "verdict").get("outcome") or NOTHING)
    told = [verdict, *([f"p95 {', '.join(figures)}"] if figures else [])]
    differs = "".join(f", other {word}" for word in _differences(manifest, other))
    which = other.get("label") or instant_text(str(other.get("started") or ""))[: len("2026-11-22 12:15")]
    return f"{what} {which}: {', '.join(told)}{differs}"


def _differences(manifest: Manifest, other: Manifest) -> Iterator[str]:
    """What makes the two hard to compare."""
    if section(manifest, "scenario").get("settings") != section(other, "scenario").get("settings"):
        yield "settings"
    keys = ("simulated",) if section(manifest, "target").get("simulated") else ("simulated", "url")
    if any(section(manifest, "target").get(key) != section(other, "target").get(key) for key in keys):
        yield "target"


def _warnings(report: Report) -> str:
    """The codes of warnings, those that spoil the run first; that the target is simulated stands above."""
    codes = [
        f"{row.code}{' (spoils the run)' if row.spoils else ''}"
        for row in sorted(report.notices, key=lambda row: not row.spoils)
        if row.code != "simulated_target"
    ]
    return ", ".join(codes)
