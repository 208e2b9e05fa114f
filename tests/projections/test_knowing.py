"""One customer as of what was known at some time."""

import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import given, settings

from ledger.datastore import Datastore
from ledger.reading import event_by_position, known_position, last_position
from projections.answers import Answer
from projections.knowing import knowing
from projections.promises.model import PROMISES
from projections.queries import complaints, promises, snapshot, timeline
from projections.registry import read_models
from questions.asking import reading
from questions.question import Question
from questions.registry import QUESTIONS
from tests.projections.crowd import crowd
from tests.projections.histories import histories
from tests.projections.history import Happened, at, happened, inbound, runner, tell
from tests.projections.test_properties import through_postgresql

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


def raised(when: str, complaint_id: str, customer_id: str, **data: Any) -> list[Happened]:
    """A complaint about the bill, and what is planned against it the day after."""
    named = {"complaint_id": complaint_id, "customer_id": customer_id}
    planned = {"root_cause": "bill", "origin": "policy", "measure": "a check"}
    return [
        happened("complaint.raised.v1", f"{when} 09:00", channel="mail", **named, **data),
        happened("complaint.prevention_planned.v1", f"{when} 10:00", **named, **planned),
    ]


def test_whether_a_prevention_worked_is_told_by_other_customers(datastore: Datastore) -> None:
    """Ben's complaint came back to Ada's, Cleo's to nothing; until it is known, nothing did."""
    tell(datastore, raised("2024-03-01", "K", "Ada") + raised("2023-01-01", "J", "Cleo"))
    tell(datastore, raised("2024-03-20", "L", "Ben", repeat_of="K"))
    runner(datastore).catch_up()
    said = []
    for position in (4, 5, 6):
        with knowing(datastore, read_models(), ["Ada"], position) as cursor:
            [row] = complaints(cursor, as_of=NOW, customer_id="Ada").rows
        said.append((row["verified"]["state"], len(row["verified"]["events"])))
    assert said == [("satisfied", 1), ("violated", 2), ("violated", 3)]
    tell(datastore, [inbound("2024-05-01", "not taken in yet")])
    with knowing(datastore, read_models(), ["Ada"], 7) as cursor:
        assert complaints(cursor, as_of=NOW, customer_id="Ada").position == 6


_numbers = count()


def apart(history: Sequence[Happened]) -> list[Happened]:
    """A history of things and people of its own, however many such histories there are."""
    number = next(_numbers)

    def own(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: own(name, each) for name, each in value.items()}
        ours = name.endswith("_id") or name in ("in_reply_to", "repeat_of", "root_cause")
        return f"{value} {number}" if ours and value is not None else value

    return [
        event._replace(id=f"{event.id} {number}", data=own("", event.data)) for event in history
    ]


def of_one_customer(history: Sequence[Happened]) -> Iterator[tuple[Question[Any], dict[str, Any]]]:
    """Every question about one customer of a history, and how it is asked."""
    customers = {event.data["customer_id"] for event in history if "customer_id" in event.data}
    for question in QUESTIONS:
        if question.subject == "customer_id":
            yield from ((question, {"subject": each}) for each in customers)
        elif question.whose is not None:
            thing = f"{question.thing}_id"
            for each in {event.data[thing] for event in history if thing in event.data}:
                yield question, {"subject": each}
        elif "customer_id" in question.parameters.model_fields and (
            question.about == "persons" and question.command != "explain"
        ):
            yield from ((question, {"customer_id": each}) for each in customers)


def asked(datastore: Datastore, question: Question[Any], **how: Any) -> Answer:
    subject = how.pop("subject", None)
    parameters = question.parameters(as_of=NOW.isoformat(), **how)
    with reading(datastore, read_models, question, parameters, subject) as cursor:
        return question.ask(cursor, *([] if subject is None else [subject]), parameters)


@settings(through_postgresql, max_examples=12)
@given(history=histories())
def test_what_is_known_now_of_one_customer_is_what_is_said_live(
    datastore: Datastore, history: list[Happened]
) -> None:
    history = apart(history)
    last = tell(datastore, history)
    runner(datastore).catch_up()
    for question, how in of_one_customer(history):
        live = asked(datastore, question, **how)
        assert asked(datastore, question, **how, known_at=str(last)) == live, question.path


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
