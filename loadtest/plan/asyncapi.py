"""What an AsyncAPI description (2.x, 3.x) says of a WebSocket server: where it is, and what is said there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from loadtest.errors import ConfigError, Problem
from loadtest.plan.asyncapi_document import ApiDocument, NoDescriptionError, read_document, ref_of
from loadtest.plan.schema_sample import SchemaSample

Describes = Literal["server", "client"]
"""Whose description it is: that of the server, or of a client of it."""

MAX_MESSAGES = 500
MAX_EXAMPLES = 50
MAX_TOLD = 10
"""Channels or servers that a sentence names."""

NO_VALUE = "CHANGE-ME"
"""Stands in a URL where nothing says what could."""

_VERSION = re.compile(r"[23](\.\d+){0,2}")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_LOCATION = re.compile(r"\$message\.payload#/(.+)")


@dataclass(frozen=True, slots=True)
class ApiMessage:
    """One kind of message: its payloads as examples, and the path of its correlation id, or ""."""

    name: str
    examples: tuple[Any, ...]
    id_path: str = ""


@dataclass(frozen=True, slots=True)
class ApiDescription:
    """What is said on one WebSocket: ``sent`` by clients, ``received`` by them.

    ``replies`` are the names of the messages that answer one of those sent, where the description tells.
    ``notes`` say what it asks for beside that.
    """

    title: str
    url: str
    sent: tuple[ApiMessage, ...]
    received: tuple[ApiMessage, ...]
    replies: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _DescribedChannel:
    """Where messages go: its name, its address, and what is said there, by name."""

    name: str
    address: str
    node: dict[str, Any]
    sent: dict[str, ApiMessage] = field(default_factory=dict)
    received: dict[str, ApiMessage] = field(default_factory=dict)
    replies: dict[str, tuple[str, ...]] = field(default_factory=dict)


class _Operation(NamedTuple):
    """What one side does on a channel; ``answers`` are the messages of the reply."""

    by_client: bool
    messages: list[tuple[str, Any]]
    answers: list[tuple[str, Any]]


def read_asyncapi(
    path: Path, *, server: str | None = None, channel: str | None = None, describes: Describes = "server"
) -> ApiDescription:
    """What a file describes.

    ``server`` and ``channel`` are the names of those that are meant, where there are several.

    Raises:
        ConfigError: it cannot be read, or says too little; one sentence says what.
    """
    document = read_document(path)
    try:
        return _DescriptionReader(document, describes).read(server, channel)
    except NoDescriptionError as error:
        raise ConfigError([Problem(str(path), str(error))])


class _DescriptionReader:
    """Reads one description."""

    def __init__(self, document: ApiDocument, describes: Describes) -> None:
        self._document = document
        version = document.root.get("asyncapi")
        if version is None:
            raise NoDescriptionError(
                "this is not an AsyncAPI description: the key `asyncapi` with a version is missing",
            )
        if not _VERSION.fullmatch(str(version)):
            raise NoDescriptionError(
                f"the description has AsyncAPI version {str(version)[:20]}; loadtest reads 2.x and 3.x",
            )
        self._is_3 = str(version).startswith("3")
        self._describes = describes
        self._notes: list[str] = []
        self._left = MAX_MESSAGES

    def read(self, server: str | None, channel: str | None) -> ApiDescription:
        """What it says of one server and one channel."""
        base = self._server(server)
        found = self._chosen(self._channels(), channel)
        if not found.sent:
            raise NoDescriptionError(f"the description has no message that a client sends{self._hint()}")
        self._note_bindings(found.node)
        return ApiDescription(
            title=str(self._document.at(self._document.root, "info", "title") or "")[:200],
            url=self._url(base, found),
            sent=tuple(found.sent.values()),
            received=tuple(found.received.values()),
            replies=found.replies,
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _hint(self) -> str:
        other = "client" if self._describes == "server" else "server"
        return f"; if the file describes a {other}, use --describes {other}"

    # ------------------------------------------------------------------ servers

    def _server(self, wanted: str | None) -> str:
        """The URL of the server that is meant, without its placeholders."""
        servers = self._document.table(self._document.root, "servers")
        if not servers:
            raise NoDescriptionError(
                "the description has no servers; add a server with its address and `protocol: wss`",
            )
        if wanted is not None and wanted not in servers:
            raise NoDescriptionError(
                f"the description has no server {wanted}; its servers are {_listed(servers)}",
            )
        names = [wanted] if wanted is not None else list(servers)
        spoken = {}
        for name in names:
            node = self._document.table(servers[name])
            url = self._address_of(node)
            if url is not None:
                spoken[name] = node, url
        if not spoken:
            protocols = {f"{name}: {self._document.at(servers[name], 'protocol')}": None for name in names}
            raise NoDescriptionError(
                f"the description has no WebSocket server (ws or wss); its servers are {_listed(protocols)}",
            )
        name, (node, url) = next(iter(spoken.items()))
        if len(spoken) > 1:
            self._notes.append(
                f"the description has several servers ({_listed(spoken)}); the draft uses {name}",
            )
        if node.get("security"):
            self._notes.append(
                "the server requires credentials: write them in [target] as `auth`, `headers` or `query`",
            )
        return self._filled(url, self._document.table(node, "variables"))

    def _address_of(self, node: dict[str, Any]) -> str | None:
        """The URL of a server; None where it speaks no WebSocket."""
        protocol = str(node.get("protocol") or "").lower()
        if self._is_3:
            path = str(node.get("pathname") or "")
            glue = "" if not path or path.startswith("/") else "/"
            url = f"{node.get('host') or ''}{glue}{path}"
        else:
            url = str(node.get("url") or "")
        scheme, colon, _ = url.partition("://")
        if scheme.lower() in {"ws", "wss"} and colon:
            return url
        return f"{protocol}://{url.rpartition('://')[2]}" if protocol in {"ws", "wss"} and url else None

    def _filled(self, text: str, variables: Mapping[str, Any]) -> str:
        """An address with a value in the place of each variable."""

        def value(found: re.Match[str]) -> str:
            node = self._document.table(variables.get(found[1]))
            schema = self._document.table(node, "schema") or node
            for key in ("default", "const"):
                if isinstance(schema.get(key), str | int | float) and schema[key] != "":
                    return str(schema[key])
            for key in ("examples", "enum"):
                if isinstance(schema.get(key), list) and schema[key]:
                    return str(schema[key][0])
            self._notes.append(
                f"the description has no value for {found[0]} in the URL: replace {NO_VALUE} by its value",
            )
            return NO_VALUE

        return _VARIABLE.sub(value, text)

    def _url(self, base: str, channel: _DescribedChannel) -> str:
        """The URL of a channel: its address is a path, or a name that messages are told apart by."""
        address = self._filled(channel.address, self._document.table(channel.node, "parameters"))
        return base.rstrip("/") + address if address.startswith("/") and address != "/" else base

    # ------------------------------------------------------------------ channels

    def _channels(self) -> list[_DescribedChannel]:
        nodes = self._document.table(self._document.root, "channels")
        if not nodes:
            raise NoDescriptionError("the description has no channels, so it has no messages")
        channels = []
        for name in nodes:
            node = self._document.table(nodes, name)
            address = node.get("address") if self._is_3 else name
            channels.append(_DescribedChannel(name, str(address or ""), node))
        for channel in channels:
            for operation in self._operations(channel):
                self._add(channel, operation)
        return channels

    def _chosen(self, channels: list[_DescribedChannel], wanted: str | None) -> _DescribedChannel:
        """The channel that is meant. Those that are no paths are of one socket."""
        spoken = [each for each in channels if each.sent or each.received]
        if wanted is not None:
            spoken = [each for each in channels if wanted in {each.name, each.address}]
            if not spoken:
                told = _listed({each.name: None for each in channels})
                raise NoDescriptionError(f"the description has no channel {wanted}; its channels are {told}")
        if not spoken:
            raise NoDescriptionError("no channel of the description has a message")
        sending = [each for each in spoken if each.sent] or spoken
        if len({each.address for each in sending if each.address.startswith("/")}) > 1:
            told = _listed({each.name: None for each in sending})
            raise NoDescriptionError(
                f"the description has several channels; choose one with --channel: {told}",
            )
        first = sending[0]
        paths = {first.address} if first.address.startswith("/") else set()
        for other in spoken:
            if other is not first and (not other.address.startswith("/") or other.address in paths):
                first.sent = {**first.sent, **other.sent}
                first.received = {**first.received, **other.received}
                first.replies = {**first.replies, **other.replies}
        return first

    def _operations(self, channel: _DescribedChannel) -> Iterator[_Operation]:
        return self._operations_3(channel) if self._is_3 else self._operations_2(channel)

    def _operations_2(self, channel: _DescribedChannel) -> Iterator[_Operation]:
        """What 2.x says: `publish` is what clients of the one that is described may send."""
        for key, by_client in (("publish", True), ("subscribe", False)):
            node = self._document.table(channel.node, key)
            message = self._document.at(node, "message")
            several = message.get("oneOf") if isinstance(message, dict) else None
            listed = several if isinstance(several, list) else [message] if message is not None else []
            yield _Operation(by_client == self._is_of_server, [("", each) for each in listed], [])

    def _operations_3(self, channel: _DescribedChannel) -> Iterator[_Operation]:
        """What 3.x says: `receive` is what the one that is described takes."""
        operations = self._document.table(self._document.root, "operations")
        for name in operations:
            node = self._document.table(operations, name)
            if self._document.at(node, "channel") is not channel.node:
                continue
            by_client = (node.get("action") == "receive") == self._is_of_server
            reply = self._document.table(node, "reply")
            answers = self._messages_of(reply, self._document.table(reply, "channel")) if reply else []
            yield _Operation(by_client, self._messages_of(node, channel.node), answers)

    @property
    def _is_of_server(self) -> bool:
        return self._describes == "server"

    def _messages_of(self, node: dict[str, Any], channel: dict[str, Any]) -> list[tuple[str, Any]]:
        """The messages that an operation names; where it names none, all of its channel."""
        named = node.get("messages")
        if isinstance(named, list):
            return [((ref_of(each) or "").rpartition("/")[2], each) for each in named]
        return list(self._document.table(channel, "messages").items())

    def _add(self, channel: _DescribedChannel, operation: _Operation) -> None:
        """Add the messages of an operation to its channel."""
        sent, received = channel.sent, channel.received
        names = []
        for name, node in operation.messages:
            message = self._message(name, node)
            if message is not None:
                (sent if operation.by_client else received)[message.name] = message
                names.append(message.name)
        answers = [each for name, node in operation.answers if (each := self._message(name, node))]
        for message in answers:
            (received if operation.by_client else sent)[message.name] = message
        if answers and operation.by_client:
            channel.replies |= dict.fromkeys(names, tuple(each.name for each in answers))

    # ------------------------------------------------------------------ messages

    def _message(self, key: str, node: object) -> ApiMessage | None:
        """One message; None where nothing says what it looks like."""
        self._left -= 1
        if self._left < 0:
            raise NoDescriptionError(f"the description has more than {MAX_MESSAGES:,} messages")
        found = self._with_traits(self._document.table(node))
        name = str(found.get("name") or found.get("messageId") or key or found.get("title") or "message")
        examples = self._examples(found)
        if not examples:
            self._notes.append(f"the description does not describe the payload of {name}")
            return None
        location = self._document.at(found, "correlationId", "location")
        at = _LOCATION.fullmatch(location) if isinstance(location, str) else None
        return ApiMessage(name[:100], examples, at[1].replace("/", ".") if at else "")

    def _with_traits(self, message: dict[str, Any]) -> dict[str, Any]:
        traits = message.get("traits")
        for trait in traits if isinstance(traits, list) else []:
            message = {**self._document.table(trait), **message}
        return message

    def _examples(self, message: dict[str, Any]) -> tuple[Any, ...]:
        """The payloads that are given as examples; else one that the schema makes."""
        listed = message.get("examples")
        nodes = [self._document.table(each) for each in listed] if isinstance(listed, list) else []
        given = [each["payload"] for each in nodes if "payload" in each]
        if given:
            return tuple(given[:MAX_EXAMPLES])
        schema = message.get("payload")
        written = self._document.table(schema)
        if "schemaFormat" in written:
            schema, form = written.get("schema"), str(written["schemaFormat"])
        else:
            form = str(message.get("schemaFormat") or "")
        if schema is None or (form and not _is_json_schema(form)):
            return ()
        sample = SchemaSample(self._document).of(schema)
        return () if sample is None else (sample,)

    def _note_bindings(self, channel: dict[str, Any]) -> None:
        """What the upgrade of the channel carries."""
        binding = self._document.table(channel, "bindings", "ws")
        for part in ("query", "headers"):
            if names := self._document.table(binding, part, "properties"):
                self._notes.append(f"the upgrade carries {part}: {_listed(names)}; [target] has `{part}`")


def _is_json_schema(form: str) -> bool:
    return "aai.asyncapi" in form or "schema+json" in form or "schema+yaml" in form


def _listed(names: Mapping[str, Any]) -> str:
    more = len(names) - MAX_TOLD
    return ", ".join(list(names)[:MAX_TOLD]) + (f" and {more} more" if more > 0 else "")
