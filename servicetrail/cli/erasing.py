"""`erase`, `certificate`, `hold` and `rekey`: what becomes of personal data, and of the keys."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from audit.certificate import Certificate, NotErased, certificate
from audit.outside import OutsideWrong
from audit.sealer import SealRefused
from audit.signing import SigningKeyError
from ledger.access import Access
from ledger.erasing import NotEverywhere, NotOnHold, OnHold
from ledger.keys import MasterKey
from servicetrail.cli import options
from servicetrail.cli.errors import NOT_ALL_TAKEN, Fail
from servicetrail.cli.output import err, out
from servicetrail.cli.recording import login, record, whoever_types
from servicetrail.sealing import sealer_of
from servicetrail.settings import PREFIX, read_settings
from servicetrail.system import MASTER_KEY_FILE, System, open_system

Customer = Annotated[str, typer.Option("--customer", metavar="ID", help="The customer.")]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("erase")(erase_command)
    app.command("certificate")(certificate_command)
    app.command("hold")(hold_command)
    app.command("rekey")(rekey_command)


def erase_command(
    customer: Customer,
    basis: Annotated[
        str, typer.Option("--basis", metavar="TEXT", help="The ground for it. No personal data.")
    ],
    requested_at: options.RequestedAt = None,
    to: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="Where to write the certificate."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
) -> None:
    """Destroy a customer's personal data. It cannot be undone.

    Events, figures and proofs stay as they are. What waits for another event goes on waiting
    without its personal part; other inputs that were not taken can be read by nobody any more.
    Writes a certificate of what was done, with a proof, as JSON, to standard output or a file;
    servicetrail verify checks it. Other ids of the same person are not erased with this one; they
    are named.
    """
    if not yes:
        confirm(customer)
    not_everywhere = None
    with open_system(read_settings()) as system:
        eraser = system.eraser()
        try:
            eraser.erase(customer, basis=basis, requested_at=requested_at, actor=whoever_types())
        except OnHold as error:
            raise Fail(str(error)) from None
        except NotEverywhere as error:
            not_everywhere = error
        made = certified(system, customer)
    if to is None:
        sys.stdout.write(text_of(made))
    else:
        to.write_text(text_of(made), encoding="utf-8")
        out.print(f"Customer {customer} was erased; the certificate is {to}")
    if made.other_ids:
        err.print(
            f"Not erased: {', '.join(made.other_ids)}, the same person; erase each by itself",
            soft_wrap=True,
        )
    if not_everywhere is not None:
        raise Fail(str(not_everywhere), NOT_ALL_TAKEN)


def certificate_command(customer: Customer) -> None:
    """Write the certificate of a customer's erasure again, proven against the newest checkpoint.

    As JSON to standard output. What is new is sealed first. Check it with servicetrail verify FILE,
    or with the verify.py of any evidence.
    """
    with open_system(read_settings()) as system:
        try:
            made = certified(system, customer)
        except NotErased as error:
            raise Fail(str(error)) from None
        record(system, Access("evidence_taken", "certificate", "customer", [customer], customer))
    sys.stdout.write(text_of(made))


def hold_command(
    customer: Customer,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why. No personal data.")],
    lift: Annotated[bool, typer.Option("--lift", help="Allow erasing again.")] = False,
    by: Annotated[
        str | None, typer.Option("--by", metavar="NAME", help="Who decides. Default: your login.")
    ] = None,
) -> None:
    """Forbid erasing a customer, or allow it again. Both stay on record."""
    with open_system(read_settings()) as system:
        eraser = system.eraser()
        change = eraser.lift_hold if lift else eraser.hold
        try:
            position = change(customer, reason=reason, who=by or login(), actor=whoever_types())
        except NotOnHold as error:
            raise Fail(str(error)) from None
    done = "may be erased again" if lift else "must not be erased"
    out.print(f"Customer {customer} {done}; recorded at position {position:,}")


def rekey_command(
    new_key: Annotated[
        Path, typer.Argument(metavar="FILE", help="The new master key; made if it is not there.")
    ],
) -> None:
    """Wrap every data key by a new master key. What is sealed stays as it is.

    Stop every other program of this ledger before. With the master key in its file, the new one
    takes its place, and the former one stays beside it as long as backups need it.
    """
    settings = read_settings()
    new = MasterKey.from_file(new_key)
    with open_system(settings) as system:
        keys = system.keyring.rewrap(new)
    out.print(f"{keys:,} data keys are wrapped by the new master key")
    if settings.master_key is not None:
        out.print(f"Set {PREFIX}MASTER_KEY to what {new_key} says before anything starts again")
        return
    current = settings.data_dir / MASTER_KEY_FILE
    former = current.with_suffix(".former")
    shutil.copy2(current, former)
    arriving = shutil.copy2(new_key, current.with_suffix(".arriving"))
    Path(arriving).replace(current)
    out.print(f"{current} is the new one; the former one is {former}")


def confirm(customer: str) -> None:
    """Ask whether it is meant. Raises Fail where nobody can be asked."""
    if not sys.stdin.isatty():
        raise Fail("erasing cannot be undone: give --yes if it is meant")
    typer.confirm(f"Destroy the personal data of customer {customer} for good?", abort=True)


def certified(system: System, customer: str) -> Certificate:
    """The certificate, sealed before if that is possible. Raises NotErased."""
    try:
        sealer_of(system).seal()
    except (SealRefused, SigningKeyError, OutsideWrong) as refused:
        err.print(f"The certificate has no proof yet: {refused}", soft_wrap=True)
    with system.datastore.transaction() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return certificate(cursor, customer)


def text_of(made: Certificate) -> str:
    """The certificate as it is written to a file."""
    return json.dumps(made.model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"
