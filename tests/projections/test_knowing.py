"""One customer as of what was known at some time."""

import time
from datetime import timedelta

from ledger.datastore import Datastore
from ledger.reading import event_by_position, known_position, last_position
from projections.knowing import knowing
from projections.promises.model import PROMISES
from projections.queries import complaints, promises, snapshot, timeline
from projections.registry import read_models
from tests.projections.crowd import crowd
from tests.projections.history import Happened, at, happened, inbound, runner, tell

NOW = at("2025-01-01")

MADE = happened(
    "promise.made.v1",
    "2024-03-01 09:00",
    promise_id="P1",
    statement="a call",
    channel="mail",
    due_at="2024-03-02",
)
KEPT = happened("promise.kept.v1", "2024-03-01 12:00", promise_id="P1")


def test_a_promise_is_overdue_until_we_hear_that_it_was_kept(datastore: Datastore) -> None:
    tell(datastore, [MADE, inbound("2024-03-01 10:00", "other", customer_id="Ben")])
    tell(datastore, [KEPT])
    runner(datastore).catch_up()
    with knowing(datastore, read_models(), ["Ada"], 2) as cursor:
        before = promises(cursor, as_of=NOW)
    with knowing(datastore, read_models(), ["Ada"], 3) as cursor:
        after = promises(cursor, as_of=NOW)
    assert ([row["verdict"] for row in before.rows], before.position) == (["overdue"], 2)
    assert ([row["verdict"] for row in after.rows], after.position) == (["kept"], 3)
    assert before.known_at is not None
    with snapshot(datastore) as cursor:
        assert promises(cursor, as_of=NOW).rows == after.rows


def test_only_that_customer_is_there_and_nothing_of_it_stays(datastore: Datastore) -> None:
    tell(datastore, crowd(5))
    runner(datastore).catch_up()
    with knowing(datastore, read_models(), ["customer 3"], 1_000) as cursor:
        said = complaints(cursor, as_of=NOW).rows
        assert timeline(cursor, "customer 2", as_of=NOW).rows == []
        assert len(timeline(cursor, "customer 3", as_of=NOW).rows) == 10
        cursor.execute("SELECT count(*) FROM service_levels")
        assert cursor.fetchone() == (1,)
    assert [row["customer_id"] for row in said] == ["customer 3"]
    with snapshot(datastore) as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relpersistence = 't'")
        assert cursor.fetchone() == (0,)
        assert len(complaints(cursor, as_of=NOW).rows) == 5


def test_all_that_is_known_now_is_what_the_read_models_say(datastore: Datastore) -> None:
    tell(datastore, crowd(3))
    runner(datastore).catch_up()
    with snapshot(datastore) as cursor:
        told = timeline(cursor, "customer 1", as_of=NOW)
    with knowing(datastore, read_models(), ["customer 1"], 1_000_000) as cursor:
        assert timeline(cursor, "customer 1", as_of=NOW) == told


def test_an_instant_becomes_the_last_position_recorded_by_then(datastore: Datastore) -> None:
    with datastore.transaction() as cursor:
        assert known_position(cursor, NOW) == 0
    told = [tell(datastore, [inbound("2024-03-01 09:00", f"T{n}")]) for n in range(9)]
    with datastore.transaction() as cursor:
        recorded = {}
        for position in told:
            event = event_by_position(cursor, position)
            assert event is not None
            recorded[position] = event.recorded_at
        moment = timedelta(microseconds=1)
        for position, instant in recorded.items():
            assert known_position(cursor, instant) == position
            assert known_position(cursor, instant - moment) == position - 1
        assert known_position(cursor, recorded[9] + timedelta(days=1)) == 9
        assert known_position(cursor, 4) == 4
        assert known_position(cursor, 400) == last_position(cursor) == 9


def test_an_instant_finds_what_a_whole_batch_brought(datastore: Datastore) -> None:
    first = tell(datastore, crowd(4))
    tell(datastore, crowd(4, first=4))
    with datastore.transaction() as cursor:
        event = event_by_position(cursor, 1)
        assert event is not None
        assert known_position(cursor, event.recorded_at) == first


def test_a_customer_of_a_thousand_events_is_known_within_a_moment(datastore: Datastore) -> None:
    tell(datastore, a_long_story(1_000))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        with knowing(datastore, [PROMISES], ["Ada"], 900) as cursor:
            assert promises(cursor, as_of=NOW).position == 900
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.25  # a tenth where nobody else is at work


def a_long_story(events: int) -> list[Happened]:
    """Touchpoints of one customer, and a promise every tenth time."""
    history = []
    for number in range(events):
        when = f"{at('2024-01-01') + timedelta(hours=number):%Y-%m-%d %H:%M}"
        if number % 10:
            history.append(inbound(when, f"T{number}", topic="boiler"))
        else:
            history.append(
                MADE._replace(id=f"made {number}", data=MADE.data | {"promise_id": f"P{number}"})
            )
    return history
