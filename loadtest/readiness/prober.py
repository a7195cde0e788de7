"""All probes in parallel: each in a thread with its own deadline; one that hangs costs only its own row."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from loadtest.keep.redact import Redactor
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.policy import Component, Policy
from loadtest.readiness.probes.command import probe_command
from loadtest.readiness.probes.containers import probe_containers
from loadtest.readiness.probes.database import probe_database
from loadtest.readiness.probes.http import probe_http
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.readiness.probes.redis import probe_redis
from loadtest.readiness.probes.resources import probe_resources
from loadtest.readiness.probes.tcp import probe_tcp
from loadtest.readiness.probes.tests import probe_tests
from loadtest.readiness.probes.websocket import probe_websocket
from loadtest.readiness.secrets import MissingVariableError, redactor_of

PROBES: Mapping[str, Callable[[Any, ProbeContext], Evidence]] = {
    "http": probe_http,
    "tcp": probe_tcp,
    "command": probe_command,
    "tests": probe_tests,
    "database": probe_database,
    "redis": probe_redis,
    "containers": probe_containers,
    "resources": probe_resources,
    "websocket": probe_websocket,
}

OURS = frozenset({"websocket", "containers", "tests", "resources"})
"""Kinds whose probe ends by itself whatever the component does; one that does not is our own failure."""

GRACE_S = 1.0
"""A probe that ends at its deadline may take this much longer to report."""


class Prober:
    """Probes components in parallel, each in a thread of its own; finished ones can be taken at any time."""

    def __init__(
        self,
        policy: Policy,
        results: Path,
        environ: Mapping[str, str] | None = None,
        probes: Mapping[str, Callable[[Any, ProbeContext], Evidence]] = PROBES,
    ) -> None:
        self._policy, self._results, self._probes = policy, results, probes
        self._environ = os.environ if environ is None else environ
        self._redactor = redactor_of(policy.raw, policy.variables, self._environ)
        self._asked: dict[str, tuple[threading.Thread, ProbeContext, dict[str, Evidence]]] = {}

    @property
    def busy(self) -> frozenset[str]:
        """Components whose probe was begun and whose evidence was not taken yet."""
        return frozenset(self._asked)

    def begin(self, names: Iterable[str]) -> None:
        """Begin to probe components."""
        folder = self._policy.path.parent.absolute()
        for name in names:
            component = self._policy.component(name)
            deadline = time.monotonic() + component.timeout_s
            asking = self._policy.name, name
            context = ProbeContext(folder, self._environ, self._results, deadline, asking)
            found: dict[str, Evidence] = {}
            # Daemons: one that hangs in a name lookup must not hold up the end of the process.
            thread = threading.Thread(
                target=_ask, args=(component, context, self._probes, found), name=f"probe {name}", daemon=True
            )
            thread.start()
            self._asked[name] = thread, context, found

    def take(self) -> dict[str, Evidence]:
        """The evidence of probes that are done or out of time, without secrets; does not wait."""
        done = {}
        for name, (thread, context, found) in list(self._asked.items()):
            late = time.monotonic() >= context.deadline + GRACE_S
            if thread.is_alive() and not late:
                continue
            # Told before the cut: the probe would take the cut for the part that broke off.
            evidence = found.setdefault(name, _late(self._policy.component(name)))
            if thread.is_alive():
                context.cut()
            done[name] = redacted(evidence, self._redactor)
            del self._asked[name]
        return done

    def wait(self) -> None:
        """Wait until every probe is done or out of time."""
        for thread, context, _ in self._asked.values():
            thread.join(max(0.0, context.deadline + GRACE_S - time.monotonic()))


def probe_all(
    policy: Policy,
    results: Path,
    environ: Mapping[str, str] | None = None,
    probes: Mapping[str, Callable[[Any, ProbeContext], Evidence]] = PROBES,
) -> dict[str, Evidence]:
    """The evidence of every component; secrets are taken out of it."""
    prober = Prober(policy, results, environ, probes)
    prober.begin(each.name for each in policy.components)
    prober.wait()
    found = prober.take()
    return {each.name: found[each.name] for each in policy.components}


def _late(component: Component) -> Evidence:
    """No answer in time: the component's failure, or ours where only this machine was probed."""
    said = f"no answer within {component.timeout_s:g} s"
    if component.kind in OURS:
        return Evidence("unasked", said, None, "tool", took_s=component.timeout_s)
    return Evidence("failed", said, time.time(), "timeout", took_s=component.timeout_s)


def _ask(
    component: Component,
    context: ProbeContext,
    probes: Mapping[str, Callable[[Any, ProbeContext], Evidence]],
    found: dict[str, Evidence],
) -> None:
    begun = time.monotonic()
    try:
        evidence = probes[component.kind](component.probe, context)
    except MissingVariableError as error:
        evidence = Evidence("unasked", str(error), None, "credential")
    except NotProbedError as error:
        evidence = Evidence("unasked", str(error), None, error.error)
    except ProbeError as error:
        evidence = Evidence("failed", str(error), time.time(), error.error)
    except (
        Exception
    ) as error:  # a mistake of ours must cost its own row only, and must not look like the part's
        evidence = Evidence(
            "unasked", f"the probe itself failed: {type(error).__name__}: {error}", None, "tool"
        )
    found.setdefault(component.name, replace(evidence, took_s=time.monotonic() - begun))


def redacted(evidence: Evidence, redactor: Redactor) -> Evidence:
    """The evidence without secrets."""
    measures = {
        name: replace(each, reason=redactor.text(each.reason)) for name, each in evidence.measures.items()
    }
    return replace(
        evidence,
        said=redactor.text(evidence.said),
        lines=tuple(redactor.text(each) for each in evidence.lines),
        issues=tuple(redactor.text(each) for each in evidence.issues),
        measures=measures,
    )
