"""Who looked, and who did what: events of our own, in the ledger like all others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import uuid4

from ledger.candidates import Receipt
from ledger.kept import shown, storable
from ledger.own_events import own_event
from schemas.message import Message

RECORDED = "access.recorded.v1"
ACTIONS = (
    "read",
    "evidence_taken",
    "exported",
    "revealed",
    "redriven",
    "repaired",
    "discarded",
    "erased",
    "erasure_refused",
    "hold_placed",
    "hold_lifted",
    "token_created",
    "token_revoked",
)
"""What is put on record."""


class Actor(NamedTuple):
    """Who acts: the name of a token, a subject of the identity provider, or a login."""

    who: str
    via: Literal["http", "command"]
    role: str | None = None
    token_id: str | None = None


class Access(NamedTuple):
    """What somebody did: one of ACTIONS; of reading the question that was asked.

    `ids` are those of things of a `kind`. `customer_id`: whose they are, where that is one
    customer; it is nobody's event for that, so that being looked at does not make a history longer.
    """

    action: str
    question: str | None = None
    kind: str | None = None
    ids: Sequence[str] = ()
    customer_id: str | None = None
    details: str | None = None


class NotOnRecord(Exception):
    """What somebody did could not be put on record, so it must not have happened."""


def access_recorded(actor: Actor, access: Access) -> Message:
    """The event that says so."""
    details = access.details
    data = {
        "access_id": uuid4().hex,
        "who": shown(actor.who),
        "role": actor.role,
        "token_id": actor.token_id,
        "via": actor.via,
        "action": access.action,
        "question": access.question,
        "kind": access.kind,
        "ids": [shown(each) for each in access.ids],
        "about_customer_id": access.customer_id,
        "details": None if details is None else storable(details),
    }
    return own_event(RECORDED, data, datetime.now(UTC))


def check_recorded(receipts: Sequence[Receipt]) -> None:
    """Raise NotOnRecord unless all of them are in the ledger."""
    for receipt in receipts:
        if receipt.outcome != "appended":
            raise NotOnRecord(f"{receipt.id} was not recorded: {receipt.message}")


def told_of(actor: Actor | None, access: Access) -> list[Message]:
    """The event to be recorded with what is done; none where nobody is named."""
    return [] if actor is None else [access_recorded(actor, access)]
