"""Containers: a listing of ``docker compose ps --all --format json`` or of ``docker inspect``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loadtest.judge.manifest_access import section
from loadtest.keep.json import parsed
from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import ContainersProbe
from loadtest.readiness.probes.command import run_program
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError

MAX_FILE_BYTES = 16 * 1024 * 1024
PULL = re.compile(
    r"ErrImagePull|ImagePullBackOff|pull access denied|toomanyrequests|rate limit"
    r"|manifest (?:for .* )?(?:unknown|not found)",
    re.IGNORECASE,
)
NOT_TOLD = "this listing does not show restarts; use that of docker inspect"
_RESTARTING = re.compile(r"Restarting \((\d+)\)")


@dataclass(frozen=True, slots=True)
class Container:
    """One container: its service, its state and health as the engine names them, and how it got there.

    ``restarts`` is None where the listing does not tell it, as that of ``docker compose ps`` does not.
    ``title`` tells it apart from the other containers of its service, where there are such.
    """

    service: str
    state: str
    health: str = ""
    exit_code: int | None = None
    restarts: int | None = None
    error: str = ""
    id: str = ""
    image: str = ""
    name: str = ""
    project: str = ""
    title: str = ""

    @property
    def called(self) -> str:
        """What sentences call it."""
        return self.title or self.service

    @property
    def problem(self) -> tuple[str, str] | None:
        """Class and sentence of what is wrong with it; None where nothing is."""
        if PULL.search(self.error):
            return "image", f"{self.called}: the image cannot be pulled: {self.error[:160]}"
        if self.state == "created":
            return "created", f"{self.called}: created but not running"
        if self.state != "running":
            code = "" if self.exit_code is None else f" (exit code {self.exit_code})"
            return "container", f"{self.called}: {self.state or 'no state'}{code}"
        if self.health == "unhealthy":
            return "container", f"{self.called}: running but unhealthy"
        return None

    @property
    def doubts(self) -> Iterator[str]:
        """Sentences on what is not quite right with it though it runs."""
        if self.restarts:
            yield f"{self.called}: restarted {self.restarts} times"
        if self.health == "starting":
            yield f"{self.called}: running, but not yet healthy"


def read_listing(text: str) -> list[Container]:
    """The containers of a listing: a JSON array, or one object per line.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    if not text:
        return []
    items = parsed(text) if text.startswith("[") else [parsed(line) for line in text.splitlines() if line]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError("the listing is not a list of containers")
    return [_inspected(item) if isinstance(item.get("State"), dict) else _listed(item) for item in items]


def _listed(item: Mapping[str, Any]) -> Container:
    """As ``docker compose ps`` lists it."""
    status = str(item.get("Status") or "")
    restarting = _RESTARTING.search(status)
    return Container(
        service=str(item.get("Service") or item.get("Name") or item.get("Names") or "?"),
        state=str(item.get("State") or "").lower(),
        health=str(item.get("Health") or "").lower(),
        exit_code=_count(item.get("ExitCode")),
        restarts=_restarts(item, restarting=bool(restarting)),
        error=" ".join(str(item.get(key) or "") for key in ("Error", "Reason", "Status")).strip(),
        id=str(item.get("ID") or ""),
        image=str(item.get("Image") or ""),
        name=str(item.get("Name") or item.get("Names") or ""),
        project=str(item.get("Project") or ""),
    )


def _restarts(item: Mapping[str, Any], *, restarting: bool) -> int | None:
    """How often it was restarted, at least once where it is just now; None where nothing tells it."""
    told = _count(item.get("RestartCount"))
    return max(told or 0, 1) if restarting else told


def _inspected(item: Mapping[str, Any]) -> Container:
    """As ``docker inspect`` tells it."""
    state: Mapping[str, Any] = item["State"]
    labels, health = section(item, "Config", "Labels"), section(state, "Health")
    return Container(
        service=str(labels.get("com.docker.compose.service") or str(item.get("Name") or "?").lstrip("/")),
        state=str(state.get("Status") or "").lower(),
        health=str(health.get("Status") or "").lower(),
        exit_code=_count(state.get("ExitCode")),
        restarts=_count(item.get("RestartCount")),
        error=str(state.get("Error") or ""),
        id=str(item.get("Id") or ""),
        image=str(section(item, "Config").get("Image") or item.get("Image") or ""),
        name=str(item.get("Name") or "").lstrip("/"),
        project=str(labels.get("com.docker.compose.project") or ""),
    )


def _count(value: object) -> int | None:
    """The value as a count; None where it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def probe_containers(probe: ContainersProbe, context: ProbeContext) -> Evidence:
    """Every service that should run, held against the listing."""
    evidence = _looked(probe, context)
    mine = tuple(each for each in evidence.release if probe.release and probe.release in each)
    return replace(evidence, release=mine)


def _looked(probe: ContainersProbe, context: ProbeContext) -> Evidence:
    project = ["--project-name", probe.project] if probe.project else []
    command = ["docker", "compose", *project, "ps", "--all", "--format", "json"]

    def listed() -> tuple[list[Container], float, str]:
        text, at, source = listing(probe.file, command, "docker compose ps", "the container engine", context)
        return [each for each in _read(text) if each.service in probe.services], at, source

    mine, at, source = listed()
    if probe.file is not None:
        return _evidence(probe.services, _of_project(probe.project, mine), at, source)
    looks = _looked_twice(mine, probe.apart_s, context)
    seen, doubts = looks.containers, looks.doubts
    if looks.gone:
        # Nobody knows whether another one has come in its place, so that the engine is asked again.
        known = {each.id: each for each in seen if each.id and each not in looks.gone}
        seen = [known.get(each.id, each) for each in listed()[0]]
        services = dict.fromkeys(each.service for each in looks.gone)
        doubts += tuple(f"{name}: a container was removed or replaced meanwhile" for name in services)
    return _evidence(probe.services, seen, context.wall(), source, unknown=looks.unknown, doubts=doubts)


def _of_project(project: str | None, containers: Sequence[Container]) -> list[Container]:
    """The containers of a project in a file, which may hold those of several.

    Raises:
        NotProbedError: it holds those of several, and nothing says which are meant.
    """
    projects = sorted({each.project for each in containers if each.project})
    if project is None and len(projects) > 1:
        told = ", ".join(projects[:5])
        raise NotProbedError(
            "policy", f"the services are in more than one project ({told}): name one by `project`"
        )
    return [each for each in containers if project is None or each.project == project]


def _read(text: str) -> list[Container]:
    try:
        return read_listing(text)
    except (ValueError, RecursionError) as error:
        raise NotProbedError("tool", f"the listing cannot be read: {str(error)[:120]}") from None


@dataclass(frozen=True, slots=True)
class _Looks:
    """Containers as they were listed, or as ``docker inspect`` told them last, which alone counts restarts.

    ``unknown`` is why restarts are not known. ``doubts`` has a sentence per container that was restarted
    between the looks, ``gone`` are those that were not there any more.
    """

    containers: Sequence[Container]
    unknown: str = ""
    doubts: tuple[str, ...] = ()
    gone: tuple[Container, ...] = ()


def _looked_twice(listed: Sequence[Container], apart_s: float, context: ProbeContext) -> _Looks:
    """The containers by two looks of ``docker inspect``, each held against itself."""
    ids = [each.id for each in listed if each.id]
    if not ids:
        return _Looks(listed, NOT_TOLD)
    looks: list[list[Container]] = []
    for wait_s in (0.0, apart_s):
        context.sleep(min(wait_s, context.left_s(1e9)))
        try:
            ended = run_program(
                ["docker", "inspect", *ids], context.folder, context.left_s(1e9), context.environ
            )
        except ProbeError as error:
            return _Looks(listed, f"docker inspect: {error}")
        if ended.code and not ended.out.strip():
            return _Looks(listed, f"docker inspect ended with {ended.code}")
        # It ends with 1 where one of many is not there, and prints the others.
        looks.append(_read(ended.out))
    seen, doubts, gone = list[Container](), list[str](), list[Container]()
    for each, called in zip(listed, _titled(listed), strict=True):
        first, last = (_of_id(each.id, look) for look in looks)
        if each.id and (first is None or last is None):
            gone.append(each)
        if first is None or last is None:
            seen.append(each)
            continue
        restarts = each.restarts if last.restarts is None else last.restarts
        if first.restarts is not None and restarts is not None and restarts > first.restarts:
            rise = restarts - first.restarts
            doubts.append(f"{called.called}: restarted {rise} times within {apart_s:g} s")
        # What could not even be pulled or created is told by the listing alone.
        state = each if each.problem else replace(last, service=each.service, name=each.name, id=each.id)
        seen.append(replace(state, restarts=restarts))
    why = "a container was removed or replaced while loadtest looked" if gone else ""
    return _Looks(seen, why, tuple(doubts), tuple(gone))


def _of_id(short: str, look: Sequence[Container]) -> Container | None:
    """The container of that id, which a listing may shorten."""
    return next((each for each in look if short and each.id.startswith(short)), None)


def _titled(containers: Sequence[Container]) -> list[Container]:
    """The containers, those of one service with titles that tell them apart."""
    n = Counter(each.service for each in containers)
    return [
        replace(each, title=f"{each.service} ({each.name or each.id[:12] or 'one of several'})")
        if n[each.service] > 1
        else each
        for each in containers
    ]


def listing(
    file: str | None, command: Sequence[str], called: str, who: str, context: ProbeContext
) -> tuple[str, float, str]:
    """The text of a listing, when it was made, and what to call it: a file's, or what ``command`` prints.

    The command is ``called`` so, and ``who`` answers it.

    Raises:
        NotProbedError: the file cannot be read or is too large, or the command failed.
    """
    if file is not None:
        return _listing_file(file, context)
    try:
        ended = run_program(command, context.folder, context.left_s(1e9), context.environ)
    except NotProbedError:
        raise
    except ProbeError as error:
        raise NotProbedError("tool", f"{who} did not answer: {error}") from None
    if ended.code:
        last = ended.last_words[-1] if ended.last_words else "no reason given"
        raise NotProbedError("tool", f"{called} ended with {ended.code}: {last}")
    return ended.out, context.wall(), called


def _listing_file(name: str, context: ProbeContext) -> tuple[str, float, str]:
    path = context.path(name)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise NotProbedError("tool", f"{path.name} is larger than {MAX_FILE_BYTES >> 20} MiB")
        return path.read_text("utf-8", "replace"), path.stat().st_mtime, f"the file {path.name}"
    except OSError as error:
        raise NotProbedError("tool", f"the listing {path.name} cannot be read: {error.strerror}") from None


def _evidence(
    services: Sequence[str],
    containers: Sequence[Container],
    at: float,
    source: str,
    *,
    unknown: str = NOT_TOLD,
    doubts: tuple[str, ...] = (),
) -> Evidence:
    mine = _titled([each for each in containers if each.service in services])
    problems = [found for each in mine if (found := each.problem)]
    missing = [name for name in services if name not in {each.service for each in mine}]
    problems += [("container", f"{name}: no container") for name in missing]
    bad = {each.service for each in mine if each.problem}.union(missing)
    running = len([name for name in services if name not in bad])
    counts = {
        "wanted": len(services),
        "running": running,
        "missing": len(missing),
        "unhealthy": sum(each.health == "unhealthy" for each in mine),
    }
    measures = {name: Measure(n, "count", len(services)) for name, n in counts.items()}
    measures["restarts"] = _all_restarts(mine, unknown)
    measures["running.ratio"] = Measure(running / len(services), "ratio", len(services))
    lines = [f"{running} of {len(services)} services run, by {source}"]
    for each in mine:
        health = f", {each.health}" if each.health else ""
        restarts = f", restarts {each.restarts}" if each.restarts else ""
        lines.append(f"{each.called}: {each.state}{health}{restarts}")
    told = [sentence for _, sentence in problems]
    again = (*doubts, *(doubt for each in mine if not each.problem for doubt in each.doubts))
    release = tuple(dict.fromkeys(each.image for each in mine if each.image))
    if not problems:
        error = "container" if again else ""
        return Evidence("answered", lines[0], at, error, measures, tuple(lines), again, release=release)
    error = next((kind for kind, _ in problems if kind == "image"), problems[0][0])
    said = "; ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
    return Evidence("failed", said, at, error, measures, tuple(lines), (*told, *again), release=release)


def _all_restarts(containers: Sequence[Container], unknown: str) -> Measure:
    """Of all containers; where one is not known, at least those that are."""
    known = [each.restarts for each in containers if each.restarts is not None]
    if len(known) == len(containers):
        return Measure(sum(known), "count", len(known))
    low = float(sum(known))
    return Measure(None, "count", len(known), unknown or NOT_TOLD, (low, None) if low else None)
