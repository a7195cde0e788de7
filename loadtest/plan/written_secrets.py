"""What a plan itself writes that may be a secret, beside its target: data, subprotocols, messages.

By one rule with the target's own (``plan.secrets``): a name decides, wherever the value stands. The values
are taken out of everything that a run keeps or shows, also where a server repeats them under another name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from loadtest.plan.printable_text import visible
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import DataRows, Scenario
from loadtest.plan.schema import SCENARIO_TABLE
from loadtest.plan.secrets import SHORTEST_WRITTEN, scenario_secrets, written_secrets
from loadtest.plan.settings import HIDDEN as NOT_KEPT
from loadtest.plan.settings import protocol_settings
from loadtest.plan.template import PLACEHOLDER, Template, escaped
from loadtest.plan.text_secrets import USER_OF_URL, secrets_in, settings_secrets
from loadtest.secret_names import PUBLIC_HEADERS, sounds_secret, subprotocol_secrets

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
    """Values of data rows, of subprotocols, messages and settings that may be secrets, each once."""
    every = (scenario, *(each.scenario for each in scenario.populations))
    rows = (value for each in every if each.traffic is not None for value in _of_rows(each.traffic.data))
    found = dict.fromkeys([*rows, *_of_plan(scenario)])
    return list(filter(_may_be_secret, found))


Hide = Callable[[str], str]
"""Takes secrets out of a line."""


def hide_of_scenario(scenario: Scenario) -> Hide:
    """Takes out of a line what the scenario, a population or its protocol writes that may be a secret."""
    return _hide(
        [*(value for each in scenario.parts for value in written_secrets(each.target)), *_of_plan(scenario)]
    )


def hide_of_protocol(protocol: Protocol) -> Hide:
    """Takes out of a line what the protocol writes that may be a secret."""
    return _hide(settings_secrets(protocol_settings(protocol)))


_SCHEME = re.compile(r"(?:bearer|basic)(?: +|$)", re.IGNORECASE)


def _hide(found: Iterable[str]) -> Hide:
    """Of a value with placeholders each text beside them is taken out: lines may show them filled."""
    texts = (
        _SCHEME.sub("", text.strip()) for value in found for text in PLACEHOLDER.sub("\0", value).split("\0")
    )
    secrets = {text for text in texts if len(text) >= SHORTEST_WRITTEN and text != NOT_KEPT}
    forms = sorted({form for each in secrets for form in _forms(each)}, key=len, reverse=True)

    def hide(line: str) -> str:
        line = USER_OF_URL.sub(f"{HIDDEN}@", line)
        for form in forms:
            line = line.replace(form, HIDDEN)
        return _CUT.sub(lambda cut: _without_beginning(cut[0], forms), line)

    return hide


def _forms(secret: str) -> tuple[str, ...]:
    """A secret as lines show it: as it is written, in JSON, and with escapes for what nobody would see."""
    return secret, escaped(secret), visible(secret), visible(escaped(secret))


_CUT = re.compile(r"\S+?(?=\.\.\.|…)")
"""What stands before the mark of a text that was cut."""

SHORTEST_BEGINNING = 4
"""Letters of a secret that a cut has left."""


def _without_beginning(text: str, forms: Sequence[str]) -> str:
    for at in range(len(text) - SHORTEST_BEGINNING + 1):
        if any(form.startswith(text[at:]) for form in forms):
            return f"{text[:at]}{HIDDEN}"
    return text


def _of_plan(scenario: Scenario) -> Iterator[str]:
    for each in (scenario, *(each.scenario for each in scenario.populations)):
        yield from _found(each)
    yield from settings_secrets(SCENARIO_TABLE.write(scenario))


def _may_be_secret(value: str) -> bool:
    return len(value) >= SHORTEST_WRITTEN and not Template.parse(value).names


def _found(scenario: Scenario) -> Iterator[str]:
    traffic, target, protocol = scenario.traffic, scenario.target, scenario.protocol
    if traffic is not None:
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
