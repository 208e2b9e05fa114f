"""Checkpoints and proofs as they are told, over HTTP and on the command line alike."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from audit import proofs
from ledger.datastore import PgCursor


class Told(BaseModel):
    """What is told, with exactly these members."""

    model_config = ConfigDict(extra="forbid")


class CheckpointTold(Told):
    """A checkpoint."""

    number: int
    size: int = Field(description="How many events it was signed for")
    customers: int = Field(description="How many customers these are about; policies are one")
    sealed_at: datetime
    note: str = Field(description="The signed note, with the cosignatures that are known")


class InclusionProof(Told):
    """That an event is in a checkpoint (RFC 9162, 2.1.3). Hashes are in base64."""

    position: int
    leaf_index: int = Field(description="The index in the tree, which begins at 0")
    leaf_hash: str
    tree_size: int
    root: str
    hashes: list[str] = Field(description="The path from the leaf to the root")
    checkpoint: str = Field(description="The signed note")


class ConsistencyProof(Told):
    """That one tree is the beginning of another (RFC 9162, 2.1.4). Hashes are in base64."""

    first_size: int
    first_root: str
    second_size: int
    second_root: str
    hashes: list[str]


class KeyTold(Told):
    """A public key of the ledger, as `NAME+ID+BASE64`."""

    key: str
    from_checkpoint: int = Field(description="The first checkpoint it signed")
    to_checkpoint: int | None = Field(
        description="The last one, which its successor signed too; null while it signs"
    )


def checkpoint_told(sealed: proofs.Sealed) -> CheckpointTold:
    """A checkpoint."""
    return CheckpointTold(
        number=sealed.number,
        size=sealed.checkpoint.size,
        customers=sealed.checkpoint.customers,
        sealed_at=sealed.checkpoint.sealed_at,
        note=str(sealed.note),
    )


def inclusion_told(cursor: PgCursor, position: int) -> InclusionProof:
    """The proof that an event is in the newest checkpoint. Raises NothingSealed."""
    sealed = proofs.newest(cursor)
    size = sealed.checkpoint.size
    if position > size:
        raise proofs.NothingSealed(
            f"the event at position {position} is not sealed: the newest checkpoint has {size}"
        )
    return InclusionProof(
        position=position,
        leaf_index=position - 1,
        leaf_hash=_text(proofs.leaf_at(cursor, position)),
        tree_size=size,
        root=_text(sealed.checkpoint.root),
        hashes=texts(proofs.inclusion(cursor, position, size)),
        checkpoint=str(sealed.note),
    )


def consistency_told(cursor: PgCursor, first: int, second: int) -> ConsistencyProof:
    """The proof from one number of events to a larger one, both of checkpoints.

    Raises NothingSealed, and ValueError where the first is larger.
    """
    old, new = proofs.of_size(cursor, first), proofs.of_size(cursor, second)
    return ConsistencyProof(
        first_size=first,
        first_root=_text(old.checkpoint.root),
        second_size=second,
        second_root=_text(new.checkpoint.root),
        hashes=texts(proofs.consistency(cursor, first, second)),
    )


def keys_told(cursor: PgCursor) -> list[KeyTold]:
    """The keys that signed, the oldest first."""
    return [KeyTold(**each._asdict()) for each in proofs.signers(cursor)]


def texts(hashes: Iterable[bytes]) -> list[str]:
    """Hashes in base64."""
    return [_text(each) for each in hashes]


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
