"""Positions of those who deliver events, moved in the transaction of what they deliver.

A consumer that was paused for so long that another one took over must not write any more. So a
consumer claims a position before it reads on from there, and moves it with a compare-and-set on
its claim and on where it left the position itself. A claim waits for the batch that the former
owner is about to commit, and every later batch of that owner is refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from eventsourcing.persistence import IntegrityError, OperationalError, Tracking
from psycopg2.errors import LockNotAvailable

from ledger.datastore import Datastore, PgCursor
from ledger.recorders import insert_tracking
from ledger.sql import named_queries

_SQL = named_queries(Path(__file__).with_name("positions.sql"))


class PositionTaken(IntegrityError):
    """Somebody else has claimed or moved the position since. Nothing of the batch was taken: drop
    it, claim anew if the position is still yours, and read on from there.
    """


class PositionHeld(OperationalError):
    """Somebody is about to move the position, for longer than was waited. Try again."""


@dataclass(frozen=True)
class Claim:
    """The right to move a position on, until somebody else claims it."""

    name: str
    number: int
    position: int
    leader_epoch: int | None = None
    """The epoch of Kafka's leader that wrote what stands before the position, as far as known."""

    def to(self, position: int, leader_epoch: int | None = None) -> "Advance":
        """The move from here to another position."""
        return Advance(
            self.name, position, after=self.position, claim=self.number, leader_epoch=leader_epoch
        )

    def moved(self, advance: "Advance") -> "Claim":
        """The same claim, after that move was committed."""
        return replace(self, position=advance.notification_id, leader_epoch=advance.leader_epoch)


@dataclass(frozen=True)
class Advance(Tracking):
    """A position that is moved by whoever holds the claim, and from where the holder left it."""

    after: int
    claim: int
    leader_epoch: int | None = None


def claim(
    datastore: Datastore, names: Iterable[str], *, lock_timeout_seconds: float | None = None
) -> dict[str, Claim]:
    """Claim the positions, by name. One that does not exist yet is made at 0.

    Whoever is about to move one of them is waited for: for `lock_timeout_seconds`, or as long as
    the datastore waits for locks. Raises `PositionHeld` after that.
    """
    claims = {}
    try:
        with datastore.transaction() as cursor:
            if lock_timeout_seconds is not None:
                timeout = f"{lock_timeout_seconds * 1000:.0f}"
                cursor.execute(_SQL["lock_timeout"], {"milliseconds": timeout})
            for name in sorted(names):  # in one order: nobody waits for each other
                cursor.execute(_SQL["claim"], {"application_name": name})
                claims[name] = Claim(name, *(cursor.fetchone() or (0, 0)))
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise PositionHeld(str(error)) from error
        raise
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
