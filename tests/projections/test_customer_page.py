"""What one should know of a customer before calling, as of any instant."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.customers.page import SHOWN, customer
from questions.customers import CustomerPage
from tests.projections.history import (
    Happened,
    at,
    event_id,
    happened,
    inbound,
    outbound,
    project,
    tell,
)
from tests.projections.history import runner as prepared_runner
from tests.projections.test_persons import merged, unmerged
from tests.projections.test_support import answered, requested
from tests.projections.test_value_cost import costed

NOW = "2024-03-31"


def page(
    datastore: Datastore, as_of: str = NOW, who: str = "Ada", **how: Any
) -> dict[str, Any] | None:
    with snapshot(datastore) as cursor:
        rows = customer(cursor, who, as_of=at(as_of), **how).rows
    assert len(rows) <= 1
    for row in rows:
        CustomerPage.model_validate(row | {"explain": "linked when it is answered"})
    return rows[0] if rows else None


def known(datastore: Datastore, as_of: str = NOW, **how: Any) -> dict[str, Any]:
    told = page(datastore, as_of, **how)
    assert told is not None
    return told


def tiered(when: str, tier: str, **data: Any) -> Happened:
    return happened("customer.tiered.v1", when, tier=tier, **data)


def bought(when: str, order: str, **data: Any) -> Happened:
    return happened("customer.purchased.v1", when, order_id=order, **data)


def stated(when: str, number: str, key: str, value: str, **data: Any) -> Happened:
    told = {"channel": "phone"} | data
    return happened(
        "statement.made.v1", when, statement_id=number, claim_key=key, value=value, **told
    )


def promised(when: str, promise: str, due_at: str, **data: Any) -> Happened:
    told = {"channel": "phone", "statement": f"what {promise} is about"} | data
    return happened("promise.made.v1", when, promise_id=promise, due_at=due_at, **told)


def columns(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def test_nobody_is_there_before_their_first_event(datastore: Datastore) -> None:
    project(datastore, [inbound("2024-03-02", "T1")])
    assert page(datastore, "2024-03-01") is None
    assert page(datastore, who="Stranger") is None
    told = known(datastore)
    assert (told["known_since"], told["events"]) == (at("2024-03-02"), 1)
    assert (told["tier"], told["credit"], told["lapsed_at"], told["purchases"]) == (
        None,
        None,
        None,
        0,
    )


def test_tiers_credit_purchases_and_lapses_are_those_of_the_instant(datastore: Datastore) -> None:
    project(
        datastore,
        [
            tiered("2024-03-01", "negative", contribution=Decimal("-3.5"), currency="EUR"),
            tiered("2024-03-10", "most_valuable"),
            happened("customer.credit_changed.v1", "2024-03-02", state="frozen"),
            happened("customer.credit_changed.v1", "2024-03-08", state="released"),
            bought("2024-03-01", "O1", amount=Decimal("10.25"), currency="EUR"),
            happened("customer.lapsed.v1", "2024-03-05", reason="price"),
            bought("2024-03-12", "O2", amount=Decimal("4"), currency="EUR"),
            bought("2024-03-12", "O3", amount=Decimal("7"), currency="USD"),
            bought("2024-03-13", "O4"),
        ],
    )
    early = known(datastore, "2024-03-06")
    assert (early["tier"], early["tier_since"]) == ("negative", at("2024-03-01"))
    assert columns(early["tiers"], "tier", "valid_to", "contribution") == [("negative", None, -3.5)]
    assert (early["credit"], early["credit_since"]) == ("frozen", at("2024-03-02"))
    assert (early["lapsed_at"], early["lapse_reason"]) == (at("2024-03-05"), "price")
    assert (early["purchases"], early["last_purchase_at"]) == (1, at("2024-03-01"))
    late = known(datastore)
    assert columns(late["tiers"], "tier", "valid_from", "valid_to") == [
        ("negative", at("2024-03-01"), at("2024-03-10")),
        ("most_valuable", at("2024-03-10"), None),
    ]
    assert (late["credit"], late["lapsed_at"]) == ("released", None)
    assert (late["purchases"], late["last_purchase_at"]) == (4, at("2024-03-13"))
    assert late["spent"] == [
        {"currency": "EUR", "amount": 14.25},
        {"currency": "USD", "amount": 7.0},
    ]


def test_open_promises_are_told_with_what_was_promised(datastore: Datastore) -> None:
    project(
        datastore,
        [
            promised("2024-03-01", "P1", "2024-03-10", employee_id="E1"),
            promised("2024-03-01", "P2", "2024-03-05"),
            promised("2024-03-01", "P3", "2024-03-20"),
            happened("promise.kept.v1", "2024-03-04", promise_id="P2"),
        ],
    )
    assert columns(
        known(datastore, "2024-03-12")["promises"], "promise_id", "verdict", "late_seconds"
    ) == [("P1", "overdue", 2 * 86_400), ("P3", "pending", None)]
    first = known(datastore, "2024-03-03")["promises"][0]
    assert (first["promise_id"], first["statement"]) == ("P2", "what P2 is about")


def test_open_complaints_are_told_with_what_is_due_next(datastore: Datastore) -> None:
    def level(metric: str, hours: int, **data: Any) -> Happened:
        return happened(
            "service_level.published.v1",
            "2024-01-01",
            service_level_id=metric,
            metric=metric,
            target_seconds=hours * 3600,
            valid_from="2024-01-01",
            **({"clock": "calendar"} | data),
        )

    office = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone="UTC",
        weekly=[{"weekday": day, "from": "09:00", "to": "18:00"} for day in range(1, 6)],
        valid_from="2024-01-01",
    )
    raised = happened("complaint.raised.v1", "2024-03-01 16:00", complaint_id="K", channel="mail")

    def step(type_: str, when: str, /, **data: Any) -> Happened:
        return happened(f"complaint.{type_}.v1", when, complaint_id="K", **data)

    offer = {"amends_id": "A", "kind": "refund"}
    project(
        datastore,
        [
            office,
            level("acknowledge", 3, clock="business", calendar_id="office"),
            level("resolution", 240),
            raised,
            step("acknowledged", "2024-03-01 16:01", handled_by="system"),
            step("acknowledged", "2024-03-04 12:00", handled_by="human"),
            step("apologized", "2024-03-05", admits_fault=True),
            step("amends_offered", "2024-03-05", **offer),
            step("amends_answered", "2024-03-06", amends_id="A", accepted=True),
            step("decided", "2024-03-07", decision="upheld", communicated=True),
            step("amends_delivered", "2024-03-08", amends_id="A"),
            step("closed", "2024-03-20", outcome="upheld"),
        ],
    )

    def due(as_of: str) -> list[tuple[str, datetime]]:
        [complaint] = known(datastore, as_of)["complaints"]
        return [(each["step"], each["due_at"]) for each in complaint["due"]]

    acknowledge = ("acknowledge", at("2024-03-04 10:00"))
    resolution = ("resolution", at("2024-03-11 16:00"))
    # Raised on a Friday at 16:00: three hours of work end on Monday at 10:00. It stays due.
    assert due("2024-03-04 09:00") == due("2024-03-04 11:00") == [acknowledge, resolution]
    assert due("2024-03-04 12:00") == due("2024-03-12") == [resolution]
    assert known(datastore, "2024-03-21")["complaints"] == []


def test_a_complaint_that_is_never_closed_is_open_at_the_end_of_time(datastore: Datastore) -> None:
    project(
        datastore, [happened("complaint.raised.v1", "2024-03-01", complaint_id="K", channel="mail")]
    )
    assert len(known(datastore, "9999-12-31")["complaints"]) == 1


def test_what_they_wait_for_now(datastore: Datastore) -> None:
    project(
        datastore,
        [
            inbound("2024-03-01 09:00", "T1", case_id="A", topic="boiler"),
            outbound("2024-03-01 10:00", "T2", case_id="A"),
            inbound("2024-03-02 09:00", "T3", case_id="B", channel="chat"),
            outbound("2024-03-03 09:00", "T4", case_id="B", outcome="resolved"),
        ],
    )
    shown = ("metric", "channel", "started_at")
    assert columns(known(datastore, "2024-03-02 12:00")["waiting"], *shown) == [
        ("full_resolution", "mail", at("2024-03-01 09:00")),
        ("next_reply", "chat", at("2024-03-02 09:00")),
        ("full_resolution", "chat", at("2024-03-02 09:00")),
    ]
    [waiting] = known(datastore)["waiting"]
    assert (waiting["metric"], waiting["topic"]) == ("full_resolution", "boiler")


def test_everyone_who_dealt_with_them_across_departments(datastore: Datastore) -> None:
    project(
        datastore,
        [
            inbound("2024-03-01", "T1", employee_id="E1", team="phones", department="service"),
            outbound("2024-03-03", "T2", employee_id="E1", team="phones", department="service"),
            promised("2024-03-04", "P", "2024-03-05", employee_id="E1", team="desk"),
            happened("complaint.raised.v1", "2024-03-05", complaint_id="K", channel="mail"),
            happened(
                "complaint.acknowledged.v1",
                "2024-03-06",
                complaint_id="K",
                employee_id="E2",
                department="quality",
            ),
            inbound("2024-03-07", "T3", customer_id="Ben", employee_id="E3"),
        ],
    )
    assert known(datastore)["employees"] == [
        {
            "employee_id": "E2",
            "teams": [],
            "departments": ["quality"],
            "channels": [],
            "first_at": at("2024-03-06"),
            "last_at": at("2024-03-06"),
            "times": 1,
        },
        {
            "employee_id": "E1",
            "teams": ["desk", "phones"],
            "departments": ["service"],
            "channels": ["mail", "phone"],
            "first_at": at("2024-03-01"),
            "last_at": at("2024-03-04"),
            "times": 3,
        },
    ]
    assert [row["times"] for row in known(datastore, "2024-03-02")["employees"]] == [1]


def test_statements_hold_until_they_end_or_the_channel_says_otherwise(datastore: Datastore) -> None:
    project(
        datastore,
        [
            stated("2024-03-01", "S1", "price", "10"),
            stated("2024-03-02", "S2", "price", "12", channel="shop"),
            stated("2024-03-05", "S3", "price", "11"),
            stated("2024-03-01", "S4", "delivery", "soon", valid_until="2024-03-04"),
        ],
    )
    shown = ("claim_key", "value", "channel")
    assert set(columns(known(datastore, "2024-03-03")["statements"], *shown)) == {
        ("price", "12", "shop"),
        ("price", "10", "phone"),
        ("delivery", "soon", "phone"),
    }
    assert columns(known(datastore)["statements"], *shown) == [
        ("price", "11", "phone"),
        ("price", "12", "shop"),
    ]


def test_the_last_touchpoints_and_feedback_are_shown(datastore: Datastore) -> None:
    history: list[Happened] = []
    for day in range(1, 9):
        history += [
            inbound(f"2024-03-0{day}", f"T{day}"),
            happened(
                "feedback.given.v1",
                f"2024-03-0{day}",
                feedback_id=f"F{day}",
                kind="explicit",
                instrument="csat",
                score=float(day),
            ),
        ]
    project(datastore, history)
    told = known(datastore)
    assert [row["touchpoint_id"] for row in told["touchpoints"]] == ["T8", "T7", "T6", "T5", "T4"]
    assert [row["score"] for row in told["feedback"]] == [8, 7, 6, 5, 4]
    assert len(told["feedback"]) == SHOWN


def test_cost_is_by_the_rates_in_force_and_null_where_there_are_none(datastore: Datastore) -> None:
    minute = {"handling_seconds": 60}
    history = [
        costed("2024-01-01", "phone", cost_per_minute=Decimal(1)),
        costed("2024-03-10", "phone", cost_per_minute=Decimal(3), cost_per_contact=Decimal(1)),
        inbound("2024-03-01", "T1", channel="phone", **minute),
        inbound("2024-03-11", "T2", channel="phone", concurrency=2, **minute),
    ]
    project(datastore, history)
    told = known(datastore)
    assert (told["cost"], told["currency"]) == (1 + 1.5 + 1, "EUR")
    tell(datastore, [inbound("2024-03-12", "T3", channel="pigeons")])
    prepared_runner(datastore).catch_up()
    told = known(datastore)
    assert (told["cost"], told["currency"]) == (None, None)
    assert columns(told["costs"], "channel", "touchpoints", "handling_seconds", "cost") == [
        ("phone", 2, 90, 3.5),
        ("pigeons", 1, 0, None),
    ]


def test_open_requests_to_the_back_office(datastore: Datastore) -> None:
    project(
        datastore,
        [
            promised("2024-03-01", "P", "2024-03-05"),
            requested("2024-03-02", "R1", promise_id="P"),
            requested("2024-03-02", "R2"),
            answered("2024-03-03", "R2"),
        ],
    )
    [request] = known(datastore)["requests"]
    assert request["request_id"] == "R1"
    assert [thing["id"] for thing in request["kept_waiting"]] == ["P"]


TWO_IDS = [
    inbound("2024-03-01", "A1"),
    tiered("2024-03-01", "most_valuable"),
    inbound("2024-03-02", "B1", customer_id="Ben"),
    tiered("2024-03-02", "negative", customer_id="Ben"),
    happened("customer.credit_changed.v1", "2024-03-02", customer_id="Ben", state="frozen"),
    happened("customer.credit_changed.v1", "2024-03-03", state="released"),
    happened("customer.lapsed.v1", "2024-03-03"),
    bought("2024-03-04", "O", customer_id="Ben"),
    happened(
        "complaint.raised.v1", "2024-03-04", complaint_id="K", channel="mail", customer_id="Ben"
    ),
]


def test_the_page_of_a_merged_customer_is_the_persons(datastore: Datastore) -> None:
    merge = merged("2024-03-05", "Ada", "Ben")
    project(datastore, [*TWO_IDS, merge])
    told = known(datastore)
    assert told["identities"] == [
        {"customer_id": "Ben", "merged_at": at("2024-03-05"), "merged_by": event_id(merge)}
    ]
    assert (told["tier"], told["credit"], told["lapsed_at"]) == ("negative", "frozen", None)
    assert columns(told["tiers"], "customer_id", "tier") == [
        ("Ada", "most_valuable"),
        ("Ben", "negative"),
    ]
    assert columns(told["complaints"], "complaint_id", "customer_id") == [("K", "Ben")]
    assert columns(told["touchpoints"], "customer_id") == [("Ben",), ("Ada",)]
    alone = known(datastore, only_this_id=True)
    assert (alone["identities"], alone["tier"], alone["complaints"]) == ([], "most_valuable", [])


def test_taking_a_merge_back_restores_both_pages(datastore: Datastore) -> None:
    project(datastore, TWO_IDS)
    before = {who: known(datastore, who=who) for who in ("Ada", "Ben")}
    tell(datastore, [merged("2024-03-05", "Ada", "Ben"), unmerged("2024-03-06", "Ben", "Ada")])
    prepared_runner(datastore).catch_up()
    for who, told in before.items():
        # The events that say so are events too.
        counted = {"events", "last_event_at"}
        after = known(datastore, who=who)
        assert {name: after[name] for name in after.keys() - counted} == {
            name: told[name] for name in told.keys() - counted
        }
