"""Answers as they go out: to a question about one thing, whoever makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from fastapi.responses import Response

from ledger.access import Access
from ledger.datastore import Datastore, PgCursor
from projections.answers import WrongParameter
from projections.rebuilding import Models
from questions.asking import reading
from questions.explaining import linked
from questions.looking import looked_at
from questions.parameters import AsOf
from questions.registry import QUESTIONS
from schemas.codec import instant_text
from web.problems import Problem, bad_parameter
from web.responses import response
from web.validators import has_already, tag_of

Read = Callable[..., AbstractContextManager[PgCursor]]
"""`questions.asking.reading` of certain read models."""

_QUESTIONS = {question.path: question for question in QUESTIONS}


class Asked(NamedTuple):
    """A question as a request puts it; it can be sent to another process."""

    path: str
    """The question's."""
    parameters: AsOf
    subject: tuple[str, ...]
    """The id that stands in the request's path, where there is one."""
    media_type: str
    url: str
    held: Sequence[str]
    """Tags of answers that the client has, see `validators.held`."""


class Written(NamedTuple):
    """An answer as it goes out, any number of times."""

    body: bytes
    headers: dict[str, str]
    status: int = 200

    @classmethod
    def of(cls, answer: Response) -> Written:
        """The response, written."""
        return cls(bytes(answer.body), dict(answer.headers), answer.status_code)

    def response(self) -> Response:
        """One response with it."""
        return Response(self.body, self.status, self.headers)


class Told(NamedTuple):
    """An answer, and what it shows of persons, which goes on record before anybody sees it."""

    written: Written
    looked_at: Access | None


Tell = Callable[[Asked], Told]
"""Answers a question. Raises Problem, and the errors of `eventsourcing.persistence`."""


def telling(reads: Datastore, models: Models) -> Tell:
    """What answers from the read models in `reads`, which are built as `models` are."""
    return partial(_told, partial(reading, reads, models))


def _told(read: Read, asked: Asked) -> Told:
    question = _QUESTIONS[asked.path]
    try:
        with read(question, asked.parameters, *asked.subject) as cursor:
            tag = tag_of(cursor, asked.url, question, asked.parameters, asked.media_type)
            if tag is not None and has_already(asked.held, tag):
                return Told(unchanged(tag), None)
            answer = question.ask(cursor, *asked.subject, asked.parameters)
    except WrongParameter as error:
        raise bad_parameter(error.parameter, str(error)) from None
    if question.thing is not None and not answer.rows:
        raise Problem(
            404,
            f"no-such-{question.thing}",
            f"There is no such {question.thing}",
            f"there is no {question.thing} of this id as of {instant_text(answer.as_of)}, as far "
            f"as the events up to position {answer.position} say",
            position=answer.position,
        )
    looked = looked_at(question, asked.parameters, *asked.subject, rows=answer.rows)
    shown = linked(question, asked.parameters, answer)
    return Told(Written.of(response(asked.media_type, shown, question.row, headers(tag))), looked)


def unchanged(tag: str | None) -> Written:
    """What says that the client has the answer already."""
    return Written(b"", headers(tag), 304)


def headers(tag: str | None) -> dict[str, Any]:
    """The headers of an answer with that tag."""
    always = {"Cache-Control": "private, no-cache", "Vary": "Accept"}
    return always if tag is None else {"ETag": tag, **always}
