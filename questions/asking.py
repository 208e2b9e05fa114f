"""Which read models a question is put to: the live ones, those of a side schema, or one customer's
as of what was known at some time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ledger.datastore import Datastore, PgCursor
from projections.answers import WrongParameter, snapshot
from projections.customers.persons import ever_together
from projections.knowing import knowing
from projections.rebuilding import Models
from projections.sides import side_snapshot
from questions.explaining import EXPLAIN_PATH
from questions.parameters import AsOf
from questions.question import Question


class NotKnownThen(WrongParameter):
    """What was known then cannot be told of all customers at once; the text says what to do."""

    parameter = "known_at"


@contextmanager
def reading(
    reads: Datastore,
    models: Models,
    question: Question[Any],
    asked: AsOf,
    subject: str | None = None,
) -> Iterator[PgCursor]:
    """A cursor for `question.ask`, in one state of the read models that `asked` wants to be seen.

    `models` are the read models as this program builds them. `subject` is the id that stands in the
    question's path. Raises NotKnownThen, and `projections.sides.NoSuchReadModels`.
    """
    if asked.read is not None:
        if asked.known_at is not None:
            raise NotKnownThen("read models of a name know what they know: leave known_at out")
        with side_snapshot(reads, asked.read, models()) as cursor:
            yield cursor
        return
    with snapshot(reads) as cursor:
        if asked.known_at is None:
            yield cursor
            return
        customers = _customers(cursor, question, asked, subject)
    about_customers = [model for model in models() if model.of_customers]
    with knowing(reads, about_customers, customers, asked.known_at) as cursor:
        yield cursor


def _customers(
    cursor: PgCursor, question: Question[Any], asked: AsOf, subject: str | None
) -> list[str]:
    """Whom the question is about: every id of one person. Raises NotKnownThen if it is not that."""
    if question.about == "access":
        raise NotKnownThen("who looked is told as of now, or of read models of a name")
    # A row may be named by a customer and rest on all the others: an explanation is about none.
    customer_id = None if question.path == EXPLAIN_PATH else getattr(asked, "customer_id", None)
    if question.subject == "customer_id":
        customer_id = subject
    elif question.whose is not None and subject is not None:
        customer_id = question.whose(cursor, subject)
        if customer_id is None:
            return []
    if customer_id is None:
        raise NotKnownThen(
            "for one customer only; to ask about all as of what was known then, build it first: "
            "servicetrail replay --known-at … --into NAME, and ask with read=NAME"
        )
    return ever_together(cursor, customer_id)
