"""A complaint that was recovered well, step by step, and how variants of it are judged."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from projections.business_time.hours import CalendarVersion, Shift
from projections.complaints.judging import Judgement, judge
from projections.complaints.model import step_of
from projections.policies.book import RuleBook
from projections.policies.rules import AuthorityLimit, Levels, ServiceLevel
from tests.projections.history import (
    Happened,
    as_recorded,
    at,
    happened,
)
from tests.projections.test_policies import level

LONG_AFTER = "2024-12-31"
NINE_TO_SIX = tuple(Shift(day, 9 * 60, 18 * 60) for day in range(1, 6))


def step(type_: str, when: str, **data: Any) -> Happened:
    return happened(f"complaint.{type_}.v1", when, complaint_id="K", **data)


# 2024-03-01 is a Friday.
RAISED = step("raised", "2024-03-01 09:00", channel="mail", severity="high")
RECEIPT = step("acknowledged", "2024-03-01 09:01", handled_by="system")
ACKNOWLEDGED = step("acknowledged", "2024-03-01 12:00")
APOLOGIZED = step("apologized", "2024-03-01 15:00", admits_fault=True)
OFFERED = step(
    "amends_offered",
    "2024-03-02 10:00",
    amends_id="A1",
    kind="refund",
    value=Decimal(40),
    currency="EUR",
    role="agent",
)
ACCEPTED = step("amends_answered", "2024-03-02 12:00", amends_id="A1", accepted=True)
REFUSED = step("amends_answered", "2024-03-02 12:00", amends_id="A1", accepted=False)
DELIVERED = step("amends_delivered", "2024-03-03 12:00", amends_id="A1")
DECIDED = step("decided", "2024-03-03 13:00", decision="upheld", communicated=True)
CLOSED = step("closed", "2024-03-04 09:00", outcome="upheld")
PLANNED = step(
    "prevention_planned", "2024-03-20", root_cause="stock", origin="policy", measure="a list"
)
WELL_DONE = [
    RAISED,
    RECEIPT,
    ACKNOWLEDGED,
    APOLOGIZED,
    OFFERED,
    ACCEPTED,
    DELIVERED,
    DECIDED,
    CLOSED,
    PLANNED,
]
LIMIT = AuthorityLimit("limit", at("2024-01-01"), at("2024-01-01"), "agent", Decimal(50), "EUR")
IN_DOLLARS = LIMIT._replace(
    event_id="limit in dollars", valid_from=at("2024-02-01"), currency="USD"
)


def target(metric: str, hours: float, **said: Any) -> ServiceLevel:
    told = {"service_level_id": metric, "metric": metric, "target_seconds": hours * 3600} | said
    return level("2024-01-01", "2024-01-01", event_id=f"level {metric}", **told)


def judged(
    history: Sequence[Happened],
    as_of: str = LONG_AFTER,
    *levels: ServiceLevel,
    tier: str | None = None,
    holidays: Sequence[date] = (),
    limits: Sequence[AuthorityLimit] = (LIMIT,),
) -> Judgement:
    office = CalendarVersion(
        "office",
        at("2024-01-01"),
        at("2024-01-01"),
        "UTC",
        NINE_TO_SIX,
        frozenset(holidays),
    )
    book = RuleBook(
        Levels(levels),
        limits,
        {"office": (office,)},
        since=at("2024-03-01"),
        until=at(as_of),
    )
    steps = [step_of(event) for event in as_recorded(history)]
    found = judge(reversed(steps), book, tier=tier, as_of=at(as_of))
    assert found is not None
    assert found == judge(steps, book, tier=tier, as_of=at(as_of))
    return found


def state(rule: str, history: Sequence[Happened], *how: Any, **named: Any) -> str:
    return judged(history, *how, **named).rules[rule].state


def without(*left_out: Happened) -> list[Happened]:
    return [event for event in WELL_DONE if event not in left_out]
