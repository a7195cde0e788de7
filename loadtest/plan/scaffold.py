"""A scenario and a protocol to start from, for a user's own server."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from loadtest.errors import ConfigError, Problem
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.settings import public_url
from loadtest.plan.target import url_problem
from loadtest.units import exact_duration, format_duration

_SCENARIO = """\
# Does @NAME@ answer every message within @WITHIN@?
#
# Try it:        loadtest try @NAME@.toml
# What it does:  loadtest explain @NAME@.toml
# Run it:        loadtest run @NAME@.toml
# Every key:     loadtest scenarios --show example-full
name = "@NAME@"
protocol = "@NAME@.protocol.toml"    # the protocol file; its path is relative to this file

[target]
url = "@URL@"
@OFFERED@# headers = { Origin = "https://app.example" }       # many servers refuse a client without Origin
# auth = { kind = "token", token_env = "MY_TOKEN" }  # the environment variable that holds a token
@QUERY@@IDENTITIES@
@PREPARE@
[load]
@MODEL@connections = @CONNECTIONS@            # @BEGIN@
connect_rate = "5/s"
warmup = "2s"
duration = "10s"

[traffic]
@EVERY@
timeout = "@TIMEOUT@"
ping = "5s"
ping_timeout = "10s"       # gives up a connection if a ping has no answer and no byte arrives
@DATA@
[thresholds]
"turns.complete.ratio" = ">= 99%"
@LIMIT@
"""

_PREPARE = """\
# If clients log in by HTTP first; then [target] can use the token as {prepared.token}:
# [[prepare]]
# name = "login"
# post = "/login"
# json = { user = "{env.MY_USER}", password = "{env.MY_PASSWORD}" }
# keep = { token = "token" }           # its path in the answer's JSON
"""

_QUERY = '# query = { token = "{env.MY_TOKEN}" }               # if the URL carries the token: ?token=...\n'

_PROTOCOL = """\
# The protocol of @NAME@: one message, one answer, matched by order. Change it to fit the server.
#
# Check it:      loadtest protocols check @NAME@.protocol.toml
# A fuller one:  loadtest protocols --show agent-events
name = "@NAME@"

[connect]
path = "/"                 # used if the target's URL has no path
# If the server greets first, wait for that before anything is sent:
# ready = [ { wait = { type = "connected" }, within = "10s" } ]

[turn]
# Text, JSON or anything else; {turn.id}, {user.id}, {data.question} and others are filled in.
message = '{"id":"{turn.id}","user":"{user.id}","text":"{data.question}"}'

[events]
# If answers carry the id of their message, name its path, which is better:
# turn = ["id"]             # then delete the next line
match = "order"            # an answer belongs to the oldest message without an answer: after a lost
                           # answer, all later answers of the connection belong to the wrong message
count = 1                  # a turn ends with its first answer
fail = [                   # these answers are errors: they have an `error` that is not null, or say so
  { has = "error" },
  { type = { in = @ERRORS@ } },
  { success = false },
]
# If an answer is a stream of events, name the event that ends it, instead of count:
# type = ["type"]
# end = ["completed"]
# (and name the types of its errors in `fail` above)
"""


ERROR_TYPES = ("error", "failed", "unauthorized", "forbidden", "denied")
"""Types of answers that a draft takes for errors, whether or not anybody has seen them."""

_NOT_WRITTEN = (
    "the URL contains a password or a token, which would be written into the scenario; remove it from the"
    " URL. Give it in an environment variable instead, with `auth` or `query` of [target] (--query NAME"
    " drafts `query`)"
)


class Drafted(NamedTuple):
    """A protocol drafted from a capture: its text by its name; rows of data and of users as TOML, or "".

    ``subprotocols`` are those that were offered. ``rows_are`` says what the rows of data are. ``think_ns``:
    how long the client waited between a turn and the next, each time that it is known. ``took_ns``: how long
    each turn took, to its last event.
    """

    protocol: Callable[[str], str]
    data: str
    identities: str = ""
    subprotocols: tuple[str, ...] = ()
    rows_are: str = "what the capture asked"
    think_ns: tuple[int, ...] = ()
    took_ns: tuple[int, ...] = ()


def starting_files(
    url: str,
    name: str | None = None,
    drafted: Drafted | None = None,
    query: Mapping[str, str] | None = None,
    prepare: str = "",
) -> dict[str, str]:
    """Text by file name of a scenario and a protocol for the server at ``url``; both are valid as they are.

    ``name`` is what they are called, after the host if None. ``drafted`` stands in the place of the protocol
    to start from. ``query`` are parameters of the URL that are given by templates, ``prepare`` is the TOML of
    the steps before the connection.

    Raises:
        ConfigError: ``url`` is not one of a WebSocket server, or ``name`` is not fit for a file.
    """
    if wrong := "is not the URL of a server" if url == SIMULATOR else url_problem(url):
        raise ConfigError([Problem("URL", wrong)])
    if public_url(url) != url:
        raise ConfigError([Problem("URL", _NOT_WRITTEN)])
    if name is not None and not _NAME.fullmatch(name):
        wrong = f'"{name}" is not a valid name: use letters, digits, . _ - (at most 40)'
        raise ConfigError([Problem("--name", wrong)])
    name = name or _name(url)
    quoted = url.replace("\\", "\\\\").replace('"', '\\"')
    data = (
        f"data = {drafted.data}           # {drafted.rows_are}; used one after the other\n"
        if drafted and drafted.data
        else ""
    )
    identities = (
        f"identities = {drafted.identities}     # who logged in; a row for each connection\n"
        if drafted and drafted.identities
        else ""
    )
    # Every connection needs an identity of its own, and the capture has one.
    many, begin = (
        ("1", "as many as there are identities")
        if identities
        else ("5", "begin small: this is your own server")
    )
    offered = ", ".join(f'"{each}"' for each in (drafted.subprotocols if drafted else ()))
    model, every = _pace(drafted.think_ns if drafted else ())
    took_ns = drafted.took_ns if drafted else ()
    limit_ns = _limit_ns(took_ns)
    second = 1_000_000_000
    timeout_ns = max(10 * second, -(-2 * limit_ns // second) * second)
    texts = {
        "@MODEL@": model,
        "@EVERY@": every,
        "@QUERY@": _query_line(query) if query else _QUERY,
        "@PREPARE@": prepare or _PREPARE,
        "@LIMIT@": _limit_lines(limit_ns, took_ns),
        "@WITHIN@": format_duration(limit_ns),
        "@TIMEOUT@": exact_duration(timeout_ns),
        "@NAME@": name,
        "@URL@": quoted,
        "@OFFERED@": f"subprotocols = [{offered}]\n" if offered else "",
        "@IDENTITIES@": identities,
        "@CONNECTIONS@": many,
        "@BEGIN@": begin,
        "@DATA@": data,
    }
    errors = str(list(ERROR_TYPES)).replace("'", '"')
    scenario = re.sub("|".join(texts), lambda found: texts[found[0]], _SCENARIO)
    protocol = (
        _PROTOCOL.replace("@NAME@", name).replace("@ERRORS@", errors)
        if drafted is None
        else drafted.protocol(name)
    )
    return {f"{name}.toml": scenario, f"{name}.protocol.toml": protocol}


def _pace(think_ns: Sequence[int]) -> tuple[str, str]:
    """The lines that say when turns are sent: as the client of a capture did, where it waited for answers."""
    if not think_ns:
        return "", f'every = "1s"               # {_UNASKED}'
    middle_ns = min(max(round(statistics.median(think_ns), -6), 1_000_000), LONGEST_THINK_NS)
    n, least, most = len(think_ns), format_duration(min(think_ns)), format_duration(max(think_ns))
    told = f"{n} gap{'' if n == 1 else 's'} from {least} to {most}"
    model = (
        'model = "closed"           # the client of the capture waited for each answer before it went on\n'
    )
    every = (
        f"# Time to think, from the end of a turn to the next message: the median of {told}.\n"
        "# To draw it at random: a [[conversation]] with { think = { lognormal = ..., sigma = ... } }.\n"
        f'every = "{exact_duration(int(middle_ns))}"'
    )
    return model, every


def variable_for(name: str) -> str:
    """The environment variable of a draft for a value of this name: "MY_TOKEN" of "token"."""
    return f"MY_{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_').upper() or 'VALUE'}"


def _query_line(query: Mapping[str, str]) -> str:
    given = ", ".join(
        f"{key if _BARE.fullmatch(key) else json.dumps(key)} = {json.dumps(text)}"
        for key, text in query.items()
    )
    return f"query = {{ {given} }}    # left out of the URL above, because it is a secret\n"


def _limit_ns(took_ns: Sequence[int]) -> int:
    """What a turn may take: twice the longest of a capture, rounded up to two digits, or 100 ms if longer."""
    ms = -(-2 * max(took_ns, default=0) // 1_000_000)
    step = int(10 ** max(len(str(ms)) - 2, 0))
    return max(-(-ms // step) * step, MIN_LIMIT_MS) * 1_000_000


def _limit_lines(limit_ns: int, took_ns: Sequence[int]) -> str:
    line = f'"turn.completion.p95" = "< {exact_duration(limit_ns)}"'
    if not took_ns:
        return line
    n, longest = len(took_ns), format_duration(max(took_ns))
    of = "the turn of the capture took" if n == 1 else f"the {n} turns of the capture took at most"
    kind = "at least twice that" if limit_ns == MIN_LIMIT_MS * 1_000_000 else "twice that"
    return f"# {of[:1].upper()}{of[1:]} {longest}; this is {kind}. Write what users need.\n{line}"


MIN_LIMIT_MS = 100
"""A draft asks for no shorter time."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")

_UNASKED = "a turn per connection and second, whether or not the last was answered"

LONGEST_THINK_NS = 3_600_000_000_000
"""A client that waited longer was left alone."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


def _name(url: str) -> str:
    """A name after the host."""
    words = re.sub(r"[^a-z0-9]+", "-", (urlsplit(url).hostname or "").lower()).strip("-")
    return words[:40] or "my-server"
