"""What a fact is, what a stream is, and the three ways in which a fact may not be appended.

A *stream* is the history of one thing (a touchpoint, a promise, a complaint): an aggregate of the
`eventsourcing` library, named by its kind and id. A *fact* is one event of a stream. Its fields are
defined once, by the Avro schema of its type; here it carries them as a mapping.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar, cast

from eventsourcing.domain import BaseAggregate, CanMutateAggregate


class Refused(Exception):
    """The fact contradicts what is recorded: it is kept as rejected, with this reason."""

    code: ClassVar[str]

    def __init__(self, message: str, path: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class Conflict(Refused):
    """Two sources claim the same thing: kept as evidence, shown, not appended."""


class NotYet(Exception):
    """The fact names something that is not known yet: it is parked until that arrives.

    `waits_for` is the name of what is missing, as `Fact.supplies` of the missing fact gives it.
    """

    code: ClassVar[str]

    def __init__(self, message: str, waits_for: str) -> None:
        super().__init__(message)
        self.message = message
        self.waits_for = waits_for


class AlreadyOpened(Conflict):
    """A second opening event for an id that exists."""

    code = "already_opened"


class WrongCustomer(Refused):
    """The fact names another customer than the thing it is about."""

    code = "wrong_customer"


class Stream(BaseAggregate[str]):
    """The history of one thing, reduced to what decisions need to know: whose it is."""

    def begin(self, customer_id: str | None) -> None:
        """Set what holds before the first fact is applied."""
        self.customer_id = customer_id

    @classmethod
    def resumed(cls, stream_id: str, version: int, at: datetime, customer_id: str | None) -> Self:
        """A stream of which only the version is known.

        Enough for streams whose facts need no decision (a customer's, a policy's): they may be
        long, and nothing in them is looked at.
        """
        stream = cls.__new__(cls)
        stream.__base_init__(stream_id, version, at)
        stream.begin(customer_id)
        return stream


AnyStream = TypeVar("AnyStream", bound=Any)


@dataclass(frozen=True)
class Fact(CanMutateAggregate[str]):
    """One event of a stream, without its personal fields.

    `timestamp` is when it happened (UTC); `data` are the fields of the type's schema.
    """

    TOPIC: ClassVar[str]
    KIND: ClassVar[str]
    ID_FIELD: ClassVar[str]
    RANK: ClassVar[int] = 50
    STREAM: ClassVar[type[Stream]] = Stream

    originator_id: str
    originator_version: int
    timestamp: datetime
    customer_id: str | None
    data: Mapping[str, Any]

    @classmethod
    def stream_id(cls, data: Any) -> str:
        """The id of the stream that an event with this data belongs to."""
        return f"{cls.KIND}:{data[cls.ID_FIELD]}"

    @classmethod
    def rank(cls, data: Any) -> int:  # noqa: ARG003 - touchpoints rank by their direction
        """Place among events of one instant, lower first."""
        return cls.RANK

    def supplies(self) -> str | None:
        """The name of what facts may have waited for and this one brings, if it brings anything."""
        return None

    def check(self, stream: Stream | None) -> None:
        """Raise `Refused` or `NotYet` if this fact may not follow what `stream` holds.

        Raises nothing for bad service: that is recorded, and judged by the read models.
        """

    def mutate(self, aggregate: AnyStream | None) -> AnyStream | None:
        """Evolve the stream by this fact; the first fact makes the stream."""
        if aggregate is None:
            stream = self.STREAM.resumed(
                self.originator_id, self.originator_version, self.timestamp, self.customer_id
            )
            self.apply(stream)
            return cast(AnyStream, stream)
        return super().mutate(aggregate)


class Opens(Fact):
    """The first fact of its stream: nothing else of it may be recorded before."""

    RANK = 10

    def supplies(self) -> str | None:
        return self.originator_id

    def check(self, stream: Stream | None) -> None:
        if stream is not None:
            raise AlreadyOpened(
                f"{self.originator_id} exists already, opened by another event; "
                "an id names one thing in the whole organisation, so use a new one",
                path=f"data.{self.ID_FIELD}",
            )


class Follows(Fact):
    """A later fact of a stream: parked until the stream is opened."""

    NOT_OPENED: ClassVar[type[NotYet]]

    def check(self, stream: Stream | None) -> None:
        if stream is None:
            raise self.NOT_OPENED(
                f"{self.originator_id} is not known yet; this event waits for it",
                waits_for=self.originator_id,
            )
        if stream.customer_id != self.customer_id:
            raise WrongCustomer(
                f"{self.originator_id} belongs to another customer than the one named",
                path="data.customer_id",
            )
