"""The rules of the 4A, one by one."""

from decimal import Decimal
from typing import Any

import pytest

from tests.projections.complaining import (
    ACCEPTED,
    ACKNOWLEDGED,
    APOLOGIZED,
    CLOSED,
    DECIDED,
    DELIVERED,
    IN_DOLLARS,
    LIMIT,
    LONG_AFTER,
    OFFERED,
    PLANNED,
    RAISED,
    RECEIPT,
    REFUSED,
    WELL_DONE,
    judged,
    state,
    step,
    target,
    without,
)
from tests.projections.history import (
    Happened,
    event_id,
)


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
