"""`replay`: what was known at some time, for whoever asks later."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from projections.building import BuildTaken
from projections.rebuilding import RebuildGoesOn
from projections.sides import NoSuchReadModels, SideSchemaRefused, build_side, drop_side, sides
from questions.tables import column, instant, number
from servicetrail.cli import options
from servicetrail.cli.catching_up import resumable
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out, print_table, write_json
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
    known_at: options.KnownAt = None,
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
) -> None:
    """Build all read models as of what was known at some time, beside the live ones.

    Interrupted, it goes on where it was when it is run again.
    """
    if sum([into is not None, list_, drop is not None]) != 1:
        raise Fail("give one of --into NAME (with --known-at), --list and --drop NAME")
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
