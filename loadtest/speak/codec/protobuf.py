"""Protocol Buffers: each binary frame is one message of a known type, as is each that is sent.

The types are those of a compiled descriptor set. A message is the JSON that Protocol Buffers define for it:
fields by their JSON names, enums by the names of their values, bytes in base64, well-known types as their
texts; but whole numbers of 64 bits arrive as numbers. A field that was not sent is not there, or with
``defaults`` has its default where it cannot be told from one that was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.message_factory import GetMessageClass
from typing_extensions import override

from loadtest.plan.descriptor_set import descriptors_of
from loadtest.speak.codec.codec import Codec, Frame

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, EnumDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

MAX_DEPTH: Final = 100
"""Messages that may stand in each other: as many as the library itself reads."""

WELL_KNOWN: Final = "google/protobuf/"
"""The folder of the types that have a JSON form of their own."""

_NULL: Final = "google.protobuf.NullValue"

Convert = Callable[[Any], Any]


class Protobuf(Codec):
    """The codec ``protobuf``: ``descriptors`` has the content of the file, the others name messages."""

    def __init__(
        self, descriptors: Mapping[str, str], send: str, receive: str, *, defaults: bool = False
    ) -> None:
        super().__init__()
        self._types = _types(descriptors["base64"], send, receive, defaults=defaults)

    @override
    def decode(self, frame: Frame) -> tuple[Any]:
        if isinstance(frame, str):
            raise ValueError("the frame is text, but Protocol Buffers are binary")  # noqa: TRY004 - a fact about a frame
        types = self._types
        try:
            return (types.reader.value(types.received.FromString(frame)),)
        except (DecodeError, JsonError, TypeError) as error:
            raise ValueError(
                f"the message is not a `{types.received.DESCRIPTOR.full_name}`: {error}",
            ) from error

    @override
    def encode(self, message: Any) -> bytes:
        types = self._types
        try:
            made = ParseDict(message, types.sent(), descriptor_pool=types.pool, max_recursion_depth=MAX_DEPTH)
            return bytes(made.SerializeToString())
        except (EncodeError, JsonError, TypeError, AttributeError) as error:
            raise ValueError(f"the message is not a `{types.sent.DESCRIPTOR.full_name}`: {error}") from error


class _Types:
    """What the connections of a process share."""

    def __init__(self, pool: DescriptorPool, send: str, receive: str, *, defaults: bool) -> None:
        self.pool = pool
        self.sent: type[Message] = GetMessageClass(pool.FindMessageTypeByName(send))
        self.received: type[Message] = GetMessageClass(pool.FindMessageTypeByName(receive))
        self.reader = _MessageReader(pool, defaults=defaults)


@lru_cache(maxsize=8)
def _types(content: str, send: str, receive: str, *, defaults: bool) -> _Types:
    return _Types(descriptors_of(content).pool, send, receive, defaults=defaults)


class _MessageType:
    """How the messages of one type become JSON: name and conversion of each field, by its number."""

    __slots__ = ("blank", "fields")

    def __init__(self) -> None:
        self.fields: dict[int, tuple[str, Convert | None]] = {}
        self.blank: dict[str, Any] = {}


class _MessageReader:
    """Makes JSON values of messages; what a type needs is looked up once."""

    def __init__(self, pool: DescriptorPool, *, defaults: bool) -> None:
        self._pool = pool
        self._defaults = defaults
        self._shapes: dict[str, _MessageType] = {}

    def value(self, message: Message) -> dict[str, Any]:
        """A message as what JSON holds."""
        descriptor = message.DESCRIPTOR
        shape = self._shapes.get(descriptor.full_name) or self._made(descriptor)
        fields = shape.fields
        found = dict(shape.blank)
        for field, value in message.ListFields():
            name, convert = fields.get(field.number) or self._extension(shape, field)
            found[name] = value if convert is None else convert(value)
        return found

    def _well_known(self, message: Message) -> Any:
        return MessageToDict(message, descriptor_pool=self._pool)

    def _made(self, descriptor: Descriptor) -> _MessageType:
        shape = self._shapes[descriptor.full_name] = _MessageType()
        for field in descriptor.fields:
            shape.fields[field.number] = field.json_name, self._field(field)
            if self._defaults and not field.has_presence:
                shape.blank[field.json_name] = self._blank(field)
        return shape

    def _extension(self, shape: _MessageType, field: FieldDescriptor) -> tuple[str, Convert | None]:
        found = shape.fields[field.number] = f"[{field.full_name}]", self._field(field)
        return found

    def _blank(self, field: FieldDescriptor) -> Any:
        if field.is_repeated:
            return {} if _is_map(field) else []
        convert = self._one(field)
        return field.default_value if convert is None else convert(field.default_value)

    def _field(self, field: FieldDescriptor) -> Convert | None:
        """What makes a value of JSON of what a field holds; None: it is one."""
        if not field.is_repeated:
            return self._one(field)
        if _is_map(field):
            one = self._one(field.message_type.fields_by_name["value"]) or _same
            return lambda value: {_key(key): one(value[key]) for key in value}
        each = self._one(field)
        return list if each is None else lambda value: [each(one) for one in value]

    def _one(self, field: FieldDescriptor) -> Convert | None:
        if field.message_type is not None:
            known = field.message_type.file.name.startswith(WELL_KNOWN)
            return self._well_known if known else self.value
        return None if field.enum_type is None else _names_of(field.enum_type)


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _same(value: Any) -> Any:
    return value


def _key(key: Any) -> str:
    """The key of a map as JSON has it."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _names_of(enum: EnumDescriptor) -> Convert:
    """A value's name; one that the descriptors do not know keeps its number."""
    if enum.full_name == _NULL:
        return lambda _: None
    names = {number: value.name for number, value in enum.values_by_number.items()}
    return lambda number: names.get(number, number)
