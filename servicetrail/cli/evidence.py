"""`evidence`: an archive that proves what happened to a customer, a complaint or a promise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from audit.evidence import About, write_evidence
from ledger.access import Access
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out
from servicetrail.cli.recording import record
from servicetrail.sealing import sealer_of
from servicetrail.settings import read_settings
from servicetrail.system import open_system


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("evidence")(evidence_command)


def evidence_command(
    out_file: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", dir_okay=False, help="The archive to write, new."),
    ],
    customer: Annotated[
        str | None, typer.Option("--customer", metavar="ID", help="Everything about a customer.")
    ] = None,
    complaint: Annotated[
        str | None, typer.Option("--complaint", metavar="ID", help="The steps of a complaint.")
    ] = None,
    promise: Annotated[
        str | None, typer.Option("--promise", metavar="ID", help="The steps of a promise.")
    ] = None,
) -> None:
    """Write evidence that anybody can verify without this program, offline.

    What is new is sealed first. Verify it with servicetrail verify FILE, or with the verify.py
    that is in the archive.
    """
    given = {"customer": customer, "complaint": complaint, "promise": promise}
    asked = [About(kind, name) for kind, name in given.items() if name is not None]
    if len(asked) != 1:
        raise Fail("name one of --customer, --complaint and --promise")
    try:
        with out_file.open("xb") as stream, open_system(read_settings()) as system:
            sealer_of(system).seal()
            made = write_evidence(system.datastore, asked[0], stream)
            kind, name = asked[0]
            record(system, Access("evidence_taken", None, kind, [name], made.customer_id))
    except FileExistsError:
        raise Fail(f"{out_file} is there already; name a new file") from None
    except BaseException:
        out_file.unlink(missing_ok=True)
        raise
    out.print(
        f"{made.events:,} events, proven against a checkpoint of {made.sealed.checkpoint.size:,}"
    )
