"""Invariants of the read models on random histories, through real PostgreSQL.

A verdict does not depend on when or how often it is evaluated. Any order of arrival, any
duplication and any cut into batches gives equal rows. And what is said as of an instant is what the
facts up to that instant say, whatever happened after.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections import queries
from projections.events import RecordedEvent
from projections.registry import read_models
from tests.projections.history import (
    Happened,
    apply,
    as_recorded,
    at,
    corrected,
    happened,
    inbound,
    read_schema,
    rows_in,
    runner,
)

START = at("2024-03-01 09:00")
CUSTOMERS = ("Ada", "Ben")

# Few instants, ids and cases, so that histories collide: equal times, gaps around seven days.
instants = st.sampled_from([0, 0, 1, 2, 5, 60, 7 * 1440, 7 * 1440 + 1, 8 * 1440, 14 * 1440]).map(
    lambda minutes: f"{START + timedelta(minutes=minutes):%Y-%m-%d %H:%M}"
)
records = st.fixed_dictionaries(
    {
        "channel": st.sampled_from(["mail", "phone"]),
        "direction": st.sampled_from(["inbound", "outbound"]),
    },
    optional={
        "case_id": st.sampled_from(["A", "B"]),
        "handled_by": st.sampled_from(["human", "bot"]),
        "expects_reply": st.booleans(),
        "in_reply_to": st.sampled_from(["T0", "T1", "T2", "T3", "elsewhere"]),
        "outcome": st.sampled_from(["resolved", "abandoned"]),
        "topic": st.sampled_from(["boiler", "a\tb\\N\n"]),
        "team": st.sampled_from(["north", "south"]),
        "employee_id": st.sampled_from(["E1", "E2"]),
        "handling_seconds": st.sampled_from([0.0, 90.0]),
        "concurrency": st.sampled_from([1, 3]),
    },
)


@st.composite
def touchpoints(draw: st.DrawFn) -> list[Happened]:
    history = []
    for number in range(draw(st.integers(0, 7))):
        touchpoint, customer = f"T{number}", draw(st.sampled_from(CUSTOMERS))
        history.append(inbound(draw(instants), touchpoint, customer_id=customer, **draw(records)))
        for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
            time = draw(st.none() | instants)
            stated = {} if time is None else {"occurred_at": time}
            history.append(
                corrected(
                    draw(instants), touchpoint, customer_id=customer, **draw(records), **stated
                )
            )
    return history


@st.composite
def promises(draw: st.DrawFn) -> list[Happened]:
    made = happened(
        "promise.made.v1",
        draw(instants),
        promise_id="P",
        statement="a call",
        channel="mail",
        due_at=draw(instants),
    )
    facts = st.one_of(
        st.builds(lambda when: happened("promise.kept.v1", when, promise_id="P"), instants),
        st.builds(lambda when: happened("promise.broken.v1", when, promise_id="P"), instants),
        st.builds(
            lambda when: happened("promise.withdrawn.v1", when, promise_id="P", reason="sold"),
            instants,
        ),
        st.builds(
            lambda when, due, yes: happened(
                "promise.revised.v1",
                when,
                promise_id="P",
                due_at=due,
                reason="late",
                customer_consented=yes,
            ),
            instants,
            instants,
            st.booleans(),
        ),
    )
    return [made, *draw(st.lists(facts, max_size=4, unique_by=lambda fact: fact.id))]


OFFER = {"amends_id": "A", "kind": "refund", "currency": "EUR"}
PREVENTION = {"root_cause": "stock", "origin": "policy", "measure": "a list"}


@st.composite
def complaints(draw: st.DrawFn) -> list[Happened]:
    again = draw(st.sampled_from([None, {}, {"repeat_of": "K", "jurisdiction": "NL"}]))
    whose = draw(st.sampled_from(CUSTOMERS))
    second = [] if again is None else draw(complaint("L", whose, **again))
    return draw(complaint("K", "Ada")) + second


@st.composite
def complaint(draw: st.DrawFn, complaint_id: str, customer_id: str, **data: Any) -> list[Happened]:
    named = {"complaint_id": complaint_id, "customer_id": customer_id}
    raised = happened("complaint.raised.v1", draw(instants), channel="mail", **named, **data)
    steps = st.builds(
        lambda when, step: happened(step[0], when, **named, **step[1]),
        instants,
        st.sampled_from(
            [
                ("complaint.acknowledged.v1", {"handled_by": "human"}),
                ("complaint.acknowledged.v1", {"handled_by": "system"}),
                ("complaint.apologized.v1", {"admits_fault": True}),
                ("complaint.amends_offered.v1", OFFER | {"role": "agent", "value": Decimal(15)}),
                ("complaint.amends_answered.v1", {"amends_id": "A", "accepted": True}),
                ("complaint.amends_answered.v1", {"amends_id": "A", "accepted": False}),
                ("complaint.amends_delivered.v1", {"amends_id": "A"}),
                ("complaint.prevention_planned.v1", PREVENTION),
                ("complaint.explained.v1", {"reason": "parts"}),
                ("complaint.decided.v1", {"decision": "rejected", "communicated": True}),
                ("complaint.closed.v1", {"outcome": "upheld"}),
                ("complaint.closed.v1", {"outcome": "rejected"}),
                ("complaint.reopened.v1", {}),
                ("complaint.restated.v1", {}),
            ]
        ),
    )
    return [raised, *draw(st.lists(steps, max_size=8))]


feedback = st.builds(
    lambda when, customer, scale: [
        happened(
            "feedback.given.v1",
            when,
            customer_id=customer,
            feedback_id="F",
            kind="explicit",
            instrument="csat",
            score=4.0,
            channel="mail",
            **scale,
        )
    ],
    instants,
    st.sampled_from(CUSTOMERS),
    st.sampled_from(
        [{}, {"scale_min": 1.0, "scale_max": 5.0}, {"scale_min": 5.0, "scale_max": 5.0}]
    ),
)


WEEK = [
    {"weekday": day, "from": begin, "to": end}
    for day in range(1, 7)
    for begin, end in (("08:00", "09:01"), ("09:02", "24:00"))
]
calendars = st.builds(
    lambda when, zone, days, valid_from: happened(
        "calendar.published.v1",
        when,
        calendar_id="office",
        timezone=zone,
        weekly=WEEK[:days],
        holidays=[START.date()] if days % 2 else [],
        valid_from=valid_from,
    ),
    instants,
    st.sampled_from(["Europe/Amsterdam", "America/New_York"]),
    st.integers(8, 12),
    instants,
)
published = st.one_of(
    calendars,
    st.builds(
        lambda when, metric, selector, seconds, clock, valid_from: happened(
            "service_level.published.v1",
            when,
            service_level_id=f"{metric} {selector}",
            metric=metric,
            target_seconds=seconds,
            clock=clock,
            calendar_id="office",
            valid_from=valid_from,
            **selector,
        ),
        instants,
        st.sampled_from(["first_response", "next_reply", "resolution", "acknowledge", "apologize"]),
        st.sampled_from([{}, {"channel": "mail"}, {"topic": "boiler"}, {"tier": "negative"}]),
        st.sampled_from([0, 60, 3600]),
        st.sampled_from(["business", "calendar"]),
        instants,
    ),
    st.builds(
        lambda when, channel, cost, valid_from: happened(
            "channel.costed.v1",
            when,
            channel=channel,
            cost_per_minute=cost,
            cost_per_contact=Decimal(1),
            currency="EUR",
            valid_from=valid_from,
        ),
        instants,
        st.sampled_from(["mail", "phone"]),
        st.none() | st.just(Decimal("0.5")),
        instants,
    ),
    st.builds(
        lambda when, most, valid_from: happened(
            "authority_limit.set.v1",
            when,
            role="agent",
            max_value=Decimal(most),
            currency="EUR",
            valid_from=valid_from,
        ),
        instants,
        st.sampled_from([10, 20]),
        instants,
    ),
    st.builds(
        lambda when, customer, tier: happened(
            "customer.tiered.v1", when, customer_id=customer, tier=tier
        ),
        instants,
        st.sampled_from(CUSTOMERS),
        st.sampled_from(["most_valuable", "negative"]),
    ),
)
policies = st.lists(published, max_size=6)


IDS = (*CUSTOMERS, "Cleo")
about_customers = st.lists(
    st.one_of(
        st.builds(
            lambda when, kind, one, other: happened(
                kind, when, customer_id=one, merged_customer_id=other
            ),
            instants,
            st.sampled_from(["customer.merged.v1", "customer.unmerged.v1"]),
            st.sampled_from(IDS),
            st.sampled_from(IDS),
        ),
        st.builds(
            lambda when, customer, told: happened(told[0], when, customer_id=customer, **told[1]),
            instants,
            st.sampled_from(CUSTOMERS),
            st.sampled_from(
                [
                    ("customer.purchased.v1", {"order_id": "O", "amount": Decimal("9.5")}),
                    ("customer.lapsed.v1", {}),
                    ("customer.credit_changed.v1", {"state": "frozen"}),
                    ("customer.credit_changed.v1", {"state": "released"}),
                ]
            ),
        ),
    ),
    max_size=4,
)


@st.composite
def support(draw: st.DrawFn) -> list[Happened]:
    asked = happened(
        "support.requested.v1",
        draw(instants),
        request_id="R",
        kind="technical",
        promise_id="P",
        complaint_id="K",
        **draw(
            st.fixed_dictionaries({}, optional={"team": st.just("north"), "case_id": st.just("A")})
        ),
    )
    answers = st.builds(
        lambda when, done: happened("support.answered.v1", when, request_id="R", fulfilled=done),
        instants,
        st.booleans(),
    )
    return [asked, *draw(st.lists(answers, max_size=2))]


@st.composite
def histories(draw: st.DrawFn) -> list[Happened]:
    parts = [draw(touchpoints()), draw(promises()), draw(complaints()), draw(feedback)]
    parts += [draw(policies), draw(about_customers), draw(support())]
    return list({event.id: event for part in parts for event in part}.values())


@st.composite
def batches_of(draw: st.DrawFn, history: Sequence[Happened]) -> list[list[RecordedEvent]]:
    """A history in any order, some events twice, in any batches."""
    events = as_recorded(history)
    again = draw(st.lists(st.sampled_from(events), max_size=4))
    order = draw(st.permutations(events + again))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=6)))
    edges = [0, *cuts, len(order)]
    return [order[begin:end] for begin, end in pairwise(edges)]


@pytest.fixture
def prepared(datastore: Datastore) -> Datastore:
    runner(datastore)
    return datastore


through_postgresql = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def fill(datastore: Datastore, batches: Sequence[Sequence[RecordedEvent]]) -> dict[str, Any]:
    """The rows that read models make of some batches, from nothing."""
    tables = [table for model in read_models() for table in model.tables]
    with read_schema(datastore) as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
        for batch in batches:
            apply(cursor, read_models(), batch)
        return rows_in(cursor)


@through_postgresql
@given(data=st.data(), history=histories())
def test_any_order_duplicates_and_batches_give_equal_rows(
    prepared: Datastore, data: st.DataObject, history: list[Happened]
) -> None:
    in_order = fill(prepared, [as_recorded(sorted(history, key=lambda event: event.occurred_at))])
    assert fill(prepared, data.draw(batches_of(history))) == in_order


@through_postgresql
@given(
    history=histories(),
    minutes=st.sampled_from([0, 1, 3, 60, 61, 7 * 1440, 7 * 1440 + 1, 9 * 1440, 30 * 1440]),
)
def test_as_of_an_instant_only_what_happened_by_then_counts(
    prepared: Datastore, history: list[Happened], minutes: int
) -> None:
    instant = START + timedelta(minutes=minutes)
    fill(prepared, [as_recorded(history)])
    knowing_all = everything_said(prepared, instant), pages_told(prepared, instant)
    fill(prepared, [as_recorded([event for event in history if event.occurred_at <= instant])])
    assert knowing_all == (everything_said(prepared, instant), pages_told(prepared, instant))


@through_postgresql
@given(history=histories(), later=published, days=st.integers(15, 40))
def test_a_policy_valid_from_later_changes_no_earlier_verdict(
    prepared: Datastore, history: list[Happened], later: Happened, days: int
) -> None:
    """It may be published at any time: what began before its validity is judged as before."""
    valid_from = START + timedelta(days=days)
    if later.type == "customer.tiered.v1":
        later = later._replace(occurred_at=valid_from, id="later")
    else:
        later = later._replace(data=later.data | {"valid_from": valid_from}, id="later")
    # A new calendar measures the time after its validity, of whatever still waits.
    as_of = valid_from if later.type == "calendar.published.v1" else START + timedelta(days=60)
    fill(prepared, [as_recorded(history)])
    before = everything_said(prepared, as_of)
    fill(prepared, [as_recorded([later, *history])])
    after = everything_said(prepared, as_of)
    # What is due, and how urgent it is, is said of what is still to come.
    del before["attention"], after["attention"]
    assert after == before


def everything_said(datastore: Datastore, as_of: datetime) -> dict[str, Any]:
    """The rows of every question, as of an instant."""
    with queries.snapshot(datastore) as cursor:
        said = {
            f"{metric} by {by}": queries.response_times(cursor, as_of=as_of, metric=metric, by=[by])
            for metric in queries.METRICS
            for by in queries.DIMENSIONS
        }
        said["channels"] = queries.channels(cursor, as_of=as_of)
        said["promises"] = queries.promises(cursor, as_of=as_of)
        said["promise quality"] = queries.promise_quality(cursor, as_of=as_of, by=["tier", "month"])
        said["complaints"] = queries.complaints(cursor, as_of=as_of)
        recovery = {"by": ["root_cause", "tier"], "as_of": as_of}
        said["complaint quality"] = queries.complaint_quality(cursor, **recovery)
        said["attention"] = queries.attention(cursor, as_of=as_of, horizon_seconds=7 * 86_400)
        said["waiting"] = queries.waiting(cursor, as_of=as_of)
        said["requests"] = queries.support_requests(cursor, as_of=as_of)
        said["support"] = queries.support_times(cursor, as_of=as_of, by=["team"])
        said["effects"] = queries.effects(cursor, as_of=as_of, days=7)
        # The tier is that at the end of the window, after which later ones may come.
        window = {"as_of": as_of, "to": START + timedelta(days=14, minutes=1)}
        said["value and cost"] = queries.value_cost(cursor, **window)
        said["behind it"] = queries.value_cost_customers(cursor, **window)
    return {question: answer.rows for question, answer in said.items()}


@through_postgresql
@given(history=histories(), one=st.permutations(CUSTOMERS), other=st.permutations(CUSTOMERS))
def test_merging_changes_what_is_about_persons_only_and_taking_it_back_restores_all(
    prepared: Datastore, history: list[Happened], one: list[str], other: list[str]
) -> None:
    """Whichever of the two ids either is published under, and whatever else is merged. (What a
    person did next is followed over their ids, and what a person costs is added up over them:
    decisions 116 and 125.)
    """
    as_of = START + timedelta(days=60)
    history = [
        event
        for event in history
        if {event.data.get("customer_id"), event.data.get("merged_customer_id")} != set(CUSTOMERS)
    ]

    def about(kind: str, when: str, pair: list[str]) -> Happened:
        return happened(kind, when, customer_id=pair[0], merged_customer_id=pair[1])

    merge = about("customer.merged.v1", "2024-04-01", one)
    fill(prepared, [as_recorded(history)])
    figures, pages = everything_said(prepared, as_of), pages_told(prepared, as_of)
    fill(prepared, [as_recorded([*history, merge])])
    merged = everything_said(prepared, as_of)
    of_persons = ("effects", "value and cost", "behind it")
    assert merged | {question: figures[question] for question in of_persons} == figures
    fill(
        prepared,
        [as_recorded([*history, merge, about("customer.unmerged.v1", "2024-04-02", other)])],
    )
    assert everything_said(prepared, as_of) == figures
    for before, after in zip(pages, pages_told(prepared, as_of), strict=True):
        # The events that say so are events of a customer too.
        assert [_without_counts(row) for row in after if before] == [
            _without_counts(row) for row in before
        ]


def _without_counts(page: Mapping[str, Any]) -> dict[str, Any]:
    counts = {"known_since", "last_event_at", "events"}
    return {name: value for name, value in page.items() if name not in counts}


def pages_told(datastore: Datastore, as_of: datetime) -> list[Any]:
    """The page of each customer, but for promises: what was promised is in the ledger alone."""
    with queries.snapshot(datastore) as cursor:
        return [queries.customer(cursor, customer, as_of=as_of).rows for customer in IDS]


@through_postgresql
@given(
    story=promises(),
    minutes=st.sampled_from([0, 1, 3, 60, 61, 7 * 1440, 7 * 1440 + 1, 9 * 1440, 30 * 1440]),
)
def test_verdicts_are_what_the_definition_says(
    prepared: Datastore, story: list[Happened], minutes: int
) -> None:
    instant = START + timedelta(minutes=minutes)
    fill(prepared, [as_recorded(story)])
    with queries.snapshot(prepared) as cursor:
        rows = queries.promises(cursor, as_of=instant).rows
    assert [(row["verdict"], row["due_at"]) for row in rows] == by_definition(story, instant)


def by_definition(story: Sequence[Happened], instant: datetime) -> list[tuple[str, datetime]]:
    """The verdict and the due time of docs/reference/metrics.md, word by word, over the facts up
    to an instant; nothing before the promise was made.
    """
    told = zip(as_recorded(story), story, strict=True)
    in_order = sorted(told, key=lambda pair: (pair[0].occurred_at, pair[0].rank, pair[0].event_id))
    facts = [event for _, event in in_order if event.occurred_at <= instant]
    made = [event for event in facts if event.type == "promise.made.v1"]
    if not made:
        return []
    due = made[0].data["due_at"]
    kept, settling = False, []
    for event in facts:
        time = event.occurred_at
        kind = event.type.split(".")[1]
        if kind == "revised" and event.data["customer_consented"] and time < due:
            if not kept and settling[:1] != ["withdrawn"]:
                due = event.data["due_at"]
        elif kind == "kept":
            kept = kept or time <= due
            settling.append("kept_late")
        elif kind == "broken" or (kind == "withdrawn" and time <= due):
            settling.append(kind)
    if kept:
        return [("kept", due)]
    settled = settling[0] if settling else None
    return [(settled or ("overdue" if due < instant else "pending"), due)]
