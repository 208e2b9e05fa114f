"""Events for the ledger's tests, and a way to append them."""

from datetime import UTC, datetime
from typing import Any

from ledger.datastore import Datastore
from ledger.rows import Appended, NewEvent, append, shard_of
from schemas.codec import event_id


def new_event(source: str, number: int, **changes: Any) -> NewEvent:
    """The `number`th event of a source: by default the same version of the source's one stream."""
    customer_id = f"customer-{number % 7}"
    event = NewEvent(
        event_id=event_id(source, str(number)),
        originator_id=f"complaint:{source}",
        originator_version=number,
        type="complaint.restated.v1",
        customer_id=customer_id,
        shard=shard_of(customer_id),
        source=source,
        id=str(number),
        occurred_at=datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
        time_assumed=False,
        sequence=number,
        correlation_id=None,
        causation_id=None,
        fingerprint=b"schema 1",
        facts=b"the facts of " + str(number).encode(),
        personal=None,
    )
    return event._replace(**changes)


def appended(datastore: Datastore, *events: NewEvent) -> Appended:
    """The events, in the ledger."""
    with datastore.transaction() as cursor:
        return append(cursor, events)
