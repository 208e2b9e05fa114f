"""Writes what is known of customers: tiers folded, of everything else one row per event."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ledger.datastore import PgCursor
from projections.changes import Table, changes
from projections.copying import copy_new_rows, copy_rows
from projections.customers.fold import Tier, in_turn
from projections.days import changed
from projections.events import END, RecordedEvent
from projections.model import KINDS_OF_NOBODY, ReadModel, sql_beside, types_of

TIERED = "customer.tiered.v1"
MERGED = "customer.merged.v1"
UNMERGED = "customer.unmerged.v1"

_FIELDS = {  # event type: table, and the event's fields that are its columns
    "customer.purchased.v1": (
        "purchases",
        ("order_id", "amount", "currency", "campaign_id", "channel", "product"),
    ),
    "customer.lapsed.v1": ("lapses", ("reason",)),
    "customer.credit_changed.v1": ("credit_changes", ("state",)),
}
_MERGES = (
    "event_id",
    "customer_id",
    "merged_customer_id",
    "occurred_at",
    "rank",
    "merged",
    "position",
    "recorded_at",
)
HANDLES = frozenset({TIERED, MERGED, UNMERGED, *_FIELDS})
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "promise", "complaint", "support", *KINDS_OF_NOBODY
) | {"customer.erased.v1", "customer.hold_placed.v1", "customer.hold_lifted.v1"}

_TIERS = Table("customer_tiers", Tier._fields, {"customer_id": "text", "event_id": "uuid"})


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    _write_tiers(cursor, [event for event in events if event.type == TIERED])
    for table, columns, rows in _rows(events):
        copy_new_rows(cursor, table, columns, rows)


def _build(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    tiers = [_tier(event) for event in events if event.type == TIERED]
    _TIERS.write(cursor, [], list(_in_turn(tiers)))
    for table, columns, rows in _rows(events):
        copy_rows(cursor, table, columns, rows)


def _rows(events: Sequence[RecordedEvent]) -> Iterator[tuple[str, Sequence[str], list[Any]]]:
    """Tables of which a row is an event, with their columns and rows."""
    for type_, (table, fields) in _FIELDS.items():
        told = [event for event in events if event.type == type_]
        columns = ("event_id", "customer_id", "occurred_at", *fields)
        yield table, columns, [_row(event, fields) for event in told]
    yield "merges", _MERGES, [_merge(e) for e in events if e.type in {MERGED, UNMERGED}]


def _write_tiers(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    if not events:
        return
    cursor.execute(
        f"SELECT {', '.join(Tier._fields)} FROM customer_tiers WHERE customer_id = ANY (%s)",
        (list({event.data["customer_id"] for event in events}),),
    )
    known = {row[0]: Tier._make(row) for row in cursor}
    arrived = {event.event_id: _tier(event) for event in events}
    gone, new = changes(known.values(), _in_turn({**arrived, **known}.values()))
    _TIERS.write(cursor, gone, new)
    # What lies on these days and later ones is told by tier.
    changed(cursor, [tier.valid_from for tier in arrived.values()], onwards=True)


def _tier(event: RecordedEvent) -> Tier:
    said = event.data
    return Tier(
        event.event_id,
        said["customer_id"],
        event.occurred_at,
        END,
        said["tier"],
        said["contribution"],
        said["currency"],
    )


def _in_turn(tiers: Iterable[Tier]) -> Iterator[Tier]:
    by_customer: dict[str, list[Tier]] = defaultdict(list)
    for tier in tiers:
        by_customer[tier.customer_id].append(tier)
    for same in by_customer.values():
        yield from in_turn(same)


def _row(event: RecordedEvent, fields: Sequence[str]) -> tuple[object, ...]:
    said = event.data
    return event.event_id, said["customer_id"], event.occurred_at, *(said[name] for name in fields)


def _merge(event: RecordedEvent) -> tuple[object, ...]:
    return (
        event.event_id,
        event.data["customer_id"],
        event.data["merged_customer_id"],
        event.occurred_at,
        event.rank,
        event.type == MERGED,
        event.position,
        event.recorded_at,
    )


CUSTOMERS = ReadModel(
    name="customers",
    version="4",
    tables=("customer_tiers", "purchases", "lapses", "credit_changes", "merges"),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
    build=_build,
)
