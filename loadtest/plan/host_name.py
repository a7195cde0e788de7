"""Which names of hosts can be looked up; of another one a resolver raises UnicodeError, no OSError."""

from __future__ import annotations

from urllib.parse import urlsplit

from loadtest.plan.identifiers import holds_controls
from loadtest.plan.toml_reader import quoted


def host_problem(host: str) -> str | None:
    """What keeps any resolver from looking a host's name up, as the end of a sentence; None if nothing."""
    try:
        host.encode("idna")
    except UnicodeError:
        return f"contains an invalid host name (a part of it is empty or too long): {quoted(host)}"
    if holds_controls(host):
        return f"contains a host name with a control character: {quoted(host)}"
    return None


def is_http_url(url: str) -> bool:
    """Whether it is a URL of HTTP whose host can be looked up."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and named and host_problem(parts.hostname or "") is None
