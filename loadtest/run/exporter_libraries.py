"""The extras ``prometheus`` and ``otel``: libraries that only a run which is exported needs."""

from __future__ import annotations

from importlib.util import find_spec

from loadtest.errors import ConfigError, Problem
from loadtest.run.options import RunOptions


def need_libraries(options: RunOptions) -> None:
    """Return if what the run is exported by is installed, and the addresses can be ones.

    Raises:
        ConfigError: it is not; the sentence says what to install.
    """
    problems = []
    if options.metrics_address is not None and find_spec("prometheus_client") is None:
        problems.append(_missing("--prometheus", "prometheus-client", "prometheus"))
    if options.collector is not None and find_spec("opentelemetry.exporter.otlp.proto.http") is None:
        problems.append(_missing("--otel", "opentelemetry-exporter-otlp-proto-http", "otel"))
    if problems:
        raise ConfigError(problems)


def _missing(option: str, library: str, extra: str) -> Problem:
    sentence = f'it needs {library}, not installed here; run: pip install "loadtest-ws[{extra}]"'
    return Problem(option, sentence)
