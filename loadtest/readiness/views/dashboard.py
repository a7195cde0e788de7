"""The dashboard of a watch: what fits on a terminal of any height, the worst first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.readiness.assessment import Assessment, ComponentRow
from loadtest.readiness.views.page_model import MARKS, TONES, age, instant
from loadtest.show.render.terminal import MARKS as TONE_MARKS
from loadtest.show.sanitize import printable

COLOURS = {"good": "32", "bad": "31", "doubt": "33", "plain": "0"}
LONGEST, LONGEST_TITLE = 1000, 24
ORDER = ("down", "unknown", "degraded", "healthy")


def dashboard(
    found: Assessment, notes: Sequence[str] = (), *, width: int, height: int, colour: bool = False
) -> str:
    """Lines of at most ``width`` characters: the verdict, a line per component, notes; at most ``height``.

    Where not all components fit, the worst stay, and the last line counts the others.
    """
    tone = TONES[found.verdict]
    health = found.figures["health.overall"].text
    figures = f"health {health}, confidence {found.confidence.text}"
    head = [
        (f"{found.policy}  {found.verdict}  {instant(found.at)}  {figures}", f"1;{COLOURS[tone]}"),
        (found.why, "0"),
    ]
    rows = list(_rows(found))
    room = max(1, height - len(head))
    shown_notes = list(notes)[-max(0, min(len(notes), room - len(rows))) :] if room > len(rows) else []
    if len(rows) > room:
        left = len(rows) - room + 1
        rows = [*rows[: room - 1], (f"and {left} more", "2")]
    words = [(printable(said, LONGEST), code) for said, code in head]
    lines = [*words, *rows, *((printable(note, LONGEST), "2") for note in shown_notes)][: max(1, height)]
    return "\n".join(_cut(words, width, code if colour else "") for words, code in lines)


def _rows(found: Assessment) -> Iterator[tuple[str, str]]:
    """Printable, and in columns."""
    titles = {row.name: printable(row.title, LONGEST_TITLE) for row in found.components}
    wide = max(map(len, titles.values()), default=0)
    for row in sorted(found.components, key=lambda row: ORDER.index(row.status)):
        tone = TONES[row.status]
        mark, title = MARKS.get(row.status, TONE_MARKS[tone]), f"{titles[row.name]:<{wide}}"
        yield f"{mark} {row.status:<8}  {title}  {printable(_said(row), LONGEST)}", COLOURS[tone]
    for trigger in found.triggers:
        if trigger.outcome == "TRIGGERED":
            said = printable(f"{trigger.rule}: {trigger.measured}", LONGEST)
            yield f"{TONE_MARKS['bad']} roll back {said}", COLOURS["bad"]


def _said(row: ComponentRow) -> str:
    if row.status == "healthy":
        return f"{row.response or row.said}  {age(row.age_s)}"
    return row.why


def _cut(words: str, width: int, code: str) -> str:
    short = words if len(words) <= width else f"{words[: max(0, width - 1)]}…"
    return f"\x1b[{code}m{short}\x1b[0m" if code else short
