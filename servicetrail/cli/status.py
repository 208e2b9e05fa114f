"""`status` and `version`: where everything stands."""

from __future__ import annotations

import typer

from servicetrail import VERSION
from servicetrail.cli import options
from servicetrail.cli.accounting import print_lines
from servicetrail.cli.output import (
    Form,
    column,
    number,
    out,
    print_table,
    write_csv,
    write_json,
)
from servicetrail.settings import read_settings
from servicetrail.system import open_system
from web.health import SourceAccount, standing


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("status")(status_command)
    app.command("version")(version_command)


def status_command(json: options.Json = False, csv: options.Csv = False) -> None:
    """Show where ledger and read models stand, and the account of every source."""
    form = options.form_of(json, csv)
    with open_system(read_settings()) as system:
        system.runner().prepare()
        found = standing(system.reads)
    if form is Form.JSON:
        write_json(found.model_dump(mode="json"))
    elif form is Form.CSV:
        write_csv(found.model_dump(mode="json")["rows"], SourceAccount.model_fields)
    else:
        rows = [{"what": "Events in the ledger", "value": found.last_position}]
        rows.append({"what": "In the read models up to", "value": found.position})
        rows.append({"what": "Lacking there", "value": found.behind})
        print_table(rows, [column("", "what"), number("", "value")])
        out.print()
        print_lines([SourceAccount.model_dump(line) for line in found.rows])


def version_command() -> None:
    """Show the program's version."""
    out.print(f"servicetrail {VERSION}")
