"""TLS: a handshake that is verified, and the time until the certificate ends."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import TlsProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import opened, reason
from loadtest.units import format_duration

EXPIRES_IN = "tls.expires_in"
DAY_S = 86_400
_TIMES = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}
"""The two forms of a time in DER: UTCTime and GeneralizedTime."""
_SEQUENCE = 0x30


def secured(
    sock: socket.socket, host: str, *, insecure: bool = False, ca_file: Path | None = None
) -> ssl.SSLSocket:
    """TLS on top; the certificate is verified, by ``ca_file`` where given, unless ``insecure``.

    Raises:
        ProbeError: the handshake failed; the socket is closed.
        NotProbedError: ``ca_file`` cannot be read.
    """
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        sock.close()
        raise NotProbedError("policy", f"the ca_file cannot be read: {reason(error)}") from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except (OSError, ValueError) as error:
        sock.close()
        raise ProbeError("tls", f"the TLS handshake with {host} failed: {reason(error)}") from None


def expires_at(sock: ssl.SSLSocket) -> float | None:
    """The Unix time at which the server's certificate ends; None where it cannot be told."""
    certificate = sock.getpeercert(binary_form=True)
    return None if certificate is None else end_of(certificate)


def end_of(certificate: bytes) -> float | None:
    """The Unix time of notAfter in a certificate in DER; None where it is none.

    A certificate that was not verified is given as bytes only, and Python reads no other field of those.
    """
    try:
        body, _ = _element(certificate, 0, _SEQUENCE)
        fields, _ = _element(certificate, body, _SEQUENCE)
        for _ in range(6):  # version, serial number, algorithm, issuer, then validity
            inner, after = _element(certificate, fields)
            if certificate[fields] == _SEQUENCE and certificate[inner] in _TIMES:
                return _second_time(certificate, inner)
            fields = after
    except (IndexError, ValueError):
        pass
    return None


def _second_time(certificate: bytes, at: int) -> float:
    _, at = _element(certificate, at)
    begin, end = _element(certificate, at)
    text = certificate[begin:end].decode("ascii")
    return datetime.strptime(text, _TIMES[certificate[at]]).replace(tzinfo=UTC).timestamp()


def _element(data: bytes, at: int, tag: int | None = None) -> tuple[int, int]:
    """Where the content of the element at ``at`` begins and ends."""
    if tag is not None and data[at] != tag:
        raise ValueError("another element was expected")
    length, begin = data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
    return begin, begin + length


def expiry(at: float | None, now: float) -> tuple[dict[str, Measure], str]:
    """The measure and a line of a certificate that ends at ``at``."""
    if at is None:
        return {EXPIRES_IN: Measure(None, "days", 0, "the certificate does not say when it ends")}, ""
    left_s = at - now
    word = f"ends in {format_duration(left_s * 1e9)}" if left_s > 0 else "has ended"
    day = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
    return {EXPIRES_IN: Measure(left_s / DAY_S, "days", 1)}, f"the certificate {word} ({day})"


def probe_tls(probe: TlsProbe, context: ProbeContext) -> Evidence:
    """Handshakes, each timed on a connection of its own, and the end of the certificate."""
    ends: list[float | None] = []

    def once() -> float:
        sock = opened(probe.host, probe.port, context)
        begun = context.clock()
        with secured(
            sock, probe.name or probe.host, insecure=probe.insecure,
            ca_file=context.path(probe.ca_file) if probe.ca_file else None,
        ) as safe:  # fmt: skip
            took = (context.clock() - begun) * 1000
            context.held.append(partial(safe.shutdown, socket.SHUT_RDWR))
            ends.append(expires_at(safe))
        return took

    tries = Tries("handshake", probe.samples, context)
    tries.take(once)
    measures, line = expiry(min((each for each in ends if each), default=None), context.wall())
    lines = (line,) if ends and line else ()
    return tries.evidence(f"TLS handshakes with {probe.host}:{probe.port}", lines, measures if ends else {})
