"""Which measurement a run is, so that none is counted twice, whatever its folder is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class RunIdentity(NamedTuple):
    """What tells a run from others: ``id``, when it ``started``, and its ``process`` as ``pid on host``.

    ``process`` is "" where nobody wrote it down. An id alone does not tell: two hosts that begin in one
    second give theirs the same.
    """

    id: str
    started: str
    process: str

    def is_same(self, other: RunIdentity) -> bool:
        """Whether both are one run: one process begins one run in a microsecond."""
        if self.started != other.started:
            return False
        if self.process and other.process:
            return self.process == other.process
        return self.id == other.id


def identities(manifest: Mapping[str, Any]) -> list[RunIdentity]:
    """The identity of a run, and of all runs that it is the sum of, however often they were merged."""
    found: list[RunIdentity] = []
    waiting: list[tuple[Any, Mapping[str, Any]]] = [(manifest.get("id"), manifest)]
    while waiting:
        name, told = waiting.pop()
        found.append(RunIdentity(str(name), str(told.get("started")), _process(told.get("process"))))
        parts = (told.get("fingerprint") or {}).get("parts") or ()
        waiting += [(part.get("run"), part) for part in parts]
    return found


def _process(process: Any) -> str:
    known = isinstance(process, Mapping) and "pid" in process and "host" in process
    return f"{process['pid']} on {process['host']}" if known else ""
