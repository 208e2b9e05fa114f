"""What somebody got to see of persons, as it goes on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from ledger.access import Access
from questions.parameters import AsOf
from questions.question import Question


def singled_out(question: Question[Any], asked: AsOf) -> list[str]:
    """By what, of `question.singles`, figures are asked for about a single thing or person."""
    if not question.singles:
        return []
    given = asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    named = {*given, *urlencode(given, doseq=True).split("&")}
    return [each for each in question.singles if each in named]


def looked_at(
    question: Question[Any],
    asked: AsOf,
    subject: str | None = None,
    *,
    rows: Iterable[Mapping[str, Any]] = (),
) -> Access | None:
    """What the answer to a question shows of persons; None if it shows nothing of them.

    `subject` is the id that stands in the question's path, `rows` the answer about it. A list is
    about no customer in particular unless it was asked for one's.
    """
    if question.about != "persons" and not singled_out(question, asked):
        return None
    kind = question.subject and question.subject.removesuffix("_id").replace("position", "event")
    customer_id = getattr(asked, "customer_id", None)
    if kind == "customer":
        customer_id = subject
    elif subject is not None:
        customer_id = next((row["customer_id"] for row in rows), None)
    given = asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return Access(
        "read",
        question=question.name,
        kind=kind,
        ids=[] if subject is None else [subject],
        customer_id=customer_id,
        details=urlencode(given, doseq=True) or None,
    )
