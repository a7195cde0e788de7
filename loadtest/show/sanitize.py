"""Foreign text made safe to print: names, reasons and headers come from servers and files we do not trust."""

from __future__ import annotations

from loadtest.plan.printable_text import visible

LONGEST = 400
"""Characters of a foreign text that a view shows; the rest is in ``run.json``."""


def printable(value: object, longest: int = LONGEST) -> str:
    r"""``value`` as one line without control, format or unpaired surrogate characters.

    Runs of white space become one space; any other character that would not be seen, would move the
    cursor or turn the line around, is shown as its escape (``\x1b``). Cut to ``longest`` characters
    with an ellipsis.
    """
    text = " ".join(str(value).split())
    shown = visible(text[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
