"""What checking the whole ledger finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

_MOST_FAULTS = 100


class Fault(NamedTuple):
    """Something that is not as it was sealed. `position`: of the first event concerned, if any."""

    position: int | None
    what: str


@dataclass
class Found:
    """What was checked, and what is wrong. `sealed` of the `events` are under a checkpoint.

    `compared` is how many checkpoints from outside the database were compared.
    """

    events: int = 0
    sealed: int = 0
    customers: int = 0
    checkpoints: int = 0
    compared: int = 0
    register: int = 0
    faults: list[Fault] = field(default_factory=list)

    def fault(self, position: int | None, what: str) -> None:
        """Note one; what comes after the first hundred nobody reads."""
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(Fault(position, what))

    @property
    def first_position(self) -> int | None:
        """The first position at which something is wrong, None if no fault has a position."""
        return min((each.position for each in self.faults if each.position), default=None)
