"""The checkpoints, as checking the whole ledger reads them: signatures, order, who signed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from audit.standalone.proofs import (
    Checkpoint,
    Wrong,
    instant,
    microseconds,
    read_checkpoint,
    signed_by,
)
from audit.whole_found import Found
from audit.whole_rows import instant_of_bytes
from ledger.datastore import PgCursor


class Outside(NamedTuple):
    """A signed checkpoint that was kept outside the database, and where."""

    place: str
    note: str


class Target(NamedTuple):
    """A checkpoint that the ledger has to agree with, and where it stands."""

    place: str
    checkpoint: Checkpoint


def targets(
    cursor: PgCursor,
    sql: Any,
    found: Found,
    origin: str | None,
    keys: Sequence[str],
    outside: Iterable[Outside],
) -> tuple[list[Target], Checkpoint | None]:
    """All checkpoints to compare with, the smallest first, and the newest in the database."""
    cursor.execute(sql["checkpoints"])
    stored: list[Target] = []
    signers: dict[str, int] = {}
    newest: Checkpoint | None = None
    before = bytes(32)
    for place_in_order, row in enumerate(cursor.fetchall(), 1):
        number, size, register_size, sealed_at, note = row
        place = f"checkpoint {number}"
        if number != place_in_order:
            found.fault(None, f"checkpoint {place_in_order} is missing")
            break
        checkpoint = _read(found, place, note, keys, origin)
        if checkpoint is None:
            continue
        if (size, register_size, instant_of_bytes(sealed_at)) != (
            checkpoint.size,
            checkpoint.register_size,
            microseconds(instant(checkpoint.sealed_at)),
        ):
            found.fault(None, f"{place}: its columns are not what was signed")
        if checkpoint.previous != before or (newest and checkpoint.size < newest.size):
            found.fault(None, f"{place} does not follow the one before")
        before = hashlib.sha256(checkpoint.text.encode()).digest()
        newest = checkpoint
        stored.append(Target(place, checkpoint))
        signed = [key for key in keys if signed_by(checkpoint, key, ed25519)]
        if signers and [*signers][-1] not in signed:
            found.fault(None, f"{place} is signed by a key that was replaced before")
        for key in signed:
            signers.setdefault(key, number)
    found.checkpoints = len(stored)
    cursor.execute(sql["signers"])
    if dict(cursor.fetchall()) != signers:
        found.fault(None, "seal.signers does not say who signed since when")
    return _with_outside(found, stored, newest, origin, keys, outside), newest


def _with_outside(
    found: Found,
    stored: list[Target],
    newest: Checkpoint | None,
    origin: str | None,
    keys: Sequence[str],
    outside: Iterable[Outside],
) -> list[Target]:
    texts = {target.checkpoint.text for target in stored}
    all_of_them = list(stored)
    for each in outside:
        checkpoint = _read(found, each.place, each.note, keys, origin)
        if checkpoint is None:
            continue
        found.compared += 1
        if newest is None or checkpoint.size > newest.size:
            has = newest.size if newest else 0
            found.fault(
                has + 1,
                f"{each.place} was signed for {checkpoint.size:,} events, the checkpoints in the "
                f"database for {has:,}: the database was set back",
            )
        elif checkpoint.text not in texts:
            found.fault(None, f"{each.place} is not among the checkpoints in the database")
        all_of_them.append(Target(each.place, checkpoint))
    return sorted(all_of_them, key=lambda target: target.checkpoint.size)


def _read(
    found: Found, place: str, note: str, keys: Sequence[str], origin: str | None
) -> Checkpoint | None:
    try:
        checkpoint = read_checkpoint(note)
        signers = [key for key in keys if signed_by(checkpoint, key, ed25519)]
        if not signers:
            raise Wrong("none of the ledger's keys has signed it")
        if checkpoint.origin != origin:
            raise Wrong(f"it is of the ledger {checkpoint.origin}")
    except Wrong as wrong:
        found.fault(None, f"{place}: {wrong}")
        return None
    return checkpoint


def ed25519(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is right; many times faster than `audit.standalone.ed25519`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
