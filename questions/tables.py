"""How rows are shown to people: headings, and values in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Rows = Sequence[Mapping[str, Any]]


class Column(NamedTuple):
    """A column of a table for people: its heading, and how it is read from a row."""

    heading: str
    text: Callable[[Mapping[str, Any]], str]
    right: bool = False
    wraps: bool = False


class Table(NamedTuple):
    """Rows with the columns in which they are shown."""

    rows: Rows
    columns: Sequence[Column]
    title: str | None = None


def in_columns(*columns: Column) -> Callable[[Rows], Iterable[Table]]:
    """Shows all rows in one table."""
    return lambda rows: [Table(rows, columns)]


def by_group(
    *figures: Column, after: str, title: str | None = None
) -> Callable[[Rows], Iterable[Table]]:
    """Shows rows in one table; its first columns are the groups, all that stand before `after`."""

    def tables(rows: Rows) -> Iterable[Table]:
        names = list(rows[0]) if rows else []
        groups = names[: names.index(after)] if names else []
        headings = [name.removesuffix("_id").replace("_", " ").capitalize() for name in groups]
        return [Table(rows, (*map(column, headings, groups), *figures), title)]

    return tables


def column(
    heading: str,
    name: str,
    show: Callable[[Any], str] = str,
    *,
    right: bool = False,
    wraps: bool = False,
) -> Column:
    """The column that shows the row's value `name`; a value that cannot be said is shown as –."""
    return Column(heading, lambda row: "–" if row[name] is None else show(row[name]), right, wraps)


def words(heading: str, name: str) -> Column:
    """Text that may take several lines."""
    return column(heading, name, wraps=True)


def number(heading: str, name: str) -> Column:
    """A count, with thousands separated."""
    return column(heading, name, lambda value: f"{value:,}", right=True)


def money(heading: str, name: str) -> Column:
    """An amount; its currency stands beside it."""
    return column(heading, name, lambda value: f"{value:,.2f}", right=True)


def rate(heading: str, name: str) -> Column:
    """A fraction from 0 to 1, in percent."""
    return column(heading, name, lambda value: f"{value:.2%}", right=True)


def duration(heading: str, name: str) -> Column:
    """Seconds, in the unit that people would use."""
    return column(heading, name, in_words, right=True)


def instant(heading: str, name: str) -> Column:
    """An RFC 3339 instant, to the second."""
    return column(heading, name, lambda value: str(value)[:19].replace("T", " "))


def in_words(seconds: float) -> str:
    """A duration as people say it: 45 s, 12 min, 5.3 h, 3.2 d."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    for unit, size, below in (("s", 1, 60), ("min", 60, 3_600), ("h", 3_600, 48 * 3_600)):
        if seconds < below:
            shown = f"{seconds / size:.1f}" if unit == "h" else f"{seconds / size:.0f}"
            return f"{sign}{shown} {unit}"
    return f"{sign}{seconds / 86_400:,.1f} d"
