"""Every notice there is: when it is raised, what it says, what to do, and whether it spoils the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtest.judge.kind import Kind
from loadtest.judge.self_kinds import SELF_KINDS
from loadtest.judge.target_kinds import TARGET_KINDS
from loadtest.units import format_count


@dataclass(frozen=True, slots=True)
class Notice:
    """A reason to doubt or qualify the numbers. ``spoils``: the run is invalid for it."""

    code: str
    message: str
    remedy: str
    numbers: Mapping[str, Any]
    spoils: bool = False

    def as_dict(self) -> dict[str, Any]:
        """As in ``run.json``."""
        return {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "numbers": dict(self.numbers),
            "spoils": self.spoils,
        }


KINDS: dict[str, Kind] = {**TARGET_KINDS, **SELF_KINDS}
"""Every notice there is, by its code."""


def notice(
    code: str, numbers: Mapping[str, Any], told: Mapping[str, str] | None = None, *, spoils: bool = False
) -> Notice:
    """The notice of a code; its message is filled in from ``told``, else from the numbers as they are."""
    kind = KINDS[code]
    words = {name: shown(value) for name, value in numbers.items()}
    message = kind.message.format_map({**words, **(told or {})})
    return Notice(code, message, kind.remedy, numbers, spoils or kind.spoils == "yes")


def shown(value: object) -> str:
    """A number of a notice as text."""
    return format_count(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)


_HEAD = """\
# Notices

A notice is a reason to doubt or qualify the numbers of a run. It stands in `run.json` under `notices`, as
`{code, message, remedy, numbers, spoils}`, and in every report. One that spoils the result makes the run
invalid (exit code 4): it was measured, but is not to be believed.

| code | raised when | numbers | what to do | spoils the run |
|---|---|---|---|---|
"""


def notice_table() -> str:
    """The page ``docs/notices.md``: every code, when it is raised, its numbers, what to do, if it spoils."""
    return _HEAD + "".join(_row(code, kind) for code, kind in KINDS.items())


def _row(code: str, kind: Kind) -> str:
    numbers = " ".join(f"`{name}`" for name in kind.numbers) or "–"
    return f"| `{code}` | {kind.when} | {numbers} | {kind.remedy} | {kind.spoils} |\n"
