"""Who looked goes on record before they see anything."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request

from ledger.access import Access, Actor, access_recorded, check_recorded
from schemas.checks import check_identifier
from web.access import OPERATOR, Caller, caller_of
from web.committer import Closed, GroupCommitter, QueueFull
from web.problems import Problem, bad_parameter


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


def decided_by(request: Request, by: str | None) -> str:
    """Who decided what a caller asks for, `by` being what they say of it. A caller who is known
    stands before it, so that nobody can be named without whoever named them.

    Raises Problem where no event can have both.
    """
    who = whoever_calls(request).who
    if by is None or by == who:
        return who
    if caller_of(request) is None:
        return by
    both = f"{who}, for {by}"
    try:
        check_identifier(both)
    except ValueError as error:
        raise bad_parameter("by", f"it is recorded with your own name, and {error}") from None
    return both
