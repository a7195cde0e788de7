"""A scenario run by this tool in a process of its own, and what its run.json says."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtest.catalog import FAILURES
from loadtest.errors import ConfigError, Exit
from loadtest.judge import matching_doubts
from loadtest.judge.generator_delay import COUNTS
from loadtest.judge.manifest_access import section
from loadtest.judge.threshold_measurement import Measurement, lookup, measured_for, of_all_due
from loadtest.keep.find import list_runs
from loadtest.keep.folder import REPORT
from loadtest.keep.read import read_manifest
from loadtest.plan.threshold import (
    COMPLETE_RATIO,
    EVENTS,
    READY_RATIO,
    Threshold,
    plain_names,
    resolve,
    split_metric,
)
from loadtest.readiness.evidence import ABOVE_EVERY_LIMIT, Evidence, Measure
from loadtest.readiness.objectives import Unit, format_value
from loadtest.readiness.probe import WebsocketProbe
from loadtest.readiness.probes.command import run_program
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.readiness.probes.tcp import opened
from loadtest.readiness.probes.tls import expires_at, expiry, secured
from loadtest.readiness.status import is_of
from loadtest.run.options import variables

RUN_LABEL = "ready-"
"""The label of a run made for a component begins with this; its name follows."""

OUTCOMES = frozenset({"pass", "fail", "unreachable", "invalid", "interrupted", "error"})
"""What the verdict of a run may be."""

VERDICT = "verdict"
"""What a run that failed has missed where it missed no threshold."""

LAYERS = {"resolve": "resolve", "tcp": "refused", "tls": "tls"}


def probe_websocket(probe: WebsocketProbe, context: ProbeContext) -> Evidence:
    """Run the scenario as often as the policy says, for a canary over the time that it is judged.

    Or look for the run that was made of it for the release.
    """
    if probe.by_label:
        return _kept(probe, context)
    if probe.count == 1:
        return _look(probe, context)
    looks: list[Evidence] = []
    for number in range(probe.count):
        begun = context.clock()
        looks.append(_look(probe, context))
        if sum(map(_failed, looks)) > probe.failure_limit:
            break
        if number + 1 < probe.count:
            context.rest(min(max(0.0, begun + probe.every_s - context.clock()), context.left_s(1e9)))
    return of_looks(looks, probe)


def _kept(probe: WebsocketProbe, context: ProbeContext) -> Evidence:
    """The last run that is kept of the scenario with the release for its label; else the last of any."""
    name = Path(probe.scenario).stem
    target = _place(context.filled(probe.target)) if probe.target else None
    try:
        runs = list_runs(context.results, probes=False)
    except ConfigError as error:
        raise NotProbedError("tool", str(error)) from None
    mine = [
        each
        for each in runs
        if each.scenario == name and each.ended and (target is None or _place(each.target) == target)
    ]
    of_it = [each for each in mine if not context.release or is_of(context.release, each.label or "")]
    if not mine:
        there = f" against {probe.target}" if probe.target else ""
        raise NotProbedError("no run", f"the results folder has no run of the scenario {name}{there}")
    found = (of_it or mine)[-1]
    manifest = read_manifest(found.path)
    if _ended(manifest) is None:
        raise NotProbedError("stale", f"it is not known when the run {found.id} ended")
    return replace(of_manifest(manifest, context.wall()), release=(found.label or "",))


def _place(url: str) -> tuple[str | None, int | None, str]:
    """Host, port and path of a URL, which are no secret."""
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port, parts.path.rstrip("/")
    except ValueError:
        return None, None, url


def _failed(look: Evidence) -> bool:
    """Whether a look speaks against the component: it failed, or missed a threshold of its scenario."""
    return look.outcome == "failed" or bool(look.missed)


def of_looks(looks: Sequence[Evidence], probe: WebsocketProbe) -> Evidence:
    """All looks as one: by the last that failed where too many did, else by the last, or one not known."""
    bad = [each for each in looks if _failed(each)]
    lines = tuple(f"run {number}: {each.said}" for number, each in enumerate(looks, 1))
    told = f"{len(bad)} of {len(looks)} runs failed; {probe.failure_limit} may fail"
    if len(bad) > probe.failure_limit:
        last = bad[-1]
        return replace(last, said=f"{told}: {last.said}", lines=(*lines, *last.lines))
    unknown = [each for each in looks if each.outcome == "unasked"]
    if unknown or len(looks) < probe.count:
        said = unknown[-1].said if unknown else f"only {len(looks)} of {probe.count} runs were made"
        return Evidence("unasked", f"a run has no result: {said}", None, "generator", lines=lines)
    last = looks[-1]
    good = next((each for each in reversed(looks) if not _failed(each)), last)
    issues = (*good.issues, told) if bad else good.issues
    return replace(good, said=f"{told}: {good.said}", lines=(*lines, *good.lines), issues=issues, at=last.at)


def _look(probe: WebsocketProbe, context: ProbeContext) -> Evidence:
    """Run the scenario; its folder stays in the results, so that the report of the run can be read by its id.

    It is run in the policy's folder, so that the path of a scenario is relative to it.
    """
    policy, part = context.asking
    command = [sys.executable, "-m", "loadtest", "run", probe.scenario, "--quiet"]
    command += ["--label", f"{RUN_LABEL}{part}", "--asked-by", f"{policy}: {part}"]
    command += ["--results", str(context.results.absolute())]
    if probe.duration:
        command += ["--duration", probe.duration]
    if probe.connections:
        command += ["--connections", str(probe.connections)]
    environ = {name: value for name, value in context.environ.items() if not name.startswith("LOADTEST_RUN_")}
    # What is filled in may be a secret, and the command line of a process is no place for one.
    target = context.filled(probe.target) if probe.target else None
    environ |= variables(target, [context.filled(each) for each in probe.sets])
    try:
        ended = run_program(command, context.folder, context.left_s(1e9), environ)
    except NotProbedError:
        raise
    except ProbeError as error:
        # A run ends by itself whatever its target does: it was given too little time, or too slow a machine.
        raise NotProbedError("generator", f"the run did not end within the probe's time: {error}") from None
    if ended.code in {Exit.CONFIG, Exit.INTERNAL, Exit.INTERRUPTED}:
        last = ended.last_words[-1] if ended.last_words else "no reason given"
        kind = "policy" if ended.code == Exit.CONFIG else "generator"
        raise NotProbedError(kind, f"the run could not be made (exit code {ended.code}): {last}")
    manifest = _manifest(context.results, f"{RUN_LABEL}{part}", ended.pid)
    return with_certificate(of_manifest(manifest, context.wall()), manifest, context)


def with_certificate(found: Evidence, manifest: Mapping[str, Any], context: ProbeContext) -> Evidence:
    """The evidence with the end of the certificate of a target that was reached by wss://.

    The run has verified it as its scenario says. Behind a proxy it is not looked at.
    """
    target = section(manifest, "target")
    if found.outcome != "answered" or not target.get("tls") or target.get("proxy"):
        return found
    host, _, port = str(target.get("address")).rpartition(":")
    try:
        name = urlsplit(str(target.get("url"))).hostname or host
        sock = opened(host.strip("[]"), int(port), context)
        with secured(sock, name, insecure=True) as safe:
            more, line = expiry(expires_at(safe), context.wall())
    except (ProbeError, ValueError) as error:
        return replace(
            found, lines=(*found.lines, f"the certificate of the server could not be read: {error}")
        )
    lines = (*found.lines, line) if line else found.lines
    return replace(found, measures={**found.measures, **more}, lines=lines)


def _manifest(results: Path, label: str, pid: int) -> dict[str, Any]:
    """Of the newest run with that label which this process made."""
    for path in sorted(results.glob(f"*-{label}*/run.json"), reverse=True):
        # Another run with that label may be damaged.
        with suppress(ConfigError):
            found = read_manifest(path.parent)
            if section(found, "process").get("pid") == pid:
                return found
    raise NotProbedError("generator", "the run left no run.json")


def of_manifest(manifest: Mapping[str, Any], now: float) -> Evidence:
    """The evidence in a run's manifest: unreachable is down, invalid unknown, else what was measured."""
    simulated = bool((manifest.get("target") or {}).get("simulated"))
    report = f"{manifest['id']}/{REPORT}" if manifest.get("id") else ""
    return replace(_judged(manifest, now), simulated=simulated, report=report)


def _judged(manifest: Mapping[str, Any], now: float) -> Evidence:
    verdict = manifest.get("verdict") or {}
    outcome, measures = verdict.get("outcome"), dict(_measures(manifest))
    ended = _ended(manifest)
    at = now if ended is None else ended
    lines = tuple(_lines(manifest))
    if outcome not in OUTCOMES:
        told = "the run has no verdict" if outcome is None else f"the verdict of the run is {outcome!r}"
        said = f"{told}, so nobody knows whether it passed; repeat the run"
        return Evidence("unasked", said, None, "generator", {}, lines)
    if outcome in {"interrupted", "error"} or (outcome == "invalid" and not _silent(manifest)):
        why = "; ".join(_doubts(manifest))
        return Evidence(
            "unasked", f"the run is {outcome}: {why or 'see its report'}", None, "generator", {}, lines
        )
    connections = manifest["counts"]["connections"]
    if not connections.get("ready") and _unauthorized(manifest):
        said = "HTTP status 401 at the upgrade: our credential is missing or was not accepted"
        return Evidence("unasked", said, None, "credential", {}, lines)
    if outcome == "unreachable" or not connections.get("ready"):
        layer, n = max((connections.get("refused") or {"tcp": 0}).items(), key=lambda pair: pair[1])
        said = (
            f"none of {connections.get('attempted', 0)} connections was ever ready; refused at {layer}: {n}"
        )
        return Evidence("failed", said, at, LAYERS.get(layer, "refuses"), measures, lines)
    missed = [each for each in verdict.get("thresholds", ()) if each["outcome"] == "missed"]
    names = tuple(each["name"] for each in missed)
    issues = (*map(_promise, missed), *_broken(manifest))
    if outcome == "fail" and not missed:
        names, issues = (VERDICT,), (f"{VERDICT} pass was missed: {verdict.get('reason')}", *issues)
    turns = manifest["counts"]["turns"]
    complete, due = turns.get("complete", 0), turns.get("due", 0)
    said = f"{connections['ready']} connections ready, {complete} of {due} turns complete"
    if due and not complete:
        return Evidence(
            "failed", f"{said}: nothing was ever answered", at, "timeout", measures, lines, issues
        )
    return Evidence(
        "answered", said, at, "run" if issues else "", measures, lines, issues,
        missed=names, cause=_cause(verdict),
    )  # fmt: skip


def _promise(row: Mapping[str, Any]) -> str:
    """A threshold that was missed, and by what."""
    was = row.get("measured")
    told = (
        "never answered"
        if row.get("unbounded")
        else ""
        if was is None
        else format_value(was, row.get("unit", "number"))
    )
    return f"{row['name']} {row['expression']} was missed{f': it was {told}' if told else ''}"


def _cause(verdict: Mapping[str, Any]) -> str:
    """What a failed run's verdict says beside which thresholds it missed, which is no cause of itself."""
    if verdict.get("outcome") != "fail":
        return ""
    sentences = str(verdict.get("reason") or "").removesuffix(".").split(". ")
    return ". ".join(each for each in sentences if " thresholds missed: " not in each and COUNTS not in each)


def _unauthorized(manifest: Mapping[str, Any]) -> bool:
    """Whether the target said 401 to every connection: then nobody knows how it would answer us."""
    refusals = list(section(manifest, "refusals"))
    return bool(refusals) and all("http 401" in each.lower() for each in refusals)


def _silent(manifest: Mapping[str, Any]) -> bool:
    """Whether nothing was measured because the target never answered, and not for any doing of ours."""
    counts = manifest.get("counts") or {}
    asked = bool((counts.get("connections") or {}).get("ready")) and bool(
        (counts.get("turns") or {}).get("begun")
    )
    answered = (counts.get("turns") or {}).get("complete")
    return asked and not answered and not any(each.get("spoils") for each in manifest.get("notices") or ())


def _broken(manifest: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong though no threshold of the scenario says so; of turns only where it has none at all."""
    counts = manifest["counts"]
    if foreign := (counts.get("events") or {}).get("foreign"):
        yield f"{foreign} events belonged to another user"
    turns = (counts.get("measured") or {}).get("turns") or {}
    bad = {name: turns[name] for name in FAILURES if turns.get(name)}
    if bad and not (manifest.get("verdict") or {}).get("thresholds"):
        yield f"of {turns.get('due')} turns " + ", ".join(
            f"{n} {name.replace('_', ' ')}" for name, n in bad.items()
        )


def _doubts(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Why a run is not to be believed: notices that spoil it, thresholds that could not be measured."""
    for notice in manifest.get("notices") or ():
        if notice.get("spoils"):
            yield str(notice["message"])
    for threshold in (manifest.get("verdict") or {}).get("thresholds", ()):
        if threshold["outcome"] == "not_measured":
            was = "was not measured" if threshold.get("measured") is None else "is in doubt"
            yield f"{threshold['name']} {was} ({threshold.get('reason') or 'no reason given'})"


def _ended(manifest: Mapping[str, Any]) -> float | None:
    """The Unix time at which the run ended; None where it does not say so."""
    try:
        return datetime.fromisoformat(manifest["ended"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _lines(manifest: Mapping[str, Any]) -> Iterator[str]:
    target = manifest.get("target") or {}
    simulated = " (SIMULATED)" if target.get("simulated") else ""
    yield f"run {manifest.get('id')} against {target.get('url')}{simulated}"
    events = (manifest.get("counts") or {}).get("events") or {}
    ledger = [
        f"{name.replace('_', ' ')} {events[name]}" for name in EVENTS if isinstance(events.get(name), int)
    ]
    if ledger:
        yield f"events: {', '.join(ledger)}"
    for threshold in (manifest.get("verdict") or {}).get("thresholds", ()):
        yield f"{threshold['name']} {threshold['expression']}: {threshold['outcome']}"


def _measures(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Measure]]:
    """Everything a threshold can name, as thresholds are judged: a turn without an answer is the slowest.

    What has no number has its reason; so has what loadtest itself says is in doubt.
    """
    metrics, counts = section(manifest, "metrics"), section(manifest, "counts")
    statistics = (f"{metric}.{each}" for metric in metrics for each in metrics[metric])
    closes = (f"connections.closed.{code}" for code in section(counts, "connections", "closed"))
    for name in (*filter(split_metric, statistics), *plain_names(), *closes):
        found = _believed(name, of_all_due(name, manifest), manifest)
        yield name, _measure(found, resolve(name)[1])
    answered = _answered(manifest)
    if answered.value is not None or answered.bound is not None:
        yield "answered.ratio", _measure(answered, "ratio")


def _answered(manifest: Mapping[str, Any]) -> Measurement:
    """The share of turns that were answered to their end; without turns, of connections that became ready."""
    turns = Threshold(COMPLETE_RATIO, "", ">=", 0.0, "ratio", default=True)
    found = measured_for(turns, manifest)
    if found.value is not None:
        return _believed(COMPLETE_RATIO, found, manifest)
    return lookup(READY_RATIO, manifest)


def _believed(name: str, found: Measurement, manifest: Mapping[str, Any]) -> Measurement:
    """What was measured, without a value where events may have been matched to the wrong turns.

    Of a ratio or a number of complete turns it is still known that it is no better, so that a miss stays one.
    """
    if found.value is None and not found.unbounded:
        return found
    threshold = Threshold(name, "", ">=", 0.0, resolve(name)[1])
    why = matching_doubts.doubt(threshold, manifest, found, "held")
    if why is None:
        return found
    best = None if name.startswith(matching_doubts.TIMES_OF_TURNS) else found.value
    return Measurement(None, found.n, why, None if best is None else (0.0, best))


def _measure(found: Measurement, unit: Unit) -> Measure:
    bound = found.bound
    if found.unbounded:
        bound = (ABOVE_EVERY_LIMIT, None)
    return Measure(found.value, unit, found.n, found.reason or "", bound)
