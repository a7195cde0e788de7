"""``loadtest simulator``: an agent backend with fault knobs, on loopback unless told otherwise."""

from __future__ import annotations

import click

from loadtest.cli.shared_options import option

EXAMPLES = """\b
Examples:
  loadtest simulator --port 8765
  loadtest simulator --port 8765 --fault drop=0.05 --fault delay=exp:20ms --seed 7
"""


class _WithFaults(click.Command):
    """A command whose help ends with the list of faults, read where they are defined."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the faults, then the examples."""
        from loadtest.simulator.faults import FAULT_OPTIONS

        with formatter.section("Faults (P is a share, such as 0.05)"):
            formatter.write_dl([(form.usage, form.about) for form in FAULT_OPTIONS.values()], col_max=36)
        super().format_epilog(ctx, formatter)


@click.command(cls=_WithFaults, epilog=EXAMPLES)
@option("--host", metavar="ADDRESS", help="The address to listen on; default: only this machine can connect.")
@option("--port", metavar="PORT", help="The port to listen on; 0 takes a free port.")
@option("--fault", metavar="NAME[=VALUE]", multiple=True, help="Have this fault; repeatable.")
@option(
    "--seed",
    metavar="N",
    help="Seed of everything random: with the same seed, faults hit the same turns.",
)
@option("--jwt-secret-env", metavar="NAME", help="Check tokens with the secret in this environment variable.")
@option("--cert", metavar="FILE", help="Speak wss with this certificate.")
@option("--key", metavar="FILE", help="The key of the certificate.")
@option("--compression", is_flag=True, help="Agree to permessage-deflate.")
@option("--partials", metavar="N", help="Partial results in a turn.")
@option("--heartbeat", metavar="TIME", help='Send {"type":"ping"} this often.')
@option("--slow-reader", metavar="TIME", help="How long a client may leave its events unread.")
@option("--max-time", metavar="TIME", help="Stop after this time.")
@option("--max-connections", metavar="N", help="Refuse more connections than this.")
@option("--max-message-bytes", metavar="N", help="Close a connection that sends a larger message.")
@option("--max-turns", metavar="N", help="Maximum turns in flight.")
def command(fault: tuple[str, ...], compression: bool, **options: str | None) -> None:  # noqa: FBT001 - click passes it by name
    """Serve an agent backend: /ws, /echo, GET /health. Ctrl-C stops it.

    Without faults it answers fast and correctly, and numbers its events. Reports of a run against it say
    SIMULATED. It listens on loopback. On another address, anybody who reaches it may use it.
    """
    from loadtest.simulator.options import parse_options
    from loadtest.simulator.server import run

    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items() if value is not None]
    flags = ["--compression"] if compression else []
    run(parse_options([*given, *flags, *(f"--fault={name}" for name in fault)]))
