"""Positions of those who deliver events, moved in the transaction of what they deliver.

A consumer that was paused for so long that another one took over must not write any more. So a
consumer claims a position before it reads on from there, and moves it with a compare-and-set on
its claim and on where it left the position itself. A claim waits for the batch that the former
owner is about to commit, and every later batch of that owner is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from eventsourcing.persistence import IntegrityError, Tracking

from ledger.datastore import Datastore, PgCursor
from ledger.recorders import insert_tracking
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("positions.sql"))


class PositionTaken(IntegrityError):
    """Somebody else has claimed or moved the position since. Nothing of the batch was taken: drop
    it, claim anew if the position is still yours, and read on from there.
    """


@dataclass(frozen=True)
class Claim:
    """The right to move a position on, until somebody else claims it."""

    name: str
    number: int
    position: int

    def to(self, position: int) -> "Advance":
        """The move from here to a later position."""
        return Advance(self.name, position, after=self.position, claim=self.number)

    def moved(self, position: int) -> "Claim":
        """The same claim, after that move was committed."""
        return replace(self, position=position)


@dataclass(frozen=True)
class Advance(Tracking):
    """A position that is moved by whoever holds the claim, and from where the holder left it."""

    after: int
    claim: int


def claim(datastore: Datastore, names: Iterable[str]) -> dict[str, Claim]:
    """Claim the positions, by name. One that does not exist yet is made at 0."""
    claims = {}
    with datastore.transaction() as cursor:
        for name in sorted(names):  # in one order: two who claim the same never wait for each other
            cursor.execute(_SQL["claim"], {"application_name": name})
            position, number = cursor.fetchone() or (0, 0)
            claims[name] = Claim(name, number, position)
    return claims


def move(cursor: PgCursor, trackings: Iterable[Tracking]) -> None:
    """Move the positions on, in the caller's transaction.

    Raises `PositionTaken` for a claimed position that is not the caller's any more, and
    `eventsourcing.persistence.IntegrityError` for an unclaimed one that was passed already.
    """
    for tracking in sorted(trackings, key=lambda tracking: tracking.application_name):
        if not isinstance(tracking, Advance):
            insert_tracking(cursor, tracking)
            continue
        cursor.execute(_SQL["advance"], vars(tracking))
        if cursor.rowcount != 1:
            raise PositionTaken(f"{tracking.application_name} was claimed by another one since")


def positions(cursor: PgCursor, prefix: str) -> dict[str, int]:
    """All positions whose name starts with `prefix`, by name."""
    cursor.execute(_SQL["positions"], {"prefix": prefix})
    return dict(cursor.fetchall())
