"""How a simulator is started: its options as data, from a command line and back."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.errors import ConfigError, Problem
from loadtest.simulator.faults import parse_faults
from loadtest.units import parse_duration

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of a simulator. Times are nanoseconds; ``port`` 0 takes a free one.

    ``host`` is an address or a name of this machine; by default only this machine can reach it.

    ``faults`` are as written, ``NAME`` or ``NAME=VALUE``; ``jwt_secret_env`` names the environment variable
    that holds the secret; ``partials`` is the number of partial results in a turn; ``slow_reader_ns`` is
    how long a full write buffer is tolerated; ``heartbeat_ns`` is how often a ``{"type":"ping"}`` goes out;
    ``while_stdin``: stop when standard input ends, as it does when the parent dies.
    """

    host: str = LOOPBACK
    port: int = 0
    faults: tuple[str, ...] = ()
    seed: int = 1
    jwt_secret_env: str | None = None
    cert: Path | None = None
    key: Path | None = None
    compression: bool = False
    partials: int = 2
    heartbeat_ns: int | None = None
    slow_reader_ns: int = 30_000_000_000
    max_ns: int | None = None
    max_connections: int = 20_000
    max_message_bytes: int = 8 * 1024 * 1024
    max_turns: int = 100_000
    while_stdin: bool = False

    def __post_init__(self) -> None:
        if (self.cert is None) != (self.key is None):
            raise ConfigError([Problem("--cert, --key", "give both a certificate and its key")])


class Option(NamedTuple):
    """One option: its field, how its text is read and written; ``read`` None: a flag."""

    field: str
    read: Callable[[str], Any] | None
    write: Callable[[Any], str] = str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch("-?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f'"{text}" is not a whole number from {low} to {high}')
        return int(text)

    return read


def _nanoseconds(ns: int) -> str:
    return f"{ns}ns"


OPTIONS = {
    "--host": Option("host", str),
    "--port": Option("port", _whole(0, 65_535)),
    "--fault": Option("faults", str),
    "--seed": Option("seed", _whole(-(10**17), 10**17)),
    "--jwt-secret-env": Option("jwt_secret_env", str),
    "--cert": Option("cert", Path),
    "--key": Option("key", Path),
    "--compression": Option("compression", None),
    "--partials": Option("partials", _whole(0, 10_000)),
    "--heartbeat": Option("heartbeat_ns", parse_duration, _nanoseconds),
    "--slow-reader": Option("slow_reader_ns", parse_duration, _nanoseconds),
    "--max-time": Option("max_ns", parse_duration, _nanoseconds),
    "--max-connections": Option("max_connections", _whole(1, 1_000_000)),
    "--max-message-bytes": Option("max_message_bytes", _whole(1, 1 << 30)),
    "--max-turns": Option("max_turns", _whole(1, 10_000_000)),
    "--while-stdin": Option("while_stdin", None),
}
"""Every option; ``--fault`` may be repeated."""


def parse_options(arguments: Sequence[str]) -> Options:
    """The options of ``python -m loadtest.simulator``.

    Raises:
        ConfigError: with every mistake, those in faults included.
    """
    values: dict[str, Any] = {"faults": ()}
    problems: list[Problem] = []
    rest = iter(arguments)
    for argument in rest:
        name, equals, text = argument.partition("=")
        try:
            option = _option(name)
            values[option.field] = _value(
                option, values, text if equals else next(rest, None) if option.read else ""
            )
        except ValueError as error:
            problems.append(Problem(name, str(error)))
    try:
        parse_faults(values["faults"])
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    return Options(**values)


def _value(option: Option, values: dict[str, Any], text: str | None) -> object:
    """What an option adds to the values so far."""
    if option.read is None:
        return True
    if text is None:
        raise ValueError("needs a value")
    value = option.read(text)
    return (*values["faults"], value) if option.field == "faults" else value


def _option(name: str) -> Option:
    if name in OPTIONS:
        return OPTIONS[name]
    near = difflib.get_close_matches(name, OPTIONS, n=1)
    advice = f'did you mean "{near[0]}"?' if near else f"the options are {', '.join(OPTIONS)}"
    raise ValueError(f"there is no such option; {advice}")


def to_arguments(options: Options) -> list[str]:
    """The command line that ``parse_options`` reads back to the same options; defaults are left out."""
    defaults = {field.name: field.default for field in fields(Options)}
    arguments: list[str] = []
    for name, option in OPTIONS.items():
        value = getattr(options, option.field)
        if option.field == "faults":
            arguments += [f"--fault={fault}" for fault in value]
        elif value == defaults[option.field] or value is None:
            continue
        else:
            arguments.append(name if option.read is None else f"{name}={option.write(value)}")
    return arguments
