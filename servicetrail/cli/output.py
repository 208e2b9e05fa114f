"""How answers are shown: tables for people, JSON and CSV for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from questions.answers import csv_text
from questions.tables import Column, Rows
from questions.tables import Table as Shown

# Where nobody watches, lines are as long as they are: programs cut them better than we would.
_WIDTH = None if sys.stdout.isatty() else 10_000
out = Console(highlight=False, emoji=False, markup=False, width=_WIDTH)
err = Console(highlight=False, emoji=False, markup=False, stderr=True)


class Form(StrEnum):
    """What an answer is written as."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def show(
    answer: Mapping[str, Any],
    form: Form,
    tables: Callable[[Rows], Iterable[Shown]],
    names: Iterable[str],
) -> None:
    """Write a list answer to standard output; below tables, the position it was computed at.

    `tables` makes those for people of the rows, `names` are the columns of CSV.
    """
    if form is Form.JSON:
        write_json(answer)
    elif form is Form.CSV:
        write_csv(answer["rows"], names)
    else:
        for each in tables(answer["rows"]):
            print_table(each.rows, each.columns, title=each.title)
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
