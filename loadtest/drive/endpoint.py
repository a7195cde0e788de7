"""Where the target is: its URL parsed, its name resolved once, its TLS context made."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from loadtest.drive.sources import KEY, family_of
from loadtest.drive.transport import Address
from loadtest.errors import ConfigError, Layer, Problem, TargetError
from loadtest.plan.scenario import Target

_FAMILIES: dict[int, str] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A target with its resolved address. ``resolve_ns`` is None where no name had to be looked up."""

    url: str
    address: Address
    host_header: str
    path: str
    server_name: str
    tls: ssl.SSLContext | None
    resolve_ns: int | None

    @property
    def is_loopback(self) -> bool:
        """Whether the target is on this machine."""
        return ipaddress.ip_address(self.address.sockaddr[0].partition("%")[0]).is_loopback


def full_url(url: str, protocol_path: str) -> str:
    """A target URL whose path is empty or ``/`` gets the protocol's path; any other path is kept."""
    parts = urlsplit(url)
    if parts.path not in {"", "/"}:
        return url
    path, _, query = protocol_path.partition("?")
    query = "&".join(text for text in (query, parts.query) if text)
    return SplitResult(parts.scheme, parts.netloc, path or "/", query, "").geturl()


def resolve_endpoint(target: Target, url: str, known: Mapping[str, Any] | None = None) -> Endpoint:
    """Resolve the name in ``url`` (complete with its path), once for the whole run.

    ``known`` is what the master found (``family``, ``sockaddr``): its workers do not look the name up again.

    Raises:
        TargetError: the name cannot be resolved.
        ConfigError: a certificate file cannot be used.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    port = parts.port or (443 if secure else 80)
    host = parts.hostname or ""
    if known is None:
        address, resolve_ns = _resolve(host, port, family_of(target.source_addresses))
    else:
        address = Address(known["family"], tuple(known["sockaddr"]))
        resolve_ns = known["resolve_ns"]
    return Endpoint(
        url=url,
        address=address,
        host_header=_host_header(host, parts.port),
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        server_name=host,
        tls=tls_context(target) if secure else None,
        resolve_ns=resolve_ns,
    )


def _host_header(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


def _resolve(host: str, port: int, wanted: int) -> tuple[Address, int | None]:
    """The first address of the family that is wanted (0: any), and how long it took to look up a name."""
    numeric = _is_numeric(host)
    started_ns = time.monotonic_ns()
    try:
        found = socket.getaddrinfo(host, port, family=wanted, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        by = f" as {_FAMILIES[wanted]}, which {KEY} ask for" if wanted else ""
        raise TargetError(Layer.RESOLVE, f"the name {host!r} cannot be resolved{by}: {reason}")
    took_ns = time.monotonic_ns() - started_ns
    # A local name may have both families and a server only one: servers on loopback mostly have IPv4.
    found.sort(key=lambda entry: entry[0] is not socket.AF_INET if host == "localhost" else False)
    family, _, _, _, sockaddr = found[0]
    return Address(family, sockaddr), None if numeric else took_ns  # type: ignore[arg-type]  # stub: also AF_PACKET


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def tls_context(target: Target) -> ssl.SSLContext:
    """Certificates are verified unless the scenario says ``insecure``.

    Raises:
        ConfigError: a file of [target] cannot be used.
    """
    context = ssl.create_default_context()
    if target.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        if target.ca_file is not None:
            context.load_verify_locations(target.ca_file)
        if target.client_cert is not None:
            context.load_cert_chain(target.client_cert, target.client_key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(
            str(file) for file in (target.ca_file, target.client_cert, target.client_key) if file
        )
        raise ConfigError(
            [Problem("[target]", f"a certificate or key file cannot be used: {error} ({files})")]
        )
    context.set_alpn_protocols(["http/1.1"])
    return context
