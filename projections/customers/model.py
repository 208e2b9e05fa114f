"""Writes the tiers of customers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ledger.datastore import PgCursor
from projections.changes import Table, changes
from projections.customers.fold import Tier, in_turn
from projections.events import END, RecordedEvent
from projections.model import POLICY_KINDS, ReadModel, sql_beside, types_of

TIERED = "customer.tiered.v1"
HANDLES = frozenset({TIERED})
IGNORES = types_of(
    "touchpoint", "statement", "feedback", "promise", "complaint", "support", *POLICY_KINDS
) | {
    "customer.purchased.v1",
    "customer.lapsed.v1",
    "customer.credit_changed.v1",
    "customer.merged.v1",
    "customer.unmerged.v1",
    "customer.erased.v1",
    "customer.hold_placed.v1",
    "customer.hold_lifted.v1",
}

_TIERS = Table("customer_tiers", Tier._fields, {"customer_id": "text", "event_id": "uuid"})


def _apply(cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
    cursor.execute(
        "SELECT event_id, customer_id, valid_from, valid_to, tier FROM customer_tiers"
        " WHERE customer_id = ANY (%s)",
        (list({event.data["customer_id"] for event in events}),),
    )
    known = {row[0]: Tier._make(row) for row in cursor}
    arrived = {event.event_id: _tier(event) for event in events}
    gone, new = changes(known.values(), _in_turn({**arrived, **known}.values()))
    _TIERS.write(cursor, gone, new)


def _tier(event: RecordedEvent) -> Tier:
    return Tier(
        event.event_id, event.data["customer_id"], event.occurred_at, END, event.data["tier"]
    )


def _in_turn(tiers: Iterable[Tier]) -> Iterator[Tier]:
    by_customer: dict[str, list[Tier]] = defaultdict(list)
    for tier in tiers:
        by_customer[tier.customer_id].append(tier)
    for same in by_customer.values():
        yield from in_turn(same)


CUSTOMERS = ReadModel(
    name="customers",
    version="1",
    tables=("customer_tiers",),
    definition=sql_beside(__file__, "table.sql"),
    handles=HANDLES,
    ignores=IGNORES,
    apply=_apply,
)
