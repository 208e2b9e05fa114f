"""`up`: everything in one process."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from servicetrail.cli import options
from servicetrail.cli.consuming import PARTITIONS, CreateTopics, PartitionCount, ended
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out
from servicetrail.consuming import consuming, consuming_of
from servicetrail.metrics import Metrics
from servicetrail.projecting import projecting
from servicetrail.sealing import sealing
from servicetrail.serving import AddressTaken, admission_of, listening, serve
from servicetrail.settings import read_settings
from servicetrail.signals import signals_unwind
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
    workers: options.Workers = None,
    create_topics: CreateTopics = False,
    partitions: PartitionCount = PARTITIONS,
) -> None:
    """Start the database if none is configured, the projector, the sealer, HTTP, and
    with SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS the consumer; SIGTERM or Ctrl-C ends.

    At the end requests in flight are finished, their events and the batch in hand committed, and
    everything stopped. If the consumer gave up, for which the log says why, everything else goes
    on until the end, and the exit status is 1.
    """
    settings = read_settings(http_host=host, http_port=port, projector_workers=workers)
    consumes = settings.kafka_bootstrap_servers is not None
    if consumes:
        consuming_of(settings)  # what is wrong with it is told before anything starts
    consumption = None
    try:
        with ExitStack() as stack:
            stack.enter_context(signals_unwind())
            listener = stack.enter_context(listening(settings))
            system = stack.enter_context(open_system(settings))
            admission = admission_of(system)
            metrics = Metrics(system)
            projector = stack.enter_context(projecting(system, metrics))
            seals = stack.enter_context(sealing(system)) if settings.sealing else None
            if consumes:
                consumption = stack.enter_context(
                    consuming(
                        system,
                        on_taken=metrics.taken,
                        create_partitions=partitions if create_topics else None,
                    )
                )
                metrics.consumes(consumption)
            serve(
                system,
                listener,
                projector,
                lambda at: out.print(f"Servicetrail is up at {at}"),
                metrics,
                admission,
                consumption,
                seals,
            )
    except KeyboardInterrupt:
        out.print("Stopped before everything was up")
    except AddressTaken as error:
        raise Fail(str(error)) from None
    if consumption is not None:
        ended(consumption)
