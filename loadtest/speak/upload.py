"""A turn of several messages while they are being sent: which one is next, and when."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from loadtest.plan.template import Template
from loadtest.speak.chunk_stream import ChunkStream, Payload
from loadtest.speak.compiled_protocol import Awaited, CompiledMessageStep
from loadtest.speak.event_match import Getter
from loadtest.speak.turn import NEVER, Turn


class Upload:
    """The messages of one turn that are still to be sent.

    ``queued`` of them wait to be handed to the kernel. ``first_ns`` is when the first was sent, ``until_ns``
    when the pause or the wait of the current step is over, or its next chunk is due; both ``NEVER`` where it
    did not come to that. ``last_chunk_ns`` is when the last chunk of a file was due. ``values`` fill the
    templates. ``streams_ns``: how long the files of the turn take. ``opening``: the file with whose first
    chunk the turn begins, if it does.

    The chunk at place k of a file is due at the instant at which the file is begun, and k intervals: none
    waits for another. A file is begun when what comes before it is sent, or passed; one that opens the turn
    when its first chunk is sent.
    """

    __slots__ = (
        "_at",
        "_chunk",
        "_dues",
        "_opening",
        "_steps",
        "_stream",
        "_timeout_ns",
        "_whole_ns",
        "first_ns",
        "last_chunk_ns",
        "queued",
        "turn",
        "until_ns",
        "values",
    )

    def __init__(
        self,
        turn: Turn,
        steps: tuple[CompiledMessageStep, ...],
        values: Mapping[str, Any],
        timeout_ns: int,
        *,
        streams_ns: int = 0,
        opening: ChunkStream | None = None,
    ) -> None:
        self.turn = turn
        self.values = values
        self.first_ns = NEVER
        self.until_ns = NEVER
        self.last_chunk_ns = NEVER
        self.queued = 1
        self._steps = steps
        self._timeout_ns = timeout_ns
        self._whole_ns = timeout_ns + streams_ns
        self._opening = opening
        # A file of one chunk is over with the message that opens the turn.
        self._at = int(opening is not None and opening.count == 1)
        # The file that is being sent, and which of its chunks is next.
        self._stream: ChunkStream | None = None
        self._chunk = 0
        # When each chunk was due that is queued; the one that opens the turn gives the pace to the others.
        self._dues: deque[int] = deque() if opening is None else deque((NEVER,))

    @property
    def overdue_ns(self) -> int:
        """When all messages must be sent, once the first is; files have the time that they take."""
        return self.first_ns + self._whole_ns

    @property
    def wakes_ns(self) -> int:
        """When something is due unless an event comes before; ``NEVER`` until the first message is sent."""
        if self.first_ns == NEVER:
            return NEVER
        overdue_ns, until_ns = self.first_ns + self._whole_ns, self.until_ns
        return until_ns if NEVER != until_ns < overdue_ns else overdue_ns

    @property
    def awaited(self) -> Awaited | None:
        """What must arrive before the next message goes out; None while nothing is waited for."""
        return None if self.until_ns == NEVER else self._steps[self._at].wait

    @property
    def keep(self) -> Mapping[str, Getter]:
        """What is kept of the event that is waited for."""
        return self._steps[self._at].keep

    @property
    def streams(self) -> bool:
        """Whether a file is being sent."""
        return self._stream is not None

    def due_chunks(self, now_ns: int, values: Callable[[], Mapping[str, Any]]) -> list[Payload]:
        """The messages of all chunks that are due by now, each at its own instant."""
        found: list[Payload] = []
        stream = self._stream
        while stream is not None and self.until_ns <= now_ns:
            found.append(stream.payload(self._chunk, self.turn.id, values))
            self._dues.append(self.until_ns)
            self._chunk += 1
            if self._chunk == stream.count:
                self._end_stream()
                break
            self.until_ns += stream.every_ns
        self.queued += len(found)
        return found

    def _end_stream(self) -> None:
        """The last chunk is due: what follows it may go out with it."""
        self.last_chunk_ns = self.until_ns
        self.until_ns = NEVER
        self._stream = None
        self._at += 1

    def next_messages(self) -> list[Template]:
        """The messages that may go out now: those up to the next pause, wait or file."""
        found: list[Template] = []
        if self.until_ns != NEVER:
            return found
        for step in self._steps[self._at :]:
            if step.send is None:
                break
            found.append(step.send)
        self._at += len(found)
        self.queued += len(found)
        return found

    def begin(self, at_ns: int) -> bool:
        """A message is written; with the first one the time of the turn runs, and so does its pace.

        True: it is the first.
        """
        if self.first_ns != NEVER:
            return False
        self.first_ns = at_ns
        if self._opening is not None:
            self._go_on(self._opening, at_ns)
        return True

    def sent(self, at_ns: int) -> bool:
        """The kernel has taken one message, in the order of writing; whether it was the last."""
        self.queued -= 1
        due_ns = self._dues.popleft() if self._dues else NEVER
        if due_ns != NEVER:
            self.turn.metrics.chunk_lateness.append(max(at_ns - due_ns, 0))
        if self.queued or self._stream is not None:
            return False
        if self._at == len(self._steps):
            return True
        self._begin_step(at_ns)
        return False

    def _go_on(self, opening: ChunkStream, at_ns: int) -> None:
        """The first chunk of the turn is sent, and gives the file its pace."""
        if opening.count == 1:
            self.last_chunk_ns = at_ns
            return
        self._stream = opening
        self._chunk = 1
        self.until_ns = at_ns + opening.every_ns

    def pass_step(self, at_ns: int) -> None:
        """The pause is over, or what was waited for has come; what comes after it begins at once."""
        self.until_ns = NEVER
        self._at += 1
        self._begin_step(at_ns)

    def _begin_step(self, at_ns: int) -> None:
        """A pause, a wait or a file begins; a message is none."""
        step = self._steps[self._at]
        if step.chunks is not None:
            self._stream = step.chunks
            self._chunk = 0
            self.until_ns = at_ns
        elif step.send is None:
            lasts_ns = step.pause_ns if step.pause_ns is not None else step.within_ns
            self.until_ns = at_ns + (self._timeout_ns if lasts_ns is None else lasts_ns)
