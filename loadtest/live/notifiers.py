"""Delivery of messages: webhook, Slack-compatible webhook, email, command."""

from __future__ import annotations

import http.client
import json
import logging
import os
import smtplib
import ssl
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from loadtest.errors import Problem
from loadtest.live.alerts import Message
from loadtest.readiness.policy import Policy, Route
from loadtest.readiness.probes.command import run_program
from loadtest.readiness.probes.probe_context import ProbeError
from loadtest.readiness.secrets import MissingVariableError, filled, redactor_of

WITHIN_S = 10.0
EMOJI = {"info": ":information_source:", "warning": ":warning:", "critical": ":rotating_light:"}


class DeliveryError(Exception):
    """The message did not arrive; one sentence without secrets."""


def deliver(policy: Policy, message: Message, environ: Mapping[str, str] | None = None) -> None:
    """Deliver a message on its route.

    Raises:
        DeliveryError: it did not arrive.
    """
    environ = os.environ if environ is None else environ
    redactor = redactor_of(policy.raw, policy.variables, environ)
    route = next((each for each in policy.alerts.routes if each.name == message.route), None)
    if route is None:
        return
    lines = [redactor.text(line) for line in message.lines]
    clean = replace(message, subject=redactor.text(message.subject), lines=lines)
    try:
        settings = {key: filled(value, environ) for key, value in route.settings.items()}
        _SENDERS[route.kind](policy, route, settings, clean)
    except (OSError, smtplib.SMTPException, ProbeError, MissingVariableError, ValueError) as error:
        said = redactor.text(f"{type(error).__name__}: {error}")
        raise DeliveryError(f"the route {route.name} ({route.kind}) failed: {said}") from None


def heartbeat(policy: Policy, environ: Mapping[str, str] | None = None) -> None:
    """Ask the heartbeat's URL: somebody else alerts when this does not come.

    Raises:
        DeliveryError: it did not answer; one sentence without secrets.
    """
    environ = os.environ if environ is None else environ
    redactor = redactor_of(policy.raw, policy.variables, environ)
    try:
        url = filled(policy.alerts.heartbeat, environ)
        _check_web(url)
        with _OPENER.open(url, timeout=WITHIN_S) as answer:
            answer.read(1024)
    except http.client.HTTPException as error:
        raise DeliveryError(
            f"the answer was not HTTP ({type(error).__name__}); is the address right?"
        ) from None
    except (OSError, MissingVariableError, ValueError) as error:
        raise DeliveryError(redactor.text(f"{type(error).__name__}: {error}")) from None


def unusable_routes(policy: Policy, environ: Mapping[str, str]) -> list[Problem]:
    """Why alerts of a route could not be sent: a variable that is not set, a package that is not there."""
    found = []
    if any(each.kind == "apprise" for each in policy.alerts.routes) and find_spec("apprise") is None:
        found.append(Problem("alerts.routes", NO_APPRISE))
    try:
        filled(policy.alerts.heartbeat, environ)
    except MissingVariableError as error:
        found.append(Problem("alerts.heartbeat", f"{error}, so no heartbeat would be sent"))
    for route in policy.alerts.routes:
        for text in (*route.settings.values(), *route.command):
            try:
                filled(text, environ)
            except MissingVariableError as error:
                found.append(Problem(f"alerts.routes.{route.name}", f"{error}, so no alert would arrive"))
    return found


Settings = Mapping[str, str]


def _webhook(policy: Policy, _: Route, settings: Settings, message: Message) -> None:
    body = {
        "policy": policy.name, "id": message.id, "severity": message.severity, "subject": message.subject,
        "lines": message.lines, "at": message.at,
    }  # fmt: skip
    _post(settings["url"], body, message.id)


def _slack(policy: Policy, _: Route, settings: Settings, message: Message) -> None:
    lines = "\n".join(f"• {line}" for line in message.lines)
    text = f"{EMOJI[message.severity]} *{policy.name}* {message.subject}\n{lines}"
    for plain, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(plain, written)
    _post(settings["url"], {"text": text}, message.id)


def _check_web(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ValueError("the `url` of the route must begin with http:// or https://")


def _post(url: str, body: Mapping[str, Any], name: str) -> None:
    _check_web(url)
    headers = {"Content-Type": "application/json", "X-Loadtest-Alert": name}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310 - the scheme was looked at
    try:
        with _OPENER.open(request, timeout=WITHIN_S) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        raise OSError(f"HTTP status {error.code}") from None
    except http.client.HTTPException as error:
        # Its words may hold the path of the address, which is a secret.
        raise OSError(f"the answer or the address was wrong ({type(error).__name__})") from None


class _Stays(urllib.request.HTTPRedirectHandler):
    """Redirects are errors: a page such as a login form has not accepted the message."""

    def redirect_request(self, *_: Any) -> None:
        """Follow no redirect."""


_OPENER = urllib.request.build_opener(_Stays)


def _email(policy: Policy, route: Route, settings: Settings, message: Message) -> None:
    mail = EmailMessage()
    mail["Subject"] = " ".join(f"[{policy.name}] {message.subject}".split())[:200]
    mail["From"] = settings["from"]
    mail["To"] = ", ".join(route.to)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.at, UTC))
    mail["Message-ID"] = f"<{message.id}@loadtest>"
    mail.set_content("\n".join(message.lines) + "\n")
    host, port = settings["host"], int(settings.get("port", "25"))
    security = settings.get("security", "none")
    tls = ssl.create_default_context() if security != "none" else None
    with (
        smtplib.SMTP_SSL(host, port, timeout=WITHIN_S, context=tls)
        if security == "tls"
        else smtplib.SMTP(host, port, timeout=WITHIN_S)
    ) as server:
        if security == "starttls":
            server.starttls(context=tls)
        if settings.get("user"):
            server.login(settings["user"], settings.get("password", ""))
        server.send_message(mail)


def _command(policy: Policy, route: Route, _: Settings, message: Message) -> None:
    environ = {
        **os.environ,
        "ALERT_ID": message.id,
        "ALERT_SEVERITY": message.severity,
        "ALERT_SUBJECT": message.subject,
        "ALERT_TEXT": "\n".join(message.lines),
    }
    folder: Path = policy.path.parent.absolute()
    ended = run_program([filled(word, environ) for word in route.command], folder, WITHIN_S, environ)
    if ended.code:
        raise OSError(f"the command {route.command[0]} ended with {ended.code}")


NO_APPRISE = "the Python package apprise is not installed; run: pip install apprise"


def _apprise(policy: Policy, _: Route, settings: Settings, message: Message) -> None:
    """By any service that Apprise knows, by its URL: pagerduty://, opsgenie://, msteams://, ..."""
    with warnings.catch_warnings():
        # It loads all its services at the first, and what they are built on.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        service = apprise.Apprise.instantiate(settings["url"], suppress_exceptions=True)
    if service is None:
        raise ValueError("Apprise does not know its url")
    service.socket_connect_timeout = service.socket_read_timeout = WITHIN_S / 2
    kinds = {"info": apprise.NotifyType.INFO, "warning": apprise.NotifyType.WARNING}
    body = "\n".join((*message.lines, f"(alert {message.id})"))
    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]  # theirs
        arrived = service.notify(
            body=body,
            title=f"[{policy.name}] {message.subject}",
            notify_type=kinds.get(message.severity, apprise.NotifyType.FAILURE),
        )
        words = " ".join(log.getvalue().split())[:200]
    if not arrived:
        raise OSError(words or "the service did not accept the message")


_SENDERS: Mapping[str, Callable[[Policy, Route, Settings, Message], None]] = {
    "webhook": _webhook,
    "slack": _slack,
    "email": _email,
    "command": _command,
    "apprise": _apprise,
}
