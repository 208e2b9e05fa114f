"""How facts of a stream that came too early are put in order once what they wait for is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from domain.facts import Fact, NotYet, Refused, Stream


class Pending(Protocol):
    """Something that becomes a fact of the stream as soon as it may."""

    def fact(self, version: int) -> Fact:
        """The fact, as the stream's event number `version`."""


P = TypeVar("P", bound=Pending)


class QueuedBehind(NotYet):
    """An earlier event of the same thing waits, so this one waits behind it."""

    code: ClassVar[str] = "queued_behind"


@dataclass(frozen=True)
class Settlement(Generic[P]):
    """What became of a queue, and the stream as it is afterwards."""

    stream: Stream | None
    appended: list[tuple[P, Fact]]
    refused: list[tuple[P, Refused]]
    waiting: list[tuple[P, NotYet]]


def next_version(stream: Stream | None) -> int:
    """The number of the event that would come next in the stream, from 1."""
    return 1 if stream is None else stream.version + 1


def settle(stream: Stream | None, queue: Sequence[P]) -> Settlement[P]:
    """Append from the queue, in its order, whatever may be appended.

    The first that has to wait stops all behind it; only what it waits for is taken before it.
    """
    settlement: Settlement[P] = Settlement(stream, [], [], [])
    waiting = list(queue)
    while waiting:
        fact = waiting[0].fact(next_version(stream))
        try:
            fact.check(stream)
        except Refused as refused:
            settlement.refused.append((waiting.pop(0), refused))
        except NotYet as missing:
            supplier = _supplier(waiting, missing.waits_for)
            if supplier is None:
                settlement.waiting.extend(_waiting(waiting, missing))
                break
            waiting.insert(0, waiting.pop(supplier))
        else:
            stream = fact.mutate(stream)
            settlement.appended.append((waiting.pop(0), fact))
    return Settlement(stream, settlement.appended, settlement.refused, settlement.waiting)


def queued_behind(stream_id: str, waits_for: str) -> QueuedBehind:
    """The reason why an event waits behind an earlier one that waits for `waits_for`."""
    return QueuedBehind(
        f"an earlier event of {stream_id} waits for {waits_for}; this one waits behind it",
        waits_for=waits_for,
    )


def _supplier(waiting: Sequence[Pending], missing: str) -> int | None:
    for index, candidate in enumerate(waiting):
        if candidate.fact(1).supplies() == missing:
            return index
    return None


def _waiting(waiting: Sequence[P], missing: NotYet) -> list[tuple[P, NotYet]]:
    first, *behind = waiting
    stream_id = first.fact(1).originator_id
    return [(first, missing)] + [
        (candidate, queued_behind(stream_id, missing.waits_for)) for candidate in behind
    ]
