"""An export from its selection to the bytes of the file, counted on the way."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from audit.exports.selection import Selection, Told, told_customers, told_events
from audit.exports.tables import csv_rows, jsonl, parquet, workbook
from ledger.datastore import Datastore
from ledger.reading import known_position, last_position, recorded_at
from schemas.codec import instant_text

_TOLD_EVERY = 500


@dataclass
class Tally:
    """What went into an export so far. `left_out` are events of the selection that the format has
    no place for.
    """

    events: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    fingerprints: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def take(self, told: Told) -> None:
        """Count an event that is exported."""
        self.events[told.event.type] += 1
        self.fingerprints[told.event.type].add(told.ledger.fingerprint.hex())


@dataclass
class Export:
    """One export. `known_at` is when the event at the selection's position was recorded.

    `on_progress` is called now and then with the number of events so far.
    """

    datastore: Datastore
    selection: Selection
    format: str
    known_at: datetime | None
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
            self.take(told)
            yield told

    def customers(self) -> Iterator[list[Told]]:
        """All that is known of each customer: see `told_customers`. What is exported of it is for
        the format to `take`.
        """
        return told_customers(self.datastore, self.selection)

    def take(self, told: Told) -> None:
        """Count an event that is exported."""
        self.tally.take(told)
        if (so_far := self.tally.events.total()) % _TOLD_EVERY == 0:
            self.on_progress(so_far)

    def about(self) -> dict[str, Any]:
        """What the export is about, as JSON values."""
        chosen = self.selection
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
        }

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
