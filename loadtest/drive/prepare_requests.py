"""What users do by HTTP before they connect, and what is taken back when they are over.

Everything here runs in greenlets that wait; the callbacks of connections never call it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from gevent.event import AsyncResult

from loadtest.drive.http_client import (
    HALVED,
    CookieKeeper,
    HttpAnswer,
    HttpCall,
    HttpClient,
    HttpNotSent,
    HttpRequestFailed,
)
from loadtest.drive.user_cookies import OF_PROCESS
from loadtest.errors import Layer
from loadtest.plan.identifiers import holds_controls, holds_halves
from loadtest.plan.prepare import ALONE, FROM_COOKIE, FROM_HEADER, PREPARED, HttpRequest, PrepareStep, Undo
from loadtest.plan.template import Template, plain
from loadtest.secret_names import sounds_secret
from loadtest.speak.connect_refusal import ConnectRefusal

MAX_VALUE = 16_384
"""Letters of a value that is kept."""

LINE = 120
"""Letters of a refusing answer's body that are told."""

SHORTEST_NAMED, SHORTEST_OTHER = 4, 8
"""Letters of a kept value from which on it is taken out of every output: by its name, or by its look."""

HERE = "[[prepare]], or the values in it (from the data or an earlier step)"
"""Where what is wrong with a request of ours is to be corrected."""

_WORD = re.compile(r"[A-Za-z]+")

_GONE = frozenset({404, 410})
"""What is not there any more needs not be taken back."""


class PreparationHost(Protocol):
    """What a ``Preparation`` asks of the process that it works for."""

    def http_url(self, url: str) -> str:
        """A whole URL; of a path, the one at the target's host."""

    def cookies_of(self, user: int) -> CookieKeeper:
        """The cookies of a user, of whatever host."""

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out of every output from now on."""

    def now(self) -> int:
        """Nanoseconds of the run's clock."""

    def took(self, step: str, ns: int) -> None:
        """A step was done in so many nanoseconds."""

    def not_undone(self, reason: str) -> None:
        """A step could not be taken back."""


@dataclass(slots=True)
class _Done:
    """What one step has kept, and that it is to be taken back."""

    step: _CompiledStep
    kept: dict[str, str]


@dataclass(slots=True)
class _UserState:
    """The steps of one user that hold, by name, in the order in which they were done."""

    done: dict[str, _Done] = field(default_factory=dict)


class CompiledRequest:
    """A request whose templates are parsed."""

    __slots__ = ("_body", "_form", "_headers", "_url", "method", "within_ns")

    def __init__(self, request: HttpRequest, within_ns: int) -> None:
        self.method = request.method
        self.within_ns = within_ns
        self._url = Template.parse(request.url)
        self._headers = [(name, Template.parse(text)) for name, text in request.headers.items()]
        self._form = [(name, Template.parse(text)) for name, text in request.form.items()]
        self._body = None if request.body is None else Template.parse(request.body)

    def url(self, values: Mapping[str, Any]) -> str:
        """Its URL; values in it are percent-encoded, unless one stands for all of it."""
        return render_path(self._url, values)

    def headers(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Its headers.

        Raises:
            HttpNotSent: a value would end its header.
        """
        found = {name: template.render(values) for name, template in self._headers}
        for name, text in found.items():
            if holds_controls(text):
                raise HttpNotSent(
                    f"the request was not sent: the header {name} would contain a control character (such as"
                    " a line break); correct its value, which comes from the data or an earlier step"
                )
        given = {name.lower() for name in found}
        if self._body is not None and "content-type" not in given:
            found["Content-Type"] = "application/json"
        elif self._form and "content-type" not in given:
            found["Content-Type"] = "application/x-www-form-urlencoded"
        return found

    def body(self, values: Mapping[str, Any]) -> bytes | None:
        """Its body; None where it has none."""
        if self._body is not None:
            return self._body.render(values).encode("utf-8", "surrogateescape")
        if not self._form:
            return None
        filled = [(name, template.render(values)) for name, template in self._form]
        return urlencode(filled, errors="surrogateescape").encode()

    def call(self, values: Mapping[str, Any], whole: Callable[[str], str], *, correct: str) -> HttpCall:
        """The request with its values; ``whole`` makes a URL of a path, ``correct`` says where it is written.

        Raises:
            HttpNotSent: a value in it makes none of it.
        """
        try:
            return HttpCall(self.method, whole(self.url(values)), self.headers(values), self.body(values))
        except UnicodeEncodeError:
            raise HttpNotSent(HALVED) from None
        except ValueError:
            raise HttpNotSent(
                "the request was not sent: with its values the URL is not a valid HTTP URL; correct the URL"
                f" in {correct}"
            ) from None


def render_path(template: Template, values: Mapping[str, Any]) -> str:
    """A path or URL whose values are percent-encoded; a placeholder alone is its value as it is."""
    if ALONE.fullmatch(template.text):
        return template.render(values)
    coded = {name: quote(plain(values[name]), safe="", errors="surrogateescape") for name in template.names}
    return template.render(coded)


class _CompiledStep:
    """A step whose requests are parsed."""

    __slots__ = ("request", "step", "undo")

    def __init__(self, step: PrepareStep) -> None:
        self.step = step
        self.request = CompiledRequest(step, step.within_ns)
        self.undo = _compiled_undo(step.undo)


def _compiled_undo(undo: Undo | None) -> CompiledRequest | None:
    return None if undo is None else CompiledRequest(undo, undo.within_ns)


class Preparation:
    """The steps of ``[[prepare]]`` in one process."""

    def __init__(self, steps: Iterable[PrepareStep], client: HttpClient, host: PreparationHost) -> None:
        self._steps = [_CompiledStep(step) for step in steps]
        self._client = client
        self._host = host
        self._users: dict[int, _UserState] = {}
        self._of_process = _UserState()
        self._process_values: Mapping[str, Any] = {}
        self._running: dict[str, AsyncResult[_Done]] = {}
        self.undoes = any(step.undo is not None for step in self._steps)

    def prepare(self, user: int, values: dict[str, Any]) -> None:
        """Do for a connection of a user what is to be done before; what is kept is put into ``values``.

        Raises:
            ConnectRefusal: a step was not done.
        """
        state = self._users.setdefault(user, _UserState())
        for each in self._steps:
            once = each.step.once
            if once == "process":
                values.update(self._for_process(each, values).kept)
            elif once == "connection" or each.step.name not in state.done:
                self._take_back(user, state, each.step.name, values)
                done = state.done[each.step.name] = self._do(user, each, values)
                values.update(done.kept)
            else:
                values.update(state.done[each.step.name].kept)

    def undo(self, user: int, values: Mapping[str, Any]) -> None:
        """Take back what was done for a user, the last step first; never raises."""
        state = self._users.pop(user, _UserState())
        for name in reversed(list(state.done)):
            self._take_back(user, state, name, values)

    def undo_run(self) -> None:
        """Take back what was done once for all; never raises."""
        for going_on in list(self._running.values()):
            going_on.wait()
        for name in reversed(list(self._of_process.done)):
            self._take_back(OF_PROCESS, self._of_process, name, self._process_values)

    # ------------------------------------------------------------------ one step

    def _for_process(self, each: _CompiledStep, values: Mapping[str, Any]) -> _Done:
        """What a step of the run gave: it is done by whoever comes first, while all others wait."""
        name = each.step.name
        if name in self._of_process.done:
            return self._of_process.done[name]
        waiting = self._running.get(name)
        if waiting is not None:
            found = waiting.get()
            assert found is not None  # noqa: S101 - it is set to what was done, or raises
            return found
        result: AsyncResult[_Done] = AsyncResult()
        self._running[name] = result
        try:
            # Not of the user that happens to be first: names of users are refused in such a step.
            done = self._of_process.done[name] = self._do(OF_PROCESS, each, values)
            self._process_values = dict(values)
            result.set(done)
        except BaseException as error:
            refusal = (
                error
                if isinstance(error, ConnectRefusal)
                else ConnectRefusal(Layer.PREPARE, f"{name}: it did not end")
            )
            result.set_exception(refusal)
            raise
        finally:
            del self._running[name]
        return done

    def _do(self, user: int, each: _CompiledStep, values: Mapping[str, Any]) -> _Done:
        """One step.

        Raises:
            ConnectRefusal: it was not done.
        """
        host, step = self._host, each.step
        began_ns = host.now()
        try:
            answer = self._send(user, each.request, values, follow=not _expects_redirect(step))
            _check_status(step, answer)
            kept = self._kept(user, step, answer)
        except HttpRequestFailed as refused:
            raise ConnectRefusal(
                Layer.PREPARE, f"{step.name}: {refused.reason}", answer=refused.answer
            ) from None
        host.took(step.name, host.now() - began_ns)
        return _Done(each, kept)

    def _send(
        self, user: int, request: CompiledRequest, values: Mapping[str, Any], *, follow: bool
    ) -> HttpAnswer:
        host = self._host
        call = request.call(values, host.http_url, correct=HERE)
        return self._client.send(call, host.cookies_of(user), within_ns=request.within_ns, follow=follow)

    def _take_back(self, user: int, state: _UserState, name: str, values: Mapping[str, Any]) -> None:
        done = state.done.pop(name, None)
        if done is None or done.step.undo is None:
            return
        try:
            status = self._send(user, done.step.undo, {**values, **done.kept}, follow=True).status
            wrong = "" if 200 <= status <= 299 or status in _GONE else f"HTTP {status}"
        except HttpRequestFailed as refused:
            wrong = refused.reason
        if wrong:
            self._host.not_undone(f"{name}: {wrong}")

    def _kept(self, user: int, step: PrepareStep, answer: HttpAnswer) -> dict[str, str]:
        """The values that the step keeps of an answer, as placeholders.

        Raises:
            HttpRequestFailed: the answer has none of that name.
        """
        body = _JsonAnswer(answer)
        kept: dict[str, str] = {}
        for name, place in step.keep.items():
            if place.startswith(FROM_COOKIE):
                found: object = (
                    self._host.cookies_of(user).sent_to(answer.url).get(place.removeprefix(FROM_COOKIE))
                )
            elif place.startswith(FROM_HEADER):
                found = answer.headers.get(place.removeprefix(FROM_HEADER).lower())
            else:
                found = body.at(place)
            kept[f"{PREPARED}.{name}"] = _checked(name, place, found)
        self._host.learn(
            value for name, value in kept.items() if may_be_secret(name.removeprefix(f"{PREPARED}."), value)
        )
        return kept


def may_be_secret(name: str, value: str) -> bool:
    """Whether a kept value is taken out of outputs: a word of letters would take innocent text along."""
    if sounds_secret(name):
        return len(value) >= SHORTEST_NAMED
    return len(value) >= SHORTEST_OTHER and not _WORD.fullmatch(value)


class _JsonAnswer:
    """The JSON of an answer, parsed when the first value of it is asked for."""

    def __init__(self, answer: HttpAnswer) -> None:
        self._answer = answer
        self._parsed: object = None
        self._is_parsed = False

    def at(self, place: str) -> object:
        """The value at a path of keys and positions; None where there is none.

        Raises:
            HttpRequestFailed: the answer is no JSON.
        """
        if not self._is_parsed:
            try:
                self._parsed = json.loads(self._answer.body)
            except (ValueError, RecursionError):
                raise HttpRequestFailed("the answer is not JSON, but `keep` needs a value from it") from None
            self._is_parsed = True
        node = self._parsed
        for key in place.split("."):
            if isinstance(node, dict):
                node = node.get(key)
            elif isinstance(node, list) and key.isdecimal() and int(key[:9]) < len(node):
                node = node[int(key[:9])]
            else:
                return None
        return node


def _checked(name: str, place: str, found: object) -> str:
    """A value as text.

    Raises:
        HttpRequestFailed: it is none that can be kept.
    """
    if found is None:
        raise HttpRequestFailed(f"the answer has no `{place}`, but `keep` needs it for {name}")
    if isinstance(found, (dict, list)):
        raise HttpRequestFailed(
            f"`{place}` of the answer must be text or a number, because `keep` takes {name} from it"
        )
    text = plain(found)
    if len(text) > MAX_VALUE:
        raise HttpRequestFailed(f"`{place}` of the answer has more than {MAX_VALUE:,} characters")
    if holds_controls(text):
        raise HttpRequestFailed(f"`{place}` of the answer contains a line break or another control character")
    if holds_halves(text):
        raise HttpRequestFailed(
            f"`{place}` of the answer contains half of a character (a lone surrogate), which cannot be sent"
        )
    return text


def _expects_redirect(step: PrepareStep) -> bool:
    return any(300 <= status <= 399 for status in step.expect)


def _check_status(step: PrepareStep, answer: HttpAnswer) -> None:
    """Do nothing where the status is success.

    Raises:
        HttpRequestFailed: it is not.
    """
    if answer.status in step.expect or (not step.expect and 200 <= answer.status <= 299):
        return
    text = answer.body[: 4 * LINE].decode("utf-8", "replace").strip()
    line = "".join(c if c.isprintable() else " " for c in text)[:LINE].strip()
    wanted = f", not {' or '.join(map(str, step.expect))}" if step.expect else ""
    head = f"HTTP/1.1 {answer.status}\r\n\r\n".encode()
    raise HttpRequestFailed(
        f"the target answered HTTP {answer.status}{wanted}" + (f": {line}" if line else ""),
        head + answer.body[: 4 * LINE],
    )
