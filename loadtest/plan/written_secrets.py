"""What a plan itself writes that may be a secret, beside its target: data, subprotocols, messages.

By one rule with the target's own (``plan.secrets``): a name decides, wherever the value stands. The values
are taken out of everything that a run keeps or shows, also where a server repeats them under another name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import Rows, Scenario
from loadtest.plan.secrets import SHORTEST_WRITTEN
from loadtest.plan.template import Template
from loadtest.secret_names import KEY, PUBLIC_HEADERS, sounds_secret, subprotocol_secrets


def plan_secrets(scenario: Scenario) -> list[str]:
    """Values of data rows, of subprotocols and of messages that may be secrets, each once."""
    every = (scenario, *(each.scenario for each in scenario.populations))
    found = dict.fromkeys(value for each in every for value in _found(each))
    return [value for value in found if len(value) >= SHORTEST_WRITTEN and not Template.parse(value).names]


def _found(scenario: Scenario) -> Iterator[str]:
    traffic, target, protocol = scenario.traffic, scenario.target, scenario.protocol
    if traffic is not None:
        yield from _of_rows(traffic.data)
        yield from _of_text(traffic.message or "")
    yield from subprotocol_secrets(target.subprotocols or ())
    yield from subprotocol_secrets(protocol.connect.subprotocols)
    for _, text, _ in templates(protocol):
        yield from _of_text(text)
    for request in (each for step in scenario.prepare for each in step.requests):
        yield from (value for name, value in request.headers.items() if name.lower() not in PUBLIC_HEADERS)
        yield from (value for name, value in request.form.items() if sounds_secret(name))
        yield from _of_text(request.body or "")


def _of_rows(rows: Rows) -> Iterator[str]:
    columns = [column for column in (rows[0] if rows else ()) if sounds_secret(column)]
    for row in rows:
        yield from (row[column] for column in columns)


def _of_text(text: str) -> Iterator[str]:
    """The members of a message that is JSON whose keys name a secret."""
    try:
        waiting: list[object] = [json.loads(text)]
    except (ValueError, RecursionError):
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend(node.values())
            yield from (value for key, value in node.items() if isinstance(value, str) and KEY.fullmatch(key))
        elif isinstance(node, list):
            waiting.extend(node)
