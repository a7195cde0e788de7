"""A gRPC server, asked by the health protocol of gRPC (grpc.health.v1); needs the extra ``grpc``."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import GrpcProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import opened, reason
from loadtest.readiness.probes.tls import expires_at, expiry, secured

PORTS = {"grpc": 80, "grpcs": 443}
MISSING = (
    "the Python package grpcio-health-checking is not installed; run: pip install grpcio-health-checking"
)
LONGEST_WORDS = 160


@dataclass(slots=True)
class _Channel:
    """One channel to the server, opened when it is first needed and after an answer that failed."""

    probe: GrpcProbe
    context: ProbeContext
    scheme: str
    host: str
    port: int
    ends: list[float | None] = field(default_factory=list)
    channel: Any = None

    def once(self) -> float:
        """One question; milliseconds until its answer, of a channel that stands already.

        Raises:
            ProbeError: there was no answer, or one that says that the service does not serve.
        """
        import grpc
        from grpc_health.v1 import health_pb2, health_pb2_grpc

        if self.channel is None:
            self.channel = self.open()
            ready = grpc.channel_ready_future(self.channel)
            try:
                ready.result(self.context.left_s())
            except grpc.FutureTimeoutError:
                self.close()
                raise ProbeError("timeout", f"{self.host}:{self.port} gave no gRPC answer in time") from None
        headers = [(name.lower(), self.context.filled(value)) for name, value in self.probe.headers.items()]
        question = health_pb2.HealthCheckRequest(service=self.probe.service)
        begun = self.context.clock()
        try:
            answer = health_pb2_grpc.HealthStub(self.channel).Check(
                question, timeout=self.context.left_s(), metadata=headers
            )
        except grpc.RpcError as error:
            self.close()
            raise _told(error, self.probe.service) from None
        took = (self.context.clock() - begun) * 1000
        word = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        if word != "SERVING":
            raise ProbeError("status", f"{_named(self.probe.service)} says {word}")
        return took

    def open(self) -> Any:
        """A channel, after a connection by hand: that one says at which layer it fails."""
        import grpc

        sock = opened(self.host, self.port, self.context)
        where = f"{self.host}:{self.port}"
        options: list[tuple[str, Any]] = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
        if self.scheme == "grpc":
            sock.close()
            channel = grpc.insecure_channel(where, options)
        else:
            ca_file = self.context.path(self.probe.ca_file) if self.probe.ca_file else None
            with secured(sock, self.host, insecure=self.probe.insecure, ca_file=ca_file) as safe:
                self.ends.append(expires_at(safe))
                trusted = self.trusted(safe, ca_file)
            if self.probe.insecure:
                # gRPC has no way not to look: its own certificate is trusted, whatever its name is.
                options.append(("grpc.ssl_target_name_override", "localhost"))
            channel = grpc.secure_channel(where, grpc.ssl_channel_credentials(trusted), options)
        self.context.held.append(channel.close)
        return channel

    def trusted(self, safe: ssl.SSLSocket, ca_file: Path | None) -> bytes | None:
        """The certificates that gRPC is to trust, in PEM; None: those it ships with."""
        if self.probe.insecure:
            return ssl.DER_cert_to_PEM_cert(safe.getpeercert(binary_form=True) or b"").encode()
        return ca_file.read_bytes() if ca_file else _system_roots()

    def close(self) -> None:
        """Close the channel; the next question opens another."""
        if self.channel is not None:
            self.channel.close()
            self.channel = None


def _system_roots() -> bytes | None:
    """What this machine trusts, as every other probe does, and not what gRPC ships with."""
    paths = ssl.get_default_verify_paths()
    try:
        return Path(paths.cafile or "").read_bytes() if paths.cafile else None
    except OSError:
        return None


def probe_grpc(probe: GrpcProbe, context: ProbeContext) -> Evidence:
    """Health checks one after the other, on one channel."""
    try:
        import grpc_health.v1  # noqa: F401 - only whether it is there
    except ImportError:
        raise NotProbedError("driver", MISSING) from None
    try:
        url = urlsplit(context.filled_url(probe.url))
        host, port = url.hostname, url.port or PORTS.get(url.scheme)
    except ValueError as error:
        raise NotProbedError("policy", f"the URL cannot be read: {error}") from None
    if not host or port is None:
        raise NotProbedError("policy", "the URL must begin with grpc:// or grpcs:// and name a host")
    channel = _Channel(probe, context, url.scheme, host, port)
    tries = Tries("latency", probe.samples, context)
    try:
        tries.take(channel.once)
    finally:
        channel.close()
    what, lines, more = f"gRPC health of {_named(probe.service)} at {host}:{port}", (), dict[str, Measure]()
    if channel.ends:
        more, line = expiry(min((each for each in channel.ends if each), default=None), context.wall())
        return tries.evidence(what, (line,) if line else (), more)
    return tries.evidence(what, lines, more)


def _named(service: str) -> str:
    return service or "the server"


def _told(error: Any, service: str) -> ProbeError:
    """What a status of gRPC means for the component."""
    code = getattr(error.code(), "name", str(error.code()))
    words = " ".join(str(error.details() or "").split())[:LONGEST_WORDS]
    if code in {"UNAUTHENTICATED", "PERMISSION_DENIED"}:
        return NotProbedError("credential", f"the server did not accept our credential: {code} {words}")
    if code == "UNIMPLEMENTED":
        return NotProbedError("policy", "the server does not speak grpc.health.v1")
    if code == "NOT_FOUND":
        return ProbeError("answer", f"the server knows no service {_named(service)}")
    if code == "DEADLINE_EXCEEDED":
        return ProbeError("timeout", "the server did not answer in time")
    if code == "UNAVAILABLE":
        return ProbeError("closed", f"the server aborted the call: {words}")
    return ProbeError("status", f"gRPC status {code}: {words or reason(error)}")
