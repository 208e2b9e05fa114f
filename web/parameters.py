"""Parameters that several routes share, and the command line with them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)")
EXPECTED_INSTANT = (
    "must be an RFC 3339 instant such as 2026-03-01T09:00:00Z, or a date such as 2026-03-01 "
    "(from 00:00 UTC)"
)


def instant(text: str) -> datetime:
    """The aware UTC instant of an RFC 3339 text or of a date's beginning; raises ValueError that
    says what is expected.

    A plus sign that a query string turned into a space is understood.
    """
    text = re.sub(r" (\d\d:\d\d)$", r"+\1", text.strip())
    try:
        if _DATE.fullmatch(text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC)
        if _INSTANT.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError(EXPECTED_INSTANT)
