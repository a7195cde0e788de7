"""From a manifest to the report: header, verdict, thresholds, warnings, in words."""

from __future__ import annotations

from collections.abc import Iterator

from loadtest.judge.manifest_access import Manifest, number, populations, section
from loadtest.judge.populations import population_manifest
from loadtest.judge.target_warnings import failed_addresses, later_addresses
from loadtest.show.counter_table import counted, ledgers
from loadtest.show.document import Tone
from loadtest.show.manifest import as_integer, rows
from loadtest.show.metric_table import (
    NEVER,
    NOT_MEASURED,
    Footnotes,
    metric_groups,
    position_rows,
    rate_rows,
    unmeasured_metrics,
)
from loadtest.show.report_model import Fact, Judgement, NoticeRow, Report, ThresholdRow
from loadtest.show.sanitize import printable
from loadtest.units import (
    FORMATS,
    format_count,
    format_duration,
    format_ms,
    format_number,
    format_rate,
    format_ratio,
)

WORDS: dict[str, tuple[str, Tone]] = {
    "pass": ("PASS", "good"),
    "fail": ("FAIL", "bad"),
    "invalid": ("INVALID", "doubt"),
    "unreachable": ("UNREACHABLE", "bad"),
    "interrupted": ("INTERRUPTED", "doubt"),
    "error": ("ERROR", "bad"),
}
"""Each outcome in capitals, and how it is coloured."""

OUTCOMES: dict[str, tuple[str, Tone]] = {
    "held": ("held", "good"),
    "missed": ("missed", "bad"),
    "not_measured": (NOT_MEASURED, "doubt"),
}

IN_DOUBT = "in doubt"
"""What was measured, and cannot be decided by."""


NEVER_READY = (Fact("everything else", "no connection was ever ready"),)
"""In the place of a list of all that an unreachable target left unmeasured."""


def was_unreachable(manifest: Manifest) -> bool:
    """Whether no connection was ever ready, so that there is next to nothing to tell."""
    return section(manifest, "verdict").get("outcome") == "unreachable"


def build_report(manifest: Manifest) -> Report:
    """The report of a manifest, complete or not: what is not in it is left out or said to be missing."""
    footnotes = Footnotes()
    groups = metric_groups(manifest, footnotes)
    target, never_ready = section(manifest, "target"), was_unreachable(manifest)
    return Report(
        id=printable(manifest.get("id") or "run"),
        scenario=printable(section(manifest, "scenario").get("name") or "unnamed scenario", 80),
        label=printable(manifest.get("label") or "", 80),
        target=printable(target.get("url") or "unknown target", 200),
        simulated=bool(target.get("simulated")),
        standing=standing(manifest),
        facts=tuple(_facts(manifest)),
        judgement=judgement(manifest),
        thresholds=tuple(_threshold(row) for row in rows(manifest, "verdict", "thresholds")),
        groups=groups,
        footnotes=tuple(footnotes.texts),
        unmeasured=NEVER_READY if never_ready else unmeasured_metrics(manifest),
        positions=() if never_ready else position_rows(manifest),
        rates=tuple(row for row in rate_rows(manifest) if row.measured or not never_ready),
        ledgers=counted(ledgers(manifest)) if never_ready else ledgers(manifest),
        notices=tuple(_notice(row) for row in rows(manifest, "notices")),
        generator=tuple(_generator(manifest)),
        health=tuple(_health(manifest)),
        fingerprint=tuple(_plain_facts(section(manifest, "fingerprint"))),
        populations=populations(manifest),
    )


def standing(manifest: Manifest) -> str:
    """A sentence where the run is not whole: going on, cut short or interrupted; else empty."""
    part = section(manifest, "part")
    from_s, to_s = number(part.get("from_s")), number(part.get("to_s"))
    if from_s is not None and to_s is not None:
        return f"A part of the run: {format_duration(from_s * 1e9)} to {format_duration(to_s * 1e9)}."
    if manifest.get("interrupted"):
        return "Interrupted: this report covers the run until then."
    if manifest.get("status") == "cut short":
        kept = number(section(manifest, "load", "achieved").get("duration_s"))
        until = (
            f"its measured part is stored up to {format_duration(kept * 1e9)}"
            if kept
            else "no second of it was stored"
        )
        return f"Cut short: the run did not end by itself; {until}."
    if manifest.get("ended") is None:
        return "Still running: this report covers the run until now."
    return ""


def _facts(manifest: Manifest) -> Iterator[Fact]:
    target, scenario = section(manifest, "target"), section(manifest, "scenario")
    if question := scenario.get("question"):
        yield Fact("question", printable(question, 200))
    if target.get("address"):
        yield Fact("address", _addresses(manifest) + (" (TLS)" if target.get("tls") else ""))
    if server := target.get("server"):
        yield Fact("server", printable(server, 120))
    if load := load_text(manifest):
        yield Fact("load", load)
    if started := manifest.get("started"):
        yield Fact("started", instant_text(str(started)))
    took = number(manifest.get("duration_s"))
    if took:
        yield Fact("took", format_duration(took * 1e9))
    if path := scenario.get("path"):
        yield Fact("scenario file", printable(path, 200))
    if digest := scenario.get("sha256"):
        yield Fact("scenario hash", printable(digest, 12).rstrip("…"))


def _addresses(manifest: Manifest) -> str:
    """The address; of several how many there are, which failed, and all of them."""
    target = section(manifest, "target")
    every = target.get("addresses")
    later = later_addresses(manifest)
    moved = f"; during the run also {printable(', '.join(later), 200)}" if later else ""
    if not isinstance(every, list):
        return printable(target["address"], 120) + moved
    failed = failed_addresses(manifest)
    told = f", {format_count(len(failed))} failed" if failed else ""
    return f"{format_count(len(every))} addresses{told}: {printable(', '.join(map(str, every)), 200)}{moved}"


def instant_text(iso: str) -> str:
    """An ISO instant in UTC as "2026-11-22 12:15:30 UTC"; anything else as it is."""
    text = printable(iso, 40)
    head, marker, _ = text.partition("T")
    if not marker or not text.endswith(("Z", "+00:00")):
        return text
    return f"{head} {text[len(head) + 1 : len(head) + 9]} UTC"


def load_text(manifest: Manifest) -> str:
    """What was asked for: "open model, 50 connections opened at 25/s, bursts of 5, 30 s measured"."""
    if names := populations(manifest):
        told = (
            f"{printable(name)}: {_load_words(population_manifest(manifest, name), part=True)}"
            for name in names
        )
        return f"{_load_words(manifest)}; {'; '.join(told)}"
    return _load_words(manifest)


def _load_words(manifest: Manifest, *, part: bool = False) -> str:
    """``part``: of one population, without what is the same for all."""
    planned = section(manifest, "load", "planned")
    model = section(manifest, "load").get("model") or planned.get("model")
    words = [f"{printable(model)} model"] if model else []
    connections, rate = as_integer(planned.get("connections")), number(planned.get("connect_rate"))
    if connections is not None:
        opened = f" opened at {format_rate(rate)}" if rate else ""
        words.append(
            f"{format_count(connections)} {'connection' if connections == 1 else 'connections'}{opened}"
        )
    burst = as_integer(planned.get("burst"))
    if burst and burst > 1:
        words.append(f"bursts of {burst}")
    if turns := number(planned.get("turns_per_s")):
        words.append(f"{format_rate(turns)} turns due")
    if part:
        return ", ".join(words)
    if duration := number(planned.get("duration_s")):
        words.append(f"{format_duration(duration * 1e9)} measured")
    if warmup := number(planned.get("warmup_s")):
        words.append(f"{format_duration(warmup * 1e9)} warm-up before")
    return ", ".join(words)


def judgement(manifest: Manifest) -> Judgement:
    """The verdict in words, with its exit code; a run without one says that it has none."""
    verdict = section(manifest, "verdict")
    if not verdict.get("outcome"):
        why = "The run was never judged; the numbers cover the stored part."
        return Judgement("NO VERDICT", "doubt", None, why)
    outcome = str(verdict["outcome"])
    word, tone = WORDS.get(outcome, (printable(outcome, 40).upper(), "doubt"))
    why = printable(verdict.get("reason") or "The run does not say why.", 1200)
    return Judgement(word, tone, as_integer(verdict.get("exit_code")), why)


def _threshold(row: Manifest) -> ThresholdRow:
    outcome, tone = OUTCOMES.get(str(row.get("outcome")), (NOT_MEASURED, "doubt"))
    if outcome == NOT_MEASURED and number(row.get("measured")) is not None:
        outcome = IN_DOUBT
    name, stage = printable(row.get("name"), 80), as_integer(row.get("stage"))
    n = as_integer(row.get("n"))
    return ThresholdRow(
        outcome=outcome,
        tone=tone,
        name=name if stage is None else f"{name} (stage {stage + 1})",
        expression=printable(row.get("expression"), 40) + (" (default)" if row.get("default") else ""),
        measured=_measured(row),
        n=format_count(n) if n else "",
        reason=printable(row.get("reason") or ""),
    )


def _measured(row: Manifest) -> str:
    if row.get("unbounded"):
        return NEVER
    measured = number(row.get("measured"))
    return "–" if measured is None else measured_text(str(row.get("unit")), measured)


def measured_text(unit: str, value: float) -> str:
    """A threshold's measured value in its unit, such as "ms", "ratio" or "count"."""
    return FORMATS.get(unit, format_number)(value)


def _notice(row: Manifest) -> NoticeRow:
    return NoticeRow(
        code=printable(row.get("code"), 60),
        message=printable(row.get("message") or ""),
        remedy=printable(row.get("remedy") or ""),
        numbers=", ".join(f"{printable(k, 40)} {_value_text(v)}" for k, v in section(row, "numbers").items()),
        spoils=bool(row.get("spoils")),
    )


def _value_text(value: object) -> str:
    """A plain value as text: numbers short, lists joined, nothing else changed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return format_count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_value_text(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{printable(key, 40)} {_value_text(each)}" for key, each in value.items())
    return printable(value)


def _generator(manifest: Manifest) -> Iterator[Fact]:
    """How the generator itself fared."""
    generator = section(manifest, "generator")
    cpu = section(generator, "cpu")
    shares = [(word, number(cpu.get(word))) for word in ("mean", "max")]
    if known := [f"{word} {format_ratio(value)}" for word, value in shares if value is not None]:
        yield Fact("CPU of one core", ", ".join(known))
    waited = number(section(generator, "run_delay").get("mean"))
    if waited is not None:
        yield Fact("waited for a core", f"{format_ratio(waited)} of the time")
    lag = number(section(generator, "loop_lag").get("max"))
    if lag is not None:
        yield Fact("longest loop lag", format_ms(lag))
    share = number(section(generator, "coalesced").get("share"))
    if share is not None:
        yield Fact("events that shared a read", format_ratio(share))
    if slow := as_integer(section(generator, "slow_sends").get("turns")):
        yield Fact("turns sent slowly", format_count(slow))
    if (processes := generator.get("processes")) is not None:
        yield Fact("processes", _value_text(processes))
    if limits := section(generator, "limits"):
        yield Fact("limits", _value_text(limits))


def _health(manifest: Manifest) -> Iterator[Fact]:
    """What was sampled of the target itself, or why it was not."""
    health = section(manifest, "health")
    for name in health:
        found = section(health, name)
        unit, n = str(found.get("unit")), as_integer(found.get("n"))
        shown = [(key, number(found.get(key))) for key in ("mean", "p95", "max")]
        values = [f"{key} {measured_text(unit, value)}" for key, value in shown if value is not None]
        told = f"{', '.join(values)} (n = {format_count(n)})" if n and values else NOT_MEASURED
        reason = f": {printable(found['reason'], 200)}" if found.get("reason") else ""
        yield Fact(printable(name, 40).replace("_", " "), told + reason)
    if where := section(manifest, "target", "health").get("sampled_on"):
        yield Fact("sampled", f"once a second from {printable(where, 80)}, which led the run")


def _plain_facts(known: Manifest) -> Iterator[Fact]:
    """A mapping as facts, nested ones one per line."""
    for name, value in known.items():
        if value is None or value in ("", {}, []):
            continue
        yield Fact(printable(name, 60).replace("_", " "), _value_text(value))
