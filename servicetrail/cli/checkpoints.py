"""`checkpoints`: what was signed about the ledger, proofs of single events and of growth, keys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from audit import answers, proofs
from audit.notes import NoteWrong
from questions.tables import column, instant, number
from servicetrail import sealing
from servicetrail.cli import options
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import out, print_table, write_json
from servicetrail.settings import read_settings
from servicetrail.system import open_system


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    group = typer.Typer(no_args_is_help=True, help="What was signed about the ledger, and proofs.")
    group.command("list")(list_command)
    group.command("show")(show_command)
    group.command("prove")(prove_command)
    group.command("keys")(keys_command)
    group.command("cosign")(cosign_command)
    group.command("rotate")(rotate_command)
    app.add_typer(group, name="checkpoints")


def list_command(
    limit: options.Limit = 20,
    before: Annotated[
        int | None, typer.Option("--before", min=1, help="Only those with smaller numbers.")
    ] = None,
    json: options.Json = False,
) -> None:
    """List checkpoints, the newest first."""
    with open_system(read_settings()) as system, system.reads.transaction() as cursor:
        found = proofs.listed(cursor, before=before, limit=limit)
    rows = [answers.checkpoint_told(each).model_dump(mode="json") for each in found]
    if json:
        write_json({"rows": rows})
        return
    columns = [number("Number", "number"), number("Events", "size")]
    print_table(rows, [*columns, number("Customers", "customers"), instant("Sealed", "sealed_at")])


def show_command(
    checkpoint: Annotated[
        int | None,
        typer.Argument(metavar="NUMBER", min=1, help="Its number; the newest if left out."),
    ] = None,
) -> None:
    """Write a checkpoint as it was signed, with the cosignatures of witnesses."""
    with open_system(read_settings()) as system, system.reads.transaction() as cursor:
        try:
            found = (
                proofs.newest(cursor) if checkpoint is None else proofs.numbered(cursor, checkpoint)
            )
        except proofs.NothingSealed as error:
            raise Fail(str(error)) from None
    sys.stdout.write(str(found.note))


def prove_command(
    position: Annotated[
        int | None,
        typer.Option("--position", min=1, help="That this event is in the newest checkpoint."),
    ] = None,
    from_: Annotated[
        int | None,
        typer.Option("--from", min=1, help="With --to: that the ledger of so many events"),
    ] = None,
    to: Annotated[
        int | None, typer.Option("--to", min=1, help="is the beginning of that of so many.")
    ] = None,
) -> None:
    """Write a proof by RFC 9162 as JSON: of one event, or that the ledger only grew."""
    proof: answers.InclusionProof | answers.ConsistencyProof
    with open_system(read_settings()) as system, system.reads.transaction() as cursor:
        try:
            match position, from_, to:
                case int(), None, None:
                    proof = answers.inclusion_told(cursor, position)
                case None, int(), int():
                    proof = answers.consistency_told(cursor, from_, to)
                case _:
                    raise Fail("give either --position, or --from and --to")
        except ValueError as error:
            raise Fail(str(error)) from None
    write_json(proof.model_dump(mode="json"))


def keys_command(json: options.Json = False) -> None:
    """Show the public keys, and which checkpoints each has signed."""
    with open_system(read_settings()) as system, system.reads.transaction() as cursor:
        rows = [each.model_dump() for each in answers.keys_told(cursor)]
    if json:
        write_json({"rows": rows})
        return
    columns = [column("Key", "key"), number("From checkpoint", "from_checkpoint")]
    print_table(rows, [*columns, number("To checkpoint", "to_checkpoint")])


def cosign_command(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, dir_okay=False, help="A checkpoint with more signatures."
        ),
    ],
) -> None:
    """Take the cosignatures of witnesses under a checkpoint.

    Those of witnesses in SERVICETRAIL_WITNESS_KEYS are checked, and refused where they are wrong.
    """
    settings = read_settings()
    witnesses = sealing.witnesses_of(settings)
    with open_system(settings) as system, system.datastore.transaction() as cursor:
        try:
            taken = proofs.cosign(cursor, file.read_text(encoding="utf-8"), witnesses)
        except NoteWrong as error:
            raise Fail(str(error)) from None
    for name, verified in taken.items():
        out.print(f"{name}: {'verified' if verified else 'stored, its key is not known'}")


def rotate_command() -> None:
    """Replace the sealing key: the old and the new one sign a checkpoint together."""
    with open_system(read_settings()) as system:
        keys = sealing.rotate(system)
    out.print(f"The new public key is {keys.public[-1]}", soft_wrap=True)
