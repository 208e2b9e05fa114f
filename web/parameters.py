"""Parameters that several routes share, and the command line with them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

from schemas.instants import parse_day, parse_instant

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_OFFSET_AFTER_SPACE = re.compile(r" (\d\d:\d\d)$")


def instant(text: object) -> datetime:
    """The instant, in UTC, of an RFC 3339 text, or of the beginning of a day such as 2026-03-01.

    Raises ValueError that says what is expected. A plus sign that a query string turned into a
    space is understood.
    """
    if not isinstance(text, str):
        raise ValueError("an instant is text")
    text = text.strip()
    if _DAY.fullmatch(text):
        return datetime.combine(parse_day(text), time(), UTC)
    return parse_instant(_OFFSET_AFTER_SPACE.sub(r"+\1", text))


def moment(text: object) -> datetime | int:
    """An instant, or a position of the ledger. Raises ValueError that says what is expected."""
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return instant(text)


def identifier(text: str) -> str:
    """An identifier as events have them. Raises ValueError for one that no event can have."""
    if "\0" in text:
        raise ValueError("an identifier has no NUL character")
    return text
