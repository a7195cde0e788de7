"""Where the target is: its URL parsed, its name resolved to all its addresses, its TLS context made."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any
from urllib.parse import SplitResult, urlsplit

import gevent
from gevent import socket as gevent_socket
from gevent import ssl as gevent_ssl

from loadtest.drive.http_client import sendable
from loadtest.drive.proxy import Proxy, proxy_for
from loadtest.drive.source_addresses import KEY, family_of
from loadtest.drive.transport import Address
from loadtest.errors import ConfigError, Layer, Problem, TargetError
from loadtest.plan.host_name import host_problem
from loadtest.plan.scenario import Target

_FAMILIES: dict[int, str] = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A target with its resolved addresses, one at least, in the order in which they are to be tried.

    ``resolve_ns`` is None where no name had to be looked up. With a ``proxy``, the addresses are its own, and
    it is asked for ``authority``: the target's host and port.
    """

    url: str
    addresses: tuple[Address, ...]
    host_header: str
    path: str
    server_name: str
    tls: ssl.SSLContext | None
    resolve_ns: int | None
    proxy: Proxy | None = None
    authority: tuple[str, int] = ("", 0)

    @property
    def is_loopback(self) -> bool:
        """Whether the target is on this machine, with every address; behind a proxy it is not known to be."""
        if self.proxy is not None:
            return False
        hosts = (address.sockaddr[0].partition("%")[0] for address in self.addresses)
        return all(ipaddress.ip_address(host).is_loopback for host in hosts)

    @property
    def shown_addresses(self) -> list[str]:
        """Each address with its port, as in a URL."""
        found = (address.sockaddr[:2] for address in self.addresses)
        return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found]


def full_url(url: str, protocol_path: str) -> str:
    """A target URL whose path is empty or ``/`` gets the protocol's path; any other path is kept."""
    parts = urlsplit(url)
    if parts.path not in {"", "/"}:
        return url
    path, _, query = protocol_path.partition("?")
    query = "&".join(text for text in (query, parts.query) if text)
    return SplitResult(parts.scheme, parts.netloc, path or "/", query, "").geturl()


def resolve_endpoint(target: Target, url: str, known: Mapping[str, Any] | None = None) -> Endpoint:
    """Resolve the name in ``url`` (complete with its path), for every first connection of the run.

    Where the target says what to connect to, that is resolved instead. ``known`` is what the master found
    (``addresses``): its workers do not look the name up again.

    Raises:
        TargetError: the name cannot be resolved, or not within the target's ``connect_timeout_ns``.
        ConfigError: a certificate file cannot be used.
    """
    parts = urlsplit(url)
    secure = parts.scheme == "wss"
    host = parts.hostname or ""
    port = parts.port or (443 if secure else 80)
    authority = (host, port) if target.connect_to is None else target.connect_to
    proxy = proxy_for(target.proxy, url)
    if known is None or proxy is not None or known.get("proxied"):
        # The proxy of a process is that of its own environment.
        addresses, resolve_ns = _resolve(*(authority if proxy is None else proxy.address), target)
    else:
        addresses = tuple(Address(family, tuple(sockaddr)) for family, sockaddr in known["addresses"])
        resolve_ns = known["resolve_ns"]
    return Endpoint(
        url=url,
        addresses=addresses,
        host_header=_host_header(host, parts.port),
        path=sendable(parts.path or "/") + (f"?{sendable(parts.query)}" if parts.query else ""),
        server_name=host,
        tls=tls_context(target) if secure else None,
        resolve_ns=resolve_ns,
        proxy=proxy,
        authority=authority,
    )


def look_up(endpoint: Endpoint, target: Target) -> tuple[Address, ...]:
    """The addresses that the name which is connected to has now.

    Raises:
        TargetError: it cannot be resolved, or not within the target's ``connect_timeout_ns``.
    """
    return _resolve(*(endpoint.authority if endpoint.proxy is None else endpoint.proxy.address), target)[0]


def known_addresses(endpoint: Endpoint) -> list[list[Any]]:
    """The addresses as plain data, for ``resolve_endpoint`` of a worker."""
    return [[int(address.family), list(address.sockaddr)] for address in endpoint.addresses]


def _host_header(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host if host.isascii() else host.encode("idna").decode()
    return shown if port is None else f"{shown}:{port}"


def _resolve(host: str, port: int, target: Target) -> tuple[tuple[Address, ...], int | None]:
    """All addresses of the family that is wanted, and how long it took to look up a name.

    The order is the system's (RFC 6724), the families in turn (RFC 8305, section 4).
    """
    if wrong := host_problem(host):
        # Before the resolver is asked: it would also print its error.
        raise TargetError(Layer.RESOLVE, f"the URL {wrong}")
    numeric = _is_numeric(host)
    wanted = family_of(target.source_addresses)
    within_s = target.connect_timeout_ns / 1e9
    started_ns = time.monotonic_ns()
    try:
        # By gevent's resolver, which looks names up in a thread: nobody waits for a silent name server.
        with gevent.Timeout(within_s, TimeoutError(f"no answer within {within_s:g} s")):
            found = gevent_socket.getaddrinfo(host, port, family=wanted, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        by = f" to an {_FAMILIES[wanted]} address, the family of {KEY}" if wanted else ""
        raise TargetError(Layer.RESOLVE, f"the name {host!r} cannot be resolved{by}: {reason}")
    took_ns = time.monotonic_ns() - started_ns
    # A local name may have both families and a server only one: servers on loopback mostly have IPv4.
    found.sort(key=lambda entry: entry[0] is not socket.AF_INET if host == "localhost" else False)
    every = (Address(family, sockaddr) for family, _, _, _, sockaddr in found)  # type: ignore[arg-type]  # stub: also AF_PACKET
    addresses = list(dict.fromkeys(every))
    return tuple(families_in_turn(addresses)), None if numeric else took_ns


def families_in_turn(addresses: Sequence[Address]) -> list[Address]:
    """The addresses so that families alternate, beginning with that of the first; else in their order."""
    first = [address for address in addresses if address.family == addresses[0].family]
    others = [address for address in addresses if address.family != addresses[0].family]
    return [address for address in chain.from_iterable(zip_longest(first, others)) if address is not None]


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
    return _configured(ssl.create_default_context(), target)


def http_tls_context(target: Target) -> ssl.SSLContext:
    """As ``tls_context``, for sockets on which a greenlet waits: they let others go on meanwhile.

    Raises:
        ConfigError: as ``tls_context``.
    """
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.create_default_context().verify_flags
    context.load_default_certs()
    return _configured(context, target)


def _configured(context: ssl.SSLContext, target: Target) -> ssl.SSLContext:
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
