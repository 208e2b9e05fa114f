"""Run the benchmarks and write docs/benchmarks.md: `python -m benchmarks [--events N]`."""

import argparse
import os
import platform
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg2

from benchmarks import sealing
from benchmarks.append import append
from benchmarks.consuming import consume, profile, read_only
from benchmarks.freshness import RATE, WARM_UP_SECONDS, freshness
from benchmarks.importing import Measured, import_file, project
from benchmarks.page import PAGE
from benchmarks.reading import sections
from benchmarks.topic import PARTITIONS, fill, make_topic
from benchmarks.workload import (
    BATCH,
    SEED,
    database,
    server,
    simulated_file,
    simulated_messages,
)
from consumers.brokers import ApacheKafka
from consumers.brokers.apache import VERSION as KAFKA_VERSION
from ledger.garbage import ease_garbage_collection
from schemas.files import messages_in

COMMENTS = Path(__file__).with_name("comments.md")
WORKERS = 2
_SETTINGS = ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size", "wal_compression")


def main() -> None:
    """Run everything, print the page, write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events to import and project")
    parser.add_argument(
        "--large-events", type=int, default=1_000_000, help="events to rebuild from and to ask"
    )
    parser.add_argument("--route-seconds", type=float, default=10, help="to ask each route")
    parser.add_argument("--append-batches", type=int, default=60, help="batches of 1,000 to append")
    parser.add_argument("--kafka-events", type=int, default=500_000, help="events in the topic")
    parser.add_argument("--fresh-seconds", type=int, default=60, help="of a steady stream")
    parser.add_argument(
        "--sealed-events", type=int, default=sealing.EVENTS, help="in the ledger that is verified"
    )
    parser.add_argument("--out", type=Path, default=PAGE, help="where the page goes")
    options = parser.parse_args()
    page = "\n".join(_page(options)) + "\n"
    options.out.write_text(page)
    print(page)


def _page(options: argparse.Namespace) -> Iterator[str]:
    events: int = options.events
    yield "# Benchmarks"
    yield ""
    yield f"Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}. {_machine()}"
    yield f"Simulated company, seed {SEED}; batches of {BATCH:,}; every batch is committed durably."
    yield ""
    with server() as postgres:
        yield f"Embedded PostgreSQL: {_settings(postgres.database_url('postgres'))}."
    yield ""
    yield "## Appending"
    yield ""
    yield "Four ways take turns, batch by batch, in one run:"
    yield ""
    yield "| way | events/s | of the bare COPY |"
    yield "| --- | ---: | ---: |"
    rates = append(options.append_batches * BATCH)
    for way, rate in rates.items():
        yield f"| {way} | {rate:,.0f} | {rate / rates['bare COPY']:.2f} |"
    yield ""
    with tempfile.TemporaryDirectory() as directory, server() as postgres:
        path = simulated_file(events, Path(directory))
        with database(postgres, "importing") as imported:
            yield f"## Importing a file of {events:,} events"
            yield ""
            yield from _measured(import_file(imported, path, events))
            yield f"## Projecting {events:,} events into every read model"
            yield ""
            yield from _measured(project(imported, events))
    yield from sections(options.large_events, options.route_seconds, WORKERS)
    yield from _kafka(options.kafka_events, options.fresh_seconds)
    yield from sealing.section(
        sealing.measure(
            options.sealed_events,
            sealing.INGESTED,
            sealing.OF_ONE_CUSTOMER,
            sealing.PROCESSES,
        )
    )
    yield COMMENTS.read_text().rstrip()


def _kafka(events: int, seconds: int) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory, server() as postgres, ApacheKafka() as kafka:
        brokers = kafka.bootstrap_servers
        path = str(simulated_file(events, Path(directory)))
        make_topic(brokers)
        fill(brokers, messages_in(path))
        reading = read_only(brokers, events)
        rates = {}
        for processes in (1, 2):
            with database(postgres, f"consumed_by_{processes}") as consumed:
                rates[processes] = consume(consumed, brokers, events, processes)
        with database(postgres, "profiled") as profiled:
            profile_shares = profile(profiled, brokers, events // 5)
    yield f"## Consuming a topic of {events:,} events in {PARTITIONS} partitions"
    yield ""
    yield (
        f"Apache Kafka {KAFKA_VERSION} on the same machine; a record is what our publisher sends. "
        "Each rate is taken while between 20 % and 95 % of the topic were read."
    )
    yield ""
    yield "| | events/s | share |"
    yield "| --- | ---: | ---: |"
    yield f"| the consumer's client alone, which only reads | {reading:,.0f} | 1.00 |"
    yield f"| one `servicetrail consume` | {rates[1]:,.0f} | {rates[1] / reading:.2f} of reading |"
    yield f"| two that share the topic | {rates[2]:,.0f} | {rates[2] / rates[1]:.2f} of one |"
    yield ""
    yield "Where the time of taking goes, without the client, by profile of a fifth:"
    yield ""
    yield from _table(profile_shares.items())
    yield ""
    yield from _fresh(seconds)


def _fresh(seconds: int) -> Iterator[str]:
    messages = simulated_messages(RATE * (WARM_UP_SECONDS + seconds))
    with server() as postgres, ApacheKafka() as kafka, database(postgres, "fresh") as fresh:
        make_topic(kafka.bootstrap_servers)
        found = freshness(fresh, kafka.bootstrap_servers, messages, seconds)
    yield f"## Freshness at {RATE:,} events/s for {seconds} s"
    yield ""
    yield (
        "From producing an event until all read models hold it, through `servicetrail up`, which "
        f"consumes, projects and answers in one process. Produced: {found.rate:,.0f} events/s; "
        f"{found.within(0.5):.2%} were there within 500 ms."
    )
    yield ""
    yield "| share of the events | ms |"
    yield "| --- | ---: |"
    for share in (0.5, 0.9, 0.99, 0.999):
        yield f"| {share:.1%} | {found.quantile(share) * 1_000:,.0f} |"
    yield f"| all | {max(found.seconds) * 1_000:,.0f} |"
    yield ""


def _measured(measured: Measured) -> Iterator[str]:
    yield f"{measured.rate:,.0f} events/s. Where the time goes, by profile of the last fifth:"
    yield ""
    yield from _table(measured.shares.items())
    yield ""


def _table(shares: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield "| stage | share |"
    yield "| --- | ---: |"
    for stage, share in shares:
        yield f"| {stage} | {share:.0%} |"


def _machine() -> str:
    cores, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return (
        f"{_processor()}, {cores} cores, {memory} GiB; Python {platform.python_version()}, "
        f"eventsourcing {version('eventsourcing')}, psycopg2 {version('psycopg2-binary')}."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def _settings(url: str) -> str:
    connection = psycopg2.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute("SHOW server_version")
        server_version = cursor.fetchone()
        cursor.execute(
            "SELECT name || ' ' || current_setting(name) FROM unnest(%s) AS name",
            (list(_SETTINGS),),
        )
        settings = ", ".join(row[0] for row in cursor.fetchall())
    finally:
        connection.close()
    return f"{server_version[0] if server_version else ''} ({settings})"


if __name__ == "__main__":
    ease_garbage_collection()
    main()
