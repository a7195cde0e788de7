"""What a plan itself writes that may be a secret, beside its target: data, subprotocols, messages.

By one rule with the target's own (``plan.secrets``): a name decides, wherever the value stands. The values
are taken out of everything that a run keeps or shows, also where a server repeats them under another name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import Rows, Scenario
from loadtest.plan.secrets import SHORTEST_WRITTEN, scenario_secrets
from loadtest.plan.template import PLACEHOLDER, Template, escaped
from loadtest.secret_names import KEY, PUBLIC_HEADERS, sounds_secret, subprotocol_secrets

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
    for request in (each for step in scenario.prepare for each in step.requests):
        yield from (value for name, value in request.headers.items() if name.lower() not in PUBLIC_HEADERS)
        yield from (value for name, value in request.form.items() if sounds_secret(name))
        yield from secrets_in(request.body or "")


def _of_rows(rows: Rows) -> Iterator[str]:
    columns = data_secret_columns(rows)
    for row in rows:
        yield from (row[column] for column in columns)


def data_secret_columns(rows: Rows) -> list[str]:
    """The columns of data that hold secrets, by their name."""
    return [column for column in (rows[0] if rows else ()) if sounds_secret(column)]


def secrets_in(text: str) -> Iterator[str]:
    """The values in a message, or the template of one, that is JSON, whose keys name a secret."""
    try:
        # A number may stand in any gap, inside quotes and outside.
        waiting: list[object] = [json.loads(PLACEHOLDER.sub("0", text))]
    except (ValueError, RecursionError):
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
            yield from (value for key, value in node.items() if isinstance(value, str) and KEY.fullmatch(key))
        elif isinstance(node, list):
            waiting.extend(node)
