"""The simulated company is believable: shares, seasons, speed, and what goes wrong."""

import statistics
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from servicetrail.simulate.company import CALENDARS, CHANNELS, FAILINGS, TIERS, TOPICS, ZONE
from servicetrail.simulate.hours import Hours
from tests.simulate.history import (
    QUARTER,
    START,
    Case,
    Event,
    a_quarter,
    at,
    cases,
    complaints,
    of_type,
    promises,
)

LOCAL = ZoneInfo(ZONE)
BIG = 60_000


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("events", [2_000, 20_000])
def test_the_events_spread_over_about_the_days_asked_for(seed: int, events: int) -> None:
    spread = at(a_quarter(seed, events)[-1]) - START
    assert 0.85 * QUARTER < spread / timedelta(days=1) < 1.15 * QUARTER


def test_the_customer_pyramid_has_its_shares_and_some_tiers_come_more_often() -> None:
    events = a_quarter(1, BIG)
    tiers = {
        e["data"]["customer_id"]: e["data"]["tier"] for e in of_type(events, "customer.tiered.v1")
    }
    contacts = Counter(
        tiers.get(event["subject"]) for event in of_type(events, "touchpoint.recorded.v1")
    )
    customers = Counter(tiers.values())
    for tier in TIERS:
        assert customers[tier.name] / len(tiers) == pytest.approx(tier.share, abs=0.06)
    per_customer = {tier.name: contacts[tier.name] / customers[tier.name] for tier in TIERS}
    assert per_customer["most_valuable"] > per_customer["most_growable"]
    assert per_customer["most_growable"] > per_customer["low_contribution"]
    assert per_customer["negative"] > per_customer["low_contribution"]


def test_channels_differ_in_volume_and_speed() -> None:
    found = cases(a_quarter(1, BIG))
    volume = Counter(case.channel for case in found)
    assert set(volume) == {channel.name for channel in CHANNELS}
    assert volume["call_centre"] == max(volume.values())
    median = {name: statistics.median(hours(on(name, found))) for name in volume}
    assert max(median["chat"], median["call_centre"]) < median["shop"] < 0.5
    assert 4 < median["mail"] < 48


def test_mail_looks_faster_than_web_and_is_slower_on_every_topic() -> None:
    found = cases(a_quarter(1, BIG))
    mail, web = on("mail", found), on("web", found)
    assert statistics.median(hours(mail)) < statistics.median(hours(web))
    for topic in TOPICS:
        of_web, of_mail = hours(about(topic.name, web)), hours(about(topic.name, mail))
        assert statistics.median(of_web) < statistics.median(of_mail), topic.name


def test_people_answer_in_working_hours_and_customers_write_around_the_clock() -> None:
    hours_of = {channel.name: Hours(CALENDARS[channel.calendar]) for channel in CHANNELS}
    announced = at(office_calendars(a_quarter())[-1])
    written: Counter[tuple[str, int]] = Counter()
    for event in of_type(a_quarter(), "touchpoint.recorded.v1"):
        data = event["data"]
        if data["direction"] == "inbound":
            written[data["channel"], at(event).astimezone(LOCAL).hour] += 1
        elif data["handled_by"] == "human" and at(event) < announced:
            a_second_before = int(at(event).timestamp()) - 1
            assert hours_of[data["channel"]].is_open(a_second_before), event
    assert all(written["web", hour] + written["mail", hour] > 0 for hour in range(24))
    assert written["mail", 20] > 5 * written["mail", 3]


def test_only_chat_has_bots_and_only_people_take_part_by_name() -> None:
    outbound = [
        event["data"]
        for event in of_type(a_quarter(), "touchpoint.recorded.v1")
        if event["data"]["direction"] == "outbound"
    ]
    assert {data["channel"] for data in outbound if data["handled_by"] == "bot"} == {"chat"}
    assert all(("employee_id" in data) == (data["handled_by"] == "human") for data in outbound)


def test_most_promises_are_kept_and_the_rest_end_in_every_other_way() -> None:
    events = a_quarter(1, BIG)
    verdicts = Counter(promise.verdict(at(events[-1])) for promise in promises(events))
    due = sum(verdicts[v] for v in ("kept", "kept_late", "broken", "overdue"))
    assert 0.72 < verdicts["kept"] / due < 0.88
    for verdict in ("kept_late", "broken", "overdue", "withdrawn", "pending"):
        assert verdicts[verdict] > 0.005 * due, verdict
    revised = list(of_type(events, "promise.revised.v1"))
    consented = sum(event["data"]["customer_consented"] for event in revised)
    assert 0.6 < consented / len(revised) < 0.8


def test_complaints_are_recovered_well_and_badly() -> None:
    found = [c for c in complaints(a_quarter(1, BIG)) if c.has("closed") and not c.has("reopened")]
    assert len(found) > 200
    happened = {
        FAILINGS.receipt_only: [c for c in found if not c.has("acknowledged", handled_by="human")],
        FAILINGS.restated: [c for c in found if c.has("restated")],
        FAILINGS.handed_over: [c for c in found if c.has("handed_over")],
        FAILINGS.not_communicated: [c for c in found if c.has("decided", communicated=False)],
    }
    for expected, those in happened.items():
        assert len(those) / len(found) == pytest.approx(expected, abs=0.06)
    assert any(not c.has("apologized") for c in found)
    assert any(c.before("amends_delivered", "amends_answered") for c in found)
    assert any(c.before("apologized", "acknowledged") for c in found)
    exemplary = [
        c
        for c in found
        if c.before("acknowledged", "apologized") and c.before("apologized", "amends_offered")
    ]
    assert len(exemplary) > 0.3 * len(found)


def test_a_few_customers_are_told_different_things() -> None:
    told: defaultdict[str, set[str]] = defaultdict(set)
    for event in of_type(a_quarter(1, BIG), "statement.made.v1"):
        told[event["data"]["claim_key"]].add(event["data"]["value"])
    deliveries = [values for key, values in told.items() if key.startswith("delivery:")]
    contradicted = [values for values in deliveries if len(values) > 1]
    assert 0 < len(contradicted) < 0.1 * len(deliveries)


def test_the_office_changes_its_hours_half_way_and_keeps_to_them() -> None:
    first, changed = office_calendars(a_quarter())
    assert first["time"] < changed["time"] < changed["data"]["valid_from"]
    in_force = datetime.fromisoformat(changed["data"]["valid_from"])
    assert abs(in_force - START - timedelta(days=QUARTER / 2)) <= timedelta(days=1)
    assert Counter(shift["weekday"] for shift in first["data"]["weekly"])[5] == 2
    assert Counter(shift["weekday"] for shift in changed["data"]["weekly"])[5] == 1
    # A week later, nothing is left of what had been planned by the old calendar.
    later = [e for e in human_mail(a_quarter()) if at(e) > in_force + timedelta(days=7)]
    assert later
    assert not any(is_friday_afternoon(event) for event in later)
    assert any(is_friday_afternoon(event) for event in human_mail(a_quarter()))


def test_a_correction_holds_the_whole_record() -> None:
    records = {
        event["data"]["touchpoint_id"]: event["data"]
        for event in of_type(a_quarter(), "touchpoint.recorded.v1")
    }
    corrections = list(of_type(a_quarter(), "touchpoint.corrected.v1"))
    assert corrections
    for event in corrections:
        record, corrected = records[event["data"]["touchpoint_id"]], event["data"]["corrected"]
        assert set(record) <= set(corrected)
        assert corrected != record


def on(channel: str, found: list[Case]) -> list[Case]:
    return [case for case in found if case.channel == channel]


def about(topic: str, found: list[Case]) -> list[Case]:
    return [case for case in found if case.topic == topic]


def hours(found: list[Case]) -> list[float]:
    return [case.hours for case in found if case.hours is not None]


def office_calendars(events: tuple[Event, ...]) -> list[Event]:
    return [
        event
        for event in of_type(events, "calendar.published.v1")
        if event["data"]["calendar_id"] == "office"
    ]


def human_mail(events: tuple[Event, ...]) -> list[Event]:
    return [
        event
        for event in of_type(events, "touchpoint.recorded.v1")
        if event["data"]["channel"] == "mail" and event["data"].get("handled_by") == "human"
    ]


def is_friday_afternoon(event: Event) -> bool:
    local = at(event).astimezone(LOCAL)
    return local.isoweekday() == 5 and local.hour >= 13
