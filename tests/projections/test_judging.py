"""Complaints judged by the 4A: given these steps, as of this instant, the rules stand like this."""

import itertools
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.business_time.hours import CalendarVersion, Shift
from projections.complaints.judging import RULES, Judgement, judge
from projections.complaints.model import step_of
from projections.policies.book import RuleBook
from projections.policies.rules import AuthorityLimit, Levels, ServiceLevel
from projections.queries import complaint, complaints, snapshot
from tests.projections.history import (
    Happened,
    as_recorded,
    at,
    event_id,
    happened,
    project,
    tell,
)
from tests.projections.history import runner as prepared_runner
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


def test_a_complaint_recovered_well_conforms() -> None:
    found = judged(WELL_DONE)
    assert (found.verdict, found.fitness) == ("conforming", 1.0)
    assert tuple(found.rules) == RULES
    states = {name: ruling.state for name, ruling in found.rules.items()}
    # No target for the resolution was agreed, so none was passed.
    assert states == dict.fromkeys(RULES, "satisfied") | {"explained": "not_applicable"}
    assert found.rules["acknowledged"].events == (event_id(ACKNOWLEDGED),)
    assert found.rules["amends_authorized"].events == (event_id(OFFERED), "limit")


def test_nothing_is_decided_when_it_was_just_raised() -> None:
    found = judged([RAISED], "2024-03-01 09:00", target("acknowledge", 24))
    assert (found.verdict, found.fitness) == ("open", None)
    assert {ruling.state for ruling in found.rules.values()} == {"pending", "not_applicable"}


def test_before_it_was_raised_there_is_no_judgement() -> None:
    book = RuleBook(Levels([]), [], {}, since=at("2024-03-01"), until=at("2024-03-01"))
    steps = [step_of(event) for event in as_recorded(WELL_DONE)]
    assert judge(steps, book, tier=None, as_of=at("2024-02-01")) is None


def test_a_deadline_passes_at_its_instant_and_by_time_alone() -> None:
    one_day = target("acknowledge", 24)
    assert state("acknowledged", [RAISED, RECEIPT], "2024-03-02 09:00", one_day) == "pending"
    passed = judged([RAISED, RECEIPT], "2024-03-02 09:00:00.000001", one_day)
    assert passed.rules["acknowledged"].state == "violated"
    assert passed.rules["acknowledged"].events == (event_id(RAISED), "level acknowledge")
    assert (passed.verdict, passed.fitness) == ("deviating", 0.0)


def test_acknowledged_by_a_person_within_the_target() -> None:
    for hours, expected in ((3, "satisfied"), (2.99, "violated")):
        assert state("acknowledged", WELL_DONE, LONG_AFTER, target("acknowledge", hours)) == (
            expected
        )
    assert state("acknowledged", without(ACKNOWLEDGED)) == "violated"
    assert state("acknowledged", without(ACKNOWLEDGED), "2024-03-02") == "pending"


def test_the_level_is_that_of_the_tier_and_severity() -> None:
    levels = [
        target("acknowledge", 1, service_level_id="gold", tier="gold"),
        target("acknowledge", 24, service_level_id="all"),
    ]
    assert state("acknowledged", WELL_DONE, LONG_AFTER, *levels) == "satisfied"
    assert state("acknowledged", WELL_DONE, LONG_AFTER, *levels, tier="gold") == "violated"


def test_the_clock_of_a_regulated_complaint_does_not_know_the_tier() -> None:
    levels = [
        target("acknowledge", 1, service_level_id="all"),
        target("acknowledge", 24, service_level_id="last", tier="negative"),
    ]
    regulated = step("raised", "2024-03-01 09:00", channel="mail", jurisdiction="NL")
    for raised, expected in ((RAISED, "satisfied"), (regulated, "violated")):
        history = [raised, ACKNOWLEDGED]
        assert state("acknowledged", history, LONG_AFTER, *levels, tier="negative") == expected


def test_without_a_target_the_first_closing_is_the_deadline_and_stays_it() -> None:
    faulty = step("raised", "2024-03-01 09:00", channel="mail", fault_found=True)
    late = [
        step("acknowledged", "2024-04-10", handled_by="human"),
        step("apologized", "2024-04-11", admits_fault=True),
    ]
    reopened = step("reopened", "2024-03-06")
    for closed, after in itertools.product(
        (CLOSED, step("closed", "2024-03-04 09:00", outcome="rejected")),
        ([], late, [reopened], [reopened, *late]),
    ):
        for rule in ("acknowledged", "apologized"):
            found = judged([faulty, closed, *after]).rules[rule]
            assert (found.state, event_id(closed) in found.events) == ("violated", True)
    # At the instant of the closing it is still in time.
    at_closing = step("acknowledged", "2024-03-04 09:00", handled_by="human")
    assert state("acknowledged", [RAISED, at_closing, CLOSED]) == "satisfied"


def test_an_apology_is_due_at_the_first_closing_after_it_came_to_be_needed() -> None:
    rejected = step("closed", "2024-03-02", outcome="rejected")
    again = [RAISED, ACKNOWLEDGED, rejected, step("reopened", "2024-03-03"), CLOSED]
    apologized = step("apologized", "2024-03-03 12:00", admits_fault=True)
    assert state("apologized", [*again, apologized]) == "satisfied"
    assert state("apologized", again) == "violated"
    assert state("apologized", again, "2024-03-02") == "not_applicable"
    # Upheld, closed without one, and rejected after it was opened again: it had been owed.
    undone = [step("reopened", "2024-03-05"), step("closed", "2024-03-06", outcome="rejected")]
    assert state("apologized", [RAISED, ACKNOWLEDGED, CLOSED, *undone]) == "violated"


def hours_after(hours: int) -> str:
    """That many hours after it was raised."""
    return f"{RAISED.occurred_at + timedelta(hours=hours):%Y-%m-%d %H:%M}"


HEALED_BY_DOING_IT = {"amends_delivered", "anticipated"}
happenings = st.lists(
    st.builds(
        lambda hours, what: step(what[0], hours_after(hours), **what[1]),
        st.integers(0, 30),
        st.sampled_from(
            [
                ("acknowledged", {"handled_by": "human"}),
                ("apologized", {"admits_fault": True}),
                ("apologized", {"admits_fault": False}),
                ("amends_delivered", {"amends_id": "A1"}),
                ("amends_answered", {"amends_id": "A1", "accepted": True}),
                ("prevention_planned", {"root_cause": "x", "origin": "policy", "measure": "y"}),
                ("decided", {"decision": "rejected", "communicated": True}),
                ("decided", {"decision": "rejected", "communicated": False}),
                ("explained", {"reason": "parts"}),
                ("closed", {"outcome": "upheld"}),
                ("closed", {"outcome": "rejected"}),
                ("closed", {"outcome": "withdrawn"}),
                ("reopened", {}),
            ]
        ),
    ),
    max_size=9,
)


@given(happenings, st.booleans())
def test_what_was_violated_stays_violated_whatever_follows(
    taken: list[Happened], agreed: bool
) -> None:
    """Reopened, closed again, done after all. But for what has a later deadline each time."""
    levels = [target("acknowledge", 5), target("apologize", 9), target("resolution", 12)]
    violated: set[str] = set()
    for hours in range(32):
        rules = judged([RAISED, *taken], hours_after(hours), *(levels if agreed else ())).rules
        now = {name for name, ruling in rules.items() if ruling.state == "violated"}
        assert violated <= now
        violated = now - HEALED_BY_DOING_IT


def test_a_target_in_business_time() -> None:
    """Raised on a Friday at 16:00, acknowledged on Monday at 10:00: three hours of work."""
    raised = step("raised", "2024-03-01 16:00", channel="mail")
    done = step("acknowledged", "2024-03-04 10:00")
    office = {"clock": "business", "calendar_id": "office"}
    for hours, expected in ((3, "satisfied"), (2.9, "violated")):
        level_ = target("acknowledge", hours, **office)
        assert state("acknowledged", [raised, done], LONG_AFTER, level_) == expected
    # With a holiday on Monday it was acknowledged before work began again.
    level_ = target("acknowledge", 2, **office)
    held = {"holidays": [date(2024, 3, 4)]}
    assert state("acknowledged", [raised, done], LONG_AFTER, level_, **held) == "satisfied"
    unknown = target("acknowledge", 1, clock="business", calendar_id="nowhere")
    assert state("acknowledged", [raised, done], LONG_AFTER, unknown) == "satisfied"


@pytest.mark.parametrize(
    ("history", "as_of", "expected"),
    [
        ([RAISED], "2024-03-02", "pending"),
        ([RAISED, ACKNOWLEDGED, APOLOGIZED], "2024-03-02", "satisfied"),
        # Nobody is at fault, or it is not known.
        ([RAISED, step("apologized", "2024-03-02", admits_fault=False)], LONG_AFTER, "pending"),
        (
            [RAISED, step("decided", "2024-03-02", decision="rejected", communicated=True)],
            LONG_AFTER,
            "not_applicable",
        ),
        ([RAISED, step("closed", "2024-03-02", outcome="withdrawn")], LONG_AFTER, "not_applicable"),
        # Before a person had acknowledged it.
        ([RAISED, APOLOGIZED], "2024-03-02", "violated"),
        ([RAISED, RECEIPT, step("apologized", "2024-03-01 10:00", admits_fault=True), ACKNOWLEDGED],
         LONG_AFTER, "violated"),
        (without(APOLOGIZED), LONG_AFTER, "violated"),
        (without(APOLOGIZED), "2024-03-03 23:00", "pending"),
        ([step("raised", "2024-03-01", channel="mail", fault_found=True),
          step("closed", "2024-03-02", outcome="rejected")], LONG_AFTER, "violated"),
    ],
)  # fmt: skip
def test_apologized(history: list[Happened], as_of: str, expected: str) -> None:
    assert state("apologized", history, as_of) == expected


def test_apologized_within_the_target() -> None:
    assert state("apologized", WELL_DONE, LONG_AFTER, target("apologize", 6)) == "satisfied"
    assert state("apologized", WELL_DONE, LONG_AFTER, target("apologize", 5.9)) == "violated"
    late = target("apologize", 1)
    assert state("apologized", without(APOLOGIZED), "2024-03-04 12:00", late) == "violated"


def test_amends_are_not_delivered_before_the_customer_accepted_them() -> None:
    early = step("amends_delivered", "2024-03-02 11:00", amends_id="A1")
    assert state("amends_consented", [*without(DELIVERED), early]) == "violated"
    refused = [*without(ACCEPTED), REFUSED]
    assert state("amends_consented", refused) == "violated"
    assert state("amends_consented", WELL_DONE, "2024-03-03 12:30") == "pending"
    assert state("amends_consented", without(DELIVERED)) == "not_applicable"


def test_no_offer_above_the_limit_unless_escalated_before() -> None:
    dear = step(
        "amends_offered",
        "2024-03-02 10:00",
        amends_id="A1",
        kind="refund",
        value=Decimal("50.01"),
        currency="EUR",
        role="agent",
    )
    before = step("escalated", "2024-03-02 09:00", reason="over_authority")
    after = step("escalated", "2024-03-02 11:00", reason="over_authority")
    history = [*without(OFFERED), dear]
    assert judged(history).rules["amends_authorized"] == (
        "violated",
        (event_id(dear), "limit"),
    )
    assert state("amends_authorized", [*history, after], "2024-03-03") == "violated"
    assert state("amends_authorized", [*history, before]) == "satisfied"
    assert state("amends_authorized", [*history, before], "2024-03-03") == "pending"
    assert state("amends_authorized", without(OFFERED, ACCEPTED, DELIVERED)) == "not_applicable"


def test_limits_in_several_currencies_stand_beside_each_other() -> None:
    def offered(value: int, **said: Any) -> Happened:
        told = {"amends_id": f"A{value}", "kind": "refund", "value": Decimal(value)}
        return step("amends_offered", "2024-03-02 10:00", **told, **{"role": "agent"} | said)

    euros, dear = offered(40, currency="EUR"), offered(51, currency="EUR")
    dollars, pounds = offered(45, currency="USD"), offered(46, currency="GBP")
    both = {"limits": [LIMIT, IN_DOLLARS]}

    def found(*offers: Happened, **how: Any) -> str:
        return state("amends_authorized", [RAISED, *offers, CLOSED], **both, **how)

    assert found(euros, dollars) == "satisfied"
    assert found(dear, dollars) == "violated"
    # Of these nobody can say that they were within a limit, nor then that all were.
    for unknown in (pounds, offered(1), offered(2, currency="EUR", role="nobody")):
        assert found(euros, unknown) == "not_applicable"
        assert found(euros, unknown, as_of="2024-03-03") == "pending"
        assert found(dear, unknown) == "violated"
    escalated = step("escalated", "2024-03-02 09:00", reason="over_authority")
    assert found(escalated, euros, pounds) == "satisfied"


def test_what_was_accepted_is_delivered() -> None:
    assert state("amends_delivered", without(DELIVERED), "2024-03-03") == "pending"
    assert state("amends_delivered", without(DELIVERED)) == "violated"
    late = step("amends_delivered", "2024-04-03", amends_id="A1")
    assert state("amends_delivered", [*without(DELIVERED), late]) == "satisfied"
    refused = [*without(ACCEPTED, DELIVERED), REFUSED]
    assert state("amends_delivered", refused) == "not_applicable"


def test_a_prevention_is_planned_within_thirty_days_of_closing() -> None:
    def planned(when: str) -> list[Happened]:
        return [*without(PLANNED), step("prevention_planned", when, **_CAUSE)]

    assert state("anticipated", planned("2024-04-03 09:00")) == "satisfied"
    assert state("anticipated", planned("2024-04-03 09:01")) == "violated"
    assert state("anticipated", without(PLANNED), "2024-04-03 09:00") == "pending"
    assert state("anticipated", without(PLANNED), "2024-04-03 09:01") == "violated"
    rejected = step("closed", "2024-03-04 09:00", outcome="rejected")
    assert state("anticipated", [RAISED, rejected]) == "not_applicable"
    assert state("anticipated", [RAISED]) == "pending"


_CAUSE = {"root_cause": "stock", "origin": "policy", "measure": "a list"}


def test_the_four_come_in_order() -> None:
    early_plan = step("prevention_planned", "2024-03-01 10:00", **_CAUSE)
    found = judged([*without(PLANNED), early_plan], "2024-03-01 11:00").rules["order"]
    assert found == ("pending", ())
    found = judged([*without(PLANNED), early_plan]).rules["order"]
    assert found.state == "violated"
    assert event_id(early_plan) in found.events
    closed = step("closed", "2024-03-04 09:00", outcome="rejected")
    assert state("order", [RAISED, ACKNOWLEDGED, closed]) == "not_applicable"


def test_one_stop() -> None:
    seen = step(
        "handed_over", "2024-03-02", from_employee="E1", to_employee="E2", customer_visible=True
    )
    unseen = step(
        "handed_over", "2024-03-02", from_employee="E1", to_employee="E2", customer_visible=False
    )
    assert state("one_stop", [*WELL_DONE, seen]) == "violated"
    assert state("one_stop", [*WELL_DONE, unseen]) == "satisfied"
    assert state("one_stop", [*WELL_DONE, step("restated", "2024-03-03")]) == "violated"


def test_whoever_waits_longer_than_agreed_is_told_why_before() -> None:
    two_days = target("resolution", 48)
    assert state("explained", WELL_DONE, "2024-03-03 09:00", two_days) == "pending"
    assert state("explained", WELL_DONE, LONG_AFTER, two_days) == "violated"
    told = [*WELL_DONE, step("explained", "2024-03-03 08:00", reason="parts")]
    assert state("explained", told, LONG_AFTER, two_days) == "satisfied"
    told = [*WELL_DONE, step("explained", "2024-03-03 09:01", reason="parts")]
    assert state("explained", told, LONG_AFTER, two_days) == "violated"
    assert state("explained", WELL_DONE, LONG_AFTER, target("resolution", 72)) == "not_applicable"
    reopened = [*WELL_DONE, step("reopened", "2024-03-05")]
    assert state("explained", reopened, LONG_AFTER, target("resolution", 240)) == "violated"


def test_the_decision_is_told_before_closing() -> None:
    silent = step("decided", "2024-03-03 13:00", decision="upheld", communicated=False)
    assert state("decision_communicated", [*without(DECIDED), silent]) == "violated"
    told = step("decided", "2024-03-05", decision="upheld", communicated=True)
    assert state("decision_communicated", [*without(DECIDED), told]) == "violated"
    withdrawn = step("closed", "2024-03-02", outcome="withdrawn")
    assert state("decision_communicated", [RAISED, withdrawn]) == "not_applicable"
    assert state("decision_communicated", WELL_DONE, "2024-03-04 08:59") == "pending"


def test_every_closing_needs_the_decision_told_before_it() -> None:
    told = [
        step("reopened", "2024-03-05"),
        step("decided", "2024-03-06", decision="upheld", communicated=True),
        step("closed", "2024-03-07", outcome="upheld"),
    ]
    found = judged([RAISED, CLOSED, *told]).rules["decision_communicated"]
    assert found == ("violated", (event_id(CLOSED),))
    assert state("decision_communicated", [RAISED, CLOSED, *told[:1]]) == "violated"
    assert state("decision_communicated", [*without(PLANNED), *told]) == "satisfied"
    assert state("decision_communicated", [*without(PLANNED), *told[:1]]) == "pending"


def test_listed_complaints_are_judged(datastore: Datastore) -> None:
    published = happened(
        "service_level.published.v1",
        "2024-01-01",
        service_level_id="gold",
        metric="acknowledge",
        tier="most_valuable",
        target_seconds=3600,
        clock="calendar",
        valid_from="2024-01-01",
    )
    tiered = happened("customer.tiered.v1", "2024-02-01", tier="most_valuable")
    demoted = happened("customer.tiered.v1", "2024-03-02", tier="negative")
    project(datastore, [*WELL_DONE, demoted, tiered, published])

    def row(as_of: str) -> dict[str, Any]:
        with snapshot(datastore) as cursor:
            (listed,) = complaints(cursor, as_of=at(as_of)).rows
            (alone,) = complaint(cursor, "K", as_of=at(as_of)).rows
        judgement = ("verdict", "fitness", "rules")
        assert [listed[name] for name in judgement] == [alone[name] for name in judgement]
        return listed

    late = row(LONG_AFTER)
    assert (late["verdict"], late["rules"]["acknowledged"]) == (
        "deviating",
        {"state": "violated", "events": [event_id(ACKNOWLEDGED), event_id(published)]},
    )
    # No limit of anyone's authority was published.
    assert late["rules"]["amends_authorized"]["state"] == "not_applicable"
    assert late["fitness"] == 7 / 8
    assert (row("2024-03-01 10:00")["verdict"], row("2024-03-01 10:01")["verdict"]) == (
        "open",
        "deviating",
    )


def test_a_level_published_later_changes_no_earlier_verdict(datastore: Datastore) -> None:
    def published(seconds: int, valid_from: str, when: str | None = None) -> Happened:
        return happened(
            "service_level.published.v1",
            when or valid_from,
            service_level_id="all",
            metric="acknowledge",
            target_seconds=seconds,
            clock="calendar",
            valid_from=valid_from,
        )

    def verdict(as_of: str = LONG_AFTER) -> Any:
        prepared_runner(datastore).catch_up()
        with snapshot(datastore) as cursor:
            return complaints(cursor, as_of=at(as_of)).rows[0]["verdict"]

    project(datastore, [published(24 * 3600, "2024-01-01"), *WELL_DONE])
    before = verdict()
    tell(datastore, [published(1, "2024-03-01 09:01")])
    assert (before, verdict()) == ("conforming", "conforming")
    # Valid from before it was published: it counts as of then, and not as of any day before.
    tell(datastore, [published(60, "2024-03-01", when="2024-06-01")])
    assert (verdict("2024-05-31"), verdict("2024-06-01")) == ("conforming", "deviating")
