"""What those who published over Kafka are to be told about records that were not taken.

A notice is written in the transaction that refuses the record, and taken away in one that ends
after it was told: so it is told at least once, whatever happens in between.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as PgCursor
from psycopg2.extras import execute_values

from ledger.kept import Kept
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("notices.sql"))
_TOLD_OF = ("conflict", "rejected")

Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""


class Notice(NamedTuple):
    """That a record was not taken, and why. Nothing in it is the value of a field of the record.

    `name` is the notice's own, the same however often it is told. `source` and `id` are those that
    the record goes by; `kept_id` is what operators find it by.
    """

    notice_id: int
    name: str
    kept_id: int
    at: datetime
    outcome: str
    reason: str
    message: str
    path: str | None
    topic: str
    partition: int
    offset: int
    source: str
    id: str


def place_of(origin: Mapping[str, Any]) -> Place | None:
    """Where a message stands in Kafka; None for what came another way."""
    if "offset" not in origin:
        return None
    return origin["topic"], origin["partition"], origin["offset"]


def with_ids(
    places: Iterable[tuple[int, Mapping[str, Any]]], inputs: Iterable[Kept]
) -> list[tuple[int, Kept]]:
    """The inputs that came over Kafka, each with its kept id; `places` are kept ids and origins."""
    ids = {place_of(origin): kept_id for kept_id, origin in places}
    return [
        (ids[place], kept)
        for kept in inputs
        if (place := place_of(kept.message.origin)) is not None
    ]


def note(cursor: PgCursor, refused: Iterable[tuple[int, Kept]], now: datetime) -> None:
    """Write a notice for each input, by kept id, that came over Kafka and is refused.

    What is parked settles by itself, and a repair that was refused is told to whoever made it.
    """
    rows = [
        (id_, now, kept.state, kept.reason, kept.explanation, kept.path, *place)
        for id_, kept in refused
        if kept.state in _TOLD_OF
        and kept.repairs is None
        and (place := place_of(kept.message.origin)) is not None
    ]
    execute_values(cursor, _SQL["note"], rows)


def waiting(cursor: PgCursor) -> dict[str, int]:
    """How many notices are still to be told, by the topic that the records came from."""
    cursor.execute(_SQL["waiting"])
    return dict(cursor.fetchall())


def oldest(cursor: PgCursor, topic: str, limit: int) -> list[Notice]:
    """The oldest notices about a topic's records, for the caller alone until its transaction ends;
    none if somebody else is telling them.
    """
    cursor.execute(_SQL["one_at_a_time"], {"topic": topic})
    if cursor.fetchone() != (True,):
        return []
    cursor.execute(_SQL["oldest"], {"topic": topic, "limit": limit})
    return [Notice._make(row) for row in cursor.fetchall()]


def told(cursor: PgCursor, notices: Iterable[Notice]) -> None:
    """These need not be told any more."""
    cursor.execute(_SQL["told"], {"notice_ids": [notice.notice_id for notice in notices]})
