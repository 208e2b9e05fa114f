"""Refused is what cannot be true at once; bad service is recorded."""

from typing import Any

import pytest

from tests.schemas.samples import CALENDAR, CALL, PROMISE, refused, structured, taken

FEEDBACK = {
    "feedback_id": "F-1",
    "customer_id": "C-1",
    "kind": "explicit",
    "instrument": "csat",
}
CORRECTION = {
    "touchpoint_id": "T-1",
    "customer_id": "C-1",
    "reason": "typed wrongly",
    "corrected": CALL,
}
LEVEL = {
    "service_level_id": "S-1",
    "metric": "resolution",
    "target_seconds": 3600,
    "clock": "calendar",
    "valid_from": "2024-01-01T00:00:00Z",
}
LIMIT = {
    "role": "agent",
    "max_value": "50",
    "currency": "EUR",
    "valid_from": "2024-01-01T00:00:00Z",
}


def shifts(*spans: tuple[int, str, str]) -> dict[str, Any]:
    weekly = [{"weekday": day, "from": begin, "to": end} for day, begin, end in spans]
    return CALENDAR | {"weekly": weekly}


@pytest.mark.parametrize(
    ("event_type", "data", "path"),
    [
        ("touchpoint.recorded.v1", CALL | {"duration_seconds": -1}, "duration_seconds"),
        ("touchpoint.recorded.v1", CALL | {"handling_seconds": -0.5}, "handling_seconds"),
        ("touchpoint.recorded.v1", CALL | {"concurrency": 0}, "concurrency"),
        ("touchpoint.recorded.v1", CALL | {"in_reply_to": "T-1"}, "in_reply_to"),
        (
            "touchpoint.corrected.v1",
            CORRECTION | {"corrected": CALL | {"touchpoint_id": "T-2"}},
            "corrected.touchpoint_id",
        ),
        (
            "touchpoint.corrected.v1",
            CORRECTION | {"corrected": CALL | {"customer_id": "C-2"}},
            "corrected.customer_id",
        ),
        (
            "touchpoint.corrected.v1",
            CORRECTION | {"corrected": CALL | {"duration_seconds": -1}},
            "corrected.duration_seconds",
        ),
        ("feedback.given.v1", FEEDBACK | {"scale_min": 5, "scale_max": 5}, "scale_max"),
        (
            "feedback.given.v1",
            FEEDBACK | {"scale_min": 1, "scale_max": 5, "score": 6},
            "score",
        ),
        (
            "complaint.raised.v1",
            {"complaint_id": "K", "customer_id": "C", "channel": "mail", "repeat_of": "K"},
            "repeat_of",
        ),
        (
            "customer.merged.v1",
            {"customer_id": "C", "merged_customer_id": "C"},
            "merged_customer_id",
        ),
        ("service_level.published.v1", LEVEL | {"target_seconds": 0}, "target_seconds"),
        ("authority_limit.set.v1", LIMIT | {"max_value": "-1"}, "max_value"),
        ("calendar.published.v1", CALENDAR | {"timezone": "Europe/Atlantis"}, "timezone"),
        ("calendar.published.v1", CALENDAR | {"timezone": "../../etc/passwd"}, "timezone"),
        ("calendar.published.v1", CALENDAR | {"timezone": ""}, "timezone"),
        ("calendar.published.v1", shifts((0, "09:00", "10:00")), "weekly[0].weekday"),
        ("calendar.published.v1", shifts((8, "09:00", "10:00")), "weekly[0].weekday"),
        ("calendar.published.v1", shifts((1, "24:00", "24:00")), "weekly[0].from"),
        ("calendar.published.v1", shifts((1, "9:00", "10:00")), "weekly[0].from"),
        ("calendar.published.v1", shifts((1, "09:00", "24:01")), "weekly[0].to"),
        ("calendar.published.v1", shifts((1, "09:00", "09:60")), "weekly[0].to"),
        ("calendar.published.v1", shifts((1, "09:00", "09:00")), "weekly[0].to"),
        ("calendar.published.v1", shifts((1, "22:00", "06:00")), "weekly[0].to"),
        (
            "calendar.published.v1",
            shifts((1, "13:00", "17:00"), (2, "09:00", "17:00"), (1, "09:00", "13:01")),
            "weekly[0]",
        ),
    ],
)
def test_contradictions(event_type: str, data: dict[str, Any], path: str) -> None:
    refusal = refused(structured(data, event_type))
    assert (refusal.code, refusal.path) == ("contradiction", f"data.{path}")


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("promise.made.v1", PROMISE | {"due_at": "2020-01-01T00:00:00Z"}),
        ("feedback.given.v1", FEEDBACK | {"score": 11}),
        ("feedback.given.v1", FEEDBACK | {"scale_min": 1, "scale_max": 5, "score": 5}),
        ("touchpoint.corrected.v1", CORRECTION),
        ("calendar.published.v1", shifts()),
        ("calendar.published.v1", shifts((1, "00:00", "12:00"), (1, "12:00", "24:00"))),
        (
            "customer.tiered.v1",
            {"customer_id": "C", "tier": "negative", "contribution": "-12.50", "currency": "EUR"},
        ),
    ],
)
def test_no_contradictions(event_type: str, data: dict[str, Any]) -> None:
    assert taken(structured(data, event_type)).type == event_type
