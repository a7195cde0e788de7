"""What a run is exported by, from its start to after its end: ``--prometheus`` and ``--otel``."""

from __future__ import annotations

from collections.abc import Callable

from loadtest.run.run_recorder import RunRecorder


def start_exporters(recording: RunRecorder, start_wall_ns: Callable[[], int | None]) -> None:
    """Start what the options ask for; the recorder of the run ends them."""
    options = recording.prepared.options
    if options.metrics_address is None and options.collector is None:
        return
    from loadtest.show.metric_families import ExportedRun

    redacted = recording.redactor.text
    exported = ExportedRun(recording.manifest, recording.totals, recording.thresholds_so_far, redacted)
    if (address := options.metrics_address) is not None:
        from loadtest.run.metrics_server import MetricsServer

        server = MetricsServer(exported, address)
        server.start()
        recording.at_end.append(server.over)
        recording.after_reports.append(server.finish)
    if (collector := options.collector) is not None:
        from loadtest.run.otel import OtelExport

        otel = OtelExport(exported, collector, start_wall_ns, redacted)
        otel.start()
        recording.watchers.append(otel.take)
        recording.at_end.append(otel.over)
