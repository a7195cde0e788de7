"""The beginning of a message whose end has not come: its pieces are joined once, not with every frame."""

from __future__ import annotations


class Unfinished:
    """Pieces that are kept, ``held`` bytes in all; joined when there are ``needed`` bytes."""

    __slots__ = ("_needed", "_pieces", "held")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._needed = 0
        self.held = 0

    def keep(self, data: bytes, needed: int = 0) -> None:
        """Keep what is not whole; ``needed``: with fewer bytes it cannot be."""
        if data:
            self._pieces.append(data)
            self.held += len(data)
            self._needed = needed

    def joined(self, data: bytes) -> bytes:
        """All that is kept with ``data`` behind it, which is kept no more; empty while it cannot be whole."""
        if not self._pieces:
            return data
        if self.held + len(data) < self._needed:
            self.keep(data, self._needed)
            return b""
        found = b"".join((*self._pieces, data))
        self._pieces, self.held, self._needed = [], 0, 0
        return found
