"""The codec that the documentation writes does what it says there."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

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
