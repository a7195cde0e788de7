"""``--target`` of ``ready`` and ``watch``: point a policy at another system than the one it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit, urlunsplit

from loadtest.errors import Problem
from loadtest.plan.overrides import Assignment
from loadtest.plan.toml_reader import quoted

OPTION = "--target"

PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}

Place = tuple[str, int]


def retargeted(data: Mapping[str, object], target: str, problems: list[Problem]) -> list[Assignment]:
    """The changes to a policy's document that point its WebSocket components at ``target``.

    An http component at the host and port of one of them moves with it and keeps its path. Mistakes are
    added to ``problems``.
    """
    url = _split(target)
    if url.scheme not in {"ws", "wss"} or _place(url) is None:
        problems.append(Problem(OPTION, f"{quoted(target)} is not a ws:// or wss:// URL with a host"))
        return []
    parts = dict(_parts(data))
    sockets = [name for name, part in parts.items() if part.get("probe") == "websocket"]
    if not sockets:
        sentence = (
            "the policy has no WebSocket component; for other components write --set components.NAME.url=..."
        )
        problems.append(Problem(OPTION, sentence))
    before = {_place(_split(str(parts[name].get("target", "")))) for name in sockets} - {None}
    moved = [Assignment(("components", name, "target"), target, OPTION) for name in sockets]
    for name, part in parts.items():
        at = _split(str(part.get("url", "")))
        if part.get("probe") == "http" and _place(at) in before:
            moved.append(Assignment(("components", name, "url"), _moved(at, url), OPTION))
    return moved


def _parts(data: Mapping[str, object]) -> Iterator[tuple[str, Mapping[str, object]]]:
    components = data.get("components")
    if isinstance(components, Mapping):
        for name, part in components.items():
            if isinstance(part, Mapping):
                yield name, part


def _split(text: str) -> SplitResult:
    """The parts of a URL, all empty where it is none."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def _place(url: SplitResult) -> Place | None:
    """Host and port; None where they are not written out, as in a variable."""
    try:
        port = url.port or PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.hostname, port) if url.hostname and port else None


def _moved(at: SplitResult, to: SplitResult) -> str:
    """The URL of an http component at the host and port of another, with its own path and credential."""
    credential, sign, _ = at.netloc.rpartition("@")
    scheme = "https" if to.scheme == "wss" else "http"
    return urlunsplit(at._replace(scheme=scheme, netloc=credential + sign + to.netloc.rpartition("@")[2]))
