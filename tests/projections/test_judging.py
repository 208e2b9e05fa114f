"""Complaints judged by the 4A: given these steps, as of this instant, the rules stand like this."""

import itertools
from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.complaints.judging import RULES, judge
from projections.complaints.model import step_of
from projections.policies.book import RuleBook
from projections.policies.rules import Levels
from projections.queries import complaint, complaints, snapshot
from tests.projections.complaining import (
    ACKNOWLEDGED,
    CLOSED,
    LONG_AFTER,
    OFFERED,
    RAISED,
    RECEIPT,
    WELL_DONE,
    judged,
    state,
    step,
    target,
    without,
)
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
