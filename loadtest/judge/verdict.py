"""The verdict: pass, fail, invalid, unreachable, interrupted or error, by a fixed order of precedence.

The first that applies: a run that failed before it began (2) or by a fault of ours (70); interrupted (130);
no connection was ever ready though we looked (3); whatever else is in doubt, an event that reached the wrong
user, a ratio of success that misses, or a flood of the target (1); a warning that spoils the result (4); a
threshold missed, or a failure that no threshold covers: no turn complete, turns without an event, connections
lost (1); a task that raised or failed (1); a threshold not measured (4); nothing measured at all (4); else
pass (0).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

from loadtest.errors import Exit
from loadtest.judge import matching_doubts
from loadtest.judge.counts import not_opened
from loadtest.judge.generator_delay import counts_anyway, own_delay
from loadtest.judge.manifest_access import (
    Manifest,
    breaks_turns,
    count_or_zero,
    ending_kinds,
    model,
    number,
    planned,
    populations,
    section,
    sends_turns,
    settings,
    target_outcomes,
    turns_end,
    turns_never_end,
)
from loadtest.judge.populations import population_manifest, population_manifests
from loadtest.judge.refusal_diagnosis import SILENT, likely, still_opening
from loadtest.judge.threshold_measurement import Measurement, measured_for
from loadtest.judge.thresholds import Decision, decide, late_for
from loadtest.judge.turn_warnings import CAUSES
from loadtest.judge.warnings import RunWarning
from loadtest.plan.threshold import (
    COMPLETE_RATIO,
    DEFAULT_RATIO,
    READY_RATIO,
    Threshold,
    of_kind,
    split_population,
)
from loadtest.units import FORMATS, format_count, format_ms

NO_STAGES: Mapping[Threshold, Manifest] = MappingProxyType({})

OVERRUN = 10
"""A flood is more than so many times what it would be if every answer had gone to every connection."""

FLOOD_PER_S = 1_000
"""Events of no turn, a second of each connection: more is a flood also where the generator keeps up."""

NOT_OFFERED = "load_not_reached_by_generator"

NOT_PACED = "pace_not_kept"

UNHEARD_MS = 1_000.0
"""Chunks that are later may be why a target gives a turn up: it waited for sound that we owed it."""


BY_WORK = frozenset({"generator_saturated", "generator_stood_still", NOT_OFFERED})
"""Warnings that say that the generator had too much to do, by their codes."""


class RunVerdict(NamedTuple):
    """How a run ended, with its exit code and one sentence."""

    outcome: str
    exit_code: Exit
    reason: str


class Case(NamedTuple):
    """What a verdict is made of; ``rows`` are the thresholds as judged."""

    manifest: Manifest
    warnings: Sequence[RunWarning]
    thresholds: Sequence[Threshold]
    rows: list[dict[str, Any]]

    def named(self, outcome: Decision) -> list[str]:
        """The thresholds of that outcome, in words."""
        return [_in_words(row) for row in self.rows if row["outcome"] == outcome]


def judge(
    manifest: Manifest,
    warnings: Sequence[RunWarning],
    thresholds: Sequence[Threshold],
    stages: Mapping[Threshold, Manifest] = NO_STAGES,
) -> dict[str, Any]:
    """The section ``verdict`` of a summarised manifest; total: it gives one for any manifest.

    ``stages`` holds, by each threshold that speaks of a stage, the summarised manifest of that alone; without
    it that threshold is not measured.
    """
    rows = [_row(each, manifest if each.stage is None else stages.get(each)) for each in thresholds]
    case = Case(manifest, warnings, thresholds, rows)
    ruling = next(found for rule in PRECEDENCE if (found := rule(case)))
    return {
        "outcome": ruling.outcome,
        "exit_code": int(ruling.exit_code),
        "reason": ruling.reason,
        "thresholds": rows,
    }


def _row(threshold: Threshold, manifest: Manifest | None) -> dict[str, Any]:
    if manifest is None:
        measured, outcome = (
            Measurement(
                None,
                0,
                "the intervals of this stage were not stored",
            ),
            "not_measured",
        )
    else:
        measured, outcome = _judged(threshold, manifest)
    row = {
        "name": threshold.name,
        "expression": threshold.expression,
        "measured": measured.value,
        "n": measured.n,
        "outcome": outcome,
        "reason": measured.reason,
        "unit": threshold.unit,
    }
    if threshold.default:
        row["default"] = True
    if measured.unbounded:
        row["unbounded"] = True
    return row if threshold.stage is None else {**row, "stage": threshold.stage}


def _judged(threshold: Threshold, manifest: Manifest) -> tuple[Measurement, str]:
    plain, population = split_population(threshold.name, populations(manifest))
    if population is not None:
        return _judged(replace(threshold, name=plain), population_manifest(manifest, population))
    measured = measured_for(threshold, manifest)
    outcome = decide(threshold, measured)
    doubt = own_delay(threshold, manifest, measured, outcome) or matching_doubts.doubt(
        threshold, manifest, measured, outcome
    )
    if doubt:
        return Measurement(measured.value, measured.n, doubt), "not_measured"
    late = late_for(threshold, manifest)
    if late is not None and outcome == "held" and measured.reason is None:
        # What holds with our own delay included holds without it.
        return replace(measured, reason=f"an upper bound: the generator was {format_ms(late)} late"), outcome
    return measured, outcome


# ------------------------------------------------------------------ precedence


def _failed(case: Case) -> RunVerdict | None:
    failure = section(case.manifest, "failure")
    code = {2: Exit.CONFIG, 70: Exit.INTERNAL}.get(count_or_zero(failure.get("exit_code")))
    if code is None:
        return None
    fallback = (
        "Nothing was sent." if code is Exit.CONFIG else "loadtest itself failed, so the results mean nothing."
    )
    return RunVerdict("error", code, str(failure.get("sentence") or fallback))


def _interrupted(case: Case) -> RunVerdict | None:
    if not case.manifest.get("interrupted"):
        return None
    by = case.manifest.get("interrupted_by")
    how = f"Stopped on {by}" if by else "Interrupted"
    reason = f"{how} before the end. The results until then are stored, but there is no verdict."
    return RunVerdict("interrupted", Exit.INTERRUPTED, reason)


def _unreachable(case: Case) -> RunVerdict | None:
    connections = section(case.manifest, "counts", "connections")
    if count_or_zero(connections.get("ready")) or count_or_zero(connections.get("peak")):
        return None
    if case.manifest.get("status") in {"running", "cut short"} and not count_or_zero(
        connections.get("attempted")
    ):
        # Nothing was kept yet, so this says nothing of the target.
        return None
    own = not_opened(connections)
    if own and own == count_or_zero(connections.get("attempted")):
        # The target was never asked, so this says nothing of it.
        return None
    if _kept_from_hearing(case):
        # The target may have answered, and nobody was there to read it.
        return None
    refused = section(connections, "refused")
    where = ", ".join(f"{format_count(n)} at {layer}" for layer, n in refused.items())
    reasons = "; ".join(list(section(case.manifest, "refusals"))[:3])
    why = f" ({reasons})" if reasons else ""
    told = (f"; refused: {where}{why}" if where else "") + still_opening(case.manifest)
    sentence = f"No connection was ever ready, so nothing was measured{told}. {likely(case.manifest)}"
    return RunVerdict("unreachable", Exit.UNREACHABLE, sentence.strip())


def _kept_from_hearing(case: Case) -> bool:
    """Whether no layer was answered in time by the clock of a generator that had no time to look."""
    busy = any(warning.spoils and warning.code in BY_WORK - {NOT_OFFERED} for warning in case.warnings)
    reasons = [*section(case.manifest, "refusals"), *section(case.manifest, "still_opening")]
    return busy and bool(reasons) and all(SILENT in reason for reason in reasons)


def _spoilt(case: Case) -> RunVerdict | None:
    spoiling = list(dict.fromkeys(warning.message for warning in case.warnings if warning.spoils))
    return RunVerdict("invalid", Exit.INVALID, " ".join(spoiling)) if spoiling else None


def _leaked(case: Case) -> RunVerdict | None:
    """An event that reached the wrong user is a fact, whatever else of the run is in doubt."""
    foreign, spoilt = _foreign(case), _spoilt(case)
    if not foreign or spoilt is None:
        return None
    return RunVerdict("fail", Exit.FAIL, f"{foreign} {spoilt.reason}")


def _flooded(case: Case) -> RunVerdict | None:
    """A flood that the target sent is its doing, and so is what it cost the generator."""
    ended = section(case.manifest, "counts", "connections", "ended_by_us")
    n, spoilt = count_or_zero(ended.get("flood")), _spoilt(case)
    if not n or spoilt is None:
        return None
    told = f"The target flooded {format_count(n)} connections, so loadtest gave them up."
    return RunVerdict("fail", Exit.FAIL, f"{told} {spoilt.reason}")


def _overrun(case: Case) -> RunVerdict | None:
    """Events that nobody asked for, without end, kept the generator from its work: the target's doing.

    A matched event shows that the protocol file fits. That the answer to every turn went to every connection,
    as in a chat whose file does not say so, would be ``peak`` times as many: only far more is a flood.
    """
    spoiling = [warning for warning in case.warnings if warning.spoils]
    if not spoiling or not {warning.code for warning in spoiling} <= BY_WORK:
        return None
    told = _unasked(case)
    if not told:
        return None
    return RunVerdict("fail", Exit.FAIL, " ".join([told, *dict.fromkeys(each.message for each in spoiling)]))


def _unasked(case: Case) -> str:
    """That far more events of no turn came than answers to all, in words; "" where they did not."""
    counts = section(case.manifest, "counts")
    events, peak = section(counts, "events"), count_or_zero(section(counts, "connections").get("peak"))
    matched, unmatched = count_or_zero(events.get("matched")), count_or_zero(events.get("unmatched"))
    asked = max(count_or_zero(section(counts, "turns").get("begun")), matched)
    if not matched or unmatched <= asked * max(peak, 1) * OVERRUN:
        return ""
    return (
        f"The target flooded loadtest: {format_count(unmatched)} events belong to no turn,"
        f" {format_count(unmatched // asked)} times as many as were requested."
    )


def _poured(case: Case) -> list[str]:
    """A flood that the generator bore: it spoilt nothing, and is no less the target's doing."""
    told = _unasked(case)
    said = any(each.name.startswith("events.unmatched") for each in case.thresholds)
    if not told or said:
        return []
    counts = section(case.manifest, "counts")
    lasted_s = sum(planned(case.manifest, name) or 0.0 for name in ("warmup_s", "duration_s"))
    most = FLOOD_PER_S * lasted_s * count_or_zero(section(counts, "connections").get("peak"))
    busy = any(warning.code in BY_WORK for warning in case.warnings)
    if not busy and not 0 < most < count_or_zero(section(counts, "events").get("unmatched")):
        return []
    return [f"{told} If these events are intended, name them in `ignore` of the protocol file."]


def _failed_anyway(case: Case) -> RunVerdict | None:
    """A ratio of success that misses, however the load that we did not offer would have gone, is a fact.

    So is one that misses also if every turn that late chunks may have cost had been complete.
    """
    spoiling = [warning for warning in case.warnings if warning.spoils]
    missing = {each.numbers["what"]: each.numbers["missing"] for each in spoiling if each.code == NOT_OFFERED}
    paced = any(each.code == NOT_PACED for each in spoiling)
    if len(missing) + paced != len(spoiling):
        return None
    if paced:
        missing = missing or dict.fromkeys(SUCCESSES.values(), 0)
        missing = {what: n + _cost_by_late_chunks(case.manifest, what) for what, n in missing.items()}
    pairs = zip(case.thresholds, case.rows, strict=True)
    missed = [_in_words(row) for threshold, row in pairs if _misses_anyway(threshold, row, missing)]
    if not missed:
        return None
    told = f"{len(missed)} of {len(case.rows)} thresholds missed: {', '.join(missed)}."
    rest = [warning.message for warning in spoiling]
    flood = [_unasked(case)] if _unasked(case) else []
    failed = _failed_turns(case) if paced else []
    return RunVerdict("fail", Exit.FAIL, " ".join([told, *flood, *failed, *_first_cause(case), *rest]))


def _cost_by_late_chunks(manifest: Manifest, what: str) -> int:
    """Turns that may have been incomplete since chunks were late; no connection was lost to that.

    Not those to which the target said no: it refused, sent an error, or ended without what has to come.
    """
    if what != "turns":
        return 0
    turns = section(manifest, "counts", "measured", "turns")
    incomplete = count_or_zero(turns.get("due")) - count_or_zero(turns.get("complete"))
    late_ms = number(section(manifest, "metrics", "chunk.lateness").get("max_exact"))
    if late_ms is None or late_ms > UNHEARD_MS:
        return incomplete
    by = section(turns, "failed_by")
    return incomplete - sum(map(count_or_zero, (turns.get("refused"), by.get("event"), by.get("required"))))


SUCCESSES = {COMPLETE_RATIO: "turns", READY_RATIO: "connections"}
"""By ratio of success, what it is a ratio of."""


def _misses_anyway(threshold: Threshold, row: Mapping[str, Any], missing: Mapping[str, int]) -> bool:
    """Whether a ratio of success would be missed also if all that was not offered had succeeded."""
    absent = missing.get(SUCCESSES.get(threshold.name, ""))
    if absent is None or threshold.stage is not None or row["outcome"] != "missed" or not row["n"]:
        return False
    best = Measurement(min(1.0, row["measured"] + absent / row["n"]), row["n"])
    return decide(threshold, best) == "missed"


def _foreign(case: Case) -> str:
    """That events of other users arrived: in the whole run, and more than a threshold lets pass."""
    foreign = count_or_zero(section(case.manifest, "counts", "events").get("foreign"))
    judged = [each for each in case.thresholds if each.name in {"events.foreign", "events.foreign.ratio"}]
    counted = Measurement(float(foreign), foreign)
    too_many = any(each.name == "events.foreign" and decide(each, counted) == "missed" for each in judged)
    told = foreign and (too_many or not judged)
    return f"{format_count(foreign)} events of other users arrived." if told else ""


def _missed(case: Case) -> RunVerdict | None:
    missed, foreign = case.named("missed"), _foreign(case)
    # A threshold that is missed tells it itself.
    told = [foreign] if foreign and not any(each.startswith("events.foreign") for each in missed) else []
    told += _poured(case)
    for name, manifest in population_manifests(case.manifest).items():
        of = case._replace(manifest=manifest)
        found = [*_none_complete(of), *_kinds_without_any(of, name), *_silent_turns(of), *_not_held(of, name)]
        told += [f"{name}: {sentence}" if name else sentence for sentence in found]
    if missed:
        told.append(f"{len(missed)} of {len(case.rows)} thresholds missed: {', '.join(missed)}.")
        judged = list(zip(case.thresholds, case.rows, strict=True))
        told += counts_anyway(case.manifest, case.warnings, judged)
        told += _failed_turns(case)
        told += _first_cause(case)
    return RunVerdict("fail", Exit.FAIL, " ".join(told)) if told else None


FAILED_BY = {
    "event": "by an error event",
    "required": "without a required event",
    "pairs": "with an incomplete pair of events",
    "order": "with events in a wrong order",
    "id": "because their id was used twice",
    "http": "without a usable answer to their HTTP request",
    "interleaved": "because answers do not come in the order that the protocol file assumes",
}
"""Why turns failed, in words."""


def _failed_by(reason: str) -> str:
    """One such reason; an answer by HTTP has its status in it."""
    by, _, status = reason.partition(" ")
    if by == "http" and status:
        return f"because their HTTP request was answered with {status}"
    return FAILED_BY.get(reason, reason)


def _failed_turns(case: Case) -> list[str]:
    """How many turns the target itself failed, and by what."""
    turns = section(case.manifest, "counts", "measured", "turns")
    failed, by = count_or_zero(turns.get("failed")), section(turns, "failed_by")
    if not failed:
        return []
    told = ", ".join(f"{format_count(n)} {_failed_by(reason)}" for reason, n in by.items())
    of = f"{format_count(failed)} of {format_count(count_or_zero(turns.get('due')))} turns due failed"
    words = next(iter(section(case.manifest, "error_answers")), "")
    said = f" The target said most often: {words}." if words else ""
    return [f"{of}: {told}.{said}" if told else f"{of}.{said}"]


def _none_complete(case: Case) -> list[str]:
    """That every turn failed: no threshold that a scenario leaves out makes a pass of that."""
    turns = section(case.manifest, "counts", "measured", "turns")
    due = count_or_zero(turns.get("due"))
    against = sum(count_or_zero(turns.get(name)) for name in target_outcomes(case.manifest))
    against -= matching_doubts.contradicting(turns)
    if not due or count_or_zero(turns.get("complete")) or not turns_end(case.manifest) or against <= 0:
        return []
    return [f"None of the {format_count(due)} turns due was complete."]


def _kinds_without_any(case: Case, population: str) -> list[str]:
    """The kinds of which every turn failed, which a large one hides; not those that a threshold speaks of."""
    turns = section(case.manifest, "counts", "measured", "turns")
    if not count_or_zero(turns.get("complete")) or matching_doubts.contradicting(turns):
        return []
    written = [each.name for each in case.thresholds if not each.default]
    said = {split_population(name, (population,))[0].removesuffix(".ratio") for name in written}
    outcomes = target_outcomes(case.manifest)
    return [
        f"None of the {format_count(due)} turns of the kind `{kind}` was complete."
        for kind in ending_kinds(case.manifest)
        if (due := count_or_zero(turns.get(of_kind("due", kind))))
        and not count_or_zero(turns.get(of_kind("complete", kind)))
        and any(count_or_zero(turns.get(of_kind(each, kind))) for each in outcomes)
        and of_kind("turns.complete", kind) not in said
    ]


def _silent_turns(case: Case) -> list[str]:
    """That turns which have no end, so that none is ever complete, got no event either."""
    of_due = section(case.manifest, "of_due", "turn.first_event")
    due = count_or_zero(of_due.get("n"))
    silent = due - count_or_zero(of_due.get("answered"))
    endless = turns_never_end(case.manifest) and not breaks_turns(case.manifest)
    if not endless or silent <= due * (1 - DEFAULT_RATIO):
        return []
    return [f"{format_count(silent)} of {format_count(due)} turns due got no event."]


def _not_held(case: Case, population: str = "") -> list[str]:
    """That connections ended which the load needs, and neither a ratio of turns nor a threshold knows it."""
    connections = section(case.manifest, "counts", "connections")
    closed, ready = _gone(case.manifest), count_or_zero(connections.get("ready"))
    asks = sends_turns(case.manifest)
    of = ready - count_or_zero(connections.get("reconnected")) if asks else ready
    names = (split_population(threshold.name, (population,)) for threshold in case.thresholds)
    said = any(plain.startswith("connections.closed") and "[" not in plain for plain, _ in names)
    if (
        (asks and not _asks_no_more(case.manifest))
        or breaks_turns(case.manifest)
        or said
        or closed <= of * (1 - DEFAULT_RATIO)
    ):
        return []
    if asks:
        lost = f"{format_count(closed)} of {format_count(of)} users lost their connection"
        return [f"{lost} and did not reconnect."]
    return [f"{format_count(closed)} of {format_count(ready)} ready connections were closed."]


def _asks_no_more(manifest: Manifest) -> bool:
    """Whether a user without a connection has no turn due that could be missing.

    In the closed model the next turn waits for the one before; turns without an end are not begun again.
    """
    return model(manifest) == "closed" or turns_never_end(manifest)


def _gone(manifest: Manifest) -> int:
    """Connections that ended before we left them; where users come back, those of users who did not.

    Who was between two connections at the end comes back, unless the target had begun to refuse.
    """
    connections = section(manifest, "counts", "connections")
    if not sends_turns(manifest) or not settings(manifest, "load").get("reconnect"):
        return sum(section(connections, "closed").values())
    refused = sum(section(connections, "refused").values())
    away = count_or_zero(connections.get("away")) if refused else 0
    return away + count_or_zero(connections.get("given_up"))


def _tasks_failed(case: Case) -> RunVerdict | None:
    """A task raised, or called ``fail``: what the user's own code checks was not so."""
    codes = ("tasks_raised", "tasks_failed")
    told = [warning.message for warning in case.warnings if warning.code in codes]
    return RunVerdict("fail", Exit.FAIL, " ".join(told)) if told else None


def _first_cause(case: Case) -> list[str]:
    """What is most likely the reason why turns were missing, where there is one."""
    found = {warning.code: warning.message for warning in reversed(case.warnings)}
    return [found[code] for code in CAUSES if code in found][:1]


def _undecided(case: Case) -> RunVerdict | None:
    rows = [row for row in case.rows if row["outcome"] == "not_measured"]
    if not rows:
        return None
    of = f" of {len(case.rows)} thresholds"
    told = []
    for word, some in (
        ("in doubt", [row for row in rows if row["measured"] is not None]),
        ("not measured", [row for row in rows if row["measured"] is None]),
    ):
        if some:
            told.append(f"{len(some)}{of} {word}: {_by_reason(some)}")
            of = ""
    return RunVerdict("invalid", Exit.INVALID, " ".join([f"{'; '.join(told)}.", *_first_cause(case)]))


def _by_reason(rows: Sequence[Mapping[str, Any]]) -> str:
    """The names of thresholds that are not decided, each reason once: "a, b (why); c (why)"."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row["reason"] or "not measured", []).append(_name(row))
    return "; ".join(f"{', '.join(found)} ({reason})" for reason, found in names.items())


def _empty(case: Case) -> RunVerdict | None:
    """A run that asked and got no event did not measure, whatever thresholds on connections say."""
    counts = section(case.manifest, "counts", "measured")
    asked = count_or_zero(section(counts, "turns").get("due"))
    if not asked or count_or_zero(section(counts, "events").get("matched")):
        return None
    told = "No event answered a turn in the measured part, so nothing was measured."
    return RunVerdict("invalid", Exit.INVALID, " ".join([told, *_first_cause(case)]))


def _passed(case: Case) -> RunVerdict:
    n = len(case.rows)
    if not n:
        return RunVerdict("pass", Exit.PASS, "The run was measured; the scenario has no thresholds.")
    told = "Its one threshold was" if n == 1 else f"All {n} thresholds were"
    default = sum(each.default for each in case.thresholds)
    by_default = f" ({format_count(default)} of them by default)" if default else ""
    return RunVerdict("pass", Exit.PASS, f"{told} measured and passed{by_default}.")


PRECEDENCE: tuple[Callable[[Case], RunVerdict | None], ...] = (
    _failed,
    _interrupted,
    _unreachable,
    _leaked,
    _failed_anyway,
    _flooded,
    _overrun,
    _spoilt,
    _missed,
    _tasks_failed,
    _undecided,
    _empty,
    _passed,
)
"""The first rule that gives a ruling decides; the last always does."""


def _in_words(row: Mapping[str, Any]) -> str:
    """One threshold that was decided: "turn.first_event.p95 was 132 ms, not < 100ms"."""
    if row["measured"] is None:
        return f"{_name(row)} ({row['reason'] or 'not measured'})"
    return f"{_name(row)} was {FORMATS[row['unit']](row['measured'])}, not {row['expression']}"


def _name(row: Mapping[str, Any]) -> str:
    return str(row["name"] if "stage" not in row else f"{row['name']} of stage {row['stage'] + 1}")
