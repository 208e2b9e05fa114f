"""`rebuild`: read models built anew, checked, put in place, and back."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from projections.building import BuildTaken
from projections.comparing import Difference
from projections.rebuilding import Rebuild, RebuildGoesOn, only_one
from projections.schemas import BUILDING
from projections.swapping import NothingToGoBackTo, go_back
from servicetrail.cli import options
from servicetrail.cli.catching_up import projected, resumable
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out, printable
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system

DIFFERENT = 1
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", help="Only these read models. Default: all."),
]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("rebuild")(rebuild_command)


def rebuild_command(
    names: Names = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Change nothing: build, and prove that every row is the same as in those there.",
        ),
    ] = False,
    back: Annotated[
        bool,
        typer.Option("--back", help="Return to the read models that were there before."),
    ] = False,
    workers: options.Workers = None,
) -> None:
    """Build read models anew beside those there, compare, and put them in their place.

    Questions are answered and events taken in meanwhile. Those that were there before are kept
    until the next time. Interrupted, it goes on where it was when it is run again.

    Exit status: 0 when done, or all rows are the same; 1 when --verify found a difference; 130
    when interrupted.
    """
    if verify and back:
        raise Fail("--verify and --back exclude each other: give one of them")
    with open_system(read_settings(projector_workers=workers)) as system:
        wanted = known_names(system, names or [])
        try:
            if back:
                return_to_former(system, names or [])
            else:
                with only_one(system.datastore, BUILDING):
                    rebuild(system, wanted, verify=verify)
        except (RebuildGoesOn, NothingToGoBackTo, BuildTaken) as refused:
            raise Fail(str(refused)) from None


def rebuild(system: System, names: list[str], *, verify: bool) -> None:
    """Build, compare and swap; raises typer.Exit when rows to be verified differ."""
    with resumable() as show:
        system.runner().prepare()
        work = Rebuild(
            system.datastore,
            system.models,
            names,
            workers=system.settings.projector_workers,
            on_progress=show,
        )
        comparable = work.comparable()
        if verify and not comparable:
            raise Fail(
                "what is there is of another version than this program's, so that rows must differ;"
                " put its own in place with: servicetrail rebuild"
            )
        position = work.build()
        found = work.difference() if comparable else None
        if verify:
            work.drop()
        else:
            work.swap()
    if found is not None:
        tell_difference(found)
    listed = ", ".join(names)
    if not verify:
        out.print(f"Rebuilt from {position:,} events and in place: {listed}", soft_wrap=True)
    elif found is None:
        out.print(f"The same, row for row, from {position:,} events: {listed}", soft_wrap=True)
    else:
        raise typer.Exit(DIFFERENT)


def return_to_former(system: System, names: list[str]) -> None:
    """Put the former read models back, and bring them up to date."""
    with only_one(system.datastore, BUILDING), resumable() as show:
        placed = go_back(system.datastore, names)
        ours = {model.name: model.version for model in system.models()}
        foreign = [each.name for each in placed if ours.get(each.name) != each.version]
        position = projected(system, show)
    out.print(f"Back in place: {', '.join(each.name for each in placed)}", soft_wrap=True)
    if foreign:
        out.print(
            f"Of another version than this program's: {', '.join(foreign)}. Start the program of"
            " that version; this one would build its own anew.",
            soft_wrap=True,
        )
    else:
        out.print(f"Up to date with {position:,} events")


def known_names(system: System, names: list[str]) -> list[str]:
    """These read models, or all; raises Fail for one that there is not."""
    known = [model.name for model in system.models()]
    for name in names:
        if name not in known:
            raise Fail(f"there is no read model {name}; there are: {', '.join(known)}")
    return [name for name in known if not names or name in names]


def tell_difference(found: Difference) -> None:
    """The first row that differs, as it is in place and as it was rebuilt."""
    key = ", ".join(f"{name} {value}" for name, value in found.key.items())
    out.print(f"The first row that differs is in {found.table}: {printable(key)}", soft_wrap=True)
    for where, row in (("in place", found.one), ("rebuilt", found.other)):
        told = "missing" if row is None else json.dumps(row, ensure_ascii=False, sort_keys=True)
        out.print(f"{where:>10}: {printable(told)}", soft_wrap=True)
