"""A group of commands that answers a command which it does not have with the one that was meant."""

from __future__ import annotations

import difflib

import click


class SuggestingGroup(click.Group):
    """As click's group, but for what it says of a command that it has not."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that ``args`` begin with.

        Raises:
            UsageError: there is none; the sentence names the nearest, or all that there are.
        """
        wanted, known = args[0], self.list_commands(ctx)
        if wanted in known or wanted.startswith("-"):
            return super().resolve_command(ctx, args)
        raise click.UsageError(f'there is no command "{wanted}". {self._hint(ctx, wanted, known)}', ctx)

    def _hint(self, ctx: click.Context, wanted: str, known: list[str]) -> str:
        if wanted == "help":
            return 'Did you mean "--help"?'
        nearest = difflib.get_close_matches(wanted, known, n=1)
        if nearest:
            return f'Did you mean "{nearest[0]}"?'
        if wanted in {"list", "ls"} and self.invoke_without_command and ctx.parent is not None:
            return f'To list them, run "{ctx.command_path}".'
        return f"There are: {', '.join(known)}."
