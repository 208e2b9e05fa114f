"""How well promises were made and kept: groups, findings, and one promise step by step."""

from collections.abc import Mapping
from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.queries import (
    UnknownDimension,
    UnknownFinding,
    promise,
    promise_quality,
    promises,
    snapshot,
)
from tests.projections.history import Happened, at, event_id, happened, project
from tests.projections.test_promises import MADE, broken, kept, revised, withdrawn

NOW = at("2024-04-01")
MEETS, BELOW = {"verdict": "meets", "evidence": "a list"}, {"verdict": "below"}


def made(promise_id: str, due_at: str = "2024-03-10", /, **data: Any) -> Happened:
    said = {"statement": "a call", "channel": "mail", "due_at": due_at} | data
    return happened("promise.made.v1", "2024-03-01 09:00", promise_id=promise_id, **said)


def said_of(promise_id: str, step: str, when: str, **data: Any) -> Happened:
    return happened(f"promise.{step}.v1", when, promise_id=promise_id, **data)


def quality(datastore: Datastore, **how: Any) -> list[Mapping[str, Any]]:
    with snapshot(datastore) as cursor:
        return promise_quality(cursor, **{"as_of": NOW, **how}).rows


def listed(datastore: Datastore, **how: Any) -> list[str]:
    with snapshot(datastore) as cursor:
        return [row["promise_id"] for row in promises(cursor, as_of=NOW, **how).rows]


A_MONTH = [
    made("kept"),
    said_of("kept", "kept", "2024-03-09"),
    made("late 1"),
    said_of("late 1", "kept", "2024-03-10 02:00"),
    made("late 3"),
    said_of("late 3", "kept", "2024-03-10 06:00"),
    made("broken"),
    said_of("broken", "broken", "2024-03-10"),
    made("overdue"),
    made("pending", "2024-04-02"),
    made("withdrawn"),
    said_of("withdrawn", "withdrawn", "2024-03-09", reason="sold"),
    made("elsewhere", channel="phone", team="north", employee_id="E1"),
]


def test_keep_rates_and_lateness(datastore: Datastore) -> None:
    project(datastore, A_MONTH)
    mail, phone = quality(datastore)
    assert mail == {
        "channel": "mail",
        "promises_due": 7,
        "kept": 1,
        "kept_late": 2,
        "broken": 1,
        "overdue": 1,
        "pending": 1,
        "withdrawn": 1,
        "keep_rate": 1 / 5,
        "settled_keep_rate": 1 / 4,
        # Two were two and six hours late, a third is late for three weeks and counts as well.
        "late_median_seconds": 4 * 3600,
        "late_km_median_seconds": 6 * 3600,
        "late_km_median_seconds_low": 2 * 3600,
        "late_km_median_seconds_high": None,
        "due_moved": 0,
        "weighed": 0,
        "below_standard": 0,
        "below_competitor": 0,
        "delivered_otherwise": 0,
    }
    assert (phone["overdue"], phone["keep_rate"], phone["settled_keep_rate"]) == (1, 0, None)
    assert phone["late_km_median_seconds"] is None


def test_by_two_things_at_once(datastore: Datastore) -> None:
    tiered = happened("customer.tiered.v1", "2024-02-01", tier="most_valuable")
    demoted = happened("customer.tiered.v1", "2024-03-02", tier="negative")
    project(datastore, [*A_MONTH, tiered, demoted])

    def counts(*by: str) -> dict[tuple[Any, ...], int]:
        rows = quality(datastore, by=by)
        return {tuple(list(row.values())[: len(by)]): row["promises_due"] for row in rows}

    assert counts("channel", "month") == {
        ("mail", "2024-03"): 6,
        ("mail", "2024-04"): 1,
        ("phone", "2024-03"): 1,
    }
    assert counts("tier") == {("most_valuable",): 8}
    assert counts("team", "employee") == {(None, None): 7, ("north", "E1"): 1}
    assert quality(datastore, by=["employee"], to=at("2024-03-10")) == []
    with pytest.raises(UnknownDimension):
        quality(datastore, by=["weather"])


def test_how_well_promises_were_weighed(datastore: Datastore) -> None:
    weighing = {"industry_standard": MEETS, "competitor": BELOW}
    history = [
        made("plain"),
        made("weighed", weighing=weighing, differentiator="the same technician"),
        made("worse", weighing={"competitor": BELOW, "customer_need": MEETS}),
        made("below", weighing={"industry_standard": BELOW, "internal_resources": MEETS}),
        made("other", promised_value="blue"),
        said_of("other", "kept", "2024-03-09", observed_value="green"),
        made("same", promised_value="blue"),
        said_of("same", "kept", "2024-03-12", observed_value="blue"),
        made("broken", promised_value="blue"),
        said_of("broken", "broken", "2024-03-09"),
        made("unseen", promised_value="blue"),
        said_of("unseen", "kept", "2024-03-09"),
    ]
    project(datastore, history)
    assert listed(datastore, finding="below_standard") == ["below"]
    assert listed(datastore, finding="below_competitor") == ["worse"]
    assert listed(datastore, finding="delivered_otherwise") == ["other"]
    with pytest.raises(UnknownFinding):
        listed(datastore, finding="blue")
    (row,) = quality(datastore)
    assert row["weighed"] == 6 / (4 * 8)
    found = ("below_standard", "below_competitor", "delivered_otherwise")
    assert [row[name] for name in found] == [1, 1, 1]
    # Before it was kept nobody could know that it would be delivered otherwise.
    (early,) = quality(datastore, as_of=at("2024-03-08"))
    assert [early[name] for name in found] == [1, 1, 0]


def test_one_promise_step_by_step(datastore: Datastore) -> None:
    moved = revised("2024-03-08", "2024-03-20 12:00")
    not_asked = revised("2024-03-09", "2024-03-30 12:00", consented=False)
    too_late = revised("2024-03-20 12:00", "2024-03-25 12:00")
    done, again = kept("2024-03-21"), kept("2024-03-22")
    project(datastore, [again, done, too_late, not_asked, moved, MADE])
    with snapshot(datastore) as cursor:
        (row,) = promise(cursor, "P", as_of=NOW).rows
        (early,) = promise(cursor, "P", as_of=at("2024-03-08")).rows
        assert promise(cursor, "Q", as_of=NOW).rows == []
        assert promise(cursor, "P", as_of=at("2024-02-01")).rows == []
        (listed_row,) = promises(cursor, as_of=NOW).rows
    steps = row.pop("steps")
    assert row == listed_row
    assert (row["revised"], row["due_moved"], row["due_at"]) == (3, True, at("2024-03-20 12:00"))
    assert [(step["event_id"], step["counts"]) for step in steps] == [
        (event_id(MADE), True),
        (event_id(moved), True),
        (event_id(not_asked), False),
        (event_id(too_late), False),
        (event_id(done), True),
        (event_id(again), False),
    ]
    assert steps[1]["data"] == {
        "due_at": "2024-03-20T12:00:00Z",
        "reason": "delivery is late",
        "customer_consented": True,
    }
    assert [step["position"] for step in steps] == [6, 5, 4, 3, 2, 1]
    assert (early["revised"], len(early["steps"])) == (1, 2)


def test_what_settles_nothing_does_not_count(datastore: Datastore) -> None:
    project(datastore, [MADE, broken("2024-03-04"), withdrawn("2024-03-05"), kept("2024-03-08")])
    with snapshot(datastore) as cursor:
        (row,) = promise(cursor, "P", as_of=NOW).rows
    # Declared broken, and kept in time all the same.
    assert [step["counts"] for step in row["steps"]] == [True, True, False, True]
