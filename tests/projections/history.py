"""Histories told in a few words, put into the ledger, and the rows read models make of them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from psycopg2 import sql

from domain import is_of_nobody, stream_id
from ledger.datastore import Datastore, PgCursor
from ledger.reading import LedgerEvent, events_after
from ledger.rows import NewEvent, append, shard_of
from projections.events import RecordedEvent, recorded
from projections.model import ReadModel
from projections.registry import read_models
from projections.runner import Runner
from schemas import codec

ONLY_HERE = {"position", "recorded_at"}
"""Columns that say how an event arrived; all others are the same for any order of arrival."""


_INSTANTS = ("_at", "valid_from", "valid_until")


class Happened(NamedTuple):
    """An event before it is recorded."""

    type: str
    occurred_at: datetime
    data: dict[str, Any]
    id: str


def at(text: str) -> datetime:
    """An instant such as `2024-03-01 09:00` (UTC)."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def happened(type_: str, when: str, /, **data: Any) -> Happened:
    """One event; its id derives from what it says, so that the same words are the same event."""
    instants = {name: at(value) for name, value in data.items() if name.endswith(_INSTANTS)}
    whose = {} if is_of_nobody(type_) else {"customer_id": "Ada"}
    told = whose | data | instants
    if type_ == "touchpoint.corrected.v1":
        told["corrected"] = {
            "touchpoint_id": told["touchpoint_id"],
            "customer_id": told["customer_id"],
        } | dict(told["corrected"])
    words = sha256(repr((type_, when, sorted(data.items()))).encode()).hexdigest()[:16]
    return Happened(type_, at(when), told, f"{type_} {words}")


def inbound(when: str, touchpoint_id: str, /, **data: Any) -> Happened:
    """The customer got in touch, by mail unless said otherwise."""
    return happened(
        "touchpoint.recorded.v1",
        when,
        touchpoint_id=touchpoint_id,
        **{"channel": "mail", "direction": "inbound"} | data,
    )


def outbound(when: str, touchpoint_id: str, /, **data: Any) -> Happened:
    """A person of ours got in touch with the customer, by mail unless said otherwise."""
    return inbound(when, touchpoint_id, **{"direction": "outbound"} | data)


def corrected(when: str, touchpoint_id: str, /, **record: Any) -> Happened:
    """A touchpoint is said to have been another one, by default an inbound mail."""
    instants = {name: at(value) for name, value in record.items() if name.endswith("_at")}
    return happened(
        "touchpoint.corrected.v1",
        when,
        touchpoint_id=touchpoint_id,
        customer_id=record.get("customer_id", "Ada"),
        reason="typed wrongly",
        corrected={"channel": "mail", "direction": "inbound"} | record | instants,
    )


def tell(datastore: Datastore, history: Sequence[Happened]) -> int:
    """Append a history to the ledger as it stands; gives the last position."""
    with datastore.transaction() as cursor:
        cursor.execute(
            "SELECT originator_id, max(originator_version) FROM ledger.events GROUP BY 1"
        )
        versions = Counter(dict(cursor.fetchall()))
        rows = [_row(event, versions) for event in history]
        return append(cursor, rows).first_position + len(rows) - 1


def _row(event: Happened, versions: Counter[str]) -> NewEvent:
    stream = stream_id(event.type, event.data)
    versions[stream] += 1
    customer = event.data.get("customer_id")
    return NewEvent(
        event_id=codec.event_id("story", event.id),
        originator_id=stream,
        originator_version=versions[stream],
        type=event.type,
        customer_id=customer,
        shard=shard_of(customer),
        source="story",
        id=event.id,
        occurred_at=event.occurred_at,
        time_assumed=False,
        sequence=None,
        correlation_id=None,
        causation_id=None,
        fingerprint=codec.fingerprint_of(event.type),
        facts=codec.encode(event.type, event.data),
        personal=None,
    )


def as_recorded(history: Sequence[Happened], first_position: int = 1) -> list[RecordedEvent]:
    """The events of a history as read models get them, without a ledger in between."""
    return recorded(
        LedgerEvent(
            position=position,
            event_id=codec.event_id("story", event.id),
            originator_id=stream_id(event.type, event.data),
            originator_version=1,
            type=event.type,
            customer_id=event.data.get("customer_id"),
            source="story",
            id=event.id,
            occurred_at=event.occurred_at,
            time_assumed=False,
            recorded_at=at("2030-01-01"),
            sequence=None,
            correlation_id=None,
            causation_id=None,
            fingerprint=codec.fingerprint_of(event.type),
            facts=codec.encode(event.type, event.data),
            personal=None,
        )
        for position, event in enumerate(history, first_position)
    )


def event_id(event: Happened) -> str:
    """The id under which an event is kept."""
    return str(UUID(codec.event_id("story", event.id)))


def runner(datastore: Datastore, **settings: Any) -> Runner:
    """A prepared runner of all read models."""
    made = Runner(datastore, read_models(), **settings)
    made.prepare()
    return made


def project(datastore: Datastore, history: Sequence[Happened], **settings: Any) -> None:
    """Tell a history, let all read models take it in, and then take it in a second time."""
    tell(datastore, history)
    runner(datastore, **settings).catch_up()
    feed_again(datastore, read_models())


def feed_again(datastore: Datastore, models: Iterable[ReadModel]) -> None:
    """Apply every event of the ledger once more, which must change nothing."""
    with read_schema(datastore) as cursor:
        events = recorded(events_after(cursor, 0, 100_000))
        apply(cursor, models, list(reversed(events)))


def apply(cursor: PgCursor, models: Iterable[ReadModel], events: Sequence[RecordedEvent]) -> None:
    """Let read models take in one batch."""
    for model in models:
        handled = [event for event in events if event.type in model.handles]
        if handled:
            model.apply(cursor, handled)


@contextmanager
def read_schema(datastore: Datastore) -> Iterator[PgCursor]:
    """A transaction in which unqualified tables are those of the read models."""
    with datastore.transaction() as cursor:
        cursor.execute("SET LOCAL search_path TO read")
        yield cursor


def rows_of(datastore: Datastore) -> dict[str, list[Mapping[str, Any]]]:
    """Every row of every read model, but for what says how events arrived."""
    with read_schema(datastore) as cursor:
        return rows_in(cursor)


def rows_in(cursor: PgCursor) -> dict[str, list[Mapping[str, Any]]]:
    """As `rows_of`, in a transaction of `read_schema`."""
    return {table: _rows(cursor, table) for model in read_models() for table in model.tables}


def _rows(cursor: PgCursor, table: str) -> list[Mapping[str, Any]]:
    cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
    names = [column.name for column in cursor.description or ()]
    rows = [
        {name: value for name, value in zip(names, row, strict=True) if name not in ONLY_HERE}
        for row in cursor
    ]
    return sorted(rows, key=repr)
