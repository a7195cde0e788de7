"""What a plan itself writes that may be a secret, beside its target: data, subprotocols, messages.

By one rule with the target's own (``plan.secrets``): a name decides, wherever the value stands. The values
are taken out of everything that a run keeps or shows, also where a server repeats them under another name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import DataRows, Scenario
from loadtest.plan.secrets import SHORTEST_WRITTEN, scenario_secrets
from loadtest.plan.template import PLACEHOLDER, Template, escaped
from loadtest.secret_names import (
    KEY,
    PLACES,
    PUBLIC_HEADERS,
    SENT_KEY,
    sounds_secret,
    subprotocol_secrets,
)

_BEGUN = re.compile(r"[{\[]")

HIDDEN = "[redacted]"
"""Stands where a template that is shown writes a secret itself."""


def all_secrets(scenario: Scenario, environ: Mapping[str, str]) -> list[str]:
    """Every secret of a scenario that is known before a run: from outside, of its users, and written in it.

    Raises:
        OSError: the token file, which ``missing_secrets`` looks for, has disappeared since.
    """
    return [*scenario_secrets(scenario, environ), *plan_secrets(scenario)]


def shown_template(text: str) -> str:
    """A template as a person may see it: without the secrets that it writes itself; placeholders stay."""
    for value in filter(_may_be_secret, secrets_in(text)):
        text = text.replace(escaped(value), HIDDEN).replace(value, HIDDEN)
    return text


def shown_subprotocols(names: Sequence[str]) -> str:
    """Names of subprotocols as a person may see them, without the tokens in them."""
    text = ", ".join(names)
    for value in sorted(subprotocol_secrets(names), key=len, reverse=True):
        text = text.replace(value, HIDDEN) if value else text
    return text


def plan_secrets(scenario: Scenario) -> list[str]:
    """Values of data rows, of subprotocols and of messages that may be secrets, each once."""
    every = (scenario, *(each.scenario for each in scenario.populations))
    found = dict.fromkeys(value for each in every for value in _found(each))
    return list(filter(_may_be_secret, found))


def _may_be_secret(value: str) -> bool:
    return len(value) >= SHORTEST_WRITTEN and not Template.parse(value).names


def _found(scenario: Scenario) -> Iterator[str]:
    traffic, target, protocol = scenario.traffic, scenario.target, scenario.protocol
    if traffic is not None:
        yield from _of_rows(traffic.data)
        yield from secrets_in(traffic.message or "")
    yield from subprotocol_secrets(target.subprotocols or ())
    yield from subprotocol_secrets(protocol.connect.subprotocols)
    for _, text, _ in templates(protocol):
        yield from secrets_in(text)
    turns = (protocol.turn, *(kind.turn for kind in protocol.turns.values()))
    sent = [turn.send for turn in turns if turn.send is not None]
    for request in (*(each for step in scenario.prepare for each in step.requests), *sent):
        yield from (value for name, value in request.headers.items() if name.lower() not in PUBLIC_HEADERS)
        yield from (value for name, value in request.form.items() if sounds_secret(name))
        yield from secrets_in(request.body or "")


def _of_rows(rows: DataRows) -> Iterator[str]:
    columns = data_secret_columns(rows)
    for row in rows:
        yield from (row[column] for column in columns)


def data_secret_columns(rows: DataRows) -> list[str]:
    """The columns of data that hold secrets, by their name."""
    return [column for column in (rows[0] if rows else ()) if sounds_secret(column)]


def secrets_in(text: str) -> Iterator[str]:
    """The values in a message, or the template of one, whose keys or header lines name a secret.

    JSON may follow something else, as in ``40{"token":"x"}``.
    """
    if not _is_json(text):
        places = (place for pattern in PLACES for place in pattern.finditer(text))
        yield from dict.fromkeys(place[3].strip() for place in places if SENT_KEY.fullmatch(place[1]))
    waiting: list[tuple[object, bool]] = [(_parsed(text), False)]
    while waiting:
        node, is_secret = waiting.pop()
        if isinstance(node, dict):
            waiting.extend((value, is_secret or _holds_secret(key, value)) for key, value in node.items())
        elif isinstance(node, list):
            waiting.extend((value, is_secret) for value in node)
        elif is_secret and isinstance(node, str | int | float) and not isinstance(node, bool):
            yield str(node)
        elif isinstance(node, str) and _is_json(node):
            waiting.append((_parsed(node), False))


def _is_json(text: str) -> bool:
    """Whether a text begins as an object or a list in JSON does; a placeholder is neither."""
    return PLACEHOLDER.sub("0", text).lstrip().startswith(("{", "["))


def _parsed(text: str) -> object:
    """The first object or list in a text, where a number may stand in any gap; None if there is none."""
    filled = PLACEHOLDER.sub("0", text)
    begun = _BEGUN.search(filled)
    try:
        return None if begun is None else json.JSONDecoder().raw_decode(filled, begun.start())[0]
    except (ValueError, RecursionError):
        return None


def _holds_secret(key: str, value: object) -> bool:
    """Whether a member is a secret as a whole; of an object under ``auth`` the inner keys decide."""
    return bool((SENT_KEY if isinstance(value, str) else KEY).fullmatch(key))
