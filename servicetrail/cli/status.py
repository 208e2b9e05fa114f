"""`status` and `version`: where everything stands."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import typer

from consumers.consuming import Consuming
from consumers.watching import BrokersAway, Lag, lags
from ledger.notices import waiting
from questions.tables import column, number
from schemas.topics import DEAD
from servicetrail import VERSION
from servicetrail.cli import options
from servicetrail.cli.accounting import print_lines
from servicetrail.cli.output import Form, out, print_table, printable, write_csv, write_json
from servicetrail.consuming import consuming_of
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system
from web.health import SourceAccount, standing


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("status")(status_command)
    app.command("version")(version_command)


def status_command(json: options.Json = False, csv: options.Csv = False) -> None:
    """Show where ledger and read models stand, the account of every source, and where Kafka is
    consumed, how far behind that is.
    """
    form = options.form_of(json, csv)
    settings = read_settings()
    consuming = None if settings.kafka_bootstrap_servers is None else consuming_of(settings)
    with open_system(settings) as system:
        system.runner().prepare()
        found = standing(system.reads)
        kafka = None if consuming is None else asked(consuming, system)
    if form is Form.JSON:
        write_json(
            {
                **found.model_dump(mode="json"),
                "kafka": None if kafka is None else kafka.as_json(),
            }
        )
    elif form is Form.CSV:
        write_csv(found.model_dump(mode="json")["rows"], SourceAccount.model_fields)
    else:
        rows = [{"what": "Events in the ledger", "value": found.last_position}]
        rows.append({"what": "In the read models up to", "value": found.position})
        rows.append({"what": "Lacking there", "value": found.behind})
        rows.append({"what": "Under a checkpoint up to", "value": found.sealed_position})
        print_table(rows, [column("", "what"), number("", "value")])
        if found.sealed_at is not None:
            out.print(f"The newest checkpoint is of {found.sealed_at:%Y-%m-%d %H:%M:%S} UTC")
        out.print()
        print_lines([SourceAccount.model_dump(line) for line in found.rows])
        if kafka is not None:
            print_kafka(kafka)


class Kafka(NamedTuple):
    """How far the ledger is in each partition, or why the brokers do not say; and how many notices
    wait, by the topic of the records that were not taken.
    """

    lags: list[Lag]
    away: str | None
    notices: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        """For programs; `lag` is the sum, null while the brokers are away."""
        return {
            "away": self.away,
            "lag": None if self.away is not None else sum(each.lag for each in self.lags),
            "partitions": [each._asdict() for each in self.lags],
            "notices_waiting": self.notices,
        }


def asked(consuming: Consuming, system: System) -> Kafka:
    """Compare the database's positions with the ends of the partitions."""
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what matters we tell ourselves
    with system.reads.transaction() as cursor:
        notices = waiting(cursor)
    try:
        return Kafka(lags(consuming, system.reads), None, notices)
    except BrokersAway as away:
        return Kafka([], str(away), notices)


def print_kafka(kafka: Kafka) -> None:
    """The lag for people: by topic in one line, and the partitions that lack something."""
    for topic, count in kafka.notices.items():
        out.print(f"\n{count:,} notices wait to be told in {printable(topic + DEAD)}")
    if kafka.away is not None:
        out.print(f"\nKafka: the brokers cannot be asked: {printable(kafka.away)}", soft_wrap=True)
        return
    topics: dict[str, dict[str, Any]] = {}
    for each in kafka.lags:
        row = topics.setdefault(
            each.topic, {"topic": each.topic, "partitions": 0, "read": 0, "end": 0, "lag": 0}
        )
        row["partitions"] += 1
        row["read"] += each.position
        row["end"] += each.end
        row["lag"] += each.lag
    print_table(
        topics.values(),
        [
            column("Topic", "topic"),
            number("Partitions", "partitions"),
            number("Read up to", "read"),
            number("Published", "end"),
            number("Lag", "lag"),
        ],
        title="Kafka",
    )
    behind = [each._asdict() for each in kafka.lags if each.lag]
    if behind:
        columns = [column("Topic", "topic"), number("Partition", "partition")]
        print_table(
            behind,
            [
                *columns,
                number("Read up to", "position"),
                number("End", "end"),
                number("Lag", "lag"),
            ],
            title="Partitions that are behind",
        )


def version_command() -> None:
    """Show the program's version."""
    out.print(f"servicetrail {VERSION}")
