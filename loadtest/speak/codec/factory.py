"""From the name of a codec to one codec a connection; and what is wrong with a protocol's use of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from itertools import product
from typing import Any, Final

from loadtest.errors import ConfigError, Problem, install_line
from loadtest.plan.frame_limits import MAX_MESSAGE_BYTES
from loadtest.plan.framing import CodecChoice
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import Scenario
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import nearest
from loadtest.speak.codec.codec import Codec
from loadtest.speak.codec.coded_frames import CodedFrameParser, UnsendableError
from loadtest.speak.codec.framing_codec import FramingCodec

SHIPPED: Final = {
    "cbor": "loadtest.speak.codec.cbor:Cbor",
    "mqtt": "loadtest.speak.codec.mqtt:Mqtt",
    "msgpack": "loadtest.speak.codec.msgpack:MessagePack",
    "protobuf": "loadtest.speak.codec.protobuf:Protobuf",
    "signalr": "loadtest.speak.codec.signalr:SignalR",
    "socketio": "loadtest.speak.codec.socketio:SocketIo",
    "stomp": "loadtest.speak.codec.stomp:Stomp",
    "twilio": "loadtest.speak.codec.twilio:Twilio",
}
"""Where the codecs are that ship, by name."""

ENTRY_POINTS: Final = "loadtest.codecs"
"""The group of entry points under which installed packages offer codecs."""

FRAMING: Final = "framing"
"""What the codec of a protocol with [framing] is called."""

SAMPLES: Final = ("1", "true", "2026-01-31T12:00:00Z", "1s")
"""Stand for placeholders where a message is tried: a wire with types takes not each of them everywhere."""

MAX_TRIES: Final = 256
"""Ways of filling the placeholders of one message: where there are more, not all are tried."""

LIBRARIES: Final = {"cbor": "cbor2", "protobuf": "protobuf"}
"""What codecs that ship need beside loadtest; the extra of it has the codec's name."""


@dataclass(frozen=True, slots=True)
class NamedCodec:
    """A codec by its name; ``make`` gives a new one, for a connection."""

    name: str
    make: Callable[[], Codec]

    @property
    def ships(self) -> bool:
        """Whether it is one of ours."""
        return self.name in SHIPPED or self.name == FRAMING


def codec_of(protocol: Protocol) -> NamedCodec | None:
    """The codec of a protocol; None where a message is simply a frame.

    Raises:
        ConfigError: there is none of that name, or it does not take its settings.
    """
    if protocol.framing is not None:
        framing = protocol.framing
        return NamedCodec(FRAMING, lambda: FramingCodec(framing))
    choice = protocol.codec
    if choice is None:
        return None
    try:
        found = _find(choice.name)
        settings = dict(choice.settings)
        _check(found(**settings), choice)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            [
                Problem(
                    "codec",
                    f"the codec `{choice.name}` cannot be created: {error}; correct its settings or its"
                    " class",
                )
            ]
        )
    return NamedCodec(choice.name, lambda: found(**settings))


def _find(name: str) -> Callable[..., Any]:
    """The class of a name: one that ships, one of an installed package, or "module:Class"."""
    offered = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    where = SHIPPED.get(name) or offered.get(name) or name
    module, colon, attribute = where.partition(":")
    if not colon:
        known = nearest(name, [*SHIPPED, *offered])
        raise ConfigError([Problem("codec", f'`{name}` is neither a codec nor "module:Class"; {known}')])
    try:
        made = getattr(import_module(module), attribute)
    except ImportError as error:
        hint = "add the folder of its module to PYTHONPATH"
        if library := LIBRARIES.get(name):
            hint = f"run: {install_line(library, name)}"
        raise ConfigError([Problem("codec", f"the codec `{name}` cannot be imported: {error}; {hint}")])
    except AttributeError:
        raise ConfigError(
            [
                Problem(
                    "codec",
                    f"the module `{module}` has no `{attribute}`; write 'module:Class'",
                )
            ]
        )
    if not callable(made):
        raise ConfigError([Problem("codec", f"`{name}` is not a class; write 'module:Class'")])
    return made  # type: ignore[no-any-return]  # whatever it makes is checked


def _check(codec: Any, choice: CodecChoice) -> None:
    """A codec has what a codec has."""
    for method in ("decode", "encode"):
        if not callable(getattr(codec, method, None)):
            raise ConfigError(
                [
                    Problem(
                        "codec",
                        f"the codec `{choice.name}` has no method `{method}`; a codec needs `decode` and"
                        " `encode`",
                    )
                ]
            )


def unsendable_messages(scenario: Scenario) -> list[Problem]:
    """What is wrong with the codecs of a scenario, of all populations, or with messages they are given."""
    found = (
        problem
        for part in scenario.parts
        for problem in codec_problems(part.protocol, None if part.traffic is None else part.traffic.message)
    )
    return list(dict.fromkeys(found))


def codec_problems(protocol: Protocol, message: str | None = None) -> list[Problem]:
    """What is wrong with a protocol's codec, or with messages that it is given; ``message`` is one more."""
    try:
        codec = codec_of(protocol)
    except ConfigError as error:
        return [Problem(f"protocol {protocol.name}, {each.where}", each.sentence) for each in error.problems]
    if codec is None or protocol.framing is not None:
        return []
    # Nothing is received, so that nothing is answered.
    parser = CodedFrameParser(
        MAX_MESSAGE_BYTES, (), codec=codec.make(), name=codec.name, answer=lambda *_: None
    )
    return [Problem(place, sentence) for place, sentence in _wrong_messages(protocol, message, parser)]


def _wrong_messages(
    protocol: Protocol, message: str | None, parser: CodedFrameParser
) -> Iterator[tuple[str, str]]:
    named = f"protocol {protocol.name}, "
    sent = [
        (named + ".".join(map(str, path)), text) for path, text, _ in templates(protocol) if _is_sent(path)
    ]
    more = [] if message is None else [("traffic.message", message)]
    for place, text in (*sent, *more):
        if text and (why := _why_unsendable(Template.parse(text), parser)):
            yield place, why


def _why_unsendable(template: Template, parser: CodedFrameParser) -> str:
    """What is said against a message whatever stands for its placeholders; nothing where that is open."""
    names = sorted(template.names)
    alike = [_said(template, dict.fromkeys(names, sample), parser) for sample in SAMPLES]
    if len(set(alike)) == 1 or "" in alike:
        return min(alike)
    if len(SAMPLES) ** len(names) > MAX_TRIES:
        return ""
    ways = product(SAMPLES, repeat=len(names))
    mixed = (_said(template, dict(zip(names, values, strict=True)), parser) for values in ways)
    return alike[0] if all(mixed) else ""


def _said(template: Template, values: Mapping[str, str], parser: CodedFrameParser) -> str:
    """What the codec says against a message; nothing where it can be sent."""
    try:
        parser.encode(template.render(values).encode())
    except UnsendableError as error:
        return str(error)
    return ""


def _is_sent(path: tuple[str | int, ...]) -> bool:
    """Whether the template at a place is sent, and is no id or audience."""
    if path[-1] == "send" and path[0] in {"turn", "turns"}:
        # By HTTP, and by no frame.
        return False
    return path[-1] == "send" or "message" in path or "messages" in path
