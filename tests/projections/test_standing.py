"""How complaints stand is kept in memory: what is kept is what is judged anew."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.datastore import Datastore
from projections.answers import fetch, snapshot
from projections.business_time.hours import CalendarVersion, Shift
from projections.complaints.case import case_of
from projections.complaints.judging import RULES, judgement, turns
from projections.complaints.model import step_of
from projections.complaints.reading import further_complaints, judged
from projections.complaints.standing import standings
from projections.complaints.verifying import verified_state
from projections.events import RecordedEvent
from projections.policies.book import RuleBook
from projections.policies.rules import Levels, ServiceLevel
from tests.projections.complaining import ACKNOWLEDGED, LIMIT, RAISED, step, target
from tests.projections.histories import START, batches_of, complaint, histories
from tests.projections.history import Happened, as_recorded, at, happened, runner, tell
from tests.projections.test_properties import fill, through_postgresql

RAISED_BY_THEN = """
SELECT complaint_id, customer_id, raised_at FROM complaints
WHERE visible_from <= %(as_of)s AND visible_to > %(as_of)s ORDER BY complaint_id
"""


@pytest.fixture
def projected(datastore: Datastore) -> Datastore:
    runner(datastore)
    return datastore


Told = dict[str, tuple[str, dict[str, str], str]]
"""Of each complaint the verdict, the state of each rule, and that of its prevention."""


def as_kept(datastore: Datastore, as_of: datetime) -> Told:
    with snapshot(datastore) as cursor:
        rows = raised_by(cursor, as_of)
        standing = standings(cursor, rows, as_of=as_of)
        ids = [row["complaint_id"] for row in rows]
        since = min((row["raised_at"] for row in rows), default=as_of)
        further = further_complaints(cursor, ids, since, as_of)
    return {
        id_: (
            each.verdict,
            dict(zip(RULES, each.states, strict=True)),
            verified_state(id_, each.plans, further, as_of=as_of),
        )
        for id_, each in zip(ids, standing, strict=True)
    }


def as_judged(datastore: Datastore, as_of: datetime) -> Told:
    with snapshot(datastore) as cursor:
        return {
            each.complaint_id: (
                each.judgement.verdict,
                {name: rule.state for name, rule in each.judgement.rules.items()},
                each.verified.state,
            )
            for each in judged(cursor, raised_by(cursor, as_of), as_of=as_of)
        }


def raised_by(cursor: Any, as_of: datetime) -> list[dict[str, Any]]:
    return fetch(cursor, RAISED_BY_THEN, {"as_of": as_of})


# What happens does so at these minutes, targets are 0, 60 and 3,600 seconds, and 30 days.
around_deadlines = st.builds(
    lambda minutes, target, near: START + timedelta(minutes=minutes) + target + near,
    st.sampled_from([0, 1, 2, 5, 60, 7 * 1440, 8 * 1440, 14 * 1440]),
    st.sampled_from([timedelta(seconds=n) for n in (0, 60, 3600)] + [timedelta(30)]),
    st.sampled_from([timedelta(microseconds=n) for n in (-2_000_000, -1, 0, 1, 2_000_000)]),
)


@through_postgresql
@given(
    data=st.data(),
    history=histories(),
    instants=st.lists(around_deadlines, min_size=2, max_size=5),
)
def test_what_is_kept_is_what_is_judged_anew(
    projected: Datastore, data: st.DataObject, history: list[Happened], instants: list[datetime]
) -> None:
    """Whatever was known and asked before: other instants, fewer events, in another order."""
    for known in (data.draw(st.lists(st.sampled_from(history), unique=False)), history):
        events = list({event.id: event for event in known}.values())
        batches: Sequence[Sequence[RecordedEvent]] = data.draw(batches_of(events)) if events else []
        fill(projected, batches)
        for as_of in [*instants, *reversed(instants)]:
            assert as_kept(projected, as_of) == as_judged(projected, as_of)


HOURS_OF_TARGETS = (0, 1, 24)
PROBED = sorted(
    START + timedelta(minutes=minutes) + target + timedelta(seconds=2)
    for minutes in (0, 1, 2, 5, 60, 7 * 1440, 7 * 1440 + 1, 8 * 1440, 14 * 1440)
    for target in [timedelta(hours=n) for n in HOURS_OF_TARGETS] + [timedelta(30)]
)
agreed = st.lists(
    st.builds(
        lambda metric, hours, clock: target(metric, hours, clock=clock, calendar_id="always"),
        st.sampled_from(["acknowledge", "apologize", "resolution", "anticipate"]),
        st.sampled_from(HOURS_OF_TARGETS),
        st.sampled_from(["calendar", "business"]),
    ),
    unique_by=lambda level: level.metric,
)


@given(complaint("K", "Ada"), agreed)
def test_between_two_deadlines_a_case_is_judged_alike(
    history: list[Happened], levels: list[ServiceLevel]
) -> None:
    shifts = tuple(Shift(day, 0, 24 * 60) for day in range(1, 8))
    since = at("2024-01-01")
    always = CalendarVersion("always", since, since, "UTC", shifts, frozenset())
    calendars = {"always": (always,)}
    book = RuleBook(Levels(levels), [LIMIT], calendars, since=since, until=at("2024-12-31"))
    steps = [step_of(event) for event in as_recorded(history)]
    found = [case_of(steps, book, tier=None, as_of=instant) for instant in PROBED]
    for before, after in pairwise(case for case in found if case is not None):
        stretch = timedelta(seconds=-1) + before.as_of, timedelta(seconds=1) + after.as_of
        over = [turn for turn in turns(before) if stretch[0] <= turn <= stretch[1]]
        if not over and len(before.steps) == len(after.steps):
            assert judgement(before) == judgement(after)


def test_what_arrives_late_changes_how_it_stands(projected: Datastore) -> None:
    """A service level that reaches back, then a tier: of both nothing is known at the first."""

    def stands(day: str) -> str:
        return as_kept(projected, at(day))["K"][1]["acknowledged"]

    def arrives(*history: Happened) -> None:
        tell(projected, history)
        runner(projected).catch_up()

    def agreed(published: str, seconds: float, **said: str) -> Happened:
        return happened(
            "service_level.published.v1",
            published,
            service_level_id=f"acknowledge {said}",
            metric="acknowledge",
            target_seconds=seconds,
            clock="calendar",
            valid_from="2024-01-01",
            **said,
        )

    arrives(RAISED)
    assert (stands("2024-03-05"), stands("2024-03-09")) == ("pending", "pending")
    arrives(agreed("2024-03-06", 3_600), agreed("2024-03-06", 10 * 86_400, tier="negative"))
    assert (stands("2024-03-05"), stands("2024-03-09")) == ("pending", "violated")
    arrives(happened("customer.tiered.v1", "2024-02-01", tier="negative"))
    assert (stands("2024-03-09"), stands("2024-03-12")) == ("pending", "violated")
    arrives(ACKNOWLEDGED)
    assert (stands("2024-03-01 10:00"), stands("2024-03-12")) == ("pending", "satisfied")


def test_an_event_of_the_same_id_in_another_ledger_is_another_one(projected: Datastore) -> None:
    now = at("2024-03-05")
    by_a_machine = step("acknowledged", "2024-03-01 12:00", handled_by="system")
    told = []
    for year, acknowledged in enumerate((ACKNOWLEDGED, by_a_machine), start=2030):
        story = as_recorded([RAISED, acknowledged._replace(id=ACKNOWLEDGED.id)])
        recorded_at = at(f"{year}-01-01")
        fill(projected, [[event._replace(recorded_at=recorded_at) for event in story]])
        told.append(as_kept(projected, now)["K"][1]["acknowledged"])
    assert told == ["satisfied", "pending"]
