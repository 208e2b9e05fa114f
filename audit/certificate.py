"""The certificate of an erasure, with the proof that it is in the ledger and the key is gone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from audit import proofs
from audit.answers import Told, texts
from audit.evidence import event_at, event_told
from audit.standalone.certificate import CERTIFICATE, CERTIFICATE_VERSION, digest_of
from ledger.datastore import PgCursor
from ledger.erasing import erasure_of
from ledger.keys import customer_subject
from projections.customers.persons import person


class NotErased(Exception):
    """There is no erasure of this customer."""


class KeyDestroyed(Told):
    """The entry of the register of keys that says so, and what its digest was made of."""

    number: int
    at: datetime
    master_key: str
    created_at: datetime
    destroyed_at: datetime
    inclusion: list[str] = Field(description="The path from this entry to the register's root")


class ErasureProof(Told):
    """What proves an erasure against a checkpoint. Hashes are in base64."""

    event: dict[str, Any] = Field(description="The event that records it, column by column")
    inclusion: list[str] = Field(description="The path from the event to the root")
    key: KeyDestroyed
    checkpoint: str = Field(description="The signed note")
    keys: list[str] = Field(description="The ledger's public keys, as NAME+ID+BASE64")


class Certificate(Told):
    """What an erasure did."""

    certificate: Literal["servicetrail erasure"]
    version: Literal[2]
    customer_id: str
    basis: str
    requested_at: datetime | None
    erased_at: datetime
    position: int = Field(description="Of the event that records it")
    event_id: str
    personal_events: int = Field(description="Events whose personal part nobody can read any more")
    inputs: list[int] = Field(description="Kept inputs that nobody can read any more")
    reduced: list[int] = Field(
        description="Inputs that lost their personal part while they waited for another event"
    )
    other_ids: list[str] | None = Field(
        description="Ids of the same person that are not erased: each is erased by itself. Null: "
        "not known, as nothing has built the read models yet"
    )
    made_at: datetime = Field(description="The numbers and the other ids are as of then")
    proof: ErasureProof | None = Field(description="Null as long as the event is not sealed")
    sha256: str = Field(description="Of everything else, as JSON without blanks, names sorted")


def certificate(cursor: PgCursor, customer_id: str) -> Certificate:
    """The certificate of a customer's newest erasure, proven against the newest checkpoint. The
    person's other ids are as the read models have them.

    Raises NotErased.
    """
    done = erasure_of(cursor, customer_id)
    if done is None:
        raise NotErased(f"customer {customer_id} was not erased")
    told = Certificate(
        certificate=CERTIFICATE,
        version=CERTIFICATE_VERSION,
        **done._asdict(),
        other_ids=_other_ids(cursor, customer_id),
        made_at=datetime.now(UTC),
        proof=_proof(cursor, customer_id, done.position),
        sha256="",
    )
    return told.model_copy(update={"sha256": digest_of(told.model_dump(mode="json"))})


def _other_ids(cursor: PgCursor, customer_id: str) -> list[str] | None:
    """The ids that are one person with the customer, those that were erased left out."""
    cursor.execute("SET LOCAL search_path TO read")
    cursor.execute("SELECT to_regclass('merges') IS NULL")
    if cursor.fetchone() == (True,):
        return None
    _, *others = person(cursor, customer_id, as_of=datetime.now(UTC))
    return [id_ for id_, *_ in others if erasure_of(cursor, id_) is None]


def _proof(cursor: PgCursor, customer_id: str, position: int) -> ErasureProof | None:
    try:
        sealed = proofs.newest(cursor)
    except proofs.NothingSealed:
        return None
    checkpoint = sealed.checkpoint
    if checkpoint.size < position:
        return None
    entry = proofs.destroyed_key(cursor, customer_subject(customer_id))
    of_entry = proofs.in_register(cursor, entry.number, checkpoint.register_size)
    return ErasureProof(
        event=event_told(event_at(cursor, position)),
        inclusion=texts(proofs.inclusion(cursor, position, checkpoint.size)),
        key=KeyDestroyed(**entry._asdict(), inclusion=texts(of_entry)),
        checkpoint=str(sealed.note),
        keys=[each.key for each in proofs.signers(cursor)],
    )
