"""How complaints were recovered from, by group, and whether they came back."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from ledger.datastore import Datastore
from projections.complaints.queries import UnknownRule, UnknownVerdict
from projections.queries import UnknownDimension, complaint, complaint_quality, complaints, snapshot
from tests.projections.complaining import (
    ACKNOWLEDGED,
    CLOSED,
    DECIDED,
    LONG_AFTER,
    PLANNED,
    RAISED,
    WELL_DONE,
    step,
    without,
)
from tests.projections.history import Happened, at, event_id, happened, project


def quality(datastore: Datastore, as_of: str = LONG_AFTER, **how: Any) -> list[Mapping[str, Any]]:
    with snapshot(datastore) as cursor:
        return complaint_quality(cursor, as_of=at(as_of), **how).rows


def another(
    name: str, history: Sequence[Happened], days: float = 0, **raised: Any
) -> list[Happened]:
    """The same steps of another complaint of another customer, so many days later."""
    told = []
    for event in history:
        about = {"complaint_id": name, "customer_id": f"customer of {name}"}
        if event is RAISED:
            about |= raised
        when = event.occurred_at + timedelta(days=days)
        told.append(Happened(event.type, when, event.data | about, f"{name} {event.id}"))
    return told


def test_complaints_by_group(datastore: Datastore) -> None:
    rejected = step("closed", "2024-03-04 09:00", outcome="rejected")
    project(
        datastore,
        [
            *WELL_DONE,
            *another("silent", [RAISED, CLOSED]),
            *another("unexplained", without(DECIDED)),
            *another("rejected", [RAISED, ACKNOWLEDGED, DECIDED, rejected], channel="phone"),
            *another("new", [RAISED], days=60, channel="phone"),
        ],
    )
    mail, phone = quality(datastore, "2024-05-02")
    assert {name: mail[name] for name in list(mail)[:11]} == {
        "channel": "mail",
        "complaints": 3,
        "conforming": 1,
        "deviating": 2,
        "open": 0,
        "share_conforming": 1 / 3,
        # Of the first all eight rules hold that apply, of the third all but one; of the second only
        # that nobody handed it over.
        "fitness": (8 + 7 + 1) / (8 + 8 + 5),
        "violations": {
            "decision_communicated": 2,
            "acknowledged": 1,
            "apologized": 1,
            "anticipated": 1,
        },
        "preventions": 2,
        "verified": 0,
        "recurred": 0,
    }
    assert (phone["conforming"], phone["open"], phone["share_conforming"]) == (1, 1, 1.0)
    assert phone["violations"] == {}


def test_times_count_those_who_still_wait(datastore: Datastore) -> None:
    history = [*WELL_DONE]
    for number in range(4):
        history += another(f"answered {number}", [RAISED, ACKNOWLEDGED])
        history += another(f"waits {number}", [RAISED])
    project(datastore, history)
    (row,) = quality(datastore)
    # Five of nine were heard after three hours; nobody else has heard anything since.
    assert row["acknowledge_km_median_seconds"] == 3 * 3600
    assert row["acknowledge_km_median_seconds_high"] is None
    assert row["apologize_km_median_seconds"] is None
    (early,) = quality(datastore, "2024-03-01 11:59")
    assert early["acknowledge_km_median_seconds"] is None


def test_after_it_was_rejected_nobody_waits_for_an_apology(datastore: Datastore) -> None:
    history = [*WELL_DONE]
    rejected = step("closed", "2024-03-01 14:00", outcome="rejected")
    for number in range(3):
        history += another(f"rejected {number}", [RAISED, rejected])
    project(datastore, history)
    (row,) = quality(datastore)
    # The three left when one was still waiting, who had the apology after six hours.
    assert row["apologize_km_median_seconds"] == 6 * 3600
    # That a complaint was heard is owed to everyone.
    assert row["acknowledge_km_median_seconds"] is None


def test_by_two_things_at_once(datastore: Datastore) -> None:
    tiered = happened("customer.tiered.v1", "2024-02-01", tier="most_valuable")
    demoted = happened("customer.tiered.v1", "2024-03-02", tier="negative")
    later = another("later", [RAISED], days=31)
    project(datastore, [*WELL_DONE, tiered, demoted, *later])

    def counts(*by: str, **how: Any) -> dict[tuple[Any, ...], int]:
        rows = quality(datastore, by=by, **how)
        return {tuple(list(row.values())[: len(by)]): row["complaints"] for row in rows}

    assert counts("tier", "month") == {("most_valuable", "2024-03"): 1, (None, "2024-04"): 1}
    assert counts("root_cause", "origin") == {("stock", "policy"): 1, (None, None): 1}
    assert counts("severity", "topic") == {("high", None): 2}
    assert counts("team", "department", from_=at("2024-04-01")) == {(None, None): 1}
    # Nobody knew the cause before the prevention was planned.
    assert counts("root_cause", as_of="2024-03-19") == {(None,): 1}
    with pytest.raises(UnknownDimension):
        quality(datastore, by=["channel", "channel"])


def test_a_groups_figures_are_those_of_its_complaints(datastore: Datastore) -> None:
    project(datastore, [*WELL_DONE, *another("silent", [RAISED, CLOSED])])
    with snapshot(datastore) as cursor:
        rows = complaints(cursor, as_of=at(LONG_AFTER)).rows
    (group,) = quality(datastore)
    assert group["conforming"] == sum(row["verdict"] == "conforming" for row in rows)
    for rule, count in group["violations"].items():
        assert count == sum(row["rules"][rule]["state"] == "violated" for row in rows)


def test_a_figure_opens_into_its_complaints_page_by_page(datastore: Datastore) -> None:
    history = [*WELL_DONE]
    for number in range(5):
        history += another(f"silent {number}", [RAISED, CLOSED], days=number)
    history += another("open", [RAISED])
    project(datastore, history)
    (group,) = quality(datastore)

    def listed(**how: Any) -> list[str]:
        found: list[str] = []
        token = None
        while True:
            with snapshot(datastore) as cursor:
                told = complaints(cursor, as_of=at(LONG_AFTER), limit=2, token=token, **how)
            found += [row["complaint_id"] for row in told.rows]
            token = told.next
            if token is None:
                return found

    for verdict in ("conforming", "deviating", "open"):
        assert len(listed(verdict=verdict)) == group[verdict] > 0
    assert listed(violates="apologized") == [f"silent {number}" for number in range(5)]
    assert len(listed(violates="apologized")) == group["violations"]["apologized"]
    assert listed(violates="order") == []
    assert listed(verdict="open", violates="apologized") == []
    with snapshot(datastore) as cursor, pytest.raises(UnknownRule):
        complaints(cursor, as_of=at(LONG_AFTER), violates="manners")
    with snapshot(datastore) as cursor, pytest.raises(UnknownVerdict):
        complaints(cursor, as_of=at(LONG_AFTER), verdict="kept")


def verified(datastore: Datastore, as_of: str) -> Mapping[str, Any]:
    with snapshot(datastore) as cursor:
        (row,) = complaint(cursor, "K", as_of=at(as_of)).rows
    found: Mapping[str, Any] = row["verified"]
    return found


# The prevention was planned on 2024-03-20.
CHECKED = step("prevention_verified", "2024-04-20", root_cause="stock")


def test_a_prevention_is_verified_after_ninety_days_without_another(datastore: Datastore) -> None:
    other_cause = another("other", [RAISED, PLANNED], days=30)
    other_cause[1].data["root_cause"] = "weather"
    too_late = another("late", [RAISED, PLANNED], days=120)
    project(datastore, [*WELL_DONE, CHECKED, *other_cause, *too_late])
    assert verified(datastore, "2024-03-19")["state"] == "not_applicable"
    assert verified(datastore, "2024-06-17 23:59")["state"] == "pending"
    assert verified(datastore, "2024-06-18") == {
        "state": "satisfied",
        "events": [event_id(PLANNED), event_id(CHECKED)],
    }


@pytest.mark.parametrize("raised", [{}, {"repeat_of": "K"}])
def test_another_customers_complaint_of_the_same_cause_counts(
    datastore: Datastore, raised: dict[str, str]
) -> None:
    steps = [RAISED] if raised else [RAISED, PLANNED]
    again = another("again", steps, days=60, **raised)
    project(datastore, [*WELL_DONE, CHECKED, *again])
    found = verified(datastore, LONG_AFTER)
    assert found["state"] == "violated"
    assert found["events"] == [event_id(event) for event in (PLANNED, *again)]
    # Raised on 2024-04-30; what it was about was known with its own prevention on 2024-05-19.
    known = "2024-04-30 09:00" if raised else "2024-05-19"
    assert verified(datastore, "2024-04-30 08:59")["state"] == "pending"
    assert verified(datastore, known)["state"] == "violated"
    (row,) = quality(datastore, to=at("2024-04-01"))
    assert (row["preventions"], row["verified"], row["recurred"]) == (1, 0, 1)


def test_what_was_raised_before_the_plan_is_no_recurrence(datastore: Datastore) -> None:
    project(datastore, [*WELL_DONE, *another("before", [RAISED, PLANNED], days=18)])
    assert verified(datastore, LONG_AFTER)["state"] == "satisfied"


def test_a_verdict_has_no_part_in_whether_it_came_back(datastore: Datastore) -> None:
    project(datastore, WELL_DONE)
    with snapshot(datastore) as cursor:
        (before,) = complaints(cursor, as_of=at(LONG_AFTER)).rows
    project(datastore, another("again", [RAISED, PLANNED], days=60))
    with snapshot(datastore) as cursor:
        after = complaints(cursor, as_of=at(LONG_AFTER)).rows[0]
    assert (before["verified"]["state"], after["verified"]["state"]) == ("satisfied", "violated")
    judgement = ("verdict", "fitness", "rules")
    assert [before[name] for name in judgement] == [after[name] for name in judgement]
