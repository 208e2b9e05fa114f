"""A customer's history told event by event, with what each event changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.replay import replay
from ledger.datastore import Datastore
from projections.answers import snapshot
from projections.promises.fold import fold, verdict_at
from projections.promises.model import PROMISES, fact_of
from projections.promises.queries import promises
from tests.projections.history import (
    Happened,
    apply,
    as_recorded,
    at,
    corrected,
    happened,
    inbound,
    project,
    read_schema,
    runner,
)

PROMISED = happened(
    "promise.made.v1", "2024-03-01 10:00", promise_id="P-1", statement="by Friday",
    channel="mail", due_at="2024-03-05 10:00", employee_id="E-1", team="north",
)  # fmt: skip
KEPT = happened("promise.kept.v1", "2024-03-04 10:00", promise_id="P-1")
OTHER = inbound("2024-03-06 10:00", "T-9")
NOW = at("2024-12-31")


def told(
    datastore: Datastore, history: Sequence[Happened], as_of: datetime = NOW, **asked: Any
) -> list[dict[str, Any]]:
    project(datastore, history)
    with snapshot(datastore) as cursor:
        return replay(cursor, "Ada", as_of=as_of, **asked).rows


def test_every_event_in_order_with_both_times_and_who_acted(datastore: Datastore) -> None:
    rows = told(datastore, [inbound("2024-03-01 09:00", "T-1", topic="parcel"), PROMISED, KEPT])
    assert [(row["step"], row["position"], row["occurred_at"]) for row in rows] == [
        (1, 1, at("2024-03-01 09:00")),
        (2, 2, at("2024-03-01 10:00")),
        (3, 3, at("2024-03-04 10:00")),
    ]
    assert rows[1]["who"] == {"employee_id": "E-1", "team": "north"}
    assert rows[0]["summary"] == "The customer got in touch by mail, about parcel"
    assert all(row["recorded_at"] > row["occurred_at"] and row["marks"] == [] for row in rows)
    assert rows[0]["changes"] == []


def test_what_an_event_changed_then_and_how_it_is_judged_now(datastore: Datastore) -> None:
    late = happened("promise.kept.v1", "2024-03-07 10:00", promise_id="P-1")
    made, kept = told(datastore, [PROMISED, late])
    assert made["changes"] == [
        {
            "kind": "promise",
            "id": "P-1",
            "before": None,
            "then": {"verdict": "pending"},
            "now": {"verdict": "kept_late"},
        }
    ]
    (change,) = kept["changes"]
    assert (change["before"], change["then"]) == ({"verdict": "overdue"}, {"verdict": "kept_late"})


def test_a_late_arrival_is_marked_and_says_what_it_put_right(datastore: Datastore) -> None:
    rows = told(datastore, [PROMISED, OTHER, KEPT])
    assert [row["position"] for row in rows] == [1, 3, 2]
    late = rows[1]
    assert (late["marks"], late["overtaken_by"]) == (["late"], 1)
    assert late["recorded_after_seconds"] > 0
    assert late["changes"][0]["before"] == {"verdict": "pending"}
    assert late["changes"][0]["now"] == {"verdict": "kept"}
    assert rows[2]["marks"] == []


def test_a_correction_is_marked(datastore: Datastore) -> None:
    first = inbound("2024-03-01 09:00", "T-1")
    rows = told(datastore, [first, corrected("2024-03-02 09:00", "T-1", channel="phone")])
    assert [row["marks"] for row in rows] == [[], ["correction"]]


def test_a_complaint_tells_which_rules_a_step_decided(datastore: Datastore) -> None:
    def step(name: str, when: str, **data: Any) -> Happened:
        return happened(f"complaint.{name}.v1", when, complaint_id="K-1", **data)

    rows = told(
        datastore,
        [
            step("raised", "2024-03-01 09:00", channel="mail"),
            step("acknowledged", "2024-03-01 10:00", employee_id="E-2"),
            step("closed", "2024-03-08 09:00", outcome="rejected"),
        ],
    )
    (acknowledged,) = rows[1]["changes"]
    assert acknowledged["before"]["acknowledged"] == "pending"
    assert acknowledged["then"]["acknowledged"] == "satisfied"
    assert acknowledged["then"]["verdict"] == "open"
    assert rows[2]["changes"][0]["then"]["decision_communicated"] == "violated"
    assert rows[2]["changes"][0]["now"]["verdict"] == "deviating"


def test_a_complaint_of_a_customer_in_a_tier_is_judged(datastore: Datastore) -> None:
    rows = told(
        datastore,
        [
            happened(
                "customer.tiered.v1", "2024-02-01 09:00", customer_id="Ada", tier="most_valuable",
            ),
            happened(
                "complaint.raised.v1", "2024-03-01 09:00", complaint_id="K-1", channel="mail"
            ),
        ],
    )  # fmt: skip
    assert rows[1]["changes"][0]["then"]["verdict"] == "open"


def test_as_of_leaves_out_what_had_not_happened(datastore: Datastore) -> None:
    rows = told(datastore, [PROMISED, KEPT, OTHER], as_of=at("2024-03-02"))
    assert [row["type"] for row in rows] == ["promise.made.v1"]
    assert rows[0]["changes"][0]["now"] == {"verdict": "pending"}


def test_pages_follow_each_other(datastore: Datastore) -> None:
    project(datastore, [PROMISED, KEPT, OTHER])
    with snapshot(datastore) as cursor:
        first = replay(cursor, "Ada", as_of=NOW, limit=2)
        rest = replay(cursor, "Ada", as_of=NOW, limit=2, token=first.next)
    assert [row["step"] for row in (*first.rows, *rest.rows)] == [1, 2, 3]
    assert rest.next is None


STEPS = st.lists(
    st.builds(
        lambda kind, hour: (kind, hour),
        st.sampled_from(["kept", "broken", "withdrawn", "revised"]),
        st.integers(0, 40),
    ),
    max_size=5,
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, hour=st.integers(-1, 45))
def test_a_promise_is_judged_as_the_list_of_promises_judges_it(
    prepared: Datastore, steps: list[tuple[str, int]], hour: int
) -> None:
    def when(hour: int) -> str:
        return f"2024-03-{1 + (hour + 1) // 24:02} {(hour + 1) % 24:02}:00"

    more: dict[str, dict[str, Any]] = {
        "revised": {"due_at": "2024-03-02 20:00", "reason": "snow", "customer_consented": True},
        "withdrawn": {"reason": "sold out"},
    }
    history = [
        happened("promise.made.v1", when(0), promise_id="P-1", statement="soon", channel="mail",
                 due_at=when(20)),
        *(
            happened(f"promise.{kind}.v1", when(hour), promise_id="P-1", **more.get(kind, {}))
            for kind, hour in dict.fromkeys(steps)
        ),
    ]  # fmt: skip
    events = as_recorded(history)
    verdict = verdict_at(fold(map(fact_of, events)), at(when(hour)))
    with read_schema(prepared) as cursor:
        cursor.execute("TRUNCATE promise_facts, promises")
        apply(cursor, [PROMISES], events)
        listed = [row["verdict"] for row in promises(cursor, as_of=at(when(hour))).rows]
    assert listed == ([] if verdict is None else [verdict])


@pytest.fixture
def prepared(datastore: Datastore) -> Datastore:
    runner(datastore)
    return datastore
