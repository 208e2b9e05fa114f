"""ETags (RFC 9110): an answer that has not changed since a client got it need not be made again."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from fastapi import Request

from ledger.datastore import PgCursor
from projections.answers import METRIC_VERSION, last_changes, standing
from questions.parameters import AsOf
from questions.question import Question


def tag_of(
    cursor: PgCursor, request: Request, question: Question[Any], asked: AsOf, media_type: str
) -> str | None:
    """The weak ETag of the answer that this snapshot gives to a request; None for a question whose
    answers do not rest on read models alone.

    It changes with every event that the read models take in, and with their versions; of who looked
    only where the question is about that. An answer as of now also changes as time passes: it
    counts as the same until the minute is over.
    """
    if question.beyond_read_models:
        return None
    parts = [media_type, str(request.url), str(METRIC_VERSION)]
    stands = standing(cursor)
    changes = {} if question.about == "access" else last_changes(cursor)
    for each in stands:
        positions = [changes.get(position, position) for position in each["positions"]]
        parts.append(f"{each['name']} {each['version']} {positions}")
    if "as_of" not in asked.model_fields_set:
        parts.append(asked.as_of.strftime("%Y-%m-%dT%H:%M"))
    return f'W/"{sha256(chr(10).join(parts).encode()).hexdigest()[:32]}"'


def has_already(request: Request, tag: str) -> bool:
    """Whether the client says that it has the answer with this tag, by weak comparison."""
    return _opaque(tag) in map(_opaque, _told(request))


def has_any(request: Request) -> bool:
    """Whether the client wants no answer if there is any, whatever its tag."""
    return "*" in _told(request)


def _told(request: Request) -> list[str]:
    lines = request.headers.getlist("if-none-match")
    return [each.strip() for each in ",".join(lines).split(",")]


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
