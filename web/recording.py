"""Who looked goes on record before they see anything."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request

from ledger.access import Access, Actor, access_recorded, check_recorded
from web.access import OPERATOR, Caller, caller_of
from web.committer import Closed, GroupCommitter, QueueFull
from web.problems import Problem


class Record(Protocol):
    """Puts on record what a caller is about to see; nothing may be answered if it raises."""

    def __call__(self, request: Request, access: Access | None) -> None:
        """Does nothing for what shows nothing of persons, or where nobody has to say who they are.

        Raises Problem, and the errors of `eventsourcing.persistence`.
        """


def recorder(committer: GroupCommitter) -> Record:
    """Records by a committer of events of our own: readers who come together share commits."""

    def record(request: Request, access: Access | None) -> None:
        caller = caller_of(request)
        if access is None or caller is None:
            return
        try:
            receipts = committer.submit([access_recorded(actor_of(caller), access)])
        except (QueueFull, Closed):
            raise Problem(
                503,
                "too-many-waiting",
                "Too many readers wait for the database",
                "that you looked could not be put on record; ask again in a while",
                headers={"Retry-After": "1"},
            ) from None
        check_recorded(receipts.result())

    return record


def actor_of(caller: Caller) -> Actor:
    """The caller as they go on record."""
    role = "operator" if caller is OPERATOR else ", ".join(sorted(caller.roles))
    return Actor(caller.who, "http", role, caller.token_id)


def whoever_calls(request: Request) -> Actor:
    """Who asks for something to be done; where nobody has to say who they are, their address."""
    caller = caller_of(request)
    if caller is not None:
        return actor_of(caller)
    return Actor(f"http:{request.client.host}" if request.client else "http", "http")
