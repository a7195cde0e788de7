"""The extra ``otel``: libraries that only a run which tells a collector needs."""

from __future__ import annotations

from importlib.util import find_spec

from loadtest.errors import ConfigError, Problem, install_line
from loadtest.run.options import RunOptions

EXPORTER = ("opentelemetry", "exporter", "otlp", "proto", "http")
"""The module that sends; with it comes the SDK."""


def need_libraries(options: RunOptions) -> None:
    """Refuse a run whose exporters have wrong addresses, or need a library that is not installed.

    Raises:
        ConfigError: they are not; the sentence says what to do.
    """
    _ = options.metrics_address
    if options.collector is not None and not _installed():
        run = install_line("opentelemetry-sdk opentelemetry-exporter-otlp-proto-http", "otel")
        sentence = (
            f"this option needs the OpenTelemetry SDK and exporter, which are not installed here; run: {run}"
        )
        raise ConfigError([Problem("--otel", sentence)])


def _installed() -> bool:
    try:
        return find_spec(".".join(EXPORTER)) is not None
    except ModuleNotFoundError:
        # A package above it is missing.
        return False
