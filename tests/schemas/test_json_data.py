"""JSON data: the path of whatever does not fit, and nothing that fits by accident."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.schemas.samples import (
    ATTRIBUTES,
    CALENDAR,
    CALL,
    PROMISE,
    message,
    refused,
    structured,
    taken,
    text,
)

OFFER = {
    "complaint_id": "K-1",
    "customer_id": "C-1",
    "amends_id": "A-1",
    "kind": "refund",
    "currency": "EUR",
}


def weighed(side: str, judgement: Any) -> dict[str, Any]:
    return PROMISE | {"weighing": {side: judgement}}


@pytest.mark.parametrize(
    ("event_type", "data", "code", "path"),
    [
        ("touchpoint.recorded.v1", [], "wrong_type", "data"),
        ("touchpoint.recorded.v1", CALL | {"channel": 5}, "wrong_type", "data.channel"),
        ("touchpoint.recorded.v1", CALL | {"channel": None}, "missing_field", "data.channel"),
        ("touchpoint.recorded.v1", CALL | {"expects_reply": 1}, "wrong_type", "data.expects_reply"),
        ("touchpoint.recorded.v1", CALL | {"concurrency": True}, "wrong_type", "data.concurrency"),
        ("touchpoint.recorded.v1", CALL | {"concurrency": 1.5}, "wrong_type", "data.concurrency"),
        ("touchpoint.recorded.v1", CALL | {"concurrency": 2**31}, "wrong_type", "data.concurrency"),
        (
            "touchpoint.recorded.v1",
            CALL | {"concurrency": 10**400},
            "wrong_type",
            "data.concurrency",
        ),
        (
            "touchpoint.recorded.v1",
            CALL | {"handling_seconds": True},
            "wrong_type",
            "data.handling_seconds",
        ),
        (
            "touchpoint.recorded.v1",
            CALL | {"handling_seconds": 10**400},
            "wrong_type",
            "data.handling_seconds",
        ),
        (
            "touchpoint.recorded.v1",
            CALL | {"direction": "sideways"},
            "unknown_symbol",
            "data.direction",
        ),
        ("touchpoint.recorded.v1", CALL | {"direction": 1}, "wrong_type", "data.direction"),
        ("touchpoint.recorded.v1", CALL | {"Channel": "x"}, "unknown_field", "data.Channel"),
        (
            "promise.made.v1",
            weighed("competitor", {"verdict": "so so"}),
            "unknown_symbol",
            "data.weighing.competitor.verdict",
        ),
        (
            "promise.made.v1",
            weighed("competitor", {"evidence": "flyer"}),
            "missing_field",
            "data.weighing.competitor.verdict",
        ),
        (
            "promise.made.v1",
            weighed("neighbour", {"verdict": "meets"}),
            "unknown_field",
            "data.weighing.neighbour",
        ),
        (
            "promise.made.v1",
            weighed("competitor", "meets"),
            "wrong_type",
            "data.weighing.competitor",
        ),
        ("promise.made.v1", PROMISE | {"due_at": 1714550400}, "wrong_type", "data.due_at"),
        ("calendar.published.v1", CALENDAR | {"weekly": {}}, "wrong_type", "data.weekly"),
        ("calendar.published.v1", CALENDAR | {"weekly": [None]}, "wrong_type", "data.weekly[0]"),
        (
            "calendar.published.v1",
            CALENDAR | {"weekly": [{"weekday": 1, "from": "09:00"}]},
            "missing_field",
            "data.weekly[0].to",
        ),
        (
            "calendar.published.v1",
            CALENDAR | {"holidays": ["2024-12-25", "2023-02-29"]},
            "bad_time",
            "data.holidays[1]",
        ),
        (
            "calendar.published.v1",
            CALENDAR | {"holidays": ["20241225"]},
            "bad_time",
            "data.holidays[0]",
        ),
        ("service_level.published.v1", {}, "missing_field", "data.service_level_id"),
    ],
)
def test_what_does_not_fit_is_named(event_type: str, data: Any, code: str, path: str) -> None:
    refusal = refused(structured(data, event_type))
    assert (refusal.code, refusal.path) == (code, path)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("12.5", Decimal("12.5000")),
        ("-0.0001", Decimal("-0.0001")),
        ("0012.50000000", Decimal("12.5000")),
        ("99999999999999.9999", Decimal("99999999999999.9999")),
        ("0", Decimal("0.0000")),
    ],
)
def test_money_is_exact_as_text_and_as_a_number(given: str, kept: Decimal) -> None:
    tiering = {"customer_id": "C-1", "tier": "negative", "contribution": given}
    event = taken(structured(tiering, "customer.tiered.v1"))
    assert str(event.data["contribution"]) == str(kept)
    if given[:2] != "00":
        line = structured(tiering, "customer.tiered.v1").body.decode()
        again = taken(text(line.replace(f'"{given}"', given)))
        assert str(again.data["contribution"]) == str(kept)


@pytest.mark.parametrize(
    "value",
    ["12.50 EUR", "1,5", "", "NaN", "Infinity", "1e3", "0.00001", "100000000000000", True, [], "٣"],
)
def test_what_is_no_money(value: Any) -> None:
    refusal = refused(structured(OFFER | {"value": value}, "complaint.amends_offered.v1"))
    assert (refusal.code, refusal.path) == ("wrong_type", "data.value")


@pytest.mark.parametrize("number", ["1e-5", "1e14", "1e999999", "1e-999999", "0.12345"])
def test_numbers_that_are_no_money(number: str) -> None:
    line = structured(OFFER | {"value": 4711}, "complaint.amends_offered.v1").body.decode()
    refusal = refused(text(line.replace("4711", number)))
    assert (refusal.code, refusal.path) == ("wrong_type", "data.value")


@pytest.mark.parametrize("currency", ["eur", "EURO", "E1R", "€", ""])
def test_what_is_no_currency(currency: str) -> None:
    refusal = refused(structured(OFFER | {"currency": currency}, "complaint.amends_offered.v1"))
    assert (refusal.code, refusal.path) == ("wrong_type", "data.currency")


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2024-05-03T16:00:00Z", datetime(2024, 5, 3, 16, tzinfo=UTC)),
        ("2024-05-03t16:00:00z", datetime(2024, 5, 3, 16, tzinfo=UTC)),
        ("2024-05-03 18:00:00+02:00", datetime(2024, 5, 3, 16, tzinfo=UTC)),
        ("2024-05-03T16:00:00-00:00", datetime(2024, 5, 3, 16, tzinfo=UTC)),
        ("2024-05-03T16:00:00.5Z", datetime(2024, 5, 3, 16, 0, 0, 500_000, tzinfo=UTC)),
        ("2024-05-03T16:00:00.123456789Z", datetime(2024, 5, 3, 16, 0, 0, 123_456, tzinfo=UTC)),
        ("2200-01-01T00:00:00Z", datetime(2200, 1, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_kept_in_utc_to_the_microsecond(written: str, instant: datetime) -> None:
    event = taken(structured(PROMISE | {"due_at": written}, "promise.made.v1"))
    assert event.data["due_at"] == instant
    assert event.data["due_at"].tzinfo is UTC


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("2024-05-03T16:00:00", "offset"),
        ("2024-05-03", "offset"),
        ("20240503T160000Z", "RFC 3339"),
        ("2024-W18-5T16:00:00Z", "RFC 3339"),
        ("2024-05-03T16:00Z", "RFC 3339"),
        ("2024-05-03T16:00:00+0200", "RFC 3339"),
        ("２０24-05-03T16:00:00Z", "RFC 3339"),
        ("2016-12-31T23:59:60Z", "leap second"),
        ("2024-02-30T16:00:00Z", "no such"),
        ("2024-05-03T24:00:00Z", "no such"),
        ("2024-05-03T16:00:00+25:00", "no such"),
        ("0001-01-01T00:00:00+01:00", "no such"),
        ("", "RFC 3339"),
    ],
)
def test_what_is_no_instant(written: str, why: str) -> None:
    refusal = refused(structured(PROMISE | {"due_at": written}, "promise.made.v1"))
    assert (refusal.code, refusal.path) == ("bad_time", "data.due_at")
    assert why in refusal.message
    refusal = refused(structured(CALL, time=written))
    assert (refusal.code, refusal.path) == ("bad_time", "time")


def test_null_says_the_same_as_leaving_out() -> None:
    left_out = taken(structured(CALL))
    null = dict.fromkeys(("handled_by", "aspect", "concurrency", "note", "duration_seconds"))
    assert taken(structured(CALL | null)) == left_out
    assert left_out.data["handled_by"] == "human"
    assert left_out.data["concurrency"] == 1


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    assert taken(structured(CALL | {"concurrency": 2.0})).data["concurrency"] == 2


def test_days_and_defaults() -> None:
    published = taken(structured(CALENDAR | {"holidays": ["2024-12-25"]}, "calendar.published.v1"))
    assert published.data["holidays"] == [date(2024, 12, 25)]
    without = taken(structured(CALENDAR, "calendar.published.v1"))
    assert without.data["holidays"] == []
    without.data["holidays"].append(date(2024, 12, 25))
    assert taken(structured(CALENDAR, "calendar.published.v1")).data["holidays"] == []


def test_json_data_in_binary_mode() -> None:
    body = b'{"touchpoint_id": "T-1", "touchpoint_id": "T-2"}'
    for content_type in ("application/json", "application/json; charset=utf-8", ""):
        refusal = refused(message(body, content_type, ATTRIBUTES))
        assert (refusal.code, refusal.path) == ("duplicate_key", "data.touchpoint_id")
