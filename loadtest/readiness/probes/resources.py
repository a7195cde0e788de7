"""CPU, memory and disk of this host, or of one process of it."""

from __future__ import annotations

import psutil

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import ResourcesProbe
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext, ProbeError
from loadtest.units import format_bytes, format_ratio


def probe_resources(probe: ResourcesProbe, context: ProbeContext) -> Evidence:
    """One look that lasts ``over_s``; a process's CPU is in cores, so that it may be more than 1."""
    if probe.pid is not None or probe.pid_file is not None:
        return _process(_pid(probe, context), probe, context)
    cpu = psutil.cpu_percent(interval=min(probe.over_s, context.left_s())) / 100
    memory = psutil.virtual_memory()
    try:
        disk = psutil.disk_usage(probe.disk)
    except OSError as error:
        raise ProbeError("missing file", f"there is no disk at {probe.disk}: {error.strerror}") from None
    found = {"cpu.ratio": cpu, "memory.ratio": memory.percent / 100, "disk.ratio": disk.percent / 100}
    measures = {name: Measure(value, "ratio", 1) for name, value in found.items()}
    lines = (
        f"CPU {format_ratio(cpu)} over {probe.over_s:g} s on {psutil.cpu_count()} cores",
        f"memory {format_ratio(memory.percent / 100)} of {format_bytes(memory.total)}",
        f"disk {format_ratio(disk.percent / 100)} of {format_bytes(disk.total)}",
    )
    said = f"CPU {format_ratio(cpu)}, {lines[1]}, {lines[2]}"
    return Evidence("answered", said, context.wall(), "", measures, lines)


def _pid(probe: ResourcesProbe, context: ProbeContext) -> int:
    if probe.pid is not None:
        return probe.pid
    path = context.path(probe.pid_file or "")
    try:
        return int(path.read_text("ascii").strip())
    except OSError as error:
        said = (
            f"{path.name} cannot be read ({error.strerror}): the process does not run, or writes its id"
            " elsewhere"
        )
        raise ProbeError("missing file", said) from None
    except ValueError:
        raise ProbeError(
            "process", f"there is no process id in {path.name}: the process does not run"
        ) from None


def _process(pid: int, probe: ResourcesProbe, context: ProbeContext) -> Evidence:
    try:
        process = psutil.Process(pid)
        cpu = process.cpu_percent(interval=min(probe.over_s, context.left_s())) / 100
        memory, connections = process.memory_info().rss, len(process.net_connections())
    except psutil.AccessDenied:
        raise NotProbedError("tool", f"loadtest has no permission to read process {pid}") from None
    except psutil.Error:
        raise ProbeError("process", f"process {pid} does not run") from None
    share = memory / psutil.virtual_memory().total
    measures = {
        "cpu.ratio": Measure(cpu, "ratio", 1),
        "memory.ratio": Measure(share, "ratio", 1),
        "connections": Measure(connections, "count", 1),
    }
    used = f"CPU {format_ratio(cpu)} of a core, memory {format_bytes(memory)}, {connections} connections"
    said = f"process {pid}: {used}"
    return Evidence("answered", said, context.wall(), "", measures, (said,))
