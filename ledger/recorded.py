"""A recorded event, as far as a second one with the same source and id is compared with it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schemas import codec
from schemas.event import Event


class Recorded(NamedTuple):
    """What an event of the ledger says; `erased` if its personal part can be read no more."""

    position: int
    type: str
    occurred_at: datetime
    time_assumed: bool
    fingerprint: bytes
    facts: bytes
    personal: Mapping[str, Any] | None
    erased: bool

    def same_content(self, event: Event) -> bool:
        """Whether the event says the same. An assumed time, and what was erased, cannot differ."""
        return (
            self.type == event.type
            and (self.occurred_at == event.occurred_at or self.time_assumed or event.time_assumed)
            and (
                (self.fingerprint == event.fingerprint and self.facts == event.facts)
                or codec.decode(self.fingerprint, self.facts) == event.data
            )
            and (self.erased or self.personal == event.personal)
        )


def same_content(one: Event, other: Event) -> bool:
    """Whether two events of one source and id say the same."""
    return (
        one.type == other.type
        and (one.occurred_at == other.occurred_at or one.time_assumed or other.time_assumed)
        and one.data == other.data
        and one.personal == other.personal
    )
