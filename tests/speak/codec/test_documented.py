"""The codec that the documentation writes does what it says there."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

from loadtest.plan.protocol_file import load_protocol
from loadtest.speak.codec.factory import codec_problems
from tests.descriptors import descriptor_set, desk
from tests.speak.codec.test_coded_frames import Wire, malformed

PAGE = (Path(__file__).parents[3] / "docs" / "codecs.md").read_text("utf-8")


def test_the_codec_of_the_page() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(block.splitlines()) < 60
    made: dict[str, Any] = {}
    exec(block, made)
    taken = Wire(made["Sensors"](unit="K"))
    record = struct.pack(">BIf", 1, 7, 1.5)
    assert taken.hear(record + record[:4]) == [b'{"type":"reading","id":7,"value":1.5,"unit":"K"}']
    assert taken.parser.unfinished == 4
    assert len(taken.hear(record[4:])) == 1
    assert taken.parser.encode(b'{"type":"done","id":7}')[-9:] != record
    first, broken = taken.hear(record + struct.pack(">BIf", 9, 7, 0))
    assert first.startswith(b'{"type":"reading"')
    assert malformed(broken).startswith("unreadable by codec mine: KeyError 9")


def test_the_protocol_with_descriptors_of_the_page(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml descriptors=desk.pb\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "desk.pb").write_bytes(descriptor_set(desk()))
    path = tmp_path / "desk.toml"
    path.write_text(block, "utf-8")
    protocol = load_protocol(path)
    assert codec_problems(protocol) == []
    (problem,) = codec_problems(protocol, '{"id":"{turn.id}","txt":"{data.question}"}')
    assert (problem.where, 'no field named "txt"' in problem.sentence) == ("traffic.message", True)
