"""A message on its way through the door, and the receipt it ends with."""

from datetime import datetime
from typing import NamedTuple, Protocol

from domain import EVENT_TYPES, Conflict, Fact, NotYet, Refused
from ledger.kept import Again, Kept, Parked, encodable, shown
from schemas import codec
from schemas.event import Event, Unreadable
from schemas.message import Message


class Read(Protocol):
    """How messages are read: `schemas.reading.read` with what the intake was set up with."""

    def __call__(self, message: Message, *, now: datetime) -> Event:
        """The event that the message holds. Raises `Unreadable`."""


class Receipt(NamedTuple):
    """What became of a message.

    `outcome` is appended, duplicate, conflict, parked or rejected. `position` is where the event
    stands in the ledger (for a duplicate or a conflict: the event that was there first). `reason`
    is a stable code, `message` says it for people, `path` names the field at fault.
    """

    source: str
    id: str
    outcome: str
    position: int | None
    reason: str | None
    message: str | None
    path: str | None


class Candidate:
    """A message, what could be read of it, and what was decided about it.

    `again` is there for an input that is redriven: it was received and kept before. `repairs` is
    the kept id of the input of which the message is a repaired one.
    """

    __slots__ = (
        "again",
        "event",
        "event_id",
        "explanation",
        "id",
        "message",
        "outcome",
        "parked",
        "path",
        "position",
        "reason",
        "repairs",
        "source",
        "unreadable",
        "waits_for",
    )

    def __init__(
        self,
        message: Message,
        now: datetime,
        read: Read,
        parked: Parked | None = None,
        *,
        again: Again | None = None,
        repairs: int | None = None,
    ) -> None:
        """Read the message. `parked` says that it waited in the ledger's queue until now."""
        self.message = message
        self.parked = parked
        self.again = again
        self.repairs = repairs
        self.event: Event | None = None
        self.unreadable: Unreadable | None = None
        try:
            self.event = read(message, now=now)
        except Unreadable as unreadable:
            self.unreadable = unreadable
            self.source = shown(unreadable.source or message.default_source)
            self.id = shown(unreadable.id or message.default_id)
            self.event_id = codec.event_id(
                encodable(unreadable.source or message.default_source),
                encodable(unreadable.id or message.default_id),
            )
        else:
            self.source = self.event.source
            self.id = self.event.id
            self.event_id = self.event.event_id
        self.undecide()

    def undecide(self) -> None:
        """Forget what was decided, to decide anew on what is recorded by now."""
        self.outcome = ""
        self.position: int | None = None
        self.reason: str | None = None
        self.explanation: str | None = None
        self.path: str | None = None
        self.waits_for: str | None = None
        if self.unreadable is not None:
            self._end("rejected", self.unreadable.code, self.unreadable.message)
            self.path = self.unreadable.path

    def fact(self, version: int) -> Fact:
        """The event as the stream's fact number `version`."""
        event = self.read_event
        return EVENT_TYPES[event.type](
            event.stream_id, version, event.occurred_at, event.customer_id, event.data
        )

    @property
    def read_event(self) -> Event:
        """The event, of a candidate that could be read."""
        assert self.event is not None
        return self.event

    @property
    def known(self) -> Event | Unreadable:
        """As much of the event as could be read."""
        known = self.event or self.unreadable
        assert known is not None
        return known

    @property
    def customer_id(self) -> str | None:
        """Whose event it is, as far as that can be read, or could be before."""
        return self.known.customer_id or (self.again and self.again.customer_id)

    def append(self) -> None:
        """It enters the ledger; its position is known once the batch is written."""
        self.outcome = "appended"
        self.reason = self.explanation = self.path = self.waits_for = None

    def duplicate(self, reason: str, explanation: str, position: int | None) -> None:
        """The same event, with the same content, is there already."""
        self._end("duplicate", reason, explanation)
        self.position = position

    def conflict(self, reason: str, explanation: str, position: int | None) -> None:
        """The same source and id, with other content, is there already."""
        self._end("conflict", reason, explanation)
        self.position = position

    def park(self, missing: NotYet) -> None:
        """It waits for something that is not known yet."""
        self._end("parked", missing.code, missing.message)
        self.waits_for = missing.waits_for

    def refuse(self, refused: Refused) -> None:
        """It contradicts what is recorded."""
        outcome = "conflict" if isinstance(refused, Conflict) else "rejected"
        self._end(outcome, refused.code, refused.message)
        self.path = refused.path

    def _end(self, outcome: str, reason: str, explanation: str) -> None:
        self.outcome = outcome
        self.reason = reason
        self.explanation = explanation
        self.path = self.waits_for = None

    def receipt(self) -> Receipt:
        """What the sender is told."""
        return Receipt(
            self.source,
            self.id,
            self.outcome,
            self.position,
            self.reason,
            self.explanation,
            self.path,
        )

    def to_keep(self) -> Kept:
        """What is kept of a parked, conflicting or rejected input."""
        assert self.reason is not None
        assert self.explanation is not None
        known = self.known
        return Kept(
            message=self.message,
            state=self.outcome,
            event_id=self.event_id,
            source=self.source,
            id=self.id,
            type=known.type,
            customer_id=self.customer_id,
            stream_id=self.event.stream_id if self.event else None,
            waits_for=self.waits_for,
            reason=self.reason,
            explanation=self.explanation,
            path=self.path,
            sequence=known.sequence,
            repairs=self.repairs,
        )
