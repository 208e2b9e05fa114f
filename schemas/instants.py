"""Instants and days as text: RFC 3339, the offset mandatory."""

import re
from datetime import UTC, date, datetime

from schemas.problem import Problem

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:(?P<second>[0-9]{2})(?:\.[0-9]{1,12})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def parse_instant(text: str) -> datetime:
    """The instant in UTC, to the microsecond; finer digits are cut off.

    Raises `Problem` with code bad_time: an instant without an offset names no instant, and a leap
    second cannot be kept.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise Problem(
            "bad_time", "an instant is RFC 3339 with an offset, such as 2024-05-01T09:30:00+02:00"
        )
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        if match["second"] == "60":
            raise Problem(
                "bad_time", "a leap second (:60) cannot be kept; write it as :59"
            ) from None
        raise Problem("bad_time", "there is no such date, time of day or offset") from None


def parse_day(text: str) -> date:
    """A calendar day such as 2024-12-25. Raises `Problem` with code bad_time."""
    if not _DAY.fullmatch(text):
        raise Problem("bad_time", "a day is written as 2024-12-25")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Problem("bad_time", "there is no such day") from None
