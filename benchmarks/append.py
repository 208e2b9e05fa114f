"""Appending with the rules applied, against a bare COPY and against the library's own recorder.

The three take turns, batch by batch, on three databases of one server, so that whatever else the
machine does hits them alike. Each commits every batch durably.
"""

import io
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from urllib.parse import parse_qs, urlsplit

import psycopg2
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

from benchmarks.workload import Database, batches, database, server, simulated_messages
from ledger import rows
from ledger.reading import last_position
from ledger.rows import NewEvent

WARM_UP_BATCHES = 3
_READ = """
COPY (
    SELECT position, recorded_at, event_id, originator_id, originator_version, type, customer_id,
        shard, source, id, occurred_at, time_assumed, sequence, correlation_id, causation_id,
        fingerprint, facts, personal
    FROM ledger.events WHERE position BETWEEN {first} AND {last} ORDER BY position
) TO STDOUT
"""
_WRITE = """
COPY ledger.events (
    position, recorded_at, event_id, originator_id, originator_version, type, customer_id,
    shard, source, id, occurred_at, time_assumed, sequence, correlation_id, causation_id,
    fingerprint, facts, personal
) FROM STDIN
"""


def append(events: int) -> dict[str, float]:
    """Events per second of each way, over the batches after the warm-up."""
    messages = simulated_messages(events)
    seconds: Counter[str] = Counter()
    with (
        server() as postgres,
        database(postgres, "ours") as ours,
        database(postgres, "rows") as rows_only,
        database(postgres, "bare") as bare,
        closing(psycopg2.connect(ours.url)) as reading,
        closing(psycopg2.connect(bare.url)) as copying,
        closing(_library_recorder(postgres.database_url("postgres"))) as library,
    ):
        recorder = PostgresApplicationRecorder(library, events_table_name="library_events")
        recorder.create_table()
        appended = 0
        measured = 0
        for number, batch in enumerate(batches(messages)):
            spent = {"servicetrail, rules applied": _timed(partial(ours.intake.take, batch))}
            last = _last_position(ours)
            copied = io.BytesIO()
            with reading, reading.cursor() as cursor:
                cursor.copy_expert(_READ.format(first=appended + 1, last=last), copied)
            stored = _stored_events(ours, appended + 1, last)
            new_events = _new_events(ours, appended + 1, last)
            spent["servicetrail's append alone"] = _timed(partial(_append, rows_only, new_events))
            spent["bare COPY"] = _timed(partial(_copy, copying, copied))
            spent["the library's recorder"] = _timed(partial(recorder.insert_events, stored))
            if number >= WARM_UP_BATCHES:
                seconds.update(spent)
                measured += last - appended
            appended = last
    return {way: measured / spent for way, spent in seconds.items()}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _copy(connection: psycopg2.extensions.connection, rows: io.BytesIO) -> None:
    rows.seek(0)
    with connection, connection.cursor() as cursor:
        cursor.copy_expert(_WRITE, rows)


def _last_position(ours: Database) -> int:
    with ours.datastore.transaction() as cursor:
        return last_position(cursor)


def _append(rows_only: Database, new_events: list[NewEvent]) -> None:
    with rows_only.datastore.transaction() as cursor:
        rows.append(cursor, new_events)


def _new_events(ours: Database, first: int, last: int) -> list[NewEvent]:
    with ours.datastore.transaction() as cursor:
        cursor.execute(
            f"SELECT {', '.join(NewEvent._fields)} FROM ledger.events"
            " WHERE position BETWEEN %s AND %s ORDER BY position",
            (first, last),
        )
        return [
            event._replace(
                event_id=event.event_id.replace("-", ""),
                fingerprint=bytes(event.fingerprint),
                facts=bytes(event.facts),
                personal=event.personal and bytes(event.personal),
            )
            for event in map(NewEvent._make, cursor.fetchall())
        ]


def _stored_events(ours: Database, first: int, last: int) -> list[StoredEvent]:
    with ours.datastore.transaction() as cursor:
        cursor.execute(
            "SELECT originator_id, originator_version, type, facts FROM ledger.events"
            " WHERE position BETWEEN %s AND %s ORDER BY position",
            (first, last),
        )
        return [
            StoredEvent(stream_id, version, type_, bytes(facts))
            for stream_id, version, type_, facts in cursor.fetchall()
        ]


def _library_recorder(url: str) -> PostgresDatastore:
    parts = urlsplit(url)
    return PostgresDatastore(
        dbname=parts.path.lstrip("/"),
        host=parse_qs(parts.query)["host"][0],
        port=parts.port or 5432,
        user=parts.username or "postgres",
        password=parts.password or "",
        originator_id_type="text",
    )
