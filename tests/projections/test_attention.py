"""What needs attention now: promises, customers who wait and complaints, in one order."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.complaints.case import case_of
from projections.complaints.deadlines import deadlines
from projections.complaints.judging import judge
from projections.complaints.model import step_of
from projections.policies.book import RuleBook
from projections.policies.rules import Levels
from projections.queries import UnknownKind, attention, snapshot
from tests.projections.complaining import (
    ACKNOWLEDGED,
    APOLOGIZED,
    CLOSED,
    DECIDED,
    OFFERED,
    PLANNED,
    RAISED,
    step,
    target,
)
from tests.projections.history import (
    Happened,
    as_recorded,
    at,
    event_id,
    happened,
    inbound,
    outbound,
    project,
)
from tests.projections.test_promise_quality import made, said_of

NOW = "2024-03-09 12:00"


def level(metric: str, seconds: float, **said: Any) -> Happened:
    told = {"service_level_id": f"{metric} {said}", "clock": "calendar"} | said
    return happened(
        "service_level.published.v1",
        "2024-01-01",
        metric=metric,
        target_seconds=float(seconds),
        valid_from="2024-01-01",
        **told,
    )


def tiered(customer_id: str, tier: str, when: str = "2024-02-01") -> Happened:
    return happened("customer.tiered.v1", when, customer_id=customer_id, tier=tier)


def due(datastore: Datastore, as_of: str = NOW, **how: Any) -> list[dict[str, Any]]:
    with snapshot(datastore) as cursor:
        return attention(cursor, as_of=at(as_of), **how).rows


def things(datastore: Datastore, *names: str, **how: Any) -> list[Any]:
    rows = due(datastore, **how)
    return [tuple(row[name] for name in names) if len(names) > 1 else row[names[0]] for row in rows]


def test_promises_due_soon_and_overdue(datastore: Datastore) -> None:
    history = [
        made("tomorrow", "2024-03-10 12:00", team="north", employee_id="E1", topic="boiler"),
        made("later", "2024-03-10 12:01"),
        made("overdue", "2024-03-09 11:00"),
        made("kept", "2024-03-09 11:00"),
        said_of("kept", "kept", "2024-03-09 10:00"),
        made("kept afterwards", "2024-03-09 13:00"),
        said_of("kept afterwards", "kept", "2024-03-09 12:30"),
    ]
    project(datastore, history)
    assert things(datastore, "thing_id", "seconds_left") == [
        ("overdue", -3600),
        ("kept afterwards", 3600),
        ("tomorrow", 86_400),
    ]
    assert due(datastore)[2] == {
        "priority": 5,
        "due_at": at("2024-03-10 12:00"),
        "kind": "promise",
        "thing_id": "tomorrow",
        "step": "keep",
        "customer_id": "Ada",
        "tier": None,
        "regulated": False,
        "channel": "mail",
        "topic": "boiler",
        "team": "north",
        "employee_id": "E1",
        "events": [event_id(history[0])],
        "seconds_left": 86_400,
    }
    assert things(datastore, "thing_id", horizon_seconds=0) == ["overdue"]
    assert things(datastore, "thing_id", past_seconds=3600)[0] == "overdue"
    assert "overdue" not in things(datastore, "thing_id", past_seconds=3599)
    assert "later" in things(datastore, "thing_id", horizon_seconds=86_460)
    assert things(datastore, "thing_id", channel="phone") == []


def test_customers_wait_against_the_service_level_that_ends_first(datastore: Datastore) -> None:
    first = level("first_response", 3600)
    following = level("next_reply", 7200)
    asked = inbound("2024-03-09 10:00", "A1", topic="boiler", team="north")
    again = inbound("2024-03-09 10:30", "B3", customer_id="Ben")
    history = [
        first,
        following,
        asked,
        inbound("2024-03-09 09:00", "B1", customer_id="Ben"),
        outbound("2024-03-09 09:10", "B2", customer_id="Ben"),
        again,
        inbound("2024-03-09 09:00", "C1", customer_id="Cleo"),
        outbound("2024-03-09 09:10", "C2", customer_id="Cleo"),
    ]
    project(datastore, history)
    assert things(datastore, "customer_id", "step", "seconds_left", "events") == [
        ("Ada", "first_response", -3600, [event_id(asked), event_id(first)]),
        ("Ben", "next_reply", 1800, [event_id(again), event_id(following)]),
    ]


def test_where_nothing_was_agreed_nobody_is_late(datastore: Datastore) -> None:
    project(datastore, [inbound("2024-03-01 10:00", "A1"), RAISED])
    assert due(datastore) == []


def test_business_time_runs_out_when_the_shop_is_open(datastore: Datastore) -> None:
    calendar = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone="UTC",
        weekly=[{"weekday": day, "from": "09:00", "to": "18:00"} for day in range(1, 6)],
        valid_from="2024-01-01",
    )
    agreed = level("next_reply", 2 * 3600, clock="business", calendar_id="office")
    # 2024-03-01 is a Friday.
    project(datastore, [calendar, agreed, inbound("2024-03-01 17:00", "A1")])
    (row,) = due(datastore, "2024-03-04 09:00")
    assert row["due_at"] == at("2024-03-04 10:00")
    assert due(datastore, "2024-03-03 09:00") == []


def test_over_new_year_the_calendar_goes_on(datastore: Datastore) -> None:
    calendar = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone="UTC",
        weekly=[{"weekday": day, "from": "09:00", "to": "18:00"} for day in range(1, 8)],
        valid_from="2024-01-01",
    )
    agreed = level("next_reply", 2 * 3600, clock="business", calendar_id="office")
    project(datastore, [calendar, agreed, inbound("2024-12-31 17:00", "A1")])
    (row,) = due(datastore, "2024-12-31 17:30")
    assert row["due_at"] == at("2025-01-01 10:00")


HOURS = 3600
ALL_LEVELS = [
    level("acknowledge", 24 * HOURS),
    level("apologize", 48 * HOURS),
    level("decide", 72 * HOURS),
    level("amend", 96 * HOURS),
    level("resolution", 120 * HOURS),
]


def test_steps_that_complaints_still_need(datastore: Datastore) -> None:
    # Raised on 2024-03-01 09:00, with the last deadline on 2024-03-06 09:00.
    worked_on = step("explained", "2024-03-02", reason="parts", team="north", employee_id="E1")
    project(datastore, [*ALL_LEVELS, RAISED, worked_on])
    assert things(datastore, "step", as_of="2024-03-05 09:00") == [
        "acknowledge",
        "decide",
        "resolution",
    ]
    row = due(datastore)[0]
    assert (row["team"], row["employee_id"], row["thing_id"]) == ("north", "E1", "K")
    assert row["events"] == [event_id(RAISED), event_id(ALL_LEVELS[0])]
    project(datastore, [ACKNOWLEDGED, DECIDED])
    # Upheld: an apology is needed, and amends.
    assert things(datastore, "step") == ["apologize", "amend", "resolution"]
    project(datastore, [APOLOGIZED, OFFERED])
    assert things(datastore, "step") == ["resolution"]
    project(datastore, [CLOSED])
    # Closed on 2024-03-04 09:00: a prevention is due within 30 days.
    assert things(datastore, "step") == []
    assert things(datastore, "step", "due_at", as_of="2024-04-03") == [
        ("anticipate", at("2024-04-03 09:00"))
    ]
    assert things(datastore, "step", as_of="2024-05-03") == ["anticipate"]
    project(datastore, [PLANNED])
    assert things(datastore, "step", as_of="2024-05-03") == []


def test_a_prevention_may_be_agreed_earlier(datastore: Datastore) -> None:
    project(datastore, [level("anticipate", 3600), RAISED, CLOSED])
    (row,) = due(datastore)
    assert (row["step"], row["due_at"]) == ("anticipate", at("2024-03-04 10:00"))


def test_by_tier_then_by_time_but_regulated_complaints_do_not_stand_back(
    datastore: Datastore,
) -> None:
    def complaint(name: str, customer: str, when: str, **data: Any) -> Happened:
        return happened(
            "complaint.raised.v1",
            when,
            complaint_id=name,
            customer_id=customer,
            channel="mail",
            **data,
        )

    history = [
        level("acknowledge", 3600),
        tiered("Gold", "most_valuable"),
        tiered("Silver", "most_growable"),
        tiered("Lead", "negative"),
        # The tier that counts is the one now.
        tiered("Late", "negative"),
        tiered("Late", "most_valuable", "2024-03-08"),
        made("gold", "2024-03-09 12:30", customer_id="Gold"),
        made("late", "2024-03-09 12:45", customer_id="Late"),
        made("silver", "2024-03-09 09:00", customer_id="Silver"),
        made("lead", "2024-03-09 08:00", customer_id="Lead"),
        made("nobody", "2024-03-09 07:00", customer_id="Nobody"),
        complaint("plain", "Lead", "2024-03-09 06:00"),
        complaint("regulated", "Lead", "2024-03-09 11:40", jurisdiction="NL"),
    ]
    project(datastore, history)
    assert things(datastore, "thing_id") == [
        "gold",
        "regulated",
        "late",
        "silver",
        "plain",
        "lead",
        "nobody",
    ]
    (regulated,) = (row for row in due(datastore) if row["regulated"])
    assert (regulated["priority"], regulated["tier"]) == (1, "negative")


def test_the_clock_of_a_regulated_complaint_does_not_know_the_tier(datastore: Datastore) -> None:
    everybody, for_some = level("resolution", 86_400), level("resolution", 999, tier="negative")
    raised = [
        happened(
            "complaint.raised.v1", "2024-03-09 10:00", complaint_id=name, channel="mail", **data
        )
        for name, data in (("regulated", {"jurisdiction": "NL"}), ("plain", {}))
    ]
    project(datastore, [everybody, for_some, tiered("Ada", "negative"), *raised])
    (regulated, plain) = due(datastore)
    assert [(row["thing_id"], row["due_at"], row["events"]) for row in (regulated, plain)] == [
        ("regulated", at("2024-03-10 10:00"), [event_id(raised[0]), event_id(everybody)]),
        ("plain", at("2024-03-09 10:16:39"), [event_id(raised[1]), event_id(for_some)]),
    ]


def test_pages_are_the_list_cut(datastore: Datastore) -> None:
    history = [made(f"P{number}", f"2024-03-09 1{number % 3}:00") for number in range(7)]
    project(datastore, [*history, tiered("Ada", "negative")])
    whole = things(datastore, "thing_id")
    found, token = [], None
    while True:
        with snapshot(datastore) as cursor:
            told = attention(cursor, as_of=at(NOW), limit=2, token=token)
        found += [row["thing_id"] for row in told.rows]
        token = told.next
        if token is None:
            break
    assert found == whole
    assert len(whole) == 7


def test_one_kind_at_a_time(datastore: Datastore) -> None:
    history = [*ALL_LEVELS, level("next_reply", 60), RAISED, made("P"), inbound(NOW, "A1")]
    project(datastore, history)
    assert set(things(datastore, "kind")) == {"promise", "reply", "complaint"}
    for kind in ("promise", "reply", "complaint"):
        assert set(things(datastore, "kind", kind=kind)) == {kind}
    with pytest.raises(UnknownKind):
        due(datastore, kind="tea")
    with pytest.raises(ValueError, match="horizon"):
        due(datastore, horizon_seconds=-1)


steps = st.lists(
    st.sampled_from([ACKNOWLEDGED, APOLOGIZED, OFFERED, DECIDED, CLOSED, PLANNED]),
    unique_by=lambda event: event.id,
)
RULE_OF = {"acknowledge": "acknowledged", "apologize": "apologized", "anticipate": "anticipated"}


@given(steps, st.integers(0, 40 * 24))
def test_a_rule_turns_exactly_where_the_deadline_passes(
    taken: Sequence[Happened], hours: int
) -> None:
    """What is due is pending until then, and violated right after: the judge says the same."""
    agreed = Levels([target("acknowledge", 24), target("apologize", 48)])
    now = at("2024-03-01 09:00") + timedelta(hours=hours)
    book = RuleBook(agreed, [], {}, since=now, until=now)
    recorded = [step_of(event) for event in as_recorded([RAISED, *taken])]
    case = case_of(recorded, book, tier=None, as_of=now)
    assert case is not None
    found = {RULE_OF[each.step]: each.due_at for each in deadlines(case)}
    judged = judge(recorded, book, tier=None, as_of=now)
    assert judged is not None
    for rule, due_at in found.items():
        assert judged.rules[rule].state == ("violated" if now > due_at else "pending")
