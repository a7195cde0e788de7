"""Likely causes by class of error, and what to do about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loadtest.readiness.assessment import Action, ComponentRow, FunctionRow, Risk, Urgency
from loadtest.readiness.policy import Policy

HINTS: Mapping[str, tuple[str, str]] = {
    "resolve": ("the name does not resolve: a wrong host, or DNS", "check the host name and the DNS entry"),
    "refused": (
        "nothing listens on that port: not started, crashed, or another port",
        "start it, and read its log",
    ),
    "tcp": ("the address cannot be reached: network, firewall, wrong address", "check network and firewall"),
    "timeout": (
        "it accepts but does not answer in time: overloaded, stuck, or filtered",
        "find out what it waits for",
    ),
    "tls": (
        "the certificate or the handshake is wrong: expired, wrong name, unknown issuer",
        "renew or replace the certificate",
    ),
    "certificate": ("its certificate ends soon", "renew the certificate"),
    "status": ("it runs but says that something is wrong", "read its log for this answer"),
    "answer": (
        "it answers, but with the wrong content: a wrong version, or a failing subsystem",
        "compare the answer with the expected one",
    ),
    "closed": ("it closed in the middle of an answer: crashed, or restarting", "read its log for a crash"),
    "query": (
        "the database is reached but the query fails: schema, rights, or a lock",
        "run the query by hand",
    ),
    "process": (
        "the process does not run: it ended, crashed, or was never started",
        "read its log for why it ended, then start it",
    ),
    "no run": ("its scenario was not run, or not against this target", "run the scenario, then ask again"),
    "missing file": ("a file that should exist does not", "check the path, and the program that writes it"),
    "tests": ("tests fail, or did not run at all", "read the failed tests, then run them again"),
    "created": (
        "created but never started: the image, its registry's limits, or a dependency",
        "pull the image, start it, and read what the engine says",
    ),
    "image": (
        "the image cannot be pulled: registry rate limit, name or credentials",
        "log in to the registry, or pull from a mirror",
    ),
    "container": ("a container is not running, unhealthy or missing", "read its log, then start it"),
    "exit": ("the command says that something is wrong", "run it by hand and read what it says"),
    "level": ("it works, but slower or fuller than its levels allow", "find what takes the time or space"),
    "run": (
        "its run names no cause, only what it measured",
        "look for slow or failed turns in the report of the run, and for the reason in the component's logs",
    ),
    "refuses": (
        "it refuses requests under load: limits, or authentication",
        "read the refusals by layer in the report of the run",
    ),
    "driver": ("loadtest lacks a driver, so it cannot probe it", "install the driver and try again"),
    "credential": (
        "loadtest's credential is missing or not accepted, so it cannot probe it",
        "set the credential and try again",
    ),
    "tool": ("loadtest lacks a tool, so it cannot probe it", "install the tool, or name a file"),
    "stale": (
        "its evidence is too old, or has a wrong date",
        "run again what makes the evidence, or probe the component again",
    ),
    "release": (
        "its evidence is of another release than the judged one",
        "deploy or test the judged release, then probe it again",
    ),
    "through": (
        "it is reached only through a component that is down",
        "repair that component first, then try again",
    ),
    "generator": ("our own measurement cannot be believed", "run it again on an idle machine"),
    "policy": ("the policy asks for something that does not work", "correct the policy"),
}
"""By class of error: the likely cause, and what to do where the policy says nothing."""

OTHERWISE = ("the probe does not show the cause", "examine it by hand")

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
