"""Exceptions of users' tasks, and the checks that tasks report as failed: counted, each kind logged once."""

from __future__ import annotations

import logging
import sysconfig
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from loadtest.drive.locust_import import StopTest, StopUser

logger = logging.getLogger(__name__)

MESSAGE_CHARS = 200
"""How many characters of an exception's text are repeated."""

FOREIGN_CODE = tuple(
    f"{path}/"
    for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), Path(__file__).parents[1])
)
"""Folders of code that the user did not write; an example of the user's may still lie in one."""

_COUNTED = "_loadtest_counted"


class Tasks:
    """The tasks of one process's users.

    ``count`` increments the counter of a name, ``add_reason`` counts a reason of a kind, ``label`` makes a
    string fit to be part of a counter's name.
    """

    def __init__(
        self,
        count: Callable[[str], object],
        add_reason: Callable[[str, str], object],
        label: Callable[[str], str],
    ) -> None:
        self._count = count
        self._add_reason = add_reason
        self._label = label
        self._logged: dict[tuple[type, str], str] = {}

    def raised(self, error: BaseException, public: Callable[[str], str] = str) -> None:
        """An exception ended a task: count it once; log its traceback once for each type and line of code.

        ``public`` takes the secrets of its user out of what it says.
        """
        if getattr(error, _COUNTED, False):
            return
        with suppress(AttributeError):
            setattr(error, _COUNTED, True)
        self._count("tasks.raised")
        self._count(f"tasks.raised_by.{self._label(type(error).__name__)}")
        place = place_of(error.__traceback__)
        kind = (type(error), place)
        if kind not in self._logged:
            self._logged[kind] = f"{public(_summary(error))} ({place})"
            trace = public("".join(traceback.format_exception(error)).rstrip())
            logger.error("a task raised %s; logged once, counted each time\n%s", self._logged[kind], trace)
        self._add_reason("tasks_raised", self._logged[kind])

    def failed(self, reason: str, frame: FrameType | None) -> None:
        """A task reports that a check failed."""
        self._count("tasks.failed")
        place = "" if frame is None else f" ({_place(frame, frame.f_lineno)})"
        self._add_reason("tasks_failed", f"{_short(reason)}{place}")


def place_of(trace: TracebackType | None) -> str:
    """Where an exception was raised: "chat.py:12 in ask", the last line of the user's own code."""
    frames = [(each, line) for each, line in traceback.walk_tb(trace)]
    own = [each for each in frames if not each[0].f_code.co_filename.startswith(FOREIGN_CODE)]
    return _place(*(own or frames)[-1]) if frames else "nowhere"


def _place(frame: FrameType, line: int) -> str:
    path = Path(frame.f_code.co_filename)
    with suppress(ValueError):
        path = path.relative_to(Path.cwd())
    return f"{path.name if path.is_absolute() else path}:{line} in {frame.f_code.co_name}"


def _summary(error: BaseException) -> str:
    text = _short(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _short(text: str) -> str:
    """The first line, cut if it is long."""
    line = text.strip().partition("\n")[0]
    return line if len(line) <= MESSAGE_CHARS else f"{line[:MESSAGE_CHARS]}…"


def count_task_errors(environment: Any) -> None:
    """Have the shard count exceptions of this environment's tasks; safe to call again."""
    if not getattr(environment, "loadtest_counts_task_errors", False):
        environment.loadtest_counts_task_errors = True

        def count(user_instance: Any, exception: BaseException, **_kwargs: Any) -> None:
            # Locust gives the user, or the task set of one. Users that are not ours are not counted.
            user = getattr(user_instance, "user", user_instance)
            traffic = getattr(user, "_traffic", None)
            if traffic is not None:
                environment.loadtest_shard.tasks.raised(exception, traffic.public)

        environment.events.user_error.add_listener(count)


def _is_new(record: logging.LogRecord) -> bool:
    """Whether Locust's record of an exception is new: we have not counted it, and it is no regular end."""
    error = record.args[0] if isinstance(record.args, tuple) and record.args else None
    return not (getattr(error, _COUNTED, False) or isinstance(error, StopUser | StopTest))


for _name in ("locust.user.task", "locust.user.users"):
    logging.getLogger(_name).addFilter(_is_new)
