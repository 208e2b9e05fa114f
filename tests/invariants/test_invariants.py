"""The eleven invariants of the figures, each on whole random histories through real PostgreSQL.

docs/reference/invariants.md lists them, with the tests elsewhere that hold a part of them.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.datastore import Datastore
from ledger.erasing import Eraser
from projections import queries
from projections.complaints.quality import DIMENSIONS as OF_COMPLAINTS
from projections.promises.queries import DIMENSIONS as OF_PROMISES
from projections.rebuilding import Rebuild
from projections.registry import read_models
from schemas.codec import to_json
from schemas.message import Message
from tests.conftest import Cluster
from tests.intake.door import Door, raw
from tests.projections.histories import (
    CUSTOMERS,
    START,
    batches_of,
    calendars,
    complaints,
    histories,
    published,
    touchpoints,
)
from tests.projections.history import (
    Happened,
    as_recorded,
    event_id,
    feed_again,
    happened,
    inbound,
    outbound,
    read_schema,
    rows_of,
    runner,
    tell,
)
from tests.projections.test_properties import everything_said, fill

LONG_AFTER = START + timedelta(days=60)
ROUND_THE_CLOCK = [{"weekday": day, "from": "00:00", "to": "24:00"} for day in range(1, 8)]


def enough(examples: int) -> Callable[[Any], Any]:
    """Settings of a property whose every example goes through the database."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def prepared(datastore: Datastore) -> Datastore:
    runner(datastore)
    return datastore


@contextmanager
def ledger_of_its_own(cluster: Cluster, template: str) -> Iterator[Datastore]:
    """A database for one example of a property: what is in a ledger cannot be taken out again."""
    with cluster.database(template) as name:
        opened = Datastore(cluster.program_url(name))
        try:
            yield opened
        finally:
            opened.close()


def rebuilt(datastore: Datastore) -> Rebuild:
    """All read models built anew, beside the live ones."""
    rebuild = Rebuild(datastore, read_models, [model.name for model in read_models()])
    rebuild.build()
    return rebuild


def waits(datastore: Datastore, **how: Any) -> list[dict[str, Any]]:
    with queries.snapshot(datastore) as cursor:
        return queries.response_times(cursor, **{"as_of": LONG_AFTER, **how}).rows


def agreed(clock: str, *metrics: str) -> list[Happened]:
    """From the beginning of time, the same service level for all metrics, on one calendar."""
    return [
        happened(
            "service_level.published.v1",
            "2024-01-01",
            service_level_id=metric,
            metric=metric,
            target_seconds=3600.0,
            clock=clock,
            calendar_id="office",
            valid_from="2024-01-01",
        )
        for metric in metrics
    ]


WAITS = ("first_response", "next_reply", "resolution")
STEPS = ("acknowledge", "apologize", "anticipate", "decide", "amend")


@enough(25)
@given(
    history=st.tuples(touchpoints(), complaints()).map(lambda parts: [*parts[0], *parts[1]]),
    zone=st.sampled_from(["Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe"]),
    metric=st.sampled_from(WAITS),
)
def test_1_round_the_clock_business_time_is_calendar_time(
    prepared: Datastore, history: list[Happened], zone: str, metric: str
) -> None:
    """START is in March: weeks of waiting go over the change of the clock in all three zones."""
    calendar = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone=zone,
        weekly=ROUND_THE_CLOCK,
        valid_from="2024-01-01",
    )
    said = []
    for clock in ("business", "calendar"):
        rules = [calendar, *agreed(clock, *WAITS, *STEPS)]
        fill(prepared, [as_recorded([*rules, *history])])
        rows = waits(prepared, metric=metric)
        for row in rows:
            for figure in ("median", "p90", "p99"):
                calendar_time = row[f"{figure}_seconds"]
                expected = None if calendar_time is None else pytest.approx(calendar_time, abs=1e-3)
                assert row[f"business_{figure}_seconds"] == expected
        with queries.snapshot(prepared) as cursor:
            judged = queries.complaints(cursor, as_of=LONG_AFTER).rows
            due = queries.attention(cursor, as_of=LONG_AFTER).rows
        said.append(
            (
                [(row["judged"], row["within_target"]) for row in rows],
                [{name: rule["state"] for name, rule in row["rules"].items()} for row in judged],
                {(row["thing_id"], row["step"]): row["due_at"] for row in due},
            )
        )
    assert said[0] == said[1]


@enough(60)
@given(
    replaced=st.lists(calendars, max_size=4),
    minutes=st.lists(st.integers(0, 40 * 1440), min_size=3, max_size=3),
)
def test_2_time_adds_up_and_is_never_negative(
    prepared: Datastore, replaced: list[Happened], minutes: list[int]
) -> None:
    first, second, third = (
        f"{START + timedelta(minutes=minute):%Y-%m-%d %H:%M}" for minute in sorted(minutes)
    )
    from_the_beginning = happened(
        "calendar.published.v1",
        "2024-01-01",
        calendar_id="office",
        timezone="Europe/Amsterdam",
        weekly=[{"weekday": day, "from": "09:00", "to": "17:30"} for day in range(1, 6)],
        holidays=[date(2024, 4, 1)],
        valid_from="2024-01-01",
    )
    history = [from_the_beginning, *replaced, *agreed("business", "first_response")]
    pieces = {"whole": (first, third), "begin": (first, second), "rest": (second, third)}
    for channel, (asked, answered) in pieces.items():
        named = {"channel": channel, "customer_id": channel, "case_id": channel}
        history.append(inbound(asked, f"{channel} asked", **named))
        history.append(outbound(answered, f"{channel} answered", **named))
    fill(prepared, [as_recorded(history)])
    found = {row["channel"]: row["business_median_seconds"] for row in waits(prepared)}
    assert found["whole"] == pytest.approx(found["begin"] + found["rest"], abs=1e-3)
    assert min(found.values()) >= 0


@enough(20)
@given(
    history=histories(),
    later=st.lists(st.tuples(published, st.booleans()), min_size=1, max_size=4),
    days=st.integers(15, 40),
)
def test_3_publishing_policies_changes_no_earlier_verdict(
    prepared: Datastore, history: list[Happened], later: list[tuple[Happened, bool]], days: int
) -> None:
    """Several at once, each valid from after everything happened and published whenever, or else
    published after everything happened and valid from whenever.
    """
    then = START + timedelta(days=days)
    afterwards = then + timedelta(minutes=1)
    new = [
        event._replace(occurred_at=afterwards, id=f"later {event.id}")
        if backdated or event.type == "customer.tiered.v1"
        else event._replace(data=event.data | {"valid_from": then}, id=f"later {event.id}")
        for event, backdated in later
    ]

    def verdicts() -> list[Any]:
        with queries.snapshot(prepared) as cursor:
            return [
                queries.response_times(cursor, as_of=then, by=["channel", "tier"]).rows,
                queries.promises(cursor, as_of=then).rows,
                queries.promise_quality(cursor, as_of=then, by=["tier"]).rows,
                queries.complaints(cursor, as_of=then).rows,
                queries.complaint_quality(cursor, as_of=then, by=["tier"]).rows,
                queries.channels(cursor, as_of=then).rows,
                queries.value_cost(cursor, as_of=then).rows,
            ]

    fill(prepared, [as_recorded(history)])
    before = verdicts()
    fill(prepared, [as_recorded([*new, *history])])
    assert verdicts() == before


@enough(40)
@given(history=st.tuples(touchpoints(), complaints()).map(lambda parts: [*parts[0], *parts[1]]))
def test_4_reopening_removes_no_fact(prepared: Datastore, history: list[Happened]) -> None:
    """Every customer comes back, and every complaint is opened again."""

    def resolved() -> list[Any]:
        """What is said about first resolutions and first closings."""
        with read_schema(prepared) as cursor:
            cursor.execute(
                "SELECT started_by, ended_by, ended_at FROM intervals"
                " WHERE metric = 'resolution' AND ended_at IS NOT NULL AND visible_to = 'infinity'"
                " ORDER BY 1, 2"
            )
            ended = cursor.fetchall()
        with queries.snapshot(prepared) as cursor:
            closed = queries.complaints(cursor, as_of=LONG_AFTER).rows
        return [*ended, *((row["complaint_id"], row["first_closed_at"]) for row in closed)]

    fill(prepared, [as_recorded(history)])
    before = resolved()
    when = f"{START + timedelta(days=18):%Y-%m-%d %H:%M}"
    again = [
        inbound(when, f"back {customer} {case}", customer_id=customer, **case)
        for customer in CUSTOMERS
        for case in ({}, {"case_id": "A"}, {"case_id": "B"})
    ]
    again += [happened("complaint.reopened.v1", when, complaint_id=named) for named in "KL"]
    fill(prepared, [as_recorded([*history, *again])])
    assert resolved() == before


@enough(15)
@given(data=st.data(), history=histories())
def test_5_a_verdict_does_not_depend_on_when_or_how_often_it_is_evaluated(
    prepared: Datastore, data: st.DataObject, history: list[Happened]
) -> None:
    fill(prepared, [as_recorded(history)])
    once = everything_said(prepared, LONG_AFTER)
    batches = data.draw(batches_of(history))
    for taken in range(1, len(batches) + 1):
        fill(prepared, batches[:taken])
        with queries.snapshot(prepared) as cursor:
            queries.promises(cursor, as_of=START + timedelta(days=taken))
            queries.complaints(cursor, as_of=START + timedelta(days=taken))
            queries.attention(cursor, as_of=START + timedelta(days=taken))
    assert everything_said(prepared, LONG_AFTER) == once
    assert everything_said(prepared, LONG_AFTER) == once


@enough(12)
@given(data=st.data(), history=histories())
def test_6_any_order_any_restart_and_rebuilt_equal_live(
    cluster: Cluster, migrated_template: str, data: st.DataObject, history: list[Happened]
) -> None:
    """Live: recorded in any order, in pieces, with a new projector after each, which may be given
    everything once more.
    """
    with ledger_of_its_own(cluster, migrated_template) as datastore:
        runner(datastore)
        order = data.draw(st.permutations(history))
        piece = data.draw(st.integers(1, 8))
        for begin in range(0, len(order), piece):
            tell(datastore, order[begin : begin + piece])
            runner(datastore, batch_size=data.draw(st.integers(1, 5))).catch_up()
            if data.draw(st.booleans()):
                feed_again(datastore, read_models())
        live = rows_of(datastore)
        rebuild = rebuilt(datastore)
        assert rebuild.difference() is None
        rebuild.swap()
        assert rows_of(datastore) == live
    with ledger_of_its_own(cluster, migrated_template) as datastore:
        tell(datastore, sorted(history, key=lambda event: event.occurred_at))
        runner(datastore).catch_up()
        assert rows_of(datastore) == live


def as_message(event: Happened) -> Message:
    """The event as a channel publishes it, with personal words where its type has room for them."""
    personal = {
        "touchpoint.recorded.v1": {"note": "call Ada", "contact": "ada@example.org"},
        "complaint.raised.v1": {"description": "Ada is angry"},
        "complaint.apologized.v1": {"words": "dear Ada"},
    }
    told = to_json(event.type, event.data) | personal.get(event.type, {})
    envelope = {
        "specversion": "1.0",
        "id": event.id,
        "source": "story",
        "type": event.type,
        "time": event.occurred_at.isoformat(),
        "datacontenttype": "application/json",
        "data": {name: value for name, value in told.items() if value is not None},
    }
    return raw(json.dumps(envelope).encode())


@enough(12)
@given(history=histories())
def test_7_erasing_a_person_changes_no_count_and_no_duration(
    cluster: Cluster, migrated_template: str, history: list[Happened]
) -> None:
    with ledger_of_its_own(cluster, migrated_template) as datastore:
        door = Door(datastore)
        door.take(*(as_message(event) for event in sorted(history, key=lambda e: e.occurred_at)))
        runner(datastore).catch_up()
        before = everything_said(datastore, LONG_AFTER)
        for customer in CUSTOMERS:
            Eraser(datastore, door.keyring, door.intake).erase(customer, basis="asked for")
        runner(datastore).catch_up()
        assert everything_said(datastore, LONG_AFTER) == before
        rebuilt(datastore).swap()
        assert everything_said(datastore, LONG_AFTER) == before


@enough(15)
@given(history=histories(), pair=st.permutations(CUSTOMERS))
def test_8_merging_and_unmerging_restores_both_timelines(
    cluster: Cluster, migrated_template: str, history: list[Happened], pair: Sequence[str]
) -> None:
    one, other = pair
    when = [f"{START + timedelta(days=days):%Y-%m-%d %H:%M}" for days in (20, 21)]
    merged, unmerged = (
        happened(f"customer.{step}.v1", at_, customer_id=one, merged_customer_id=other)
        for step, at_ in zip(("merged", "unmerged"), when, strict=True)
    )
    steps = {merged.id, unmerged.id}
    history = [event for event in history if event.type not in (merged.type, unmerged.type)]

    def told(datastore: Datastore) -> list[Any]:
        runner(datastore).catch_up()
        with queries.snapshot(datastore) as cursor:
            lives = [queries.timeline(cursor, who, as_of=LONG_AFTER).rows for who in CUSTOMERS]
        lives = [[row for row in life if row["id"] not in steps] for life in lives]
        return [lives, everything_said(datastore, LONG_AFTER)]

    with ledger_of_its_own(cluster, migrated_template) as datastore:
        tell(datastore, history)
        before = told(datastore)
        tell(datastore, [merged, unmerged])
        assert told(datastore) == before


@enough(60)
@given(
    history=histories(),
    minutes=st.sampled_from([0, 1, 3, 61, 7 * 1440, 9 * 1440, 30 * 1440]),
    metric=st.sampled_from(queries.METRICS),
)
def test_9_counting_those_who_wait_never_lowers_a_median(
    prepared: Datastore, history: list[Happened], minutes: int, metric: str
) -> None:
    """A median that is not reached is above every other."""
    fill(prepared, [as_recorded(history)])
    as_of = START + timedelta(minutes=minutes)
    rows = waits(prepared, metric=metric, as_of=as_of)
    rows += waits(prepared, metric=metric, as_of=as_of, by=["team", "tier"])
    pairs = [(row["median_seconds"], row["km_median_seconds"]) for row in rows]
    with queries.snapshot(prepared) as cursor:
        pairs += [
            (row["late_median_seconds"], row["late_km_median_seconds"])
            for row in queries.promise_quality(cursor, as_of=as_of).rows
        ]
    for answered_only, counting_all in pairs:
        if answered_only is None:
            assert counting_all is None
        else:
            assert counting_all is None or counting_all >= answered_only - 1e-6


COUNTED = {
    "waits": ("answered", "waiting", "judged"),
    "promises": (
        *("promises_due", "kept", "kept_late", "broken", "overdue", "pending", "withdrawn"),
        *("due_moved", "below_standard", "below_competitor", "delivered_otherwise"),
    ),
    "complaints": (
        *("complaints", "conforming", "deviating", "open"),
        *("preventions", "verified", "recurred"),
    ),
}


@enough(30)
@given(history=histories(), data=st.data())
def test_10_the_figures_of_groups_are_those_of_their_union(
    prepared: Datastore, history: list[Happened], data: st.DataObject
) -> None:
    """Counts add up whatever the groups, and percentiles are those of all durations together."""
    fill(prepared, [as_recorded(history)])
    for kind, question, dimensions in (
        ("waits", queries.response_times, queries.DIMENSIONS),
        ("promises", queries.promise_quality, OF_PROMISES),
        ("complaints", queries.complaint_quality, OF_COMPLAINTS),
    ):
        two = data.draw(st.permutations(dimensions))[:2]
        totals = []
        violations = []
        with queries.snapshot(prepared) as cursor:
            for by in ([two[0]], [two[1]], list(two)):
                rows = question(cursor, as_of=LONG_AFTER, by=by).rows
                totals.append({name: sum(row[name] for row in rows) for name in COUNTED[kind]})
                violated: Counter[str] = Counter()
                for row in rows:
                    violated.update(row.get("violations", {}))
                violations.append(violated)
        assert totals[0] == totals[1] == totals[2]
        assert violations[0] == violations[1] == violations[2]
    with read_schema(prepared) as cursor:
        cursor.execute(
            "SELECT channel, extract(epoch FROM ended_at - started_at)::float8 FROM intervals"
            " WHERE metric = 'first_response' AND visible_to = 'infinity' AND ended_at IS NOT NULL"
        )
        durations = defaultdict(list)
        for channel, seconds in cursor:
            durations[channel].append(seconds)
    for row in waits(prepared):
        mine = durations[row["channel"]]
        assert row["median_seconds"] == (pytest.approx(median(mine)) if mine else None)


@enough(15)
@given(history=histories())
def test_11_every_number_opens_into_the_events_that_made_it(
    cluster: Cluster, migrated_template: str, history: list[Happened]
) -> None:
    with ledger_of_its_own(cluster, migrated_template) as datastore:
        tell(datastore, history)
        runner(datastore).catch_up()
        everything_opens(datastore, history)


def everything_opens(prepared: Datastore, history: list[Happened]) -> None:
    """What groups count is as many as there are rows, and these name events of the history."""
    known = {event_id(event) for event in history}
    with read_schema(prepared) as cursor:
        cursor.execute(
            "SELECT channel, started_by, ended_by FROM intervals"
            " WHERE metric = 'first_response' AND visible_to = 'infinity'"
        )
        opened: dict[str, Counter[bool]] = defaultdict(Counter)
        for channel, started_by, ended_by in cursor:
            assert {started_by, ended_by} <= known | {None}
            opened[channel][ended_by is not None] += 1
    for row in waits(prepared):
        assert (row["answered"], row["waiting"]) == (
            opened[row["channel"]][True],
            opened[row["channel"]][False],
        )
    with queries.snapshot(prepared) as cursor:
        promises = queries.promises(cursor, as_of=LONG_AFTER).rows
        judged = queries.complaints(cursor, as_of=LONG_AFTER).rows
        groups = queries.complaint_quality(cursor, as_of=LONG_AFTER).rows
        due = queries.attention(cursor, as_of=LONG_AFTER).rows
        for row in promises:
            (one,) = queries.promise(cursor, row["promise_id"], as_of=LONG_AFTER).rows
            assert one["revised"] == sum(_is_revision(step) for step in one["steps"])
    assert sum(row["complaints"] for row in groups) == len(judged)
    violated: Counter[str] = Counter()
    for row in judged:
        for name, rule in row["rules"].items():
            assert set(rule["events"]) <= known
            assert rule["events"] or rule["state"] in ("pending", "not_applicable")
            violated[name] += rule["state"] == "violated"
        assert set(row["verified"]["events"]) <= known
    assert +violated == sum((Counter(row["violations"]) for row in groups), Counter())
    assert all(row["events"] and set(row["events"]) <= known for row in due)


def _is_revision(step: Mapping[str, Any]) -> bool:
    return step["type"] == "promise.revised.v1"
