"""How answers are shown: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from web.answers import csv_text

# Where nobody watches, lines are as long as they are: programs cut them better than we would.
_WIDTH = None if sys.stdout.isatty() else 10_000
out = Console(highlight=False, emoji=False, markup=False, width=_WIDTH)
err = Console(highlight=False, emoji=False, markup=False, stderr=True)


class Form(StrEnum):
    """What an answer is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


class Column(NamedTuple):
    """A column of a table for people: its heading, and how it is read from a row."""

    heading: str
    text: Callable[[Mapping[str, Any]], str]
    right: bool = False
    wraps: bool = False


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


def show(
    answer: Mapping[str, Any], form: Form, columns: Sequence[Column], names: Iterable[str]
) -> None:
    """Write a list answer to standard output; below a table, the position it was computed at.

    `columns` are those of the table, `names` those of CSV.
    """
    if form is Form.JSON:
        write_json(answer)
    elif form is Form.CSV:
        write_csv(answer["rows"], names)
    else:
        print_table(answer["rows"], columns)
        out.print(footer(answer), soft_wrap=True)


def write_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def write_csv(rows: Iterable[Mapping[str, Any]], names: Iterable[str]) -> None:
    """Rows as CSV on standard output, below a line of names."""
    sys.stdout.write(csv_text(rows, names))


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, title: str | None = None
) -> None:
    """A table for people on standard output, below its title."""
    if title is not None:
        out.print(f"\n{title}", soft_wrap=True)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for each in columns:
        table.add_column(
            each.heading,
            justify="right" if each.right else "left",
            no_wrap=not each.wraps,
            overflow="fold",
        )
    count = 0
    for row in rows:
        table.add_row(*(Text(printable(each.text(row))) for each in columns))
        count += 1
    if not count:
        out.print("nothing to show")
    else:
        out.print(table)


def printable(text: str) -> str:
    """Foreign text without characters that would drive the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def footer(answer: Mapping[str, Any]) -> str:
    """What an answer rests on, in one line."""
    known = f", known at {answer['known_at']}" if answer.get("known_at") else ""
    more = f"; more with --cursor {answer['next']}" if answer.get("next") else ""
    return (
        f"\nComputed from events up to {answer['position']:,}, as of {answer['as_of']}{known}{more}"
    )
