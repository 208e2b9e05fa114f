"""Rebuilding every read model, against the eventsourcing library's own projection runner.

The library's runner takes the same events, a part of them, one event a transaction into one
counter; before and after the rebuild, so that whatever else the machine does hits both alike.

    python -m benchmarks.rebuild --events 100000 --workers 2
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid5

from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL

from benchmarks.importing import batches_of
from benchmarks.workload import Database, database, server, simulated_file
from ledger.datastore import PgCursor
from ledger.garbage import ease_garbage_collection
from ledger.reading import events_after
from projections.rebuilding import Done, Rebuild
from projections.registry import read_models
from projections.runner import Runner
from schemas.files import messages_in
from servicetrail.embedded import EmbeddedPostgres

LIBRARY_EVENTS = 2_000
"""How many events the library's runner takes, before the rebuild and again after it."""

_INSERTED_AT_ONCE = 500
_SIZES = {
    "ledger, with indexes": "ledger.%",
    "read models, with indexes": "read.%",
}
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname || '.' || c.relname LIKE %s
"""


class Rebuilt(NamedTuple):
    """Events per second of both, seconds of each stage, bytes of the database per event."""

    rate: float
    library_rate: float
    stages: dict[str, float]
    bytes_per_event: dict[str, float]

    @property
    def times(self) -> float:
        """How many times as fast as the library's runner."""
        return self.rate / self.library_rate


def rebuild(postgres: EmbeddedPostgres, company: Database, *, workers: int) -> Rebuilt:
    """Rebuild every read model of a database, beside what is there, from its whole ledger."""
    with company.datastore.transaction() as cursor:
        events = _count(cursor)
    with _library(postgres, company) as library:
        first = library.take(LIBRARY_EVENTS)
        stages = _Stages()
        models = partial(read_models)
        Runner(company.datastore, models()).prepare()
        began = time.perf_counter()
        work = Rebuild(
            company.datastore,
            models,
            [model.name for model in models()],
            workers=workers,
            apart=True,
            on_progress=stages.heard,
        )
        work.build()
        work.swap()
        seconds = time.perf_counter() - began
        stages.heard(Done("", 0, 0))
        second = library.take(LIBRARY_EVENTS)
    with company.datastore.transaction() as cursor:
        sizes = {name: _size(cursor, like) / events for name, like in _SIZES.items()}
    return Rebuilt(events / seconds, 2 * LIBRARY_EVENTS / (first + second), stages.seconds, sizes)


class _Stages:
    """How long each stage takes, by when the next is heard of."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._at: tuple[str, float] | None = None

    def heard(self, done: Done) -> None:
        now = time.perf_counter()
        if self._at is not None and self._at[0] != done.stage:
            self.seconds[self._at[0]] = now - self._at[1]
            self._at = None
        if self._at is None:
            self._at = done.stage, now


def _count(cursor: PgCursor) -> int:
    cursor.execute("SELECT position FROM ledger.head")
    [count] = cursor.fetchone() or (0,)
    return int(count)


def _size(cursor: PgCursor, like: str) -> int:
    cursor.execute(_SIZE, (like,))
    [size] = cursor.fetchone() or (0,)
    return int(size)


class Told(DomainEvent):
    """One of our events as one of the library's."""

    type: str
    facts: str


class Company(Application[UUID]):
    """The application whose events the library's runner follows."""

    name = "company"


class Counter(PostgresTrackingRecorder):
    """One counter, moved on together with the position."""

    def __init__(self, datastore: PostgresDatastore, **settings: Any) -> None:
        super().__init__(datastore, **settings)
        self.sql_create_statements += [
            SQL("CREATE TABLE IF NOT EXISTS counter (events bigint NOT NULL)"),
            SQL("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT FROM counter)"),
        ]

    def count(self, tracking: Tracking) -> None:
        """One event, in a transaction of its own."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(SQL("UPDATE counter SET events = events + 1"), prepare=True)


class Counting(Projection[Counter]):
    """Counts events."""

    name = "counting"

    def process_event(self, _event: object, tracking: Tracking) -> None:
        """Count one."""
        self.view.count(tracking)


class _Library:
    def __init__(self, company: Database, environment: dict[str, str]) -> None:
        self._company = company
        self._environment = environment
        self._taken = 0
        self._application = Company(environment)

    def take(self, events: int) -> float:
        """Let the library's runner take the next events; gives the seconds it needed."""
        with self._company.datastore.transaction() as cursor:
            ours = events_after(cursor, self._taken, events)
        stored = [
            self._application.mapper.to_stored_event(
                Told(
                    originator_id=uuid5(UUID(int=0), str(event.position)),
                    originator_version=1,
                    timestamp=event.occurred_at,
                    type=event.type,
                    facts=event.facts.hex(),
                )
            )
            for event in ours
        ]
        # Of many more at once its pipeline gets stuck: the client sends no more, the server waits.
        for start in range(0, len(stored), _INSERTED_AT_ONCE):
            self._application.recorder.insert_events(stored[start : start + _INSERTED_AT_ONCE])
        self._taken += len(ours)
        began = time.perf_counter()
        with ProjectionRunner(
            application_class=Company,
            projection_class=Counting,
            view_class=Counter,
            env=self._environment,
        ) as runner:
            runner.wait(self._taken, timeout=600)
        return time.perf_counter() - began

    def close(self) -> None:
        self._application.close()


@contextmanager
def _library(postgres: EmbeddedPostgres, company: Database) -> Iterator[_Library]:
    with database(postgres, "library") as own:
        parts = urlsplit(own.owner_url)
        library = _Library(
            company,
            {
                "PERSISTENCE_MODULE": "eventsourcing.postgres",
                "POSTGRES_DBNAME": parts.path.lstrip("/"),
                "POSTGRES_HOST": parse_qs(parts.query)["host"][0],
                "POSTGRES_PORT": str(parts.port or 5432),
                "POSTGRES_USER": parts.username or "postgres",
                "POSTGRES_PASSWORD": parts.password or "none",
            },
        )
        try:
            yield library
        finally:
            library.close()


def report(rebuilt: Rebuilt, events: int, workers: int) -> Iterator[str]:
    """What the page says of it."""
    yield (
        f"{rebuilt.rate:,.0f} events/s for all {len(read_models())} read models by {workers} "
        f"processes, from {events:,} events. The library's own projection runner, one event a "
        f"transaction into one counter, takes {rebuilt.library_rate:,.0f} events/s of the same "
        f"events in the same run: {rebuilt.times:.1f} times."
    )
    yield ""
    yield "| stage | seconds |"
    yield "| --- | ---: |"
    for stage, seconds in rebuilt.stages.items():
        yield f"| {stage} | {seconds:.1f} |"
    yield ""
    yield "| in the database | bytes per event |"
    yield "| --- | ---: |"
    for name, size in rebuilt.bytes_per_event.items():
        yield f"| {name} | {size:,.0f} |"
    yield ""


def main() -> None:
    """Fill a ledger, rebuild, and print what the page would say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebuild", description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, server() as postgres:
        path = simulated_file(options.events, Path(directory))
        with database(postgres, "rebuilding") as company:
            for batch in batches_of(messages_in(str(path))):
                company.intake.take(batch)
            rebuilt = rebuild(postgres, company, workers=options.workers)
    print("\n".join(report(rebuilt, options.events, options.workers)))


if __name__ == "__main__":
    ease_garbage_collection()
    main()
