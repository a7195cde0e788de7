"""Secrets in a capture, which nobody wrote into a file of ours: a browser shows them as they were sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from loadtest.plan.capture import CapturedFrame
from loadtest.plan.placeholder_names import SECRETS
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import templates
from loadtest.plan.secrets import SHORTEST_WRITTEN
from loadtest.plan.template import Template
from loadtest.plan.text_secrets import secrets_in
from loadtest.secret_names import sounds_secret
from loadtest.speak.template_match import TemplateMatch

MAX_SECRETS = 1_000
"""Values that are looked for in every frame that is shown."""


def captured_secrets(frames: Iterable[CapturedFrame], protocol: Protocol | None = None) -> list[str]:
    """What was sent under a key that names a secret, or where the protocol has a placeholder of one.

    Raises:
        ValueError: there are more than ``MAX_SECRETS``, so that not all could be taken out.
    """
    shapes = [] if protocol is None else list(_shapes(protocol))
    found: dict[str, None] = {}
    for text in dict.fromkeys(frame.text for frame in frames if not frame.inward):
        found.update(dict.fromkeys(_in_text(text, shapes)))
        if len(found) > MAX_SECRETS:
            raise ValueError(f"there are more than {MAX_SECRETS:,} different secrets, too many to remove")
    return list(found)


def _shapes(protocol: Protocol) -> Iterator[tuple[TemplateMatch, list[str]]]:
    """The templates that have placeholders of secrets, each with their names."""
    for _, text, _ in templates(protocol):
        template = Template.parse(text)
        names = [name for name in template.names if _is_secret(name)]
        if names:
            yield TemplateMatch(template), names


def _is_secret(name: str) -> bool:
    group, _, inner = name.partition(".")
    return group in SECRETS or (group in {"user", "data", "kept", "ready", "last"} and sounds_secret(inner))


def _in_text(text: str, shapes: list[tuple[TemplateMatch, list[str]]]) -> Iterator[str]:
    yield from (value for value in secrets_in(text) if len(value) >= SHORTEST_WRITTEN)
    for shape, names in shapes:
        values = shape.values(text)
        if values is not None:
            yield from (values[name] for name in names)
