"""An export from its selection to the bytes of the file, counted on the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from audit.exports.cases import CONVERSATION
from audit.exports.ocel import ocel_json, ocel_sqlite, ocel_xml
from audit.exports.selection import Selection, Told, told_customers, told_events
from audit.exports.tables import csv_rows, jsonl, parquet, workbook
from audit.exports.xes import xes
from domain import EVENT_TYPES, is_of_nobody
from ledger.access import Access
from ledger.datastore import Datastore
from ledger.reading import known_position, last_position, recorded_at
from projections.conversations.fold import EPISODE_GAP
from schemas.codec import instant_text
from schemas.log_mapping import LogMapping

_TOLD_EVERY = 500


@dataclass
class Tally:
    """What went into an export so far. `left_out` are events of the selection that the format has
    no place for.
    """

    events: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    fingerprints: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass
class Export:
    """One export. `known_at` is when the event at the selection's position was recorded.

    Of logs in XES: `case` is the notion by which events belong together (of
    `audit.exports.cases.NOTIONS`), where they are not to be as the log was that `mapping` is for;
    touchpoints without a case belong together up to `episode_gap` apart. `on_progress` is called
    now and then with the number of events so far.
    """

    datastore: Datastore
    selection: Selection
    format: str
    known_at: datetime | None
    case: str = CONVERSATION
    episode_gap: timedelta = EPISODE_GAP
    mapping: LogMapping | None = None
    on_progress: Callable[[int], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the file, in order. Raises TooLarge and NotInstalled, and the errors of
        `eventsourcing.persistence`.
        """
        return FORMATS[self.format].write(self)

    def events(self) -> Iterator[Told]:
        """The events of the selection by position, counted."""
        for told in told_events(self.datastore, self.selection):
            self.take([told])
            yield told

    def customers(self) -> Iterator[list[Told]]:
        """All that is known of each customer: see `told_customers`. What is exported of it is for
        the format to `take` or to `leave_out`; what belongs to no customer is left out.
        """
        yield from told_customers(self.datastore, self.selection)
        chosen = self.selection.types
        of_nobody = tuple(
            type_
            for type_ in EVENT_TYPES
            if is_of_nobody(type_) and (chosen is None or type_ in chosen)
        )
        if of_nobody:
            self.leave_out(told_events(self.datastore, replace(self.selection, types=of_nobody)))

    def take(self, told: Iterable[Told]) -> None:
        """Count events that are exported."""
        for each in told:
            self.tally.events[each.event.type] += 1
            self.tally.fingerprints[each.event.type].add(each.ledger.fingerprint.hex())
            if (so_far := self.tally.events.total()) % _TOLD_EVERY == 0:
                self.on_progress(so_far)

    def leave_out(self, told: Iterable[Told]) -> None:
        """Count events of the selection that the format has no place for."""
        for each in told:
            self.tally.left_out[each.event.type] += 1

    def about(self) -> dict[str, Any]:
        """What the export is about, as JSON values."""
        chosen = self.selection
        of_cases = {"case": None if self.mapping else self.case} if self.format == "xes" else {}
        return {
            "format": self.format,
            "as_of": instant_text(chosen.as_of),
            "known_position": chosen.position,
            "known_at": None if self.known_at is None else instant_text(self.known_at),
            "selection": {
                "customers": _listed(chosen.customers),
                "types": _listed(chosen.types),
                "channels": _listed(chosen.channels),
                "from": None if chosen.from_ is None else instant_text(chosen.from_),
                "to": None if chosen.to is None else instant_text(chosen.to),
            },
            **of_cases,
        }

    def access(self) -> Access:
        """The export as it goes on record."""
        customers = self.selection.customers or ()
        return Access(
            "exported",
            kind="customer",
            ids=customers,
            customer_id=customers[0] if len(customers) == 1 else None,
            details=self.about_text(),
        )

    def about_text(self) -> str:
        """The same as JSON text."""
        return json.dumps(self.about(), ensure_ascii=False)


@dataclass(frozen=True)
class Format:
    """A format: how its files are written, and what they are called."""

    write: Callable[[Export], Iterator[bytes]]
    suffix: str
    media_type: str


FORMATS: dict[str, Format] = {
    "jsonl": Format(lambda export: jsonl(export.events()), "jsonl", "application/jsonl"),
    "csv": Format(lambda export: csv_rows(export.events()), "csv", "text/csv"),
    "xes": Format(xes, "xes", "application/xml"),
    "ocel-json": Format(ocel_json, "json", "application/json"),
    "ocel-xml": Format(ocel_xml, "xml", "application/xml"),
    "ocel-sqlite": Format(ocel_sqlite, "sqlite", "application/vnd.sqlite3"),
    "xlsx": Format(
        lambda export: workbook(export.events(), export.about_text(), export.selection.as_of),
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    "parquet": Format(
        lambda export: parquet(export.events(), export.about_text()),
        "parquet",
        "application/vnd.apache.parquet",
    ),
}
"""Every format by its name."""


def begin(
    datastore: Datastore,
    format_: str,
    *,
    as_of: datetime,
    known_at: datetime | int | None = None,
    **selected: Any,
) -> Export:
    """An export of what is known now, or was recorded by `known_at` (an instant or a position).

    `selected` are the further fields of a Selection.
    """
    with datastore.transaction() as cursor:
        position = last_position(cursor) if known_at is None else known_position(cursor, known_at)
        recorded = recorded_at(cursor, position)
    return Export(datastore, Selection(as_of, position, **selected), format_, recorded)


def _listed(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else sorted(values)
