"""What an error of the target says in words, where it says it."""

from __future__ import annotations

from typing import Any

from loadtest.speak.event_match import finder
from loadtest.speak.refusal_body import CUT

LONGEST = 120
"""Characters of it that are told."""

PLACES = (
    "message", "reason", "detail", "error.message", "error", "error_description", "description",
    "payload.message", "payload.reason", "data.message", "errors.0.message", "code", "error.code",
)  # fmt: skip
"""Where errors mostly say what is wrong, the most telling first."""

_FINDERS = tuple(map(finder, PLACES))


def error_text(found: Any) -> str:
    """The words of an error, on one line; "" where it has none that are known to be it."""
    for find in _FINDERS:
        value = find(found)
        if isinstance(value, str) and (text := " ".join(value.split())):
            shown = "".join(c if c.isprintable() else " " for c in text)
            # The ellipsis tells the redactor that a token may have been cut.
            return shown if len(shown) <= LONGEST else shown[:LONGEST] + CUT
    return ""
