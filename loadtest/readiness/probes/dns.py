"""A name looked up by this machine's resolver, as programs on it do."""

from __future__ import annotations

import socket

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import DnsProbe
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError, Tries
from loadtest.readiness.probes.tcp import reason


def probe_dns(probe: DnsProbe, context: ProbeContext) -> Evidence:
    """Look-ups, each timed; an answer is right if every address that the policy names is in it."""
    seen: dict[str, None] = {}

    def once() -> float:
        begun = context.clock()
        try:
            found = socket.getaddrinfo(probe.host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ProbeError(
                "resolve",
                f"the name {probe.host} cannot be resolved: {reason(error)}",
            ) from None
        took = (context.clock() - begun) * 1000
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        seen.update(dict.fromkeys(addresses))
        if missing := [each for each in probe.addresses if each not in addresses]:
            shown = ", ".join(addresses)
            raise ProbeError("answer", f"{probe.host} resolves to {shown}, but not to {', '.join(missing)}")
        return took

    tries = Tries("resolve", probe.samples, context)
    tries.take(once)
    return tries.evidence(f"look-ups of {probe.host}", tuple(f"address {each}" for each in seen))
