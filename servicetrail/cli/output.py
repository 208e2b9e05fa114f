"""How answers are shown: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(highlight=False, emoji=False, markup=False)
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


def column(
    heading: str, name: str, show: Callable[[Any], str] = str, *, right: bool = False
) -> Column:
    """The column that shows the row's value `name`; a value that cannot be said is shown as –."""
    return Column(heading, lambda row: "–" if row[name] is None else show(row[name]), right)


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


def show(answer: Mapping[str, Any], form: Form, columns: Sequence[Column]) -> None:
    """Write a list answer to standard output; below a table, the position it was computed at."""
    if form is Form.JSON:
        write_json(answer)
    elif form is Form.CSV:
        write_csv(answer["rows"])
    else:
        print_table(answer["rows"], columns)
        out.print(footer(answer))


def write_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.write("\n")


def write_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV on standard output, with a line of names first; what has parts is written as
    JSON.
    """
    writer: Any = None
    for row in rows:
        if writer is None:
            writer = csv.writer(sys.stdout)
            writer.writerow(row)
        writer.writerow(_cell(value) for value in row.values())


def print_table(
    rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, title: str | None = None
) -> None:
    """A table for people on standard output; whole when it goes to a file, fitted when to a
    terminal.
    """
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for each in columns:
        table.add_column(each.heading, justify="right" if each.right else "left", overflow="fold")
    count = 0
    for row in rows:
        table.add_row(*(Text(printable(each.text(row))) for each in columns))
        count += 1
    if not count:
        out.print("nothing to show")
    elif out.is_terminal:
        out.print(table)
    else:
        out.print(table, width=max(200, 40 * len(columns)), crop=False)


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


def _cell(value: Any) -> Any:
    if isinstance(value, Mapping | list):
        return json.dumps(value, ensure_ascii=False, default=_plain)
    return _plain(value) if isinstance(value, datetime) else value


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
