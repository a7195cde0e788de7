"""What ``loadtest scenarios`` and ``loadtest protocols`` share: the list of what ships, and its TOML."""

from __future__ import annotations

from typing import Literal

import click


def show_shipped(kind: Literal["scenario", "protocol", "policy"], name: str | None) -> None:
    """Print the TOML of one shipped file, or every name with its first comment line.

    Raises:
        ConfigError: nothing of that name ships; the sentence tells the nearest.
    """
    from loadtest.plan.shipped import list_shipped, shipped_names, shipped_text

    if name is not None:
        policy = kind == "scenario" and name in shipped_names("policy")
        click.echo(shipped_text("policy" if policy else kind, name), nl=False)
        return
    ships = [*list_shipped(kind), *(list_shipped("policy") if kind == "scenario" else ())]
    width = max(len(one.name) for one in ships)
    for one in ships:
        mark = "policy for `ready` and `watch`: " if one.kind == "policy" else ""
        click.echo(f"{one.name:<{width}}  {mark}{one.about}")
        if one.held_against:
            click.echo(f"{'':<{width}}  tested against {one.held_against}")
        elif one.follows:
            click.echo(f"{'':<{width}}  tested against a stub of the service; follows {one.follows}")
    if kind == "protocol":
        click.echo("\nProtocols without such a line were tested against the simulator or against stubs.")
