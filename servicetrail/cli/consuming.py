"""`consume`: events from Kafka, through the same door as everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
from prometheus_client import start_http_server

from servicetrail.cli.errors import NOT_ALL_TAKEN, USAGE, Fail
from servicetrail.cli.output import out
from servicetrail.consuming import Consumption, TooManyRejected, consuming, consuming_of
from servicetrail.metrics import Metrics
from servicetrail.settings import read_settings
from servicetrail.signals import signals_unwind
from servicetrail.system import open_system

PARTITIONS = 12
"""Room to grow into: more partitions later would move customers from one to another."""

Brokers = Annotated[
    str | None,
    typer.Option(
        "--brokers",
        metavar="HOST:PORT,...",
        help="Where to consume, instead of SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS.",
        show_default=False,
    ),
]
CreateTopics = Annotated[
    bool,
    typer.Option("--create-topics", help="Create those of the topics that do not exist."),
]
PartitionCount = Annotated[
    int,
    typer.Option("--partitions", min=1, metavar="N", help="How many partitions those get."),
]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("consume")(consume_command)


def consume_command(
    brokers: Brokers = None,
    topics: Annotated[
        str | None,
        typer.Option(
            "--topics",
            metavar="TOPIC,...",
            help="Topics, or ^ and a regular expression, instead of SERVICETRAIL_KAFKA_TOPICS.",
            show_default=False,
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            "--group",
            metavar="NAME",
            help="Consumer group, instead of SERVICETRAIL_KAFKA_GROUP.",
            show_default=False,
        ),
    ] = None,
    create_topics: CreateTopics = False,
    partitions: PartitionCount = PARTITIONS,
    max_rejected_share: Annotated[
        float | None,
        typer.Option(
            "--max-rejected-share",
            metavar="SHARE",
            help=(
                "Stop when more than this share of a partition's newest records is rejected, "
                "instead of SERVICETRAIL_MAX_REJECTED_SHARE; 1: never."
            ),
            show_default=False,
        ),
    ] = None,
    max_rejected_window: Annotated[
        int | None,
        typer.Option(
            "--max-rejected-window",
            metavar="N",
            help="Of how many of them, instead of SERVICETRAIL_MAX_REJECTED_WINDOW.",
            show_default=False,
        ),
    ] = None,
    dead_topics: Annotated[
        str | None,
        typer.Option(
            "--dead-topics",
            metavar="off|notices|records",
            help=(
                "Tell those who published what was not taken, in the topic <topic>.dead: why, or "
                "with the record itself; instead of SERVICETRAIL_KAFKA_DEAD_TOPICS."
            ),
            show_default=False,
        ),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            "--metrics-port",
            min=1,
            max=65535,
            metavar="PORT",
            help="Show metrics for Prometheus at http://127.0.0.1:PORT/metrics.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take what is published to Kafka into the ledger, until SIGTERM or Ctrl-C.

    The batch in hand is finished then. While brokers or database cannot be reached it says so and
    tries again. Any number of these may run, and share the partitions. Exit status: 0 when it was
    asked to end, 1 when too many records were rejected, 2 when Kafka refuses it for good.
    """
    settings = read_settings(
        kafka_bootstrap_servers=brokers,
        kafka_topics=topics,
        kafka_group=group,
        kafka_dead_topics=dead_topics,
        max_rejected_share=max_rejected_share,
        max_rejected_window=max_rejected_window,
    )
    consuming_of(settings)  # what is wrong with it is told before anything starts
    consumption = None
    try:
        with ExitStack() as stack:
            stack.enter_context(signals_unwind())
            system = stack.enter_context(open_system(settings))
            metrics = Metrics(system)
            consumption = stack.enter_context(
                consuming(
                    system,
                    on_taken=metrics.taken,
                    create_partitions=partitions if create_topics else None,
                )
            )
            metrics.consumes(consumption)
            if metrics_port is not None:
                system.runner().prepare()  # how far they are is asked of their tables
                stack.enter_context(showing(metrics, metrics_port))
            if consumption.wait_until_reading():
                out.print(
                    f"Consuming {', '.join(settings.kafka_topics)} "
                    f"from {settings.kafka_bootstrap_servers}"
                )
            consumption.wait()
    except KeyboardInterrupt:
        out.print("Stopped")
    if consumption is not None:
        ended(consumption)


@contextmanager
def showing(metrics: Metrics, port: int) -> Iterator[None]:
    """Show the metrics on a port of the loopback address until the end of the block."""
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=metrics.registry)
    except OSError as error:
        raise Fail(
            f"cannot listen on 127.0.0.1 port {port}: {error.strerror}; choose another with "
            "--metrics-port"
        ) from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def ended(consumption: Consumption) -> None:
    """Raise Fail if the consumption gave up."""
    error = consumption.error
    if isinstance(error, TooManyRejected):
        raise Fail(str(error), NOT_ALL_TAKEN)
    if error is not None:
        raise Fail(f"consuming failed: {error}", USAGE)
