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

from benchmarks.append import append
from benchmarks.importing import Measured, import_file, project
from benchmarks.workload import BATCH, SEED, database, server, simulated_file
from ledger.garbage import ease_garbage_collection

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
COMMENTS = Path(__file__).with_name("comments.md")
_SETTINGS = ("fsync", "synchronous_commit", "shared_buffers", "max_wal_size", "wal_compression")


def main() -> None:
    """Run everything, print the page, write it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events to import and project")
    parser.add_argument("--append-batches", type=int, default=60, help="batches of 1,000 to append")
    parser.add_argument("--out", type=Path, default=PAGE, help="where the page goes")
    options = parser.parse_args()
    page = "\n".join(_page(options.events, options.append_batches)) + "\n"
    options.out.write_text(page)
    print(page)


def _page(events: int, append_batches: int) -> Iterator[str]:
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
    rates = append(append_batches * BATCH)
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
    yield COMMENTS.read_text().rstrip()


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
