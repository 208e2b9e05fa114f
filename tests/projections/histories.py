"""Random histories that collide on purpose, for properties of the read models."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from projections.events import RecordedEvent
from tests.projections.history import (
    Happened,
    as_recorded,
    at,
    corrected,
    happened,
    inbound,
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
        st.sampled_from(
            ["first_response", "next_reply", "resolution", "acknowledge", "apologize", "anticipate"]
        ),
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
