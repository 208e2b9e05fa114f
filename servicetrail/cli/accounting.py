"""`account`: for each source, what was received and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ledger.account import OUTCOMES, Difference, Gap, Line, account, differences, gaps
from questions.tables import column, number
from servicetrail.cli import options
from servicetrail.cli.errors import NOT_ALL_TAKEN
from servicetrail.cli.output import Form, out, print_table, write_csv, write_json
from servicetrail.settings import read_settings
from servicetrail.system import System, open_system


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("account")(account_command)


def account_command(
    source: Annotated[str | None, typer.Option("--source", help="Only this source.")] = None,
    since: options.Since = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Count the ledger and the kept inputs themselves; exit 1 where they differ.",
        ),
    ] = False,
    json: options.Json = False,
    csv: options.Csv = False,
) -> None:
    """Show per source: received = appended + duplicate + conflict + parked + rejected.

    Gaps are sequence numbers of a source, between its first and its last, of which nothing was
    received.
    """
    form = options.form_of(json, csv)
    with open_system(read_settings()) as system, system.datastore.transaction() as cursor:
        lines = account(cursor, source, since)
        missing = gaps(cursor, source)
        wrong = differences(cursor, source) if check else []
    if form is Form.JSON:
        write_json(
            {
                "rows": [line._asdict() for line in lines],
                "gaps": [gap._asdict() for gap in missing],
                "differences": [difference._asdict() for difference in wrong],
            }
        )
    elif form is Form.CSV:
        write_csv((line._asdict() for line in lines), Line._fields)
    else:
        print_account(lines, missing, wrong)
    if wrong:
        raise typer.Exit(NOT_ALL_TAKEN)


def show_account(system: System) -> None:
    """The account of everything, for people."""
    with system.datastore.transaction() as cursor:
        print_account(account(cursor), gaps(cursor), [])


def print_lines(lines: Sequence[Mapping[str, Any]]) -> None:
    """The lines of the account as a table."""
    source = column("Source", "source", lambda name: name or "(no source given)")
    counts = [number(name.capitalize(), name) for name in ("received", *OUTCOMES)]
    print_table(lines, [source, *counts])


def print_account(lines: list[Line], missing: list[Gap], wrong: list[Difference]) -> None:
    """The account as tables."""
    print_lines([line._asdict() for line in lines])
    if missing:
        bounds = [number("First", "first"), number("Last", "last")]
        print_table(
            [gap._asdict() for gap in missing],
            [column("Source", "source"), *bounds],
            title="Sequence numbers of which nothing was received",
        )
    if wrong:
        columns = [column("Source", "source"), column("Outcome", "outcome")]
        print_table(
            [difference._asdict() for difference in wrong],
            [*columns, number("Accounted", "accounted"), number("Found", "found")],
            title="The account and what is really kept differ",
        )
    elif lines:
        out.print(
            "\nreceived = appended + duplicate + conflict + parked + rejected, for every source"
        )
