"""`replay`: a customer's history step by step, and what was known at some time of all customers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer

from projections.answers import LARGEST_PAGE
from projections.building import BuildTaken
from projections.rebuilding import RebuildGoesOn
from projections.sides import NoSuchReadModels, SideSchemaRefused, build_side, drop_side, sides
from questions.replay import REPLAY
from questions.tables import Rows, Table, column, instant, number, words
from servicetrail.cli import options
from servicetrail.cli.catching_up import resumable
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import Form, out, print_table, show, write_json
from servicetrail.cli.reading import answered
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system

SIDES = (
    column("Name", "name"),
    column("Known at", "known_at"),
    number("Position", "position"),
    instant("Begun", "started_at"),
    instant("Complete", "built_at"),
)
Into = Annotated[
    str | None,
    typer.Option(
        "--into",
        metavar="NAME",
        help="Build all read models as of --known-at, to ask them under this name.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("replay")(replay_command)


def replay_command(
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Tell this customer's history.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="INSTANT",
            help="Only what had happened by then, and judge by it. Default: now.",
        ),
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="One event at a time.")] = False,
    known_at: options.KnownAt = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=LARGEST_PAGE, help="How many events at most.")
    ] = LARGEST_PAGE,
    cursor: Annotated[
        str | None,
        typer.Option("--cursor", help="Go on where the answer ended whose `next` this is."),
    ] = None,
    into: Into = None,
    force: Annotated[
        bool, typer.Option("--force", help="Build it anew if there is one of that name.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="List what was built.")] = False,
    drop: Annotated[
        str | None, typer.Option("--drop", metavar="NAME", help="Drop what was built.")
    ] = None,
    workers: options.Workers = None,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Tell a customer's history event by event, or build all read models as of what was known.

    With --customer: what happened, when it was recorded, who acted, what it changed in promises and
    complaints, how that was judged then and is judged now; late arrivals and corrections are
    marked.

    With --known-at and --into: all read models as of what was known then, beside the live ones,
    to be asked with --read. Interrupted, it goes on where it was when it is run again.
    """
    if sum([customer is not None, into is not None, list_, drop is not None]) != 1:
        raise Fail(
            "give one of --customer ID, --into NAME (with --known-at), --list and --drop NAME"
        )
    if customer is not None:
        form = options.form_of(json, csv)
        moment = known_at.isoformat() if isinstance(known_at, datetime) else known_at
        given = {"as_of": as_of, "known_at": moment, "limit": limit, "cursor": cursor}
        asked = {name: str(value) for name, value in given.items() if value is not None}
        told = answered(REPLAY, customer, asked)
        tables = one_by_one if step and form is Form.TABLE else REPLAY.tables
        show(told, form, tables, REPLAY.row.model_fields)
        return
    with open_system(read_settings(projector_workers=workers)) as system:
        try:
            if into is not None:
                build_into(system, into, known_at, force=force)
            elif drop is not None:
                drop_side(system.datastore, drop)
                out.print(f"Dropped {drop}")
            else:
                list_sides(system, json=json)
        except (SideSchemaRefused, NoSuchReadModels, RebuildGoesOn, BuildTaken) as refused:
            raise Fail(str(refused)) from None


def one_by_one(rows: Rows) -> Iterator[Table]:
    """A table for each event; on a terminal the next one comes when somebody asks for it."""
    for number_, row in enumerate(rows):
        if number_ and sys.stdin.isatty():
            typer.prompt("Next", default="", show_default=False, prompt_suffix=" … ")
        [table] = REPLAY.tables([row])
        lines = [{"what": each.heading, "value": each.text(row)} for each in table.columns]
        yield Table(lines, (column("", "what"), words("", "value")), title=row["summary"])


def build_into(system: System, name: str, known_at: Any, *, force: bool) -> None:
    """All read models as of a known instant or position; raises Fail without one."""
    if not isinstance(known_at, datetime | int):
        raise Fail("--into needs --known-at: an instant, or a position of the ledger")
    with resumable() as show:
        side = build_side(
            system.datastore,
            system.models,
            name,
            known_at,
            force=force,
            workers=system.settings.projector_workers,
            on_progress=show,
        )
    out.print(f"{name} holds what was known at position {side.position:,}")


def list_sides(system: System, *, json: bool) -> None:
    """What was built, complete or not."""
    with system.reads.transaction() as cursor:
        rows = [side._asdict() for side in sides(cursor)]
    if json:
        write_json({"rows": [{key: _plain(value) for key, value in row.items()} for row in rows]})
    else:
        print_table(rows, SIDES)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
