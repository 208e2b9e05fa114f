"""What a batch changes in rows that were folded from the facts before it."""

from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from ledger.datastore import PgCursor
from projections.copying import copy_rows

RowT = TypeVar("RowT", bound=tuple[Any, ...])


class Changes(NamedTuple, Generic[RowT]):
    """Rows that no longer hold, and rows that do now."""

    gone: list[RowT]
    new: list[RowT]


def changes(before: Iterable[RowT], after: Iterable[RowT]) -> Changes[RowT]:
    """The difference of two sets of rows, in the order given."""
    known, holding = set(before), dict.fromkeys(after)
    return Changes(
        [row for row in known if row not in holding], [row for row in holding if row not in known]
    )


class Table(NamedTuple):
    """A table of folded rows. `key` maps the columns of its primary key to their SQL types."""

    name: str
    columns: tuple[str, ...]
    key: dict[str, str]

    def write(
        self,
        cursor: PgCursor,
        gone: Sequence[tuple[Any, ...]],
        new: Sequence[tuple[Any, ...]],
    ) -> None:
        """Delete the rows that are gone, insert the new ones; values in the order of `columns`."""
        if gone:
            places = [self.columns.index(column) for column in self.key]
            arrays = ", ".join(f"%s::{sql_type}[]" for sql_type in self.key.values())
            same = " AND ".join(f"t.{column} = gone.{column}" for column in self.key)
            cursor.execute(
                f"DELETE FROM {self.name} AS t "
                f"USING unnest({arrays}) AS gone ({', '.join(self.key)}) WHERE {same}",
                [[row[place] for row in gone] for place in places],
            )
        copy_rows(cursor, self.name, self.columns, new)
