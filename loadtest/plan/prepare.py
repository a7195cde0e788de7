"""What users do by HTTP before they connect: ``[[prepare]]`` of a scenario, as frozen data.

A step is one request, what its answer must be, and what is kept of it as ``{prepared.NAME}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from loadtest.plan.host_name import host_problem
from loadtest.plan.identifiers import is_column, is_header_value, is_token
from loadtest.plan.plain_json import is_plain
from loadtest.plan.template import Template
from loadtest.plan.toml_reader import TomlTable, quoted

PREPARED = "prepared"
"""The group of names of what was kept: ``{prepared.NAME}``."""

ALONE = re.compile(r"\{[A-Za-z0-9_]+\.[A-Za-z0-9_]+\}")
"""One placeholder and nothing else: in the place of a URL or a path its value stands as it is."""

METHODS = ("get", "post", "put", "patch", "delete")

MAX_STEPS = 16
MAX_KEPT = 16
"""Values that one step keeps."""

STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")

FROM_HEADER, FROM_COOKIE = "header:", "cookie:"
"""How the place of a value begins that does not stand in the body."""

LONGEST_PATH = 16
"""Keys of a path into the JSON of an answer."""

Often = Literal["connection", "user", "process"]


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """One request: a URL under its method, headers, and a body as JSON or as a form; all are templates.

    The URL is a path of the target's host, or a whole ``http://`` or ``https://`` URL.
    """

    get: str = ""
    post: str = ""
    put: str = ""
    patch: str = ""
    delete: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    json: object = None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """As HTTP writes it."""
        return next((method for method in METHODS if getattr(self, method)), "get").upper()

    @property
    def url(self) -> str:
        """Where it goes, as written."""
        return next((url for method in METHODS if (url := getattr(self, method))), "")

    @property
    def body(self) -> str | None:
        """The body as a template's text where it is JSON; None where there is none."""
        return None if self.json is None else json.dumps(self.json, ensure_ascii=False)

    @property
    def text(self) -> str:
        """All of it as one template, about as HTTP writes it."""
        form = "&".join(f"{name}={text}" for name, text in self.form.items())
        lines = [f"{self.method} {self.url}", *(f"{name}: {text}" for name, text in self.headers.items())]
        body = form if self.body is None else self.body
        return "\n".join([*lines, *(["", body] if body else [])])

    @property
    def texts(self) -> list[str]:
        """Every template in it."""
        found = [self.url, *self.headers.values(), *self.form.values()]
        return found if self.body is None else [*found, self.body]


@dataclass(frozen=True, kw_only=True)
class Undo(HttpRequest):
    """What takes a step back, once its user has ended."""

    within_ns: int = 10_000_000_000


@dataclass(frozen=True, kw_only=True)
class PrepareStep(HttpRequest):
    """One step before the connection.

    ``expect``: the statuses that are success; none: 200 to 299. ``keep`` names values and where each stands
    in the answer. ``once``: for the first connection of a user, or once in a process; else before each
    connection.
    """

    name: str
    expect: tuple[int, ...] = ()
    keep: Mapping[str, str] = field(default_factory=dict)
    within_ns: int = 10_000_000_000
    once: Often = "connection"
    undo: Undo | None = None

    @property
    def requests(self) -> tuple[HttpRequest, ...]:
        """Its own request, and that of its undo."""
        return (self,) if self.undo is None else (self, self.undo)

    @property
    def kept_names(self) -> list[str]:
        """The placeholders that it gives a value."""
        return [f"{PREPARED}.{name}" for name in self.keep]


Steps = tuple[PrepareStep, ...]

R = TypeVar("R", bound=HttpRequest)


def prepare_texts(steps: Iterable[PrepareStep]) -> list[str]:
    """Every template of the steps."""
    return [text for step in steps for request in step.requests for text in request.texts]


def prepared_names(steps: Iterable[PrepareStep]) -> list[str]:
    """Every ``prepared.NAME`` that the steps keep."""
    return [name for step in steps for name in step.kept_names]


# ---------------------------------------------------------------- reading


def read_json(table: TomlTable, key: str, default: object) -> object:
    """Any value that JSON can hold."""
    value = table.take(key)
    if not is_plain(value):
        table.report(key, f"`{key}` must be a JSON value: text, a number, true, false, a list or a table")
        return default
    return value


def read_expect(table: TomlTable, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """One status, or a list of them."""
    value = table.take(key)
    statuses = value if isinstance(value, list) else [value]
    good = statuses and all(
        isinstance(each, int) and not isinstance(each, bool) and 200 <= each <= 599 for each in statuses
    )
    if not good:
        table.report(
            key,
            f"`{key}` must be an HTTP status from 200 to 599 or a list of them, not {quoted(value)}",
        )
        return default
    return tuple(statuses)


def write_expect(statuses: tuple[int, ...]) -> object:
    """As ``read_expect`` reads it."""
    return statuses[0] if len(statuses) == 1 else list(statuses)


def finish_request(table: TomlTable, request: R) -> R:
    """The request; what its keys ask of each other is reported."""
    given = [method for method in METHODS if getattr(request, method)]
    if len(given) != 1:
        ways = ", ".join(f"`{method}`" for method in METHODS)
        also = f", not under {' and '.join(f'`{each}`' for each in given)}" if given else ""
        sentence = f"a request needs its URL under exactly one of {ways}{also}"
        table.source.report(table.path, sentence)
    for method in given:
        if wrong := _wrong_url(getattr(request, method)):
            table.report(method, f"`{method}` {wrong}")
    if request.json is not None and request.form:
        table.report("form", "`form` and `json` both set the body; remove one of them")
    if (request.json is not None or request.form) and given in (["get"], ["delete"]):
        table.report(given[0], f"a `{given[0]}` request has no body; remove `json` and `form`")
    for name, text in request.headers.items():
        if not is_token(name):
            table.source.report(
                (*table.path, "headers", name),
                f"{quoted(name)} cannot be the name of a header",
            )
        if not is_header_value(text):
            sentence = (
                f"the value of the header `{name}` contains characters that are not allowed in a header"
            )
            table.source.report((*table.path, "headers", name), sentence)
    return request


def _wrong_url(url: str) -> str:
    """What is wrong with a request's URL, as the end of a sentence."""
    if ALONE.fullmatch(url):
        return ""
    if any(c.isspace() or not c.isprintable() for c in url) or "#" in url:
        return "must not contain a space or a `#`"
    if url.startswith("/") and not url.startswith("//"):
        return ""
    scheme = url.partition("://")[0].lower()
    if scheme not in {"http", "https"}:
        return f"must be a path that begins with /, or an http:// or https:// URL, not {quoted(url)}"
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    if not host:
        return f"has no host: {quoted(url)}"
    return (None if "{" in host else host_problem(host)) or ""


def finish_step(table: TomlTable, step: PrepareStep) -> PrepareStep:
    """The step; its mistakes are reported."""
    finish_request(table, step)
    if step.name and not STEP_NAME.fullmatch(step.name):
        table.report(
            "name",
            f"{quoted(step.name)} cannot be the name of a step: use letters, digits, `_` and `-`, at most 32",
        )
    if len(step.keep) > MAX_KEPT:
        table.report("keep", f"`keep` may have at most {MAX_KEPT} values, not {len(step.keep)}")
    for name, place in step.keep.items():
        if wrong := _wrong_keep(name, place):
            table.source.report((*table.path, "keep", name), wrong)
    return step


def _wrong_keep(name: str, place: str) -> str:
    if not is_column(name):
        return f"{quoted(name)} cannot be the name of a value: use letters, digits and `_`"
    for kind in (FROM_HEADER, FROM_COOKIE):
        if place.startswith(kind):
            wanted = place.removeprefix(kind)
            return "" if is_token(wanted) else f"`{name}`: {quoted(place)} does not name a {kind.rstrip(':')}"
    keys = place.split(".")
    if not place or not all(keys) or len(keys) > LONGEST_PATH:
        ways = '"data.0.id" (of JSON), "header:Location" or "cookie:sid"'
        return f"`{name}`: {quoted(place)} is not a place in an answer; write for example {ways}"
    return ""


# ---------------------------------------------------------------- the order of steps


def wrong_order(steps: Steps) -> Iterator[tuple[int, str]]:
    """What steps ask of each other: the index of a step, and a sentence."""
    rank = {"process": 0, "user": 1, "connection": 2}
    kept: dict[str, PrepareStep] = {}
    for index, step in enumerate(steps):
        if step.name in [other.name for other in steps[:index]]:
            yield index, f"two steps have the name {quoted(step.name)}"
        asked = {name for text in step.texts for name in Template.parse(text).names}
        for name in sorted(asked):
            if not name.startswith(f"{PREPARED}."):
                continue
            giver = kept.get(name)
            if giver is None:
                yield index, f"this step uses {{{name}}}, but no earlier step has it in its `keep`"
            elif rank[giver.once] > rank[step.once]:
                often = f'once = "{step.once}"'
                yield index, f"this step runs less often ({often}) than the step that keeps {{{name}}}"
        if step.once == "process" and any(name.startswith("user.") for name in asked):
            yield index, 'with once = "process" a step belongs to no user, so `{user....}` has no value'
        kept.update(dict.fromkeys(step.kept_names, step))
