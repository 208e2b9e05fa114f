"""`schemas`: the published language, listed, shown, checked and registered."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from questions.tables import column
from schemas.catalogue import SHIPPED, Catalogue
from schemas.compatibility import check_all
from servicetrail.cli import options, registering
from servicetrail.cli.errors import NOT_ALL_TAKEN, Fail
from servicetrail.cli.output import Form, err, out, print_table, write_csv, write_json


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    group = typer.Typer(
        no_args_is_help=True, help="The event types and their schemas.", rich_markup_mode=None
    )
    group.command("list")(list_command)
    group.command("show")(show_command)
    group.command("check")(check_command)
    group.command("publish")(registering.publish_command)
    app.add_typer(group, name="schemas")


def list_command(json: options.Json = False, csv: options.Csv = False) -> None:
    """List the event types with the fingerprints (CRC-64-AVRO) of their schemas."""
    form = options.form_of(json, csv)
    rows = [
        {
            "type": schema.type,
            "fingerprint": schema.fingerprint.hex(),
            "personal": list(schema.personal),
        }
        for schema in SHIPPED.by_type.values()
    ]
    if form is Form.JSON:
        write_json({"rows": rows})
    elif form is Form.CSV:
        write_csv(rows, ("type", "fingerprint", "personal"))
    else:
        personal = column("Personal fields", "personal", ", ".join)
        print_table(rows, [column("Type", "type"), column("Fingerprint", "fingerprint"), personal])


def show_command(
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="Such as promise.made.v1.")],
) -> None:
    """Write the Avro schema of one event type."""
    schema = SHIPPED.by_type.get(event_type)
    if schema is None:
        similar = get_close_matches(event_type, SHIPPED.by_type, n=1)
        hint = f"did you mean {similar[0]}?" if similar else "see: servicetrail schemas list"
        raise Fail(f"there is no event type {event_type}; {hint}")
    sys.stdout.write(schema.text.rstrip() + "\n")


def check_command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            exists=True,
            file_okay=False,
            help="Folder of .avsc files to check instead of those shipped, drafts included.",
        ),
    ] = None,
) -> None:
    """Check that the newest version of every event type reads what any version wrote.

    Exit status: 0 when all can be read, 1 when not.
    """
    try:
        catalogue = SHIPPED if folder is None else Catalogue(folder)
    except ValueError as error:
        raise Fail(f"{folder}: {error}") from None
    found = check_all(catalogue)
    for incompatibility in found:
        err.print(str(incompatibility), soft_wrap=True)
    out.print(f"{len(catalogue.by_type)} schemas, {len(found)} incompatibilities")
    if found:
        raise typer.Exit(NOT_ALL_TAKEN)
