"""`erase`, `hold` and `rekey`: what becomes of personal data, and of the key above all keys."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.erasing import Erasure, NotOnHold, OnHold
from ledger.keys import MasterKey
from schemas.codec import instant_text
from servicetrail.cli import options
from servicetrail.cli.dead_letters import login
from servicetrail.cli.errors import Fail
from servicetrail.cli.output import err, out
from servicetrail.cli.publishing import OUTBOX_FILE
from servicetrail.publisher.outbox import Outbox
from servicetrail.settings import PREFIX, Settings, read_settings
from servicetrail.system import MASTER_KEY_FILE, open_system

Customer = Annotated[str, typer.Option("--customer", metavar="ID", help="The customer.")]


def add_to(app: typer.Typer) -> None:
    """Add the group's commands."""
    app.command("erase")(erase_command)
    app.command("hold")(hold_command)
    app.command("rekey")(rekey_command)


def erase_command(
    customer: Customer,
    basis: Annotated[
        str, typer.Option("--basis", metavar="TEXT", help="The ground for it. No personal data.")
    ],
    requested_at: options.RequestedAt = None,
    certificate: Annotated[
        Path | None,
        typer.Option("--certificate", metavar="FILE", help="Where to write the certificate."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask whether it is meant.")] = False,
) -> None:
    """Destroy a customer's personal data. It cannot be undone.

    Events, figures and proofs stay as they are. What waits for another event goes on waiting
    without its personal part; other inputs that were not taken can be read by nobody any more.
    Writes a certificate of what was done, as JSON, to standard output or a file.
    """
    if not yes:
        confirm(customer)
    settings = read_settings()
    with open_system(settings) as system:
        try:
            done = system.eraser().erase(customer, basis=basis, requested_at=requested_at)
        except OnHold as error:
            raise Fail(str(error)) from None
    text = json.dumps(certificate_of(done), ensure_ascii=False, indent=2) + "\n"
    if certificate is None:
        sys.stdout.write(text)
    else:
        certificate.write_text(text, encoding="utf-8")
        out.print(f"Customer {customer} was erased; the certificate is {certificate}")
    clear_outbox(settings, customer)


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
            position = change(customer, reason=reason, who=by or login())
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


def certificate_of(done: Erasure) -> dict[str, Any]:
    """What the erasure did, in values that JSON has."""
    times = {
        "requested_at": done.requested_at and instant_text(done.requested_at),
        "erased_at": instant_text(done.erased_at),
    }
    return {"certificate": "servicetrail erasure", "version": 1} | done._asdict() | times


def clear_outbox(settings: Settings, customer: str) -> None:
    """Take what brokers refused from this machine's outbox, and tell what still waits there."""
    path = settings.data_dir / OUTBOX_FILE
    if not path.exists():
        return
    with closing(Outbox(path, capacity=1)) as outbox:
        waiting = outbox.forget(customer)
    if waiting:
        err.print(
            f"{waiting:,} events of this customer wait in {path} with what they say: deliver them "
            "with servicetrail publish; their personal part is lost on arrival",
            soft_wrap=True,
        )
