"""Workloads of Kubernetes: what ``kubectl get -o json`` tells, or a file of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loadtest.judge.manifest_access import section
from loadtest.keep.json import parsed
from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import KubernetesProbe
from loadtest.readiness.probes.containers import PULL, listing
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext
from loadtest.units import format_duration

ASKED = "deployments,statefulsets,daemonsets,jobs,pods"
JOB_NAME = ("batch.kubernetes.io/job-name", "job-name")
"""Labels of the pods of a job, with its name."""
RECENT_S = 600.0
"""A container that was restarted within this time before the listing is in doubt."""
MAX_ITEMS = 20_000


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload: how many of it should be ready and are, and what is wrong though some are.

    ``restarts`` are those that the listing tells of its containers since they exist; ``untold`` is why there
    may be more. ``images`` are those it is made of. ``why`` has the class and the sentence of what keeps it
    from being ready.
    """

    name: str
    wanted: int
    ready: int
    restarts: int = 0
    untold: str = ""
    doubts: tuple[str, ...] = ()
    why: tuple[str, str] | None = None
    images: tuple[str, ...] = ()


def probe_kubernetes(probe: KubernetesProbe, context: ProbeContext) -> Evidence:
    """Every workload that should run, held against the listing."""
    where = ["--context", probe.context] if probe.context else []
    where += ["--namespace", probe.namespace] if probe.namespace else []
    command = ["kubectl", *where, "get", ASKED, "-o", "json"]
    text, at, source = listing(probe.file, command, "kubectl get", "the cluster", context)
    try:
        items = _items(parsed(text))
    except ValueError as error:
        raise NotProbedError("tool", f"the listing cannot be read: {str(error)[:120]}") from None
    if probe.file is not None and probe.namespace is not None:
        items = [each for each in items if _namespace(each) == probe.namespace]
    found = {name: _workload(name, items, at) for name in probe.workloads}
    evidence = _evidence(found, at, source)
    mine = tuple(each for each in evidence.release if probe.release and probe.release in each)
    return replace(evidence, release=mine)


def _items(data: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, or a single one.

    Raises:
        ValueError: it is neither.
    """
    items = data.get("items", [data]) if isinstance(data, dict) else data
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        raise ValueError("the listing is not a list of Kubernetes objects")
    if len(items) > MAX_ITEMS:
        raise ValueError(f"the listing contains more than {MAX_ITEMS:,} objects")
    return items


def _namespace(item: Mapping[str, Any]) -> str | None:
    """The namespace of an object; None where the listing does not tell it."""
    found = section(item, "metadata").get("namespace")
    return None if found is None else str(found)


def _workload(name: str, items: Sequence[Mapping[str, Any]], at: float) -> Workload | None:
    """The workload KIND/NAME; None where the listing has none of it.

    Raises:
        NotProbedError: more than one namespace has it, or the listing does not say how many pods it wants.
    """
    kind, _, wanted = name.partition("/")
    found = [
        each
        for each in items
        if str(each.get("kind") or "").lower() == kind and section(each, "metadata").get("name") == wanted
    ]
    if not found:
        return None
    places = sorted({_namespace(each) or "none" for each in found})
    if len(places) > 1:
        raise NotProbedError(
            "policy",
            f"{name} is in more than one namespace ({', '.join(places[:5])}): name one by `namespace`",
        )
    return _judged(name, kind, found[0], _pods_of(kind, found[0], items), at)


def _pods_of(
    kind: str, workload: Mapping[str, Any], items: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The pods in the namespace of a workload that it selects by their labels; a pod is its own."""
    if kind == "pod":
        return [workload]
    here = _namespace(workload)
    pods = [each for each in items if each.get("kind") == "Pod" and _namespace(each) == here]
    return [each for each in pods if _selects(kind, workload, section(each, "metadata", "labels"))]


def _selects(kind: str, workload: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a workload selects pods with such labels; nothing where it has no selector.

    A job without one, as its manifest may be, has pods with its name in a label.
    """
    selector = section(workload, "spec", "selector")
    exact, expressions = section(selector, "matchLabels"), _listed(selector, "matchExpressions")
    if not exact and not expressions:
        name = section(workload, "metadata").get("name")
        return kind == "job" and name in {labels.get(label) for label in JOB_NAME}
    return exact.items() <= labels.items() and all(_matches(each, labels) for each in expressions)


def _matches(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether the labels match one expression of a selector; none matches an operator that nobody knows."""
    operator, key, values = expression.get("operator"), str(expression.get("key")), expression.get("values")
    listed = values if isinstance(values, list) else []
    if operator in {"In", "NotIn"}:
        return (key in labels and labels[key] in listed) is (operator == "In")
    return operator in {"Exists", "DoesNotExist"} and (key in labels) is (operator == "Exists")


def _judged(
    name: str, kind: str, item: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], at: float
) -> Workload:
    wanted, ready = _counts(kind, item)
    statuses = [status for pod in pods for status in _container_statuses(pod)]
    why = next((found for each in statuses if (found := _waiting(name, each))), None)
    recent = [words for each in statuses if (words := _restarted(each, at))]
    rollout = _rollout(name, kind, item)
    images = {
        str(each.get("image"))
        for of in (item, *pods)
        for each in _listed(section(of, "spec", "template", "spec") or section(of, "spec"), "containers")
        if each.get("image")
    }
    return Workload(
        name, wanted, ready,
        sum(_whole(each.get("restartCount")) for each in statuses),
        _untold(name, len(pods), wanted, ready),
        (*rollout, *(f"{name}: {words}" for words in recent)),
        why, tuple(sorted(images)),
    )  # fmt: skip


def _untold(name: str, pods: int, wanted: int, ready: int) -> str:
    """Why the listing does not tell all restarts; "" where it has the pods, or none should be there."""
    if pods and pods >= ready:
        return ""
    if not pods and wanted:
        return f"the listing contains no pod of {name}; list its pods too (kubectl get deployments,pods)"
    return f"the listing contains only {pods} of {ready} ready pods of {name}" if ready > pods else ""


def _counts(kind: str, item: Mapping[str, Any]) -> tuple[int, int]:
    """How many of it should be ready, and are."""
    spec, status = section(item, "spec"), section(item, "status")
    if kind == "daemonset":
        if not isinstance(status.get("desiredNumberScheduled"), int):
            name = section(item, "metadata").get("name")
            raise NotProbedError("tool", f"the listing does not say how many pods daemonset/{name} wants")
        return _whole(status.get("desiredNumberScheduled")), _whole(status.get("numberReady"))
    if kind == "job":
        wanted = _whole(spec.get("completions")) or 1
        return wanted, min(wanted, _whole(status.get("succeeded")))
    if kind == "pod":
        ready = any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in _listed(status, "conditions")
        )
        return 1, int(ready)
    wanted = _whole(spec.get("replicas", 1))
    return wanted, min(wanted, _whole(status.get("readyReplicas")))


def _rollout(name: str, kind: str, item: Mapping[str, Any]) -> Iterator[str]:
    """Sentences on a change that was asked for and is not done everywhere."""
    spec, status = section(item, "spec"), section(item, "status")
    observed, asked = (
        _whole(status.get("observedGeneration")),
        _whole(section(item, "metadata").get("generation")),
    )
    if kind in {"deployment", "statefulset", "daemonset"} and observed < asked:
        yield f"{name}: Kubernetes has not processed the last change yet"
    elif kind in {"deployment", "statefulset"} and observed:
        # Kubernetes leaves out a number that is 0.
        updated, wanted = _whole(status.get("updatedReplicas")), _whole(spec.get("replicas", 1))
        if updated < wanted:
            yield f"{name}: the rollout is not finished: {updated} of {wanted} replicas have the last change"


def _container_statuses(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    status = section(pod, "status")
    return [*_listed(status, "initContainerStatuses"), *_listed(status, "containerStatuses")]


def _waiting(name: str, status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Class and sentence of why a container waits; None where it does not, or only begins."""
    waiting = section(status, "state", "waiting")
    reason = str(waiting.get("reason") or "")
    if reason in {"", "ContainerCreating", "PodInitializing"}:
        return None
    said = " ".join(f"{reason}: {waiting.get('message') or ''}".split()).rstrip(": ")[:160]
    return ("image" if PULL.search(reason) else "container"), f"{name}: {said}"


def _restarted(status: Mapping[str, Any], at: float) -> str:
    """What is to be said of a container that was restarted shortly before the listing."""
    ended = section(status, "lastState", "terminated")
    try:
        ago_s = at - datetime.fromisoformat(str(ended.get("finishedAt"))).timestamp()
    except (ValueError, OverflowError):
        return ""
    n = _whole(status.get("restartCount"))
    if not n or not ago_s < RECENT_S:
        return ""
    code = (
        f"; it had ended with exit code {ended['exitCode']}" if isinstance(ended.get("exitCode"), int) else ""
    )
    return f"restarted {n} times, the last time {format_duration(max(0.0, ago_s) * 1e9)} before{code}"


def _listed(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _evidence(found: Mapping[str, Workload | None], at: float, source: str) -> Evidence:
    """Down where one is missing or none of it is ready, with issues where some of it is not."""
    n = len(found)
    there = [each for each in found.values() if each is not None]
    wanted, ready = sum(each.wanted for each in there), sum(each.ready for each in there)
    missing = [name for name, each in found.items() if each is None]
    dead = [each for each in there if each.wanted and not each.ready]
    whole = sum(each.ready >= each.wanted for each in there)
    measures = {
        "wanted": Measure(n, "count", n),
        "running": Measure(whole, "count", n),
        "missing": Measure(len(missing), "count", n),
        "restarts": _all_restarts(there, n),
    }
    if wanted:
        measures["ready.ratio"] = Measure(ready / wanted, "ratio", wanted)
    lines = (
        f"{whole} of {n} workloads are ready, by {source}",
        *map(_line, there),
    )
    release = tuple(dict.fromkeys(image for each in there for image in each.images))
    down = [("container", f"{name}: the cluster does not have this workload") for name in missing]
    down += [each.why or ("container", f"{each.name}: 0 of {each.wanted} ready") for each in dead]
    short = [
        each.why[1] if each.why else f"{each.name}: {each.ready} of {each.wanted} ready"
        for each in there
        if each.ready and each.ready < each.wanted
    ]
    issues = (*(said for _, said in down), *short, *(doubt for each in there for doubt in each.doubts))
    if down:
        error = next((kind for kind, _ in down if kind == "image"), down[0][0])
        said = "; ".join(said for _, said in down[:3])
        return Evidence("failed", said, at, error, measures, lines, issues, release=release)
    error = "container" if issues else ""
    return Evidence("answered", lines[0], at, error, measures, lines, issues, release=release)


def _line(each: Workload) -> str:
    told = str(each.restarts)
    if each.untold:
        told = f"at least {told}" if each.restarts else "not known"
    return f"{each.name}: {each.ready} of {each.wanted} ready, restarts {told}"


def _all_restarts(there: Sequence[Workload], n: int) -> Measure:
    """Of all workloads; where the listing does not tell them all, at least those that it tells."""
    told = sum(each.restarts for each in there)
    untold = next((each.untold for each in there if each.untold), "")
    if not there:
        untold = "none of the workloads is in the cluster"
    if not untold:
        return Measure(told, "count", n)
    return Measure(None, "count", n, untold, (float(told), None) if told else None)
