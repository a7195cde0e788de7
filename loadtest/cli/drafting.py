"""What `init --capture`, `import` and `record` share: frames made a protocol and a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import click

from loadtest.cli.output_files import refuse_to_overwrite, write_new
from loadtest.errors import ConfigError, Problem

if TYPE_CHECKING:
    from loadtest.plan.capture import CapturedFrame
    from loadtest.plan.scaffold import Drafted
    from loadtest.speak.captured_wire import CapturedWire


INSTEAD = "CHANGE-ME"
"""Stands in the path of a URL where a token stood."""


def drafted(
    wire: CapturedWire, where: str, subprotocols: Sequence[str] = (), secrets: Sequence[str] = ()
) -> tuple[Drafted, list[CapturedFrame]]:
    """What a capture tells, and its messages without secrets; ``where`` it is from.

    Raises:
        ConfigError: nothing was sent in them.
    """
    from loadtest.plan.scaffold import Drafted
    from loadtest.speak.capture_draft import draft
    from loadtest.speak.draft_toml import protocol_text, rows_text

    frames = clean_frames(wire.frames, secrets)
    found = draft(frames, wire)
    if not found.message:
        raise ConfigError([Problem(where, "the capture contains no sent message that could be a turn")])
    rows = rows_text(found.rows) if found.rows else ""
    identities = rows_text([found.identity]) if found.identity else ""
    made = Drafted(
        lambda name: protocol_text(found, name),
        rows,
        identities,
        tuple(subprotocols),
        think_ns=tuple(found.think_ns),
        took_ns=tuple(found.took_ns),
    )
    return made, frames


def clean_frames(frames: Iterable[CapturedFrame], secrets: Sequence[str] = ()) -> list[CapturedFrame]:
    """Frames without secrets, which would stand in files.

    Raises:
        ConfigError: there are too many secrets in them.
    """
    from loadtest.keep.redact import Redactor
    from loadtest.speak.captured_secrets import captured_secrets

    frames = list(frames)
    redactor = Redactor(secrets)
    by_place = redactor.sent
    try:
        found = captured_secrets(frames)
    except ValueError as error:
        raise ConfigError([Problem("the capture", str(error))]) from None
    # What is taken out in one place is taken out in all others; a token that comes back stays one value.
    sent = "\n".join(frame.text for frame in frames if not frame.inward)
    left = "\n".join(by_place(frame.text) for frame in frames if not frame.inward)
    everywhere = (secret for secret in found if sent.count(secret) > left.count(secret))
    redactor.know(everywhere)
    for frame in frames:
        if frame.inward:
            redactor.heard(frame.text)
    return [
        frame._replace(payload=_cleaned(frame.payload, redactor.heard if frame.inward else redactor.sent))
        for frame in frames
    ]


def _cleaned(payload: bytes, clean: Callable[[str], str]) -> bytes:
    return clean(payload.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def write_drafted(  # noqa: PLR0917 - files of one draft, and where they go
    url: str,
    name: str | None,
    folder: Path,
    found: Drafted,
    frames: Sequence[CapturedFrame],
    query: Mapping[str, str] | None = None,
    prepare: str = "",
) -> None:
    """Write scenario, protocol and capture, and say what comes next; nothing is overwritten.

    ``query`` and ``prepare`` are as of ``starting_files``.

    Raises:
        ConfigError: a file is there, or cannot be written.
    """
    from loadtest.plan.capture import capture_text
    from loadtest.plan.scaffold import starting_files

    texts = starting_files(url, name, found, query, prepare)
    texts[next(iter(texts)).removesuffix(".toml") + ".jsonl"] = capture_text(frames)
    scenario, protocol, capture = write_files(folder, texts)
    click.echo(
        f"next: loadtest protocols check {protocol} --capture {capture}\n      loadtest try {scenario}"
    )


def write_files(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write files into a folder, and say so; nothing is overwritten.

    Raises:
        ConfigError: a file is there, or cannot be written.
    """
    files = {folder / each: text for each, text in texts.items()}
    refuse_to_overwrite(files, "choose another --name or --folder")
    for path, text in files.items():
        write_new(path, text)
        click.echo(f"wrote {path}")
    return list(files)


class ShownUrl(NamedTuple):
    """A URL without secrets. ``left_out`` are the names of parameters, ``in_path`` what stood in its path."""

    url: str
    left_out: list[str]
    in_path: list[str]


def shown_url(url: str) -> ShownUrl:
    """The URL of a client as a file may hold it.

    Raises:
        ValueError: it is none.
    """
    from loadtest.secret_names import looks_like_token, sounds_secret

    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    public = [(key, value) for key, value in query if not sounds_secret(key)]
    in_path = [each for each in parts.path.split("/") if looks_like_token(each)]
    path = "/".join(INSTEAD if each in in_path else each for each in parts.path.split("/"))
    left_out = [key for key, _ in query if sounds_secret(key)]
    return ShownUrl(parts._replace(query=urlencode(public), path=path).geturl(), left_out, in_path)
