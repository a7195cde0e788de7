"""Options and argument types that several commands share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
from click.shell_completion import CompletionItem

from loadtest.cli.other_tools import with_unit

F = TypeVar("F", bound=Callable[..., Any])


def option(*names: str, **attributes: Any) -> Callable[[F], F]:
    """Return an option whose help names its environment variable."""
    return click.option(*names, show_envvar=True, **attributes)


def for_new_files(command: F) -> F:
    """Add ``--folder`` and ``--name``, of files that a command writes to start from."""
    folder = option(
        "--folder",
        metavar="DIR",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(),
        help="The folder for the new files; default: the current folder.",
    )
    return folder(
        option(
            "--name",
            metavar="NAME",
            help="The name of the new files; default: the name of the host.",
        )(command)
    )


class WholeNumber(click.ParamType[int]):
    """A whole number of at least 1."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return ``value`` as a number."""
        text = str(value).strip()
        if not text.isdecimal() or len(text) > 18 or int(text) < 1:
            self.fail(f'"{text}" is not a whole number of at least 1', param, ctx)
        return int(text)


class Settings(click.ParamType[str]):
    """KEY=VALUE, read by ``plan``; in an environment variable one per line, because values hold spaces.

    Or as a JSON list of texts, for values that hold line breaks: no KEY begins with a bracket.
    """

    name = "key=value"

    def split_envvar_value(self, rv: str) -> Sequence[str]:
        """Return one value per line that is not blank, or those of a JSON list."""
        if rv.lstrip().startswith("["):
            try:
                found = json.loads(rv)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, list) and all(isinstance(each, str) for each in found):
                return found
        return [line.strip() for line in rv.splitlines() if line.strip()]


class ScenarioSettings(Settings):
    """KEY=VALUE of a scenario; completes the keys, and the values of those that have a few."""

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return what may stand there, with the help of its key."""
        from loadtest.plan.schema import complete_setting

        return [CompletionItem(text, help=about) for text, about in complete_setting(incomplete)]


class Time(click.ParamType[int]):
    """A duration such as 30s, as nanoseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the nanoseconds of ``value``."""
        from loadtest.units import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Formats(click.ParamType[tuple[str, ...]]):
    """Names of views with commas between them."""

    name = "formats"

    def __init__(self, known: Collection[str]) -> None:
        self.known = tuple(known)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Return the names, each once, in the order given."""
        names = tuple(dict.fromkeys(name.strip() for name in str(value).split(",") if name.strip()))
        for name in names:
            if name not in self.known:
                nearest = get_close_matches(name, self.known, n=1)
                hint = f'did you mean "{nearest[0]}"?' if nearest else f"use one of {', '.join(self.known)}"
                self.fail(f'there is no format "{name}"; {hint}', param, ctx)
        if not names:
            self.fail("name at least one", param, ctx)
        return names


def view_options(files: Collection[str]) -> Callable[[F], F]:
    """Return ``--format``, of the views that ``files`` names, and ``--output``."""
    wanted = option(
        "--format",
        metavar="NAME,...",
        type=Formats(files),
        default="terminal",
        help=f"{', '.join(files)}; several with commas.",
    )
    put = option(
        "--output",
        metavar="PATH",
        type=Output(),
        help="A file, or a folder for several formats; a path that ends in / is a folder.",
    )
    return lambda command: wanted(put(command))


class Output(click.Path):
    """A file, or a folder: one that is there, or a path with a slash at its end.

    A ``Path`` forgets the slash, so such a folder is made here, and whoever writes finds it.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the ``Path``."""
        if str(value).endswith(SLASHES):
            try:
                Path(value).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self.fail(f"the folder {value} cannot be made: {error.strerror}", param, ctx)
        return super().convert(value, param, ctx)


SLASHES = tuple(each for each in (os.sep, os.altsep) if each)
"""What a path of a folder ends with."""


class ShippedName(click.ParamType[str]):
    """The name of something shipped, or the path of a file; completes both."""

    def __init__(self, kind: Literal["scenario", "protocol", "policy"]) -> None:
        self.kind: Literal["scenario", "protocol", "policy"] = kind
        self.name = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return ``value``; an address in the place of a scenario is answered with where it belongs."""
        text = str(value)
        if self.kind == "scenario" and "://" in text:
            command = ctx.command_path if ctx is not None else "loadtest run"
            self.fail(
                f'"{text}" is an address, not a scenario. To send a shipped scenario there: {command} '
                f"agent-burst --target {text}. To write a scenario for it: loadtest init {text}",
                param,
                ctx,
            )
        return text

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return the shipped names that fit, then let the shell add files."""
        from loadtest.plan.shipped import shipped_names

        names = [name for name in shipped_names(self.kind) if name.startswith(incomplete)]
        return [*(CompletionItem(name) for name in names), CompletionItem(incomplete, type="file")]


class Stored(click.ParamType[str]):
    """What stands for a stored run: its id, the beginning, a label, ``latest`` or a path."""

    name = "run"

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 - click's signature
        incomplete: str,
    ) -> list[CompletionItem]:
        """Return ``latest`` and the ids that fit."""
        from loadtest.keep.find import LATEST, list_runs

        runs = list_runs(Path(ctx.params.get("results") or "results"), probes=False)
        known = [LATEST, *(run.id for run in reversed(runs))]
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


def plan_options(command: str) -> Callable[[F], F]:
    """Return the options that change a scenario: target, duration, connections, their rate, and any key."""
    changes = (
        option(
            "-H",
            "--host",
            "--url",
            "--target",
            "target",
            metavar="URL",
            help="The target: ws://..., wss://... or simulator.",
        ),
        option(
            "-t",
            "--run-time",
            "--duration",
            "duration",
            metavar="TIME",
            callback=with_unit("s"),
            help="The length of the measured part, such as 30s.",
        ),
        option(
            "-u",
            "--users",
            "--connections",
            "connections",
            metavar="N",
            type=WholeNumber(),
            help="How many connections.",
        ),
        option(
            "-r",
            "--spawn-rate",
            "--connect-rate",
            "connect_rate",
            metavar="RATE",
            callback=with_unit("/s"),
            help="How fast connections open, such as 25/s.",
        ),
        option(
            "--set",
            "sets",
            metavar="KEY=VALUE",
            type=ScenarioSettings(),
            multiple=True,
            envvar=f"LOADTEST_{command}_SET",
            help="Replace one key of the scenario; repeatable (in the variable: one per line).",
        ),
    )
    return lambda function: reduce(lambda decorated, change: change(decorated), reversed(changes), function)


def target_option(command: F) -> F:
    """Return ``command`` with the ``--target`` of a policy."""
    told = (
        "Probe the policy's WebSocket components at URL, and its http components at the same host and port."
    )
    return option("--target", metavar="URL", help=told)(command)


def results_option(command: str) -> Callable[[F], F]:
    """Return ``--results DIR``; the variable of the command comes before the one of all commands."""
    return option(
        "--results",
        metavar="DIR",
        type=click.Path(file_okay=False),
        default="results",
        show_default=True,
        envvar=[f"LOADTEST_{command}_RESULTS", "LOADTEST_RESULTS"],
        help="Folder of the runs.",
    )
