"""``loadtest ready``: from a policy to an assessment that is kept."""

from __future__ import annotations

import os
import shlex
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.errors import ConfigError, Problem
from loadtest.readiness.assessment import Assessment, Monitoring, RollbackRow
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.history import (
    KEPT,
    LAST,
    MAX_ROWS,
    History,
    changes,
    failures_before,
    summary,
    trend,
)
from loadtest.readiness.outages import Outages
from loadtest.readiness.policy import Policy
from loadtest.readiness.prober import probe_all
from loadtest.readiness.probes.command import run_program
from loadtest.readiness.probes.probe_context import ProbeError
from loadtest.readiness.secrets import MissingVariableError, filled, redactor_of
from loadtest.readiness.system_health import Before
from loadtest.readiness.timeline import course
from loadtest.readiness.verdict import assess, with_rollback


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyOptions:
    """The options of an assessment. ``monitoring`` is the watch of the policy, where there is one."""

    results: Path
    since: str | None = None
    verify_rollback: bool = False
    formats: tuple[str, ...] = KEPT
    monitoring: Monitoring | None = None


def ready(
    policy: Policy,
    options: ReadyOptions,
    environ: Mapping[str, str] | None = None,
    rolled_back: RollbackRow | None = None,
) -> tuple[Assessment, Path | None]:
    """Probe every component, assess, keep; returns the assessment and its folder, None where it was not kept.

    ``rolled_back`` is the rollback that was run just before.

    Raises:
        ConfigError: ``since`` names no assessment, or the results folder cannot be written to.
    """
    policy = named_release(policy, os.environ if environ is None else environ)
    history = History.of(options.results, policy.name, policy.keep_s, policy.keep_runs_s)
    earlier = history.find(options.since) if options.since else _last(history)
    rows = history.summaries()
    begun = time.time()
    folder = history.new_folder(begun)
    found = probe_all(policy, options.results, environ=environ)
    assessed = judged(policy, found, rows, folder.name, begun=begun, now=time.time())
    assessed = replace(assessed, monitoring=options.monitoring)
    if options.verify_rollback:
        assessed = replace(assessed, rollback=verify_rollback(policy, environ))
    if rolled_back is not None:
        assessed = with_rollback(assessed, rolled_back)
    if earlier is not None:
        told = changes(earlier, assessed) if options.since else changed_policy(earlier, assessed)
        assessed = replace(assessed, changes=told)
    elif options.since:
        assessed = replace(assessed, changes=("this is the first assessment of this policy",))
    try:
        history.keep(assessed, options.formats)
    except OSError as error:
        # A disk that is full by now costs the record, not the verdict.
        unkept = f"this assessment could not be stored in {folder}: {error.strerror or error}"
        return replace(assessed, changes=(*(assessed.changes or ()), unkept)), None
    return assessed, folder


ASKED_BY = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER", "USER", "USERNAME")
"""Variables that say who asked, those of build servers first."""


def asked_by(environ: Mapping[str, str]) -> str:
    """Who asked, and on which machine, as far as the environment tells."""
    who = next((environ[name] for name in ASKED_BY if environ.get(name)), "")
    return f"{who[:60]}@{socket.gethostname()}" if who else socket.gethostname()


def named_release(policy: Policy, environ: Mapping[str, str]) -> Policy:
    """The policy with the release that is judged, where a variable says it.

    Raises:
        ConfigError: the variable is not set.
    """
    try:
        return replace(policy, release=filled(policy.release, environ))
    except MissingVariableError as error:
        raise ConfigError(
            [
                Problem(
                    "release",
                    f"{error}, so loadtest does not know which release to judge",
                )
            ]
        ) from None


def _last(history: History) -> Assessment | None:
    """The last assessment, if it can be read; nothing fails for want of it, since nobody named it."""
    with suppress(ConfigError):
        return history.find(LAST)
    return None


def judged(
    policy: Policy,
    found: Mapping[str, Evidence],
    rows: list[dict[str, object]],
    name: str,
    *,
    begun: float,
    now: float,
    counts: bool = True,
    outages: Outages | None = None,
) -> Assessment:
    """The assessment with what the history adds to it. ``outages`` go on from round to round of a watch.

    It ``counts`` as a further failure in a row unless what is down was counted before and not probed again.
    """
    before = Before(failures_before(rows), counts)
    assessed = assess(policy, found, id=name, at=now, took_s=now - begun, before=before)
    assessed = replace(assessed, by=asked_by(os.environ))
    now_row = summary(assessed)
    outages = outages or Outages()
    outages.add(policy, rows)
    rows = rows[-MAX_ROWS:]
    return replace(
        assessed,
        trend=trend(rows, now_row),
        outages=outages.rows(policy, now_row),
        course=course([*rows, now_row], [each.name for each in policy.components]),
    )


def changed_policy(earlier: Assessment, now: Assessment) -> tuple[str, ...]:
    """Only what changed in the policy: that is told in every report."""
    return tuple(each for each in changes(earlier, now) if each.startswith("policy"))


def verify_rollback(policy: Policy, environ: Mapping[str, str] | None = None) -> RollbackRow | None:
    """Run the check of the rollback, never the rollback."""
    if policy.rollback is None:
        return None
    row = assess(policy, {}, id="", at=0).rollback
    if row is None or not policy.rollback.check:
        return row and replace(row, verified=False, said="[rollback] of the policy has no `check`")
    said, ended = run_rollback(policy, policy.rollback.check, environ)
    return replace(row, verified=ended == 0, said=said)


def wants_rollback(found: Assessment) -> bool:
    """Whether a trigger of the policy says that the release is to be rolled back."""
    return any(each.outcome == "TRIGGERED" for each in found.triggers)


def roll_back(
    policy: Policy, options: ReadyOptions, before: Assessment, environ: Mapping[str, str] | None = None
) -> tuple[Assessment, Path | None]:
    """Run the rollback, assess what runs then, and keep that with what became of the rollback.

    A rollback that failed is a blocker: whatever runs then, it is not what was meant to run.
    """
    assert policy.rollback is not None  # noqa: S101 - the caller has asked
    said, code = run_rollback(policy, policy.rollback.command, environ)
    row = RollbackRow(
        shown_command(policy, policy.rollback.command, environ),
        shown_command(policy, policy.rollback.check, environ),
        said=said, worked=code == 0, after=before.id,
    )  # fmt: skip
    return ready(policy, replace(options, verify_rollback=False, since=None), environ, rolled_back=row)


def run_rollback(
    policy: Policy, command: tuple[str, ...], environ: Mapping[str, str] | None = None
) -> tuple[str, int | None]:
    """Run the rollback, or its check; a sentence, and the exit code where it ended by itself."""
    environ = os.environ if environ is None else environ
    redactor = redactor_of(policy.raw, policy.variables, environ)
    within_s = policy.rollback.timeout_s if policy.rollback else 60.0
    try:
        words = [filled(word, environ) for word in command]
        ended = run_program(words, policy.path.parent.absolute(), within_s, environ, leaves=True)
    except (ProbeError, MissingVariableError) as error:
        return redactor.text(str(error)), None
    last = f": {ended.last_words[-1]}" if ended.last_words else ""
    return redactor.text(f"{words[0]} ended with {ended.code}{last}"), ended.code


def shown_command(policy: Policy, words: Iterable[str], environ: Mapping[str, str] | None = None) -> str:
    """A command of the policy's as a shell writes it, without secrets."""
    redactor = redactor_of(policy.raw, policy.variables, os.environ if environ is None else environ)
    return shlex.join(redactor.arguments(words))
