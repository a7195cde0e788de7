"""Stored runs that a command had to leave out: told on stderr, so that no list is shorter without a word."""

from __future__ import annotations

import click

from loadtest.show.sanitize import printable


def skipped(sentence: str) -> None:
    """Say why a run is left out."""
    click.echo(f"skipped: {printable(sentence)}", err=True)
