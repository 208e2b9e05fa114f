"""Keeping an input that the program itself fails on, so that what follows it is not held up."""

from collections.abc import Sequence
from datetime import UTC, datetime

from eventsourcing.persistence import Tracking

from ledger import account, kept, notices
from ledger.candidates import Receipt
from ledger.datastore import Datastore
from ledger.keys import Keyring, customer_subject
from ledger.positions import move
from schemas import codec
from schemas.message import Message

PROGRAM_FAILED = "program_failed"


def failure(error: Exception) -> str:
    """The explanation that goes with `PROGRAM_FAILED`; it quotes nothing of the input."""
    return f"the program failed on this input ({type(error).__name__})"


def set_aside(
    datastore: Datastore,
    keyring: Keyring,
    message: Message,
    error: Exception,
    *,
    tracking: Sequence[Tracking] = (),
    noted: bool = False,
) -> Receipt:
    """Keep the message as rejected, and move the deliverer's positions past it. `noted`: those who
    published it are told.

    Nothing is known of a message on which reading or deciding failed, so it goes by the name that
    its way in gave it. Raises what `Intake.take` raises.
    """
    now = datetime.now(UTC)
    source, id_ = kept.shown(message.default_source), kept.shown(message.default_id)
    explanation = failure(error)
    rejected = kept.Kept(
        message=message,
        state="rejected",
        event_id=codec.event_id(message.default_source, message.default_id),
        source=source,
        id=id_,
        type=None,
        customer_id=None,
        stream_id=None,
        waits_for=None,
        reason=PROGRAM_FAILED,
        explanation=explanation,
        path=None,
        sequence=None,
    )
    keys = keyring.for_sealing([customer_subject(None)])
    with datastore.transaction() as cursor:
        move(cursor, tracking)
        places = kept.keep(cursor, keyring, [rejected], keys, now)
        if noted:
            notices.note(cursor, notices.with_ids(places, [rejected]), now)
        account.enter(cursor, now, outcomes={(source, "rejected"): 1}, settled=[])
    return Receipt(source, id_, "rejected", None, PROGRAM_FAILED, explanation, None)
