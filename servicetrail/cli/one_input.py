"""How one kept input is shown to people, and written to a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from questions.tables import column, instant, number, words
from schemas.message import Message
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out, print_table, printable

HISTORY = (
    instant("When", "at"),
    column("Step", "step"),
    column("Outcome", "outcome"),
    number("Position", "position"),
    column("Reason", "reason"),
    column("Who", "who"),
    words("Why", "remark"),
)


def write_body(message: Message, file: Path) -> None:
    """The input's bytes, to a new file that only its owner may read, or to standard output."""
    if str(file) == "-":
        sys.stdout.buffer.write(message.body)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Fail(f"{file} is there already: give --out another name") from None
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(message.body)


def print_input(row: dict[str, Any]) -> None:
    """One input and its history, for people."""
    pairs = {**row, **{f"from {name}": value for name, value in row["origin"].items()}}
    lines = [
        {"what": name.replace("_", " "), "value": value}
        for name, value in pairs.items()
        if name not in ("origin", "history", "revealed") and value not in (None, [], False)
    ]
    print_table(lines, [column("", "what"), column("", "value", in_line, wraps=True)])
    if row["erased"]:
        out.print("\nThe customer was erased: nobody can read this input any more", soft_wrap=True)
    if row["history"]:
        print_table(row["history"], HISTORY, title="What happened since")


def print_body(shown: dict[str, Any]) -> None:
    """What the input says, line by line."""
    for name, value in [*shown["attributes"].items(), *(shown["headers"] or ())]:
        out.print(printable(f"{name}: {value}"), soft_wrap=True)
    if shown["body"] is None:
        out.print("\nThe input is no text: write it to a file with --out", soft_wrap=True)
        return
    out.print()
    for line in shown["body"].split("\n"):
        out.print(printable(line), soft_wrap=True)


def in_line(value: Any) -> str:
    """A value as people read it."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
