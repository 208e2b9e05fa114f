"""ETags (RFC 9110): an answer that has not changed since a client got it need not be made again."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from fastapi import Request

from ledger.datastore import PgCursor
from projections.answers import METRIC_VERSION, last_changes, standing
from questions.parameters import AsOf
from questions.question import Question


def tag_of(
    cursor: PgCursor, url: str, question: Question[Any], asked: AsOf, media_type: str
) -> str | None:
    """The weak ETag of the answer that this snapshot gives to a request for `url`; None for a
    question whose answers do not rest on read models alone.

    It changes with every event that the read models take in, and with their versions; of who looked
    only where the question is about that. An answer as of now also changes as time passes: it
    counts as the same until the minute is over.
    """
    if question.beyond_read_models:
        return None
    parts = [media_type, url, str(METRIC_VERSION)]
    stands = standing(cursor)
    changes = {} if question.about == "access" else last_changes(cursor)
    for each in stands:
        positions = [changes.get(position, position) for position in each["positions"]]
        parts.append(f"{each['name']} {each['version']} {positions}")
    if "as_of" not in asked.model_fields_set:
        parts.append(asked.as_of.strftime("%Y-%m-%dT%H:%M"))
    return f'W/"{sha256(chr(10).join(parts).encode()).hexdigest()[:32]}"'


def held(request: Request) -> list[str]:
    """The tags of answers that the client has: what If-None-Match says."""
    lines = request.headers.getlist("if-none-match")
    return [each.strip() for each in ",".join(lines).split(",")]


def has_already(held_: Sequence[str], tag: str) -> bool:
    """Whether the answer with this tag is among those held, by weak comparison."""
    return _opaque(tag) in map(_opaque, held_)


def has_any(request: Request) -> bool:
    """Whether the client wants no answer if there is any, whatever its tag."""
    return "*" in held(request)


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")
