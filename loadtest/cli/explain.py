"""``loadtest explain``: what a scenario would do, without sending a byte."""

from __future__ import annotations

import os
from typing import Any

import click

from loadtest.cli.shared_options import ShippedName, plan_options

EXAMPLES = """\b
Examples:
  loadtest explain agent-burst
  loadtest explain my.toml --connections 200 --set traffic.every=200ms
"""


@click.command(epilog=EXAMPLES)
@click.argument("scenario", default="agent-burst", type=ShippedName("scenario"))
@plan_options("EXPLAIN")
def command(scenario: str, **changes: Any) -> None:
    """Show what SCENARIO would do, without sending anything."""
    from loadtest.errors import ConfigError
    from loadtest.plan.explain import explain
    from loadtest.plan.overrides import Overrides
    from loadtest.plan.scenario_file import load_scenario
    from loadtest.plan.secrets import missing_secrets
    from loadtest.speak.codec.factory import unsendable_messages
    from loadtest.speak.codec.sent_size import sent_size

    plan = load_scenario(scenario, Overrides(**changes))
    if problems := unsendable_messages(plan):
        raise ConfigError(problems)
    for section in explain(plan, sent_size):
        click.echo(f"{section.title}\n" + "".join(f"  {line}\n" for line in section.lines))
    for problem in missing_secrets(plan, os.environ):
        click.echo(f"Missing here: {problem}")
