"""Erasing a customer's personal data, and holds that forbid it.

What is personal is stored only under the customer's own data key. Erasing destroys the key, in the
transaction that records the erasure as an event. Inputs that wait for something lose their personal
part and go on waiting, so that no figure changes; other kept inputs can be read by nobody any more.
What lies outside of the database on this machine is cleared after that.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from psycopg2 import Binary
from psycopg2.extensions import cursor as PgCursor

from ledger import kept
from ledger.access import Access, Actor, check_recorded, told_of
from ledger.account import Move
from ledger.candidates import Candidate, Receipt
from ledger.datastore import Datastore
from ledger.intake import Intake
from ledger.keys import INTAKE_SUBJECT, Keyring, customer_subject
from ledger.naming import names_customer
from ledger.own_events import own_event
from ledger.redriving import Carried, Input
from ledger.sql import named_queries
from schemas.codec import decode
from schemas.event import Event
from schemas.message import Message

_SQL = named_queries(Path(__file__).with_name("erasing.sql"))
ERASED, HOLD_PLACED, HOLD_LIFTED = (
    "customer.erased.v1",
    "customer.hold_placed.v1",
    "customer.hold_lifted.v1",
)


class OnHold(ValueError):
    """The customer's data must be kept for now; the text says why, and what to do."""


class NotOnHold(ValueError):
    """There is no hold to lift."""


class NotEverywhere(Exception):
    """The customer is erased, but something personal lies outside of the database still. The text
    says where, and what to do.
    """


class Erasure(NamedTuple):
    """An erasure, and what it comes to.

    `position` and `event_id` are those of the event that records it. `personal_events`: how many
    events had personal data; `inputs`: the kept inputs that nobody can read any more; `reduced`:
    those that lost their personal part while they waited for another event.
    """

    customer_id: str
    basis: str
    requested_at: datetime | None
    erased_at: datetime
    position: int
    event_id: str
    personal_events: int
    inputs: list[int]
    reduced: list[int]


class Eraser:
    """Erases customers, and places and lifts the holds that forbid it."""

    def __init__(
        self,
        datastore: Datastore,
        keyring: Keyring,
        intake: Intake,
        clear_elsewhere: Callable[[str], None] | None = None,
    ) -> None:
        """`clear_elsewhere` is called with each customer after the erasure has committed, and
        raises NotEverywhere.
        """
        self._datastore = datastore
        self._keyring = keyring
        self._intake = intake
        self._clear_elsewhere = clear_elsewhere

    def erase(
        self,
        customer_id: str,
        *,
        basis: str,
        requested_at: datetime | None = None,
        actor: Actor | None = None,
    ) -> int:
        """Destroy the customer's personal data and record it; the position of the event that does.

        `basis` is the ground for it; `actor` goes on record with it. May be done again, for
        what has come to light since. Raises OnHold, after it is on record that the actor was
        refused, and what `Intake.carry_out` raises: nothing is erased then; and NotEverywhere.
        """
        now = datetime.now(UTC)
        data = {
            "customer_id": customer_id,
            "basis": basis,
            "requested_at": None if requested_at is None else requested_at.isoformat(),
        }
        errand = _Erasing(self._keyring, self._intake, customer_id, own_event(ERASED, data, now))
        told = told_of(actor, _access("erased", customer_id, basis))
        try:
            [receipt] = self._intake.carry_out(errand, ours=True, on_record=told)
        except OnHold:
            refused = told_of(actor, _access("erasure_refused", customer_id, basis))
            check_recorded(self._intake.record(refused))
            raise
        self._keyring.forget(customer_subject(customer_id))
        if self._clear_elsewhere is not None:
            self._clear_elsewhere(customer_id)
        return _position(receipt)

    def hold(self, customer_id: str, *, reason: str, who: str, actor: Actor | None = None) -> int:
        """Forbid erasing the customer until the hold is lifted; the position of that event."""
        return self._record(HOLD_PLACED, customer_id, reason, who, actor)

    def lift_hold(
        self, customer_id: str, *, reason: str, who: str, actor: Actor | None = None
    ) -> int:
        """Allow erasing the customer again; the position of that event. Raises NotOnHold."""
        with self._datastore.transaction() as cursor:
            if hold_on(cursor, customer_id) is None:
                raise NotOnHold(f"there is no hold on customer {customer_id}")
        return self._record(HOLD_LIFTED, customer_id, reason, who, actor)

    def _record(
        self, type_: str, customer_id: str, reason: str, who: str, actor: Actor | None
    ) -> int:
        data = {"customer_id": customer_id, "reason": reason, "employee_id": who}
        message = own_event(type_, data, datetime.now(UTC))
        action = "hold_placed" if type_ == HOLD_PLACED else "hold_lifted"
        told = told_of(actor, _access(action, customer_id, reason))
        receipt, *_ = self._intake.record([message, *told])
        return _position(receipt)


def erasure_of(cursor: PgCursor, customer_id: str) -> Erasure | None:
    """The newest erasure of a customer, as it stands now; None if there was none."""
    asked = {
        "customer_id": customer_id,
        "subject": customer_subject(customer_id),
        "intake": INTAKE_SUBJECT,
        "erased": ERASED,
    }
    cursor.execute(_SQL["erasure"], asked)
    row = cursor.fetchone()
    if row is None:
        return None
    position, event_id, erased_at, fingerprint, facts, *found = row
    data = decode(bytes(fingerprint), bytes(facts))
    told = (customer_id, data["basis"], data["requested_at"], erased_at, position, event_id)
    return Erasure(*told, *found)


def _access(action: str, customer_id: str, why: str) -> Access:
    return Access(action, kind="customer", ids=[customer_id], customer_id=customer_id, details=why)


def hold_on(cursor: PgCursor, customer_id: str) -> str | None:
    """The reason of the hold on a customer; None if there is none."""
    cursor.execute(
        _SQL["last_hold"],
        {"customer_id": customer_id, "placed": HOLD_PLACED, "lifted": HOLD_LIFTED},
    )
    row = cursor.fetchone()
    if row is None or row[0] == HOLD_LIFTED:
        return None
    return str(decode(bytes(row[1]), bytes(row[2]))["reason"])


class _Erasing:
    """The errand: the event, the key, and the kept inputs, in one transaction."""

    withdrawn = ()
    only_if_taken = True

    def __init__(
        self, keyring: Keyring, intake: Intake, customer_id: str, message: Message
    ) -> None:
        self.inputs = (Input(message),)
        self._keyring = keyring
        self._intake = intake
        self._customer_id = customer_id
        self._subject = customer_subject(customer_id)

    def write(self, cursor: PgCursor, carried: Carried) -> list[Move]:
        """Everything is found under the ledger's lock: what comes later finds the key destroyed."""
        reason = hold_on(cursor, self._customer_id)
        if reason is not None:
            raise OnHold(
                f"customer {self._customer_id} must not be erased: {reason}; lift the hold first, "
                "if that is right: servicetrail hold --lift"
            )
        self._reduce(cursor, carried)
        self._disown(cursor)
        cursor.execute(_SQL["destroy_key"], {"subject": self._subject, "now": carried.now})
        return []

    def _reduce(self, cursor: PgCursor, carried: Carried) -> None:
        """Seal what is parked anew, without its personal part, with the key of the intake."""
        cursor.execute(_SQL["parked"], {"subject": self._subject})
        waiting = kept.messages(cursor, self._keyring, [kept_id for (kept_id,) in cursor])
        key = self._keyring.for_sealing([INTAKE_SUBJECT])[INTAKE_SUBJECT]
        for kept_id, message in waiting.items():
            candidate = self._intake.read(message, carried.now)
            if candidate.event is None:
                continue  # today's schemas do not read it: it goes with the key
            sealed = kept.seal(_without_personal(message, candidate), key, candidate.event_id)
            asked = {"kept_id": kept_id, "subject": INTAKE_SUBJECT, "sealed": Binary(sealed)}
            cursor.execute(_SQL["seal_anew"], asked)

    def _disown(self, cursor: PgCursor) -> None:
        """Destroy the bytes of inputs whose customer could not be read, but which name this one.

        They are sealed with the key of the intake, which stays. An id that is an ordinary word may
        be found where something else is meant (`names_customer`): such an input is lost too.
        """
        cursor.execute(_SQL["nobodys"], {"subject": INTAKE_SUBJECT})
        nobodys = [kept_id for (kept_id,) in cursor]
        found = [
            kept_id
            for kept_id, message in kept.messages(cursor, self._keyring, nobodys).items()
            if names_customer(message, self._customer_id)
        ]
        cursor.execute(_SQL["disown"], {"kept_ids": found, "subject": self._subject})


def _without_personal(message: Message, candidate: Candidate) -> Message:
    """The same event in binary mode, as the ledger would hold it: the facts alone."""
    event: Event = candidate.read_event
    attributes = {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": None if event.time_assumed else event.occurred_at.isoformat(),
        "sequence": None if event.sequence is None else str(event.sequence),
        "correlationid": event.correlation_id,
        "causationid": event.causation_id,
    }
    return Message(
        body=event.facts,
        content_type="application/avro",
        attributes={name: value for name, value in attributes.items() if value is not None},
        default_source=message.default_source,
        default_id=message.default_id,
        default_time=message.default_time,
        origin=message.origin,
    )


def _position(receipt: Receipt) -> int:
    if receipt.position is None:
        raise ValueError(f"{receipt.id} was not recorded: {receipt.message}")
    return receipt.position
