"""How far the target's clock is from ours, and so what the ages of events are worth.

An age is the difference of two clocks. It is measured only where what came is consistent with both showing
the same time, and then it is exact to what that leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from loadtest.judge.manifest_access import (
    NS_PER_MS,
    Manifest,
    count_or_zero,
    number,
    observed,
    section,
    settings,
)
from loadtest.judge.warnings import RunWarning, warning
from loadtest.measure.totals import Totals
from loadtest.plan.addresses import is_loopback
from loadtest.plan.threshold import split_kind
from loadtest.speak.event_age import AHEAD_AT_LEAST, AHEAD_AT_MOST, STAMP_STEP
from loadtest.units import format_count, format_duration

AGE = "event.age"


def target_clock(manifest: Manifest, totals: Totals) -> dict[str, Any] | None:
    """What is known of the target's clock, times in milliseconds; None where no event carried its time.

    ``ahead`` are the least and the most that it is ahead of ours (negative: behind; None: nothing says).
    ``step`` is that of the times which the target wrote. ``same_host``: the target is on the generator's own
    host. ``error`` is how far the true age lies from one that is told, from and to; None where ages are not
    measured, and ``reason`` says why. ``dated`` events carried a time, ``from_future`` a later one.
    """
    dated = totals.count("events.dated")
    least = totals.instants.get(AHEAD_AT_LEAST)
    if not dated or least is None:
        return None
    most = totals.instants.get(AHEAD_AT_MOST)
    step = totals.instants.get(STAMP_STEP, 0)
    spread = round(_spread_ms(manifest) * NS_PER_MS)
    known: dict[str, Any] = {
        "ahead": [least / NS_PER_MS, None if most is None else most / NS_PER_MS],
        "step": step / NS_PER_MS,
        "same_host": _same_host(manifest),
        "dated": dated,
        "from_future": totals.count("events.from_future"),
        "error": None,
    }
    # A time may have been rounded up or down by one step; workers' clocks differ from each other's.
    slack = step + spread
    if why := _doubt(known, least - slack, None if most is None else most + slack):
        return {**known, "reason": why}
    if known["same_host"]:
        return {**known, "error": [-slack / NS_PER_MS, slack / NS_PER_MS]}
    return {**known, "error": [(least - slack) / NS_PER_MS, ((most or 0) + slack) / NS_PER_MS]}


def _doubt(known: Mapping[str, Any], least: int, most: int | None) -> str:
    """Why ages are not measured, where they are not."""
    if most is not None and least > most:
        return (
            "the times that the target wrote contradict each other: its clock changed during the run, or it"
            " did not write them when it answered"
        )
    if least > 0:
        early = f"{format_count(known['from_future'])} events arrived before the time that they carry"
        return f"the target's clock is ahead of ours by {_told(least)} or more: {early}"
    if most is not None and most < 0:
        return f"the target's clock is behind ours by {_told(-most)} or more"
    if most is None and not known["same_host"]:
        return (
            "the difference between the target's clock and ours is not known: no event with a time answered a"
            " message"
        )
    return ""


def _told(ns: int) -> str:
    return format_duration(ns)


def _same_host(manifest: Manifest) -> bool:
    address = str(section(manifest, "target").get("address") or "")
    try:
        host = urlsplit(f"//{address}").hostname
    except ValueError:
        return False
    return is_loopback(host or "")


def _spread_ms(manifest: Manifest) -> float:
    """How far the clocks of the workers that drove a run may be apart; 0 where it had none."""
    rows = next((row.get("numbers") for row in observed(manifest) if row["code"] == "workers"), None)
    workers = (
        [each for each in rows.values() if isinstance(each, Mapping)] if isinstance(rows, Mapping) else []
    )
    far = [
        abs(number(each.get("clock_offset_ms")) or 0) + (number(each.get("round_trip_ms")) or 0) / 2
        for each in workers
    ]
    return 2 * max(far, default=0.0)


def ages_known(manifest: Manifest, totals: Totals) -> bool:
    """Whether ages that were recorded are measured."""
    clock = target_clock(manifest, totals)
    return clock is None or clock["error"] is not None


def no_age(manifest: Manifest) -> str:
    """Why no age of an event was measured, of a summarised manifest."""
    if why := section(manifest, "generator", "target_clock").get("reason"):
        return str(why)
    if not settings(manifest, "protocol", "events").get("sent_at"):
        return "the protocol does not say where an event has its time of sending (no `sent_at`)"
    undated = count_or_zero(section(manifest, "counts", "measured", "events").get("undated"))
    if undated:
        return f"the times of {format_count(undated)} events could not be read: check `unit` of `sent_at`"
    return "no event of the measured part carried a time where the protocol looks for it"


def age_bound(manifest: Manifest, metric: str, value: float) -> tuple[float, float] | None:
    """Between what the true value of an age lies, in milliseconds; None for any other metric."""
    error = _error(section(manifest, "generator", "target_clock"))
    if split_kind(metric)[0] != AGE or error is None:
        return None
    return max(0.0, value + error[0]), value + error[1]


def _error(clock: Manifest) -> tuple[float, float] | None:
    """How far the true age lies from one that is told, in milliseconds; None where ages are not measured."""
    error = clock.get("error")
    if not isinstance(error, list | tuple) or len(error) != 2:
        return None
    below, above = (number(each) or 0.0 for each in error)
    return below, above


def warnings(manifest: Manifest) -> Iterator[RunWarning]:
    """What the ages of events are worth; said of every run that has them."""
    clock = section(manifest, "generator", "target_clock")
    if not clock:
        return
    numbers = {key: clock.get(key) for key in ("dated", "from_future", "ahead", "step", "same_host", "error")}
    error = _error(clock)
    if error is None:
        yield warning("target_clock_differs", numbers, {"told": str(clock.get("reason"))})
        return
    below, above = (format_duration(abs(each) * NS_PER_MS) for each in error)
    where = ", which are the same clock, because the target is on this host" if clock.get("same_host") else ""
    yield warning("age_by_two_clocks", numbers, {"where": where, "told": f"{below} less or {above} more"})
