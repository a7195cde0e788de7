"""How the load generator itself did: was the target measured, or the generator?"""

from __future__ import annotations

from typing import Any

from loadtest import catalog
from loadtest.judge.manifest_access import NS_PER_MS, Manifest, count_or_zero, number, section
from loadtest.judge.measurement_window import Span, seconds_within
from loadtest.judge.target_clock import target_clock
from loadtest.measure.totals import Totals

CPU = "cpu"
"""Gauge: the busiest process's share of one core in that second."""

RUN_DELAY = "run_delay"
"""Gauge: the part of that second in which the process that waited most was ready to run and had no core."""

WATCHED = "watched_s"
"""Gauge: how long that second was; the first and the last of a run may be short."""

SHORTEST_S = 0.1
"""A stretch that is shorter counts in the mean, by its length; its own share says nothing of a second."""

STARVED = 0.2
"""A process that waits for a core longer than this part of the time is starved by its neighbours."""

LOOP_LAG = "loop_lag_ns"
"""Gauge: the longest that the event loop was late in that second."""

STOOD_S = 1.0
"""An event loop that is this late within one second was not only busy: it stood still."""

STOOD_STILL = 0.1
"""The part of the measured time that it may stand still."""

SATURATED = 0.9
"""A process that uses more than this part of one core measures itself as well as the target."""

SATURATED_SECONDS = 0.1
"""The part of the seconds that may be saturated before the whole is."""

TURNS_COALESCED = catalog.kept_under("generator.coalesced")
"""Counters of turns whose first or last event was not the last of its read."""

SLOW_SENDS = catalog.kept_under("generator.slow_sends")
"""Counters of turns whose message took the generator long to send."""

COALESCED = 0.01
"""Above this share of events that shared a read, first-event times and gaps are only upper bounds."""


def summarise_generator(manifest: Manifest, totals: Totals, span: Span, metrics: Manifest) -> dict[str, Any]:
    """The section ``generator``, over the measured part, with what the run itself put there.

    ``cpu`` are parts of one core, of the busiest process each second, ``run_delay`` parts of the time, of
    the one that waited most; means are weighted by the length of each second. ``lateness`` and
    ``receive_lag`` are the metrics ``send.lateness`` and ``receive.lag``, null where they were not measured.
    ``target_clock`` is there where events carried the target's time.
    """
    clock = target_clock(manifest, totals)
    return {
        **section(manifest, "generator"),
        **({} if clock is None else {"target_clock": clock}),
        "cpu": _cpu(totals, span),
        "run_delay": _run_delay(totals, span),
        "loop_lag": _loop_lag(totals, span),
        "receive_lag": metrics.get("receive.lag"),
        "lateness": metrics.get("send.lateness"),
        "coalesced": _coalesced(totals),
        **_slow_sends(totals),
    }


def _gauge(totals: Totals, span: Span, name: str) -> dict[int, float]:
    """The highest value of each second of the span in which the gauge was read, by second."""
    highest: dict[int, float] = {}
    for row in seconds_within(totals, span):
        if name in row.gauges:
            highest[row.second] = max(highest.get(row.second, row.gauges[name]), row.gauges[name])
    return highest


def _shares(totals: Totals, span: Span, name: str) -> tuple[dict[str, Any], list[float]]:
    """Mean, highest and number of a gauge that is a share of time, and the shares of its full seconds."""
    lasted = _gauge(totals, span, WATCHED)
    shares = [(share, lasted.get(second, 1.0)) for second, share in _gauge(totals, span, name).items()]
    full = [share for share, lasts in shares if lasts >= SHORTEST_S] or [share for share, _ in shares]
    whole_s = sum(lasts for _, lasts in shares)
    mean = sum(share * lasts for share, lasts in shares) / whole_s if whole_s else None
    return {"mean": mean, "max": max(full, default=None), "n": len(shares)}, full


def _cpu(totals: Totals, span: Span) -> dict[str, Any]:
    known, full = _shares(totals, span, CPU)
    if not full:
        return {**known, "reason": "CPU time was not read in the measured part"}
    return {**known, "saturated": sum(share > SATURATED for share in full)}


def _run_delay(totals: Totals, span: Span) -> dict[str, Any]:
    known, full = _shares(totals, span, RUN_DELAY)
    return (
        known if full else {**known, "reason": "this system does not say how long a process waits for a core"}
    )


def _loop_lag(totals: Totals, span: Span) -> dict[str, Any]:
    lags = _gauge(totals, span, LOOP_LAG).values()
    if not lags:
        return {"max": None, "unit": "ms", "reason": "the event loop was not watched"}
    stood = sum(lag for lag in lags if lag >= STOOD_S * 1e9)
    return {"max": max(lags) / NS_PER_MS, "stood_still": stood / NS_PER_MS, "unit": "ms"}


def _coalesced(totals: Totals) -> dict[str, Any]:
    received = totals.measured("events.received")
    if not received:
        return {"share": None, "n": 0, "reason": "no event was received in the measured part"}
    turns = {name: totals.measured(counter) for name, counter in TURNS_COALESCED.items()}
    return {"share": totals.measured("events.coalesced") / received, "n": received, **turns}


def _slow_sends(totals: Totals) -> dict[str, Any]:
    """Turns whose message took the generator long to send; absent where no one was counted."""
    found = {name: totals.measured(counter) for name, counter in SLOW_SENDS.items()}
    return {"slow_sends": found} if any(found.values()) else {}


def slow_sends(manifest: Manifest) -> int:
    """How many turns of the measured part were sent slowly."""
    return count_or_zero(section(manifest, "generator", "slow_sends").get("turns"))


def saturated(manifest: Manifest) -> bool:
    """Whether a process was busy over the measured part: on average, or in more than every tenth second."""
    cpu = section(manifest, "generator", "cpu")
    n = count_or_zero(cpu.get("n"))
    busy = (
        count_or_zero(cpu.get("saturated")) > n * SATURATED_SECONDS
        and count_or_zero(cpu.get("saturated")) > 1
    )
    return (number(cpu.get("mean")) or 0) > SATURATED or busy


def stood_still_ms(manifest: Manifest) -> float | None:
    """How long the event loop stood still in the measured part, if too long to have measured; else None.

    Too long is more than a tenth of the part, or once longer than a turn may take.
    """
    lag, planned = section(manifest, "generator", "loop_lag"), section(manifest, "load", "planned")
    stood = number(lag.get("stood_still"))
    if not stood:
        return None
    allowed = (number(planned.get("duration_s")) or 0) * 1000 * STOOD_STILL
    timeout = (number(planned.get("timeout_s")) or 0) * 1000
    once = bool(timeout) and (number(lag.get("max")) or 0) > timeout
    return stood if once or stood > allowed else None


def coalesced_share(manifest: Manifest) -> float | None:
    """The share of events that shared a read; None where no event was received."""
    return number(section(manifest, "generator", "coalesced").get("share"))


def lateness_ms(manifest: Manifest) -> float | None:
    """p99 of lateness, the largest where n is too small for it; None where it was not measured."""
    lateness = section(manifest, "generator", "lateness")
    p99 = number(lateness.get("p99"))
    return number(lateness.get("max_exact")) if p99 is None else p99


def few_sent(manifest: Manifest) -> bool:
    """Whether too few messages were sent for a p99 of lateness, so that the largest stands for it."""
    return number(section(manifest, "generator", "lateness").get("p99")) is None


def longest_lateness_ms(manifest: Manifest) -> float | None:
    """The longest that a message can have been late by our own delay; None where it was not measured.

    As in ``own_lateness_ms``: unless a process was saturated, no longer than the event loop was ever late.
    """
    longest = number(section(manifest, "generator", "lateness").get("max_exact"))
    lag = number(section(manifest, "generator", "loop_lag").get("max"))
    return longest if longest is None or lag is None or saturated(manifest) else min(longest, lag)


def own_lateness_ms(manifest: Manifest) -> float | None:
    """As much of ``lateness_ms`` as is our own delay; None where none of it need be.

    A turn that is due also waits while its connection is not ready, which is the target's doing. Unless
    a process was saturated, our own delay is no longer than the event loop was ever late; where the loop was
    not watched, lateness that getting ready can explain is not held against us.
    """
    late = lateness_ms(manifest)
    if late is None or saturated(manifest):
        return late
    lag = number(section(manifest, "generator", "loop_lag").get("max"))
    if lag is not None:
        return min(late, lag)
    waited = number(section(manifest, "metrics", "connect.total").get("max_exact")) or 0
    return late if late > waited else None
