"""A request to the back office and its answers in, one row out. Pure, blind to their order."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, cast

REQUESTED = "support.requested.v1"
ANSWERED = "support.answered.v1"


class SupportFact(NamedTuple):
    """A row of table `support_facts`: one event about a request."""

    event_id: str
    request_id: str
    customer_id: str
    type: str
    occurred_at: datetime
    rank: int
    kind: str | None
    complaint_id: str | None
    promise_id: str | None
    case_id: str | None
    channel: str | None
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    employee_id: str | None
    fulfilled: bool | None


class Request(NamedTuple):
    """A row of table `support_requests`."""

    request_id: str
    customer_id: str
    kind: str
    requested_at: datetime
    requested_by: str
    answered_at: datetime | None
    answered_by: str | None
    fulfilled_at: datetime | None
    fulfilled_by: str | None
    complaint_id: str | None
    promise_id: str | None
    case_id: str | None
    channel: str | None
    topic: str | None
    product: str | None
    team: str | None
    department: str | None
    employee_id: str | None


def fold(facts: Iterable[SupportFact]) -> list[Request]:
    """The row of one request; none while only answers to it are known.

    An answer that a clock put before the request answered it at once.
    """
    ordered = sorted(facts, key=lambda fact: (fact.occurred_at, fact.rank, fact.event_id))
    asked = next((fact for fact in ordered if fact.type == REQUESTED), None)
    if asked is None:
        return []
    answers = [fact for fact in ordered if fact.type == ANSWERED]
    first = answers[0] if answers else None
    done = next((fact for fact in answers if fact.fulfilled), None)
    return [
        Request(
            asked.request_id,
            asked.customer_id,
            cast(str, asked.kind),
            asked.occurred_at,
            asked.event_id,
            max(first.occurred_at, asked.occurred_at) if first else None,
            first.event_id if first else None,
            max(done.occurred_at, asked.occurred_at) if done else None,
            done.event_id if done else None,
            asked.complaint_id,
            asked.promise_id,
            asked.case_id,
            asked.channel,
            asked.topic,
            asked.product,
            asked.team,
            asked.department,
            asked.employee_id,
        )
    ]
