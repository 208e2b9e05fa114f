"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeVar

import typer

from questions.parameters import instant, moment
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import Form

T = TypeVar("T")


def _parser(parse: Callable[[str], T], name: str) -> Callable[[str], T]:
    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    parsed.__name__ = name  # what the help shows as the kind of value
    return parsed


parse_instant = _parser(instant, "INSTANT")

Json = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV, for spreadsheets.")]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--since",
        parser=parse_instant,
        metavar="INSTANT",
        help="Only what was received at or after this.",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=parse_instant,
        metavar="INSTANT",
        help="Only what was received before this.",
    ),
]
RequestedAt = Annotated[
    datetime | None,
    typer.Option(
        "--requested-at", parser=parse_instant, metavar="INSTANT", help="When it was asked for."
    ),
]
Start = Annotated[
    datetime | None,
    typer.Option(
        "--start",
        parser=parse_instant,
        metavar="INSTANT",
        help="When the first events happen (RFC 3339 or a date). Default: 2026-01-01.",
        show_default=False,
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many rows at most.")]
Cursor = Annotated[
    str | None,
    typer.Option(
        "--cursor", metavar="TEXT", help="Go on where the answer that named this cursor ended."
    ),
]

AsOf = Annotated[
    datetime | None,
    typer.Option(
        "--as-of",
        parser=parse_instant,
        metavar="INSTANT",
        help="Only what had happened by then. Default: now.",
        show_default=False,
    ),
]
From = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=parse_instant,
        metavar="INSTANT",
        help="Only what happened at or after this.",
    ),
]
To = Annotated[
    datetime | None,
    typer.Option(
        "--to", parser=parse_instant, metavar="INSTANT", help="Only what happened before this."
    ),
]
KnownAt = Annotated[
    Any,  # an instant or a position: typer knows no unions
    typer.Option(
        "--known-at",
        parser=_parser(moment, "MOMENT"),
        metavar="INSTANT|POSITION",
        help="Only what was recorded by then: an instant, or a position of the ledger.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        max=64,
        help="How many processes share the work, instead of SERVICETRAIL_PROJECTOR_WORKERS.",
    ),
]


def form_of(json: bool, csv: bool) -> Form:
    """What the answer is to be written as; raises Fail when both were asked for."""
    if json and csv:
        raise Fail("--json and --csv exclude each other: give one of them")
    return Form.JSON if json else Form.CSV if csv else Form.TABLE
