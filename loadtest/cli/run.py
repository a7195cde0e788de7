"""``loadtest run``: one run, from the plan to the report."""

from __future__ import annotations

from typing import Any

import click

from loadtest.cli.other_tools import AnsweringCommand
from loadtest.cli.shared_options import ShippedName, WholeNumber, option, plan_options, results_option

USUAL = ""
"""The value of an option that was given without one: the usual address, which `run` knows."""

EXAMPLES = """\b
Examples:
  loadtest run                                  agent-burst against our own simulator
  loadtest run agent-burst --target ws://localhost:8000/ws --label v1.4.0
  loadtest run my.toml --connections 200 --duration 2m
  loadtest run my.toml --set traffic.every=200ms --set "thresholds.turn.first_event.p95=< 50ms"
"""


@click.command(epilog=EXAMPLES, cls=AnsweringCommand)
@click.argument("scenario", default="agent-burst", type=ShippedName("scenario"))
@plan_options("RUN")
@option("--label", metavar="TEXT", help="A name for this run, such as a version: letters, digits, . _ -")
@option("--processes", metavar="N", type=WholeNumber(), default=1, help="Local load-generator processes.")
@option("--workers", metavar="N", type=WholeNumber(), help="Wait for N `loadtest worker` to join.")
@option(
    "--bind",
    metavar="HOST:PORT",
    help="The address where workers join; if it is not loopback, --key-env is required.",
)
@option("--key-env", metavar="NAME", help="The environment variable that holds the key of the workers.")
@option("--join-within", metavar="TIME", default="10m", help="The time limit for --workers to join.")
@option("--repeat", metavar="N", type=WholeNumber(), default=1, help="Run the scenario N times.")
@results_option("RUN")
@option("--ui", is_flag=True, help="Show the run on a live page in the browser.")
@option(
    "--ui-port",
    metavar="N",
    type=click.IntRange(1, 65535),
    help="The port of the --ui page; default: a free port.",
)
@option("--ui-close", is_flag=True, help="Close the --ui page when the run ends; default: at Ctrl-C.")
@option(
    "--prometheus",
    metavar="[ADDR]",
    is_flag=False,
    flag_value=USUAL,
    help="Serve /metrics during the run, at HOST:PORT or a port; default 127.0.0.1:9464.",
)
@option(
    "--otel",
    metavar="[URL]",
    is_flag=False,
    flag_value=USUAL,
    help="Send metrics and slow turns to an OTLP collector; default http://127.0.0.1:4318.",
)
@option("--verbose", is_flag=True, help="Print the whole report instead of the short screen.")
@option("--quiet", is_flag=True, help="Print only the verdict and the path of the report.")
@option("--json", is_flag=True, help="Print run.json on stdout, and nothing else.")
@option("--insecure", is_flag=True, help="Do not verify the target's certificate; every report will say so.")
@click.option("--asked-by", hidden=True)
@click.option(
    "--headless", is_flag=True, hidden=True, expose_value=False
)  # Locust's; a run has no page unless --ui
def command(**options: Any) -> int:
    """Run SCENARIO (a shipped name or a TOML file) and judge it.

    The exit code is the verdict: 0 pass, 1 fail, 3 unreachable, 4 invalid.
    """
    from loadtest.run import RunOptions, execute

    return execute(RunOptions(**options))
