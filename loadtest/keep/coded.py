"""What stands coded in a text, as a server may repeat a token: in base64, hexadecimal, percent signs."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from urllib.parse import unquote

RUN = re.compile(r"[\w+/%-]{16,}+={0,2}+")
"""What may be coded: letters without a space. Shorter, it holds no secret that is worth it."""

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})++")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]++")
_PERCENT = re.compile("%[0-9A-Fa-f]{2}")
_READABLE = re.compile(rb"[\t\n\r -~]++")


def plain_forms(run: str) -> Iterator[str]:
    """The texts that a run may be the code of; none where what comes out is not readable ASCII.

    A run that was cut anywhere is decoded up to there.
    """
    if _PERCENT.search(run):
        yield unquote(run, "latin-1")
        return
    bare = run.rstrip("=")
    whole = bare[: len(bare) // 2 * 2]
    if _HEX.fullmatch(whole):
        yield from _readable(bytes.fromhex(whole))
    if _BASE64.fullmatch(bare):
        yield from _readable(_from_base64(bare))


def _from_base64(bare: str) -> bytes:
    # One letter more than whole groups is the beginning of a byte.
    whole = bare[:-1] if len(bare) % 4 == 1 else bare
    try:
        return base64.b64decode(whole.translate(_URL_SAFE) + "=" * (-len(whole) % 4))
    except binascii.Error:
        return b""


_URL_SAFE = str.maketrans("-_", "+/")


def _readable(data: bytes) -> Iterator[str]:
    if _READABLE.fullmatch(data):
        yield data.decode("ascii")
