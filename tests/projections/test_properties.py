"""Invariants of the read models on random histories, through real PostgreSQL.

A verdict does not depend on when or how often it is evaluated. Any order of arrival, any
duplication and any cut into batches gives equal rows. And what is said as of an instant is what the
facts up to that instant say, whatever happened after.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections import queries
from projections.events import RecordedEvent
from projections.registry import read_models
from tests.projections.histories import (
    CUSTOMERS,
    IDS,
    START,
    batches_of,
    histories,
    promises,
    published,
)
from tests.projections.history import (
    Happened,
    apply,
    as_recorded,
    happened,
    read_schema,
    rows_in,
    runner,
)


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
