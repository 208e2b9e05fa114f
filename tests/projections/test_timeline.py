"""What happened with one customer, in order."""

import json
from datetime import datetime
from typing import Any

import pytest

from domain import EVENT_TYPES, is_of_nobody
from ledger.datastore import Datastore
from projections.answers import Answer
from projections.knowing import knowing
from projections.queries import BadToken, promises, snapshot, timeline
from projections.registry import read_models
from projections.timeline.sentences import sentence
from tests.projections.history import (
    Happened,
    at,
    corrected,
    happened,
    inbound,
    outbound,
    project,
    runner,
    tell,
)

HISTORY = [
    inbound("2024-03-01 09:00", "question", topic="boiler"),
    outbound("2024-03-01 10:00", "reply", employee_id="E1"),
    inbound("2024-03-01 09:30", "of another customer", customer_id="Ben"),
    corrected("2024-03-02 09:00", "question", channel="phone"),
]


def test_events_are_told_in_the_order_in_which_they_happened(datastore: Datastore) -> None:
    project(datastore, list(reversed(HISTORY)))
    with snapshot(datastore) as cursor:
        told = timeline(cursor, "Ada", as_of=at("2025-01-01"))
    assert [(row["occurred_at"], row["channel"], row["position"]) for row in told.rows] == [
        (at("2024-03-01 09:00"), "mail", 4),
        (at("2024-03-01 10:00"), "mail", 3),
        (at("2024-03-02 09:00"), "phone", 1),
    ]
    assert told.position == 4
    first = told.rows[0]
    assert list(first) == [
        "position",
        "occurred_at",
        "recorded_at",
        "source",
        "id",
        "type",
        "customer_id",
        "channel",
        "employee_id",
        "summary",
        "data",
    ]
    assert first["summary"] == "The customer got in touch by mail, about boiler"
    assert first["data"]["topic"] == "boiler"
    json.dumps(first["data"])


def test_an_inbound_comes_before_the_outbound_of_the_same_instant(datastore: Datastore) -> None:
    at_once = [outbound("2024-03-01 09:00", "answer"), inbound("2024-03-01 09:00", "question")]
    project(datastore, at_once)
    with snapshot(datastore) as cursor:
        rows = timeline(cursor, "Ada", as_of=at("2025-01-01")).rows
    assert [row["data"]["direction"] for row in rows] == ["inbound", "outbound"]


def test_as_of_by_what_happened_and_by_what_was_known(datastore: Datastore) -> None:
    tell(datastore, HISTORY[:1])
    with datastore.transaction() as cursor:
        cursor.execute("SELECT recorded_at FROM ledger.head")
        (then,) = cursor.fetchone() or (None,)
    project(datastore, HISTORY[1:])

    def told(known_at: datetime | int, as_of: str = "2025-01-01") -> Answer:
        with knowing(datastore, read_models(), ["Ada"], known_at) as cursor:
            return timeline(cursor, "Ada", as_of=at(as_of))

    def positions(answer: Answer) -> list[int]:
        return [row["position"] for row in answer.rows]

    with snapshot(datastore) as cursor:
        assert positions(timeline(cursor, "Ada", as_of=at("2025-01-01"))) == [1, 2, 4]
        assert positions(timeline(cursor, "Ada", as_of=at("2024-03-01 10:00"))) == [1, 2]
    assert positions(told(2)) == [1, 2]
    assert told(2).position == 2
    assert positions(told(2, as_of="2024-03-01 09:00")) == [1]
    assert positions(told(then)) == [1]
    assert (told(then).position, told(then).known_at) == (1, then)
    nothing = told(at("1999-01-01"))
    assert (nothing.position, nothing.known_at, nothing.rows) == (0, None, [])


def test_pages_join_to_the_whole(datastore: Datastore) -> None:
    minutes = [inbound(f"2024-03-01 09:{minute:02}", f"T{minute}") for minute in range(5)]
    at_once = [outbound("2024-03-01 09:02", f"O{n}") for n in range(5)]
    project(datastore, minutes + at_once)
    with snapshot(datastore) as cursor:
        whole = timeline(cursor, "Ada", as_of=at("2024-03-01 09:03"))
        pages = []
        token = None
        while True:
            # All pages are as of the instant of the first, whatever is asked later.
            as_of = at("2024-03-01 09:03") if token is None else at("2025-01-01")
            page = timeline(cursor, "Ada", as_of=as_of, limit=2, token=token)
            assert len(page.rows) <= 2
            assert page.as_of == at("2024-03-01 09:03")
            pages += page.rows
            if (token := page.next) is None:
                break
    assert pages == whole.rows
    assert len(pages) == 9


def test_a_token_belongs_to_its_question(datastore: Datastore) -> None:
    project(datastore, HISTORY)
    with snapshot(datastore) as cursor:
        token = timeline(cursor, "Ada", as_of=at("2025-01-01"), limit=1).next
        assert token is not None
        with pytest.raises(BadToken):
            promises(cursor, as_of=at("2025-01-01"), token=token)
        for nonsense in ("", "x", "W10=", "é", token[:-3]):
            with pytest.raises(BadToken):
                timeline(cursor, "Ada", as_of=at("2025-01-01"), token=nonsense)
        for limit in (0, 1001):
            with pytest.raises(ValueError, match="limit"):
                timeline(cursor, "Ada", as_of=at("2025-01-01"), limit=limit)


def test_an_empty_ledger_has_an_answer(datastore: Datastore) -> None:
    runner(datastore)
    with snapshot(datastore) as cursor:
        told = timeline(cursor, "Ada", as_of=at("2025-01-01"))
    assert (told.position, told.known_at, told.rows, told.next) == (0, None, [], None)


PERSONAL = "Ada Lovelace, Piccadilly"
EXAMPLES: dict[str, dict[str, Any]] = {
    "touchpoint.recorded.v1": {
        "touchpoint_id": "T",
        "channel": "mail",
        "direction": "inbound",
        "note": PERSONAL,
    },
    "touchpoint.corrected.v1": {
        "touchpoint_id": "T",
        "reason": "wrong channel",
        "corrected": {"channel": "mail", "direction": "inbound", "note": PERSONAL},
    },
    "statement.made.v1": {"statement_id": "S", "claim_key": "price:1", "value": "10"},
    "feedback.given.v1": {
        "feedback_id": "F",
        "kind": "explicit",
        "instrument": "csat",
        "score": 4.0,
        "scale_min": 1.0,
        "scale_max": 5.0,
        "text": PERSONAL,
    },
    "promise.made.v1": {
        "promise_id": "P",
        "statement": "a call",
        "channel": "mail",
        "due_at": "2024-03-02",
    },
    "promise.revised.v1": {
        "promise_id": "P",
        "due_at": "2024-03-03",
        "reason": "illness",
        "customer_consented": True,
    },
    "promise.kept.v1": {"promise_id": "P"},
    "promise.broken.v1": {"promise_id": "P", "reason": "forgotten"},
    "promise.withdrawn.v1": {"promise_id": "P", "reason": "sold out"},
    "complaint.raised.v1": {"complaint_id": "K", "channel": "mail", "description": PERSONAL},
    "complaint.acknowledged.v1": {"complaint_id": "K", "words": PERSONAL},
    "complaint.apologized.v1": {"complaint_id": "K", "admits_fault": True, "words": PERSONAL},
    "complaint.amends_offered.v1": {"complaint_id": "K", "amends_id": "A", "kind": "refund"},
    "complaint.amends_answered.v1": {"complaint_id": "K", "amends_id": "A", "accepted": True},
    "complaint.amends_delivered.v1": {"complaint_id": "K", "amends_id": "A"},
    "complaint.prevention_planned.v1": {
        "complaint_id": "K",
        "root_cause": "wiring",
        "origin": "back_office",
        "measure": "new wires",
    },
    "complaint.prevention_verified.v1": {
        "complaint_id": "K",
        "root_cause": "wiring",
        "evidence": "no more fires",
    },
    "complaint.escalated.v1": {"complaint_id": "K", "reason": "over_authority"},
    "complaint.handed_over.v1": {"complaint_id": "K", "customer_visible": True},
    "complaint.restated.v1": {"complaint_id": "K"},
    "complaint.explained.v1": {"complaint_id": "K", "reason": "waiting for parts"},
    "complaint.decided.v1": {"complaint_id": "K", "decision": "upheld", "communicated": False},
    "complaint.followed_up.v1": {"complaint_id": "K", "result": "satisfied"},
    "complaint.closed.v1": {"complaint_id": "K", "outcome": "upheld"},
    "complaint.reopened.v1": {"complaint_id": "K"},
    "customer.tiered.v1": {"tier": "most_valuable"},
    "customer.purchased.v1": {"order_id": "O"},
    "customer.lapsed.v1": {},
    "customer.credit_changed.v1": {"state": "frozen"},
    "customer.merged.v1": {"merged_customer_id": "Ada2"},
    "customer.unmerged.v1": {"merged_customer_id": "Ada2"},
    "customer.erased.v1": {"basis": "request"},
    "customer.hold_placed.v1": {"reason": "dispute"},
    "customer.hold_lifted.v1": {"reason": "settled"},
    "support.requested.v1": {"request_id": "R", "kind": "technical"},
    "support.answered.v1": {"request_id": "R", "fulfilled": True},
}


def test_every_event_of_a_customer_has_a_sentence(datastore: Datastore) -> None:
    assert EXAMPLES.keys() == {type_ for type_ in EVENT_TYPES if not is_of_nobody(type_)}
    history = [example(type_, data) for type_, data in EXAMPLES.items()]
    project(datastore, history)
    with snapshot(datastore) as cursor:
        rows = timeline(cursor, "Ada", as_of=at("2025-01-01")).rows
    assert {row["type"] for row in rows} == EXAMPLES.keys()
    for row in rows:
        assert row["summary"]
        assert "None" not in row["summary"]
        assert PERSONAL not in str(row)
        assert not {"note", "contact", "text", "words", "description"} & row["data"].keys()


def test_sentences_say_what_matters() -> None:
    promise = EXAMPLES["promise.made.v1"] | {"due_at": at("2024-03-02 12:00")}
    assert sentence("promise.made.v1", promise) == (
        "Promised by mail, due 2024-03-02 12:00 UTC: a call"
    )


def example(type_: str, data: dict[str, Any]) -> Happened:
    if type_ == "touchpoint.corrected.v1":
        record = data["corrected"] | {"touchpoint_id": "T", "customer_id": "Ada"}
        data = data | {"corrected": record}
    return happened(type_, "2024-03-01 09:00", **data)
