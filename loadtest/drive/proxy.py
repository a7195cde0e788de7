"""HTTP proxies: which one leads to a host, and how it is asked to connect (RFC 9110, 9.3.6)."""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]  # stubs

from loadtest.errors import ConfigError, Layer, Problem
from loadtest.plan.target import ENVIRONMENT, NO_PROXY, proxy_problem, userinfo
from loadtest.speak.connect_refusal import ConnectRefusal

MAX_HEAD_BYTES = 65_536
"""Bytes of a proxy's answer that are read before it is refused."""

LONGEST_PHRASE = 100

_STATUS = re.compile(rb"HTTP/1\.[0-9] ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that is spoken to without TLS. ``variable`` is where it was named; empty: in the scenario."""

    host: str
    port: int
    authorization: str = ""
    variable: str = ""
    password: str = ""

    @property
    def secrets(self) -> list[str]:
        """What is to be taken out of outputs."""
        return [text for text in (self.password, self.authorization.removeprefix("Basic ")) if text]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self.host, self.port

    @property
    def shown(self) -> str:
        """Its URL, without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def request(self, host: str, port: int) -> bytes:
        """What asks it to connect to a host."""
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
        if self.authorization:
            lines.append(f"Proxy-Authorization: {self.authorization}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("idna" if not authority.isascii() else "ascii")


def proxy_for(setting: str, url: str) -> Proxy | None:
    """The proxy through which a URL is reached; None where it is reached directly.

    ``setting`` is that of the target: "environment", "none" or the URL of a proxy. The environment is not
    asked about what is on this machine.

    Raises:
        ConfigError: the environment names a proxy that cannot be used.
    """
    if setting == NO_PROXY:
        return None
    if setting != ENVIRONMENT:
        return _parsed(setting, "")
    for variable, value in proxy_variables(url):
        text = value if "://" in value else f"http://{value}"
        if wrong := proxy_problem(text):
            sentence = f'must be {wrong}; to use no proxy, write proxy = "none" in [target]'
            raise ConfigError([Problem(variable, sentence)])
        return _parsed(text, variable)
    return None


def proxy_variables(url: str) -> list[tuple[str, str]]:
    """The environment variables by which clients reach this target through a proxy, with their values.

    No client asks a proxy for what is on its own machine.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or is_loopback_name(host) or proxy_bypass_environment(host):
        return []
    proxies = getproxies_environment()
    kind = "https" if parts.scheme in {"wss", "https"} else "http"
    names = [f"{each}_proxy" for each in (kind, "all") if each in proxies]
    return [
        (name, os.environ[name]) for each in names for name in (each, each.upper()) if os.environ.get(name)
    ]


def is_loopback_name(host: str) -> bool:
    """Whether a host is this machine by its name or its number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _parsed(url: str, variable: str) -> Proxy:
    parts = urlsplit(url)
    found = userinfo(url)
    authorization = ""
    if found is not None:
        authorization = f"Basic {base64.b64encode(':'.join(found).encode()).decode()}"
    return Proxy(parts.hostname or "", parts.port or 80, authorization, variable, found[1] if found else "")


def connect_answer(data: bytes, *, ended: bool = False) -> bool:
    """Whether the proxy has connected; False: its answer is not whole yet.

    Raises:
        ConnectRefusal: it did not connect, or does not speak HTTP.
    """
    end = data.find(b"\r\n\r\n")
    found = _STATUS.match(data)
    if found is not None and (end >= 0 or ended):
        status = int(found[1])
        if not 200 <= status <= 299:
            phrase = (found[2] or b"").decode("latin-1").strip()[:LONGEST_PHRASE]
            raise ConnectRefusal(Layer.PROXY, f"the proxy answered HTTP {status} {phrase}".rstrip())
    if ended:
        raise ConnectRefusal(Layer.PROXY, "the proxy closed the connection without connecting to the target")
    if data[:5] != b"HTTP/"[: len(data)]:
        raise ConnectRefusal(Layer.PROXY, "the answer of the proxy is not HTTP")
    if end < 0:
        if len(data) > MAX_HEAD_BYTES:
            raise ConnectRefusal(Layer.PROXY, "the head of the proxy's answer is larger than 64 KiB")
        return False
    if found is None:
        raise ConnectRefusal(Layer.PROXY, "the answer of the proxy is not valid HTTP")
    if len(data) > end + 4:
        # A server speaks after we do: these bytes are the proxy's own.
        raise ConnectRefusal(Layer.PROXY, "the proxy sent unexpected data after its answer")
    return True
