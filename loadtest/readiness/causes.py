"""Likely causes by class of error, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.readiness.assessment import Action, ComponentRow, FunctionRow, Risk, Urgency
from loadtest.readiness.policy import Policy

HINTS: Mapping[str, tuple[str, str]] = {
    "resolve": (
        "the host name cannot be resolved: the name or DNS is wrong",
        "check the host name and the DNS entry",
    ),
    "refused": (
        "nothing listens on that port: the service is not started, has crashed, or uses another port",
        "start the service, and read its log",
    ),
    "tcp": (
        "the address cannot be reached: the network, a firewall or the address is wrong",
        "check network and firewall",
    ),
    "timeout": (
        (
            "the service accepts connections but does not answer in time: it is overloaded or stuck, or a"
            " filter blocks it"
        ),
        "find out what the service waits for",
    ),
    "tls": (
        "the TLS handshake failed: the certificate has expired, or its name or issuer is wrong",
        "renew or replace the certificate",
    ),
    "certificate": ("the certificate ends soon", "renew the certificate"),
    "status": ("the service runs, but reports an error", "read the log of the service at that time"),
    "answer": (
        "the service answers with the wrong content: it has a wrong version, or a subsystem fails",
        "compare the answer with the expected one",
    ),
    "closed": (
        "the service closed the connection in the middle of an answer: it crashed or restarts",
        "read the log of the service for a crash",
    ),
    "query": (
        "the database answers, but the query fails: the schema, the rights or a lock",
        "run the query by hand",
    ),
    "process": (
        "the process does not run: it ended, crashed or was never started",
        "read the log of the process, then start the process",
    ),
    "no run": (
        "the scenario was not run, or was run against another target",
        "run the scenario, then assess again",
    ),
    "missing file": ("an expected file does not exist", "check the path, and the program that writes it"),
    "tests": ("tests failed or did not run", "read the failures, then run the tests again"),
    "created": (
        "the container was created but never started: its image, the registry or a dependency",
        "pull the image, start the container, and read the message of the engine",
    ),
    "image": (
        "the image cannot be pulled: its name, the credentials or the rate limit of the registry",
        "log in to the registry, or pull from a mirror",
    ),
    "container": (
        "a container is not running, unhealthy or missing",
        "read the log of the container, then start it",
    ),
    "exit": ("the command reported an error", "run the command by hand, and read its output"),
    "level": (
        "the component works, but is slower or fuller than its levels allow",
        "find out what takes the time or the space",
    ),
    "run": (
        "the run shows no cause",
        "look for slow or failed turns in the report of the run, and read the log of the component",
    ),
    "refuses": (
        "the component refuses connections under load: because of a limit or of authentication",
        "read the refusals by layer in the report of the run",
    ),
    "driver": (
        "loadtest cannot probe the component, because a driver is missing",
        "install the driver and try again",
    ),
    "credential": (
        "loadtest cannot probe the component, because its credential is missing or was not accepted",
        "set the credential and try again",
    ),
    "tool": (
        "loadtest cannot probe the component, because a tool is missing",
        "install the tool, or give a file instead",
    ),
    "stale": (
        "the evidence is too old or has a wrong date",
        "make the evidence again, or probe the component again",
    ),
    "release": (
        "the evidence belongs to another release than the judged one",
        "deploy or test the judged release, then probe it again",
    ),
    "through": (
        "the component can be reached only through another component, which is down",
        "repair that other component first, then try again",
    ),
    "generator": (
        "the measurement of loadtest cannot be believed",
        "run the scenario again on an idle machine",
    ),
    "policy": ("the policy is wrong", "correct the policy"),
}
"""By class of error: the likely cause, and what to do where the policy says nothing."""

OTHERWISE = ("the probe does not show the cause", "examine the component by hand")

LEVELS: Mapping[tuple[str, str], tuple[str, Urgency]] = {
    ("critical", "down"): ("critical", "IMMEDIATE"),
    ("critical", "unknown"): ("high", "HIGH"),
    ("critical", "degraded"): ("high", "HIGH"),
    ("important", "down"): ("high", "HIGH"),
    ("important", "unknown"): ("medium", "MEDIUM"),
    ("important", "degraded"): ("medium", "MEDIUM"),
}
ORDER = ("critical", "high", "medium", "low")


def risks(policy: Policy, rows: Sequence[ComponentRow], functions: Sequence[FunctionRow]) -> tuple[Risk, ...]:
    """A risk per component that is not healthy, the worst first, then by weight."""
    found = []
    for row in _not_healthy(rows):
        level = _level(row)[0]
        touched = [each for each in functions if row.name in each.needs and each.status != "working"]
        impact = ", ".join(f"{each.title} {each.status}" for each in touched) or "no business function"
        cause = policy.component(row.name).hint or row.cause or HINTS.get(row.error, OTHERWISE)[0]
        found.append(Risk(level, f"{row.title} {row.status}: {row.why}", cause, impact))  # type: ignore[arg-type]  # a word of ORDER
    return tuple(found)


def _level(row: ComponentRow) -> tuple[str, Urgency]:
    return LEVELS.get((row.priority, row.status), ("low", "MEDIUM"))


def _not_healthy(rows: Sequence[ComponentRow]) -> list[ComponentRow]:
    bad = [row for row in rows if row.status != "healthy"]
    return sorted(bad, key=lambda row: (ORDER.index(_level(row)[0]), -row.weight))


def actions(policy: Policy, rows: Sequence[ComponentRow]) -> tuple[Action, ...]:
    """What to do, the most urgent first; a component that others are reached through before those."""
    bad = _not_healthy(rows)
    needed = {name for row in bad for name in row.through}
    ordered = sorted(bad, key=lambda row: (URGENCIES.index(_level(row)[1]), row.name not in needed))
    return tuple(
        Action(_level(row)[1], row.name, f"{row.title}: {_what_to_do(policy, row)}") for row in ordered
    )


URGENCIES: tuple[Urgency, ...] = ("IMMEDIATE", "HIGH", "MEDIUM")


def _what_to_do(policy: Policy, row: ComponentRow) -> str:
    if row.error == "through":
        return HINTS["through"][1]
    todo = policy.component(row.name).remedy or HINTS.get(row.error, OTHERWISE)[1]
    return f"{todo} (report of the run, in the results folder: {row.report})" if row.report else todo
