"""The common way of read models that fold the facts of one thing: a promise, a complaint."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ledger.datastore import PgCursor
from projections.changes import Table, changes
from projections.copying import copy_rows
from projections.events import RecordedEvent

FactT = TypeVar("FactT", bound=tuple[Any, ...])
RowT = TypeVar("RowT", bound=tuple[Any, ...])


@dataclass(frozen=True)
class FactsOfThings(Generic[FactT, RowT]):
    """Keeps facts in `facts_table`, and in `rows` what `fold` makes of one thing's facts.

    The first column of a fact is its `event_id`, the second names the thing. `fact_of` takes a fact
    from an event, `stored` makes one from a row of `facts_table`.
    """

    facts_table: str
    columns: tuple[str, ...]
    fact_of: Callable[[RecordedEvent], FactT]
    stored: Callable[[Iterable[Any]], FactT]
    fold: Callable[[Iterable[FactT]], list[RowT]]
    rows: Table

    def apply(self, cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
        """Write the facts of a batch and what they change in the rows."""
        arrived = {event.event_id: self.fact_of(event) for event in events}
        known = self._load(cursor, {fact[1] for fact in arrived.values()})
        fresh = [fact for event_id, fact in arrived.items() if event_id not in known]
        copy_rows(cursor, self.facts_table, self.columns, fresh)
        gone, new = changes(self._folded(known.values()), self._folded([*known.values(), *fresh]))
        self.rows.write(cursor, gone, new)

    def build(self, cursor: PgCursor, events: Sequence[RecordedEvent]) -> None:
        """As `apply`, for all facts of the things in the batch."""
        facts = [self.fact_of(event) for event in events]
        copy_rows(cursor, self.facts_table, self.columns, facts)
        self.rows.write(cursor, [], list(self._folded(facts)))

    def _load(self, cursor: PgCursor, things: set[str]) -> dict[str, FactT]:
        thing = self.columns[1]
        cursor.execute(
            f"SELECT {', '.join(self.columns)} FROM {self.facts_table} WHERE {thing} = ANY (%s)",
            (list(things),),
        )
        return {row[0]: self.stored(row) for row in cursor}

    def _folded(self, facts: Iterable[FactT]) -> Iterable[RowT]:
        by_thing: dict[str, list[FactT]] = defaultdict(list)
        for fact in facts:
            by_thing[fact[1]].append(fact)
        for same in by_thing.values():
            yield from self.fold(same)
