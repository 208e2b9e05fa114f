"""`up`: everything in one process."""

from __future__ import annotations

from typing import Annotated

import typer

from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out
from servicetrail.serving import AddressTaken, listening, projecting, serve, signals_unwind
from servicetrail.settings import read_settings
from servicetrail.system import open_system


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("up")(up_command)


def up_command(
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="ADDRESS",
            help="Address to listen on, instead of SERVICETRAIL_HTTP_HOST.",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            metavar="PORT",
            min=0,
            max=65535,
            help="Port, instead of SERVICETRAIL_HTTP_PORT; 0: any.",
        ),
    ] = None,
) -> None:
    """Start the database if none is configured, the projector and HTTP; SIGTERM or Ctrl-C ends.

    At the end requests in flight are finished, their events committed, and everything stopped.
    """
    settings = read_settings(http_host=host, http_port=port)
    try:
        with (
            signals_unwind(),
            listening(settings) as listener,
            open_system(settings) as system,
            projecting(system) as projector,
        ):
            serve(system, listener, projector, lambda at: out.print(f"Servicetrail is up at {at}"))
    except KeyboardInterrupt:
        out.print("Stopped before everything was up")
    except AddressTaken as error:
        raise Fail(str(error)) from None
