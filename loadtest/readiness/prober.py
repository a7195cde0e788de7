"""Probes in threads, each with its own deadline; one that hangs costs only its own row.

What is timed is not to be disturbed by what we do ourselves: probes run in turns, and those of another turn
wait, unless one has waited for ``PATIENCE_S``. In the turn of response times one sample is taken at a time.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loadtest.keep.redact import Redactor
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.policy import Component, Policy
from loadtest.readiness.probes.command import probe_command
from loadtest.readiness.probes.containers import probe_containers
from loadtest.readiness.probes.database import probe_database
from loadtest.readiness.probes.dns import probe_dns
from loadtest.readiness.probes.grpc import probe_grpc
from loadtest.readiness.probes.http import probe_http
from loadtest.readiness.probes.junit import probe_tests
from loadtest.readiness.probes.kubernetes import probe_kubernetes
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.readiness.probes.prometheus import probe_prometheus
from loadtest.readiness.probes.redis import probe_redis
from loadtest.readiness.probes.resources import probe_resources
from loadtest.readiness.probes.tcp import probe_tcp
from loadtest.readiness.probes.tls import probe_tls
from loadtest.readiness.probes.websocket import probe_websocket
from loadtest.readiness.secrets import MissingVariableError, redactor_of

PROBES: Mapping[str, Callable[[Any, ProbeContext], Evidence]] = {
    "http": probe_http,
    "tcp": probe_tcp,
    "tls": probe_tls,
    "dns": probe_dns,
    "prometheus": probe_prometheus,
    "grpc": probe_grpc,
    "kubernetes": probe_kubernetes,
    "command": probe_command,
    "tests": probe_tests,
    "database": probe_database,
    "redis": probe_redis,
    "containers": probe_containers,
    "resources": probe_resources,
    "websocket": probe_websocket,
}

TURNS: Mapping[str, int] = {
    "resources": 0,
    "command": 2,
    "tests": 2,
    "containers": 2,
    "kubernetes": 2,
    "prometheus": 2,
    "websocket": 3,
}
"""In which turn a kind of probe runs, response times in turn 1; ``PATIENCE_S`` says when turns may overlap.

The host's CPU is measured first, our own load last, and no load run beside another.
"""
SAMPLED, TOLD, ALONE = 1, 2, 3

PATIENCE_S = 20.0
"""So long a component waits for its turn before it is probed all the same; the host and load runs wait on.

That a component is down must be seen in time, whatever else hangs. How late this machine is stands beside
every sample, so that a response time that others spoiled is not judged.
"""

OURS = frozenset({"websocket", "containers", "kubernetes", "tests", "resources"})
"""Kinds whose probe ends by itself whatever the component does; one that does not is our own failure."""

LOOK_S = 0.05
"""How often it is looked whether a probe is done, or may go on."""

GRACE_S = 1.0
"""A probe that ends at its deadline may take this much longer to report."""


@dataclass(slots=True)
class _Asked:
    """A component that is being probed, or waits for its turn: then there is no thread yet.

    One that is ``resting`` between two looks leaves its turn to others, and waits for it again once it is
    ``back``.
    """

    name: str
    turn: int
    since: float
    thread: threading.Thread | None = None
    context: ProbeContext | None = None
    found: dict[str, Evidence] = field(default_factory=dict)
    resting: bool = False
    back: bool = False
    goes_on: threading.Event = field(default_factory=threading.Event)

    @property
    def is_going(self) -> bool:
        """Whether others have to keep out of its way."""
        return self.thread is not None and not self.resting

    @property
    def waits(self) -> bool:
        """Whether it waits for its turn, for the first time or again."""
        return self.thread is None or self.back

    def has_waited_too_long(self, now: float) -> bool:
        """Whether it is probed whatever goes on beside it."""
        return self.turn in {SAMPLED, TOLD} and now - self.since >= PATIENCE_S

    def rest(self, seconds: float) -> None:
        """Leave the turn to others for a time, and wait for it again; called by the probe itself."""
        self.goes_on.clear()
        self.resting = True
        time.sleep(seconds)
        self.since, self.back = time.monotonic(), True
        self.goes_on.wait(self.context.left_s(1e9) if self.context else 0.0)


class Prober:
    """Probes components, each in a thread of its own; finished ones can be taken at any time."""

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
        self._one_sample = threading.Lock()
        self._asked: list[_Asked] = []

    @property
    def busy(self) -> frozenset[str]:
        """Components that are to be probed and whose evidence was not taken yet."""
        return frozenset(each.name for each in self._asked)

    def begin(self, names: Iterable[str]) -> None:
        """Begin to probe components, or have them wait for their turn."""
        now = time.monotonic()
        new = [_Asked(name, TURNS.get(self._policy.component(name).kind, SAMPLED), now) for name in names]
        self._asked += sorted(new, key=lambda each: each.turn)
        self._start()

    def _start(self) -> None:
        """Start what waits first, and whatever of the same turn is behind it.

        First come, first served: what waits for another turn is overtaken only by what has waited too long.
        """
        now, blocked = time.monotonic(), False
        going = [each for each in self._asked if each.is_going]
        for each in [each for each in self._asked if each.waits]:
            fits = not going or (each.turn == going[0].turn and each.turn != ALONE)
            blocked = blocked or not fits
            if not blocked or each.has_waited_too_long(now):
                self._let(each)
                going.append(each)

    def _let(self, asked: _Asked) -> None:
        """Begin to probe a component, or let its probe go on."""
        if asked.thread is None:
            self._run(asked)
            return
        asked.back = asked.resting = False
        asked.goes_on.set()

    def _run(self, asked: _Asked) -> None:
        component = self._policy.component(asked.name)
        asked.context = ProbeContext(
            self._policy.path.parent.absolute(),
            self._environ,
            self._results,
            time.monotonic() + component.timeout_s,
            (self._policy.name, asked.name),
            self._policy.release,
            one_sample=self._one_sample,
            rest=asked.rest,
        )
        # Daemons: one that hangs in a name lookup must not hold up the end of the process.
        asked.thread = threading.Thread(
            target=_ask,
            args=(component, asked.context, self._probes, asked.found),
            name=f"probe {asked.name}",
            daemon=True,
        )
        asked.thread.start()

    def take(self) -> dict[str, Evidence]:
        """The evidence of probes that are done or out of time, without secrets; does not wait."""
        done = {}
        for each in list(self._asked):
            if each.thread is None or each.context is None:
                continue
            late = time.monotonic() >= each.context.deadline + GRACE_S
            if each.thread.is_alive() and not late:
                continue
            # Told before the cut: the probe would take the cut for the part that broke off.
            evidence = each.found.setdefault(each.name, _late(self._policy.component(each.name)))
            if each.thread.is_alive():
                each.context.cut()
            done[each.name] = redacted(evidence, self._redactor)
            self._asked.remove(each)
        self._start()
        return done

    def wait(self) -> dict[str, Evidence]:
        """The evidence of every probe that was begun, once it is done or out of time."""
        found: dict[str, Evidence] = {}
        while self._asked:
            thread = next((each.thread for each in self._asked if each.thread is not None), None)
            if thread is not None:
                thread.join(LOOK_S)
            found |= self.take()
        return found


def probe_all(
    policy: Policy,
    results: Path,
    environ: Mapping[str, str] | None = None,
    probes: Mapping[str, Callable[[Any, ProbeContext], Evidence]] = PROBES,
) -> dict[str, Evidence]:
    """The evidence of every component; secrets are taken out of it."""
    prober = Prober(policy, results, environ, probes)
    prober.begin(each.name for each in policy.components)
    found = prober.wait()
    return {each.name: found[each.name] for each in policy.components}


def _late(component: Component) -> Evidence:
    """No answer in time: the component's failure, or ours where only this machine was probed."""
    said = f"the probe got no answer within {component.timeout_s:g} s"
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
        cause=redactor.text(evidence.cause),
        lines=tuple(redactor.text(each) for each in evidence.lines),
        issues=tuple(redactor.text(each) for each in evidence.issues),
        measures=measures,
        release=tuple(redactor.text(each) for each in evidence.release),
    )
