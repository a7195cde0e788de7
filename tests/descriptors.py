"""A descriptor set as ``protoc --include_imports`` writes it, of a desk that answers with events."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import descriptor_pb2, timestamp_pb2
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

from loadtest.plan.descriptor_set import DescriptorFile

KINDS = {
    "text": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
}


def field(name: str, number: int, kind: str, **more: Any) -> FieldDescriptorProto:
    """A field; a kind with a dot is a message, in capitals an enum."""
    made = FieldDescriptorProto(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL, **more)
    if kind in KINDS:
        made.type = KINDS[kind]
    else:
        made.type_name = kind
        made.type = (
            FieldDescriptorProto.TYPE_ENUM
            if kind.rpartition(".")[2].isupper()
            else FieldDescriptorProto.TYPE_MESSAGE
        )
    return made


MANY = FieldDescriptorProto.LABEL_REPEATED


def many(name: str, number: int, kind: str) -> FieldDescriptorProto:
    made = field(name, number, kind)
    made.label = MANY
    return made


def a_map(of: DescriptorProto, name: str, number: int, key: str, value: str) -> None:
    """Add a map to a message."""
    camel = "".join(part.title() for part in name.split("_"))
    entry = of.nested_type.add(name=f"{camel}Entry", field=[field("key", 1, key), field("value", 2, value)])
    entry.options.map_entry = True
    of.field.append(many(name, number, f".desk.v1.{of.name}.{entry.name}"))


def desk() -> FileDescriptorProto:
    """The file desk.proto, as the stub of the long tests has it as well."""
    file = FileDescriptorProto(name="desk.proto", package="desk.v1", syntax="proto3")
    file.dependency.extend(["google/protobuf/timestamp.proto", "google/protobuf/struct.proto"])
    mood = file.enum_type.add(name="MOOD")
    for number, name in enumerate(("CALM", "HURRIED")):
        mood.value.add(name=name, number=number)
    ask = file.message_type.add(name="Ask")
    ask.field.extend(
        [
            field("id", 1, "text"),
            field("text", 2, "text"),
            field("sent_ns", 3, "int64"),
            field("sound", 4, "bytes"),
            field("mood", 5, ".desk.v1.MOOD"),
            field("urgent", 6, "bool"),
            field("asked_at", 7, ".google.protobuf.Timestamp"),
        ]
    )
    event = file.message_type.add(name="Event")
    event.oneof_decl.add(name="body")
    event.field.extend(
        [
            field("id", 1, "text"),
            field("number", 2, "uint64"),
            field("word", 3, ".desk.v1.Event.Word", oneof_index=0),
            field("done", 4, ".desk.v1.Event.Done", oneof_index=0),
            field("mood", 5, ".desk.v1.MOOD"),
            many("moods", 6, ".desk.v1.MOOD"),
            many("numbers", 7, "int32"),
            many("events", 8, ".desk.v1.Event"),
            field("at", 9, ".google.protobuf.Timestamp"),
            field("nothing", 10, ".google.protobuf.NULLVALUE"),
            field("ratio", 11, "double"),
            field("extra", 12, ".google.protobuf.Struct"),
        ]
    )
    event.field[9].type_name = ".google.protobuf.NullValue"
    event.nested_type.add(name="Word", field=[field("text", 1, "text"), field("sound", 2, "bytes")])
    event.nested_type.add(name="Done")
    a_map(event, "moods_by", 13, "bool", ".desk.v1.MOOD")
    a_map(event, "labels", 14, "int64", "text")
    return file


def old() -> FileDescriptorProto:
    """A file of proto2: a field that must be there, and an extension."""
    file = FileDescriptorProto(name="old.proto", package="old", syntax="proto2")
    message = file.message_type.add(name="Ask")
    needed = field("id", 1, "text")
    needed.label = FieldDescriptorProto.LABEL_REQUIRED
    message.field.append(needed)
    message.extension_range.add(start=100, end=200)
    file.extension.append(field("mark", 100, "int32", extendee=".old.Ask"))
    return file


def descriptor_set(*files: FileDescriptorProto, imports: bool = True) -> bytes:
    """The bytes of a descriptor set, with what the files import."""
    from google.protobuf import struct_pb2

    found = descriptor_pb2.FileDescriptorSet()
    for module in (timestamp_pb2, struct_pb2) if imports else ():
        found.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
    found.file.extend(files)
    return found.SerializeToString()


def written(content: bytes, name: str = "desk.pb") -> DescriptorFile:
    """A descriptor set as the settings of a codec hold it."""
    return DescriptorFile(file=name, base64=base64.b64encode(content).decode())
