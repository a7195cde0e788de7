"""What the tasks of users written in Python raise, and what they say has failed: counted, told once each."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from locust.exception import StopTest, StopUser

import loadtest

logger = logging.getLogger(__name__)

MESSAGE_CHARS = 200
"""Of what an exception says, so many characters are repeated."""

FOREIGN_CODE = tuple(
    f"{path}/" for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), *loadtest.__path__)
)
"""Where code lies that no user of ours wrote; their own may lie in a folder of these, such as an example."""

_COUNTED = "_loadtest_counted"


class Tasks:
    """The tasks of one process's users.

    ``count`` takes the name of a counter, ``saw`` a kind and a reason, of which it keeps the first few;
    ``named`` makes a name that is fit to be counted under.
    """

    def __init__(
        self,
        count: Callable[[str], object],
        saw: Callable[[str, str], object],
        named: Callable[[str], str],
    ) -> None:
        self._count = count
        self._saw = saw
        self._named = named
        self._told: dict[tuple[type, str], str] = {}

    def raised(self, error: BaseException) -> None:
        """A task ended by an exception; counted once; its traceback is logged once per kind and place."""
        if getattr(error, _COUNTED, False):
            return
        with suppress(AttributeError):
            setattr(error, _COUNTED, True)
        self._count("tasks.raised")
        self._count(f"tasks.raised_by.{self._named(type(error).__name__)}")
        place = place_of(error.__traceback__)
        kind = (type(error), place)
        if kind not in self._told:
            self._told[kind] = f"{_said(error)} ({place})"
            trace = "".join(traceback.format_exception(error)).rstrip()
            logger.error("a task raised %s; told once, counted each time\n%s", self._told[kind], trace)
        self._saw("tasks_raised", self._told[kind])

    def failed(self, reason: str, frame: FrameType | None) -> None:
        """A task says that what it checked is not as it should be."""
        self._count("tasks.failed")
        place = "" if frame is None else f" ({_place(frame, frame.f_lineno)})"
        self._saw("tasks_failed", f"{_short(reason)}{place}")


def place_of(trace: TracebackType | None) -> str:
    """Where an exception was raised: "chat.py:12 in ask", the last line that is of the user's own code."""
    frames = [(each, line) for each, line in traceback.walk_tb(trace)]
    own = [each for each in frames if not each[0].f_code.co_filename.startswith(FOREIGN_CODE)]
    return _place(*(own or frames)[-1]) if frames else "nowhere"


def _place(frame: FrameType, line: int) -> str:
    path = Path(frame.f_code.co_filename)
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return f"{path.name if path.is_absolute() else path}:{line} in {frame.f_code.co_name}"


def _said(error: BaseException) -> str:
    said = _short(str(error))
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _short(text: str) -> str:
    """The first line, and not all of a long one."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= MESSAGE_CHARS else f"{line[:MESSAGE_CHARS]}…"


def hear_tasks(environment: Any) -> None:
    """Have exceptions of this environment's tasks counted by its share; safe to call again."""
    if not getattr(environment, "loadtest_hears_tasks", False):
        environment.loadtest_hears_tasks = True

        def heard(user_instance: Any, exception: BaseException, **_kwargs: Any) -> None:
            # Locust gives the user, or the set of tasks that has one. Users of others are not counted.
            user = getattr(user_instance, "user", user_instance)
            if getattr(user, "_guide", None) is not None:
                environment.loadtest_share.tasks.raised(exception)

        environment.events.user_error.add_listener(heard)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether Locust's own word on an exception is not known yet: it was not counted, and is no end."""
    error = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return not (getattr(error, _COUNTED, False) or isinstance(error, StopUser | StopTest))


for _name in ("locust.user.task", "locust.user.users"):
    logging.getLogger(_name).addFilter(_is_news)
