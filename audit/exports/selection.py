"""What an export is about, and the events of it: read page by page, never all at once.

The ledger only grows, and an export ends at a position: so every page is a transaction of its own,
and whoever reads slowly holds up nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from ledger.datastore import Datastore
from ledger.reading import (
    LedgerEvent,
    selected_by_customer,
    selected_events,
)
from projections.answers import window
from projections.events import RecordedEvent, recorded
from projections.timeline.sentences import sentence
from schemas.codec import without_personal

PAGE_EVENTS = 5_000


@dataclass(frozen=True)
class Selection:
    """Which events are exported: those that had happened by `as_of` and were recorded up to
    `position`; of these customers, types and channels (None: of all); that happened from `from_`
    on and before `to`.

    A channel is that which the event itself names.
    """

    as_of: datetime
    position: int
    customers: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    from_: datetime | None = None
    to: datetime | None = None

    def has(self, told: Told) -> bool:
        """Whether an event of these customers, known and happened by then, is in the selection."""
        event = told.event
        return (
            (self.types is None or event.type in self.types)
            and (self.channels is None or told.channel in self.channels)
            and (self.from_ is None or event.occurred_at >= self.from_)
            and (self.to is None or event.occurred_at < self.to)
        )


class Told(NamedTuple):
    """An event as exports tell it: as it is recorded, and decoded."""

    ledger: LedgerEvent
    event: RecordedEvent

    @property
    def record(self) -> Mapping[str, Any]:
        """What the event says of a touchpoint as it should have been, or simply what it says."""
        if self.event.type == "touchpoint.corrected.v1":
            corrected: Mapping[str, Any] = self.event.data["corrected"]
            return corrected
        return self.event.data

    @property
    def channel(self) -> str | None:
        """The channel that the event names."""
        channel: str | None = self.record.get("channel")
        return channel

    @property
    def summary(self) -> str:
        """What happened, in a sentence; policies have none."""
        return sentence(self.event.type, self.event.data) if self.event.customer_id else ""

    @property
    def data(self) -> dict[str, Any]:
        """The event's fields as JSON has them, without personal ones."""
        return without_personal(self.event.type, self.event.data)

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Sorts events as they happened, causes first."""
        return self.event.occurred_at, self.event.rank, self.event.event_id


def told_events(datastore: Datastore, selection: Selection) -> Iterator[Told]:
    """The events of the selection in the order of their positions."""
    after = 0
    while after < selection.position:
        with datastore.transaction() as cursor:
            page = selected_events(
                cursor,
                after,
                PAGE_EVENTS,
                until=selection.position,
                as_of=selection.as_of,
                customers=selection.customers,
                types=selection.types,
                window=window(selection.from_, selection.to),
            )
        yield from (told for told in _told(page) if selection.has(told))
        if len(page) < PAGE_EVENTS:
            return
        after = page[-1].position


def told_customers(datastore: Datastore, selection: Selection) -> Iterator[list[Told]]:
    """Everything known of each customer of the selection up to `as_of`, one after the other, in
    the order in which it happened.

    Not only what is in the selection (`Selection.has`): what a case or an object is rests on all.
    """
    for _, history in groupby(
        _by_customer(datastore, selection), key=lambda told: told.event.customer_id
    ):
        yield sorted(history, key=lambda told: told.order)


def is_told(datastore: Datastore, selection: Selection, customer_id: str) -> bool:
    """Whether the selection has any event of this customer."""
    of_one = replace(selection, customers=(customer_id,))
    if selection.customers is not None and customer_id not in selection.customers:
        return False
    return any(True for _ in told_events(datastore, of_one))


def _by_customer(datastore: Datastore, selection: Selection) -> Iterator[Told]:
    after = ("", 0)
    while True:
        with datastore.transaction() as cursor:
            page = selected_by_customer(
                cursor,
                after,
                PAGE_EVENTS,
                until=selection.position,
                as_of=selection.as_of,
                customers=selection.customers,
            )
        yield from _told(page)
        if len(page) < PAGE_EVENTS:
            return
        after = (page[-1].customer_id or "", page[-1].position)


def _told(page: Sequence[LedgerEvent]) -> Iterator[Told]:
    return map(Told, page, recorded(page))
