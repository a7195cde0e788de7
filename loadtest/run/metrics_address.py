"""What ``--prometheus`` and ``--otel`` name."""

from __future__ import annotations

from urllib.parse import urlsplit

from loadtest.errors import ConfigError, Problem

DEFAULT_PORT = 9464
"""The usual port of exporters that are part of a program."""

LOOPBACK = "127.0.0.1"

HERE = f"{LOOPBACK}:{DEFAULT_PORT}"

COLLECTOR = "http://127.0.0.1:4318"
"""Where a collector of this machine takes OTLP over HTTP."""


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, or of a port of loopback; of ``*``, every address, the host is "".

    Without a text it is ``HERE``.

    Raises:
        ConfigError: it is neither.
    """
    host, colon, port = (text.strip() or HERE).rpartition(":")
    if not colon:
        host = LOOPBACK
    if not (port.isascii() and port.isdecimal()) or len(port) > 5 or int(port) > 65535 or not host:
        sentence = (
            f"`{text}` is neither HOST:PORT nor a port; if it is the scenario, write it before the options,"
            f" or write --prometheus={HERE}"
        )
        raise ConfigError([Problem("--prometheus", sentence)])
    return "" if host == "*" else host.strip("[]"), int(port)


def collector_url(text: str) -> str:
    """The base address of a collector that takes OTLP over HTTP, without a slash; ``COLLECTOR`` of no text.

    A credential does not belong in it: the exporter takes headers from ``OTEL_EXPORTER_OTLP_HEADERS``.

    Raises:
        ConfigError: it is no address of http or https.
    """
    text = text.strip() or COLLECTOR
    try:
        parts = urlsplit(text)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
        fits = fits and "@" not in parts.netloc
    except ValueError:
        fits = False
    if not fits:
        shown = text.rpartition("@")[2]
        sentence = (
            f"`{shown}` is not the URL of a collector, such as {COLLECTOR} (without a user); if it is the"
            f" scenario, write it before the options, or write --otel={COLLECTOR}"
        )
        raise ConfigError([Problem("--otel", sentence)])
    return text.rstrip("/")
