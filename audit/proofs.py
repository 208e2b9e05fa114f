"""Checkpoints and proofs, read from what was sealed, without reading the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from audit.customers import Place, key_of, load_buckets, load_crown
from audit.merkle import consistency_proof, inclusion_proof
from audit.notes import Checkpoint, Note, NoteWrong, PublicKey
from audit.tiles import EVENTS, REGISTER, stored_nodes
from ledger.datastore import PgCursor
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("proofs.sql"))


class NothingSealed(Exception):
    """There is no checkpoint that this could be proven against. The text says what to do."""


class Sealed(NamedTuple):
    """A checkpoint: its number, the signed note with the known cosignatures, what it says."""

    number: int
    note: Note
    checkpoint: Checkpoint


class SignedSince(NamedTuple):
    """A public key of the ledger, and the numbers of the first and the last checkpoint it signed.

    `to` is None for the key that signs now.
    """

    key: str
    from_checkpoint: int
    to_checkpoint: int | None


class Reached(NamedTuple):
    """How far the ledger is sealed: up to which position, and when; 0 and None at first."""

    position: int = 0
    sealed_at: datetime | None = None


class DestroyedKey(NamedTuple):
    """The entry of the register about a data key that was destroyed, and what it was made of."""

    number: int
    at: datetime
    master_key: str
    created_at: datetime
    destroyed_at: datetime


def newest(cursor: PgCursor) -> Sealed:
    """The newest checkpoint. Raises NothingSealed."""
    return _one(cursor, "newest", "nothing is sealed yet: run servicetrail seal, or up")


def reached(cursor: PgCursor) -> Reached:
    """How far the ledger is sealed."""
    cursor.execute(_SQL["reached"])
    row = cursor.fetchone()
    return Reached() if row is None else Reached(row[0], row[1].astimezone(UTC))


def numbered(cursor: PgCursor, number: int) -> Sealed:
    """A checkpoint by its number. Raises NothingSealed."""
    return _one(cursor, "by_number", f"there is no checkpoint {number}", number=number)


def of_size(cursor: PgCursor, size: int) -> Sealed:
    """The newest checkpoint of so many events. Raises NothingSealed."""
    return _one(cursor, "of_size", f"there is no checkpoint of {size} events", size=size)


def first_covering(cursor: PgCursor, position: int) -> Sealed:
    """The first checkpoint that the event at a position is under. Raises NothingSealed."""
    waiting = f"the event at position {position} is not sealed yet, or not there"
    return _one(cursor, "first_covering", waiting, position=position)


def listed(cursor: PgCursor, *, before: int | None, limit: int) -> list[Sealed]:
    """Checkpoints, the newest first, with numbers below `before`."""
    cursor.execute(_SQL["listed"], {"before": before or 2**63 - 1, "limit": limit})
    return [_sealed(cursor, *row) for row in cursor.fetchall()]


def signers(cursor: PgCursor) -> list[SignedSince]:
    """The keys that signed, the oldest first."""
    cursor.execute(_SQL["signers"])
    found = cursor.fetchall()
    ends = [first for _, first in found[1:]]
    return [SignedSince(key, first, end) for (key, first), end in zip_longest(found, ends)]


def inclusion(cursor: PgCursor, position: int, size: int) -> list[bytes]:
    """The path from the event at a position to the root of the tree of `size` events.

    Raises ValueError for an event that is not in it.
    """
    return inclusion_proof(position - 1, size, stored_nodes(cursor, EVENTS))


def leaf_at(cursor: PgCursor, position: int) -> bytes:
    """The hash of the leaf of a sealed event."""
    return stored_nodes(cursor, EVENTS)(0, position - 1)


def consistency(cursor: PgCursor, first: int, second: int) -> list[bytes]:
    """What shows that the tree of `first` events is the beginning of that of `second`.

    Raises ValueError unless 0 < first <= second.
    """
    return consistency_proof(first, second, stored_nodes(cursor, EVENTS))


def place_of(cursor: PgCursor, subject: str) -> Place:
    """Where a subject stands in the tree over customers of the newest checkpoint."""
    key, crown = key_of(subject), load_crown(cursor)
    bucket = crown.bucket_of(key)
    entries = [] if bucket is None else load_buckets(cursor, [bucket]).get(bucket, [])
    return crown.place(key, entries)


def registered_schemas(cursor: PgCursor, fingerprints: Sequence[str]) -> list[tuple[Any, ...]]:
    """The entries about schemas in the register: number, when, fingerprint in hexadecimal."""
    cursor.execute(_SQL["schemas"], {"subjects": list(fingerprints)})
    return sorted(cursor.fetchall())


def destroyed_key(cursor: PgCursor, subject: str) -> DestroyedKey:
    """That a subject's data key was destroyed. Raises LookupError if it was not."""
    cursor.execute(_SQL["destroyed_key"], {"subject": subject})
    row = cursor.fetchone()
    if row is None:
        raise LookupError(f"the register of keys says of no destroyed data key of {subject}")
    number, at, master_key, created_at, destroyed_at = row
    instants = (each.astimezone(UTC) for each in (created_at, destroyed_at))
    return DestroyedKey(number, at.astimezone(UTC), master_key, *instants)


def in_register(cursor: PgCursor, number: int, size: int) -> list[bytes]:
    """The path from an entry of the register to the root over its first `size` entries.

    Raises ValueError for an entry that is not among them.
    """
    return inclusion_proof(number - 1, size, stored_nodes(cursor, REGISTER))


def cosign(cursor: PgCursor, text: str, witnesses: Sequence[PublicKey]) -> dict[str, bool]:
    """Store the cosignatures of a signed note, which is a checkpoint of ours with more signatures.

    Gives, by the names of the witnesses, whether the signature was checked; one of a witness whose
    key is not known is stored as it is. Raises NoteWrong for a wrong one, NothingSealed for
    a checkpoint that is not ours.
    """
    note = Note.parse(text)
    checkpoint = Checkpoint.parse(note.text)
    own = _one(
        cursor,
        "by_text",
        "this is no checkpoint of this ledger",
        text=f"{note.text}\n",
        size=checkpoint.size,
    )
    stored = {}
    for signature in note.signatures:
        if signature.name == checkpoint.origin:
            continue
        alone = Note(note.text, (signature,))
        verified = any([witness.has_signed(alone) for witness in witnesses])  # noqa: C419 - all
        cursor.execute(
            _SQL["cosign"],
            {
                "checkpoint": own.number,
                "line": signature.line(),
                "name": signature.name,
                "verified": verified,
            },
        )
        stored[signature.name] = verified
    if not stored:
        raise NoteWrong("there is no signature of a witness in it")
    return stored


def _one(cursor: PgCursor, query: str, otherwise: str, **parameters: object) -> Sealed:
    cursor.execute(_SQL[query], parameters)
    row = cursor.fetchone()
    if row is None:
        raise NothingSealed(otherwise)
    return _sealed(cursor, *row)


def _sealed(cursor: PgCursor, number: int, text: str) -> Sealed:
    note = Note.parse(text)
    cursor.execute(_SQL["cosignatures"], {"number": number})
    lines = "".join(line for (line,) in cursor.fetchall())
    if lines:
        more = Note.parse(f"{note.text}\n{lines}").signatures
        note = replace(note, signatures=(*note.signatures, *more))
    return Sealed(number, note, Checkpoint.parse(note.text))
