"""The routes that answer from the read models: one for each question."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from ledger.datastore import Datastore
from projections.answers import WrongParameter
from projections.rebuilding import Models
from questions.asking import reading
from questions.explaining import linked
from questions.looking import looked_at, singled_out
from questions.parameters import AsOf
from questions.question import ListAnswer, Question
from questions.registry import QUESTIONS
from web.access import FIGURES, KEEPERS, PERSONS, need, open_to
from web.answers import Asked, Read, Tell, Written, headers, unchanged
from web.preferences import MediaType
from web.problems import bad_parameter
from web.recording import Record
from web.responses import in_either_form, response
from web.sharing import InTurn, Kept, Together
from web.validators import has_already, has_any, held, tag_of

_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Unchanged since the answer whose ETag If-None-Match names"}
}
AT_ONCE = (os.cpu_count() or 1) + 1
"""Answers to one question about no single thing that are made at once: while one waits for the
database, others keep the processors at work.
"""

_ROLES = {"figures": FIGURES, "persons": PERSONS, "access": KEEPERS}


def router(reads: Datastore, models: Models, tell: Tell, record: Record) -> APIRouter:
    """The routes that answer from the read models in `reads`, which are built as `models` are; what
    is asked about one thing `tell` answers. Who looks at what of persons goes to `record`.
    """
    routes = APIRouter(tags=["read models"])
    answers = Reading(partial(reading, reads, models), tell, record)
    for question in QUESTIONS:
        _add(routes, answers, question)
    return routes


def _add(routes: APIRouter, answers: Reading, question: Question[Any]) -> None:
    """A route with its answer documented; what it returns is a response already."""

    def get(request: Request, wanted: str, asked: AsOf, **subject: str) -> Response:
        told = answers.answered(request, wanted, question, asked, *subject.values())
        # Only now is it known that there is one: what is wrong or not there is told as ever.
        return unchanged(told.headers.get("etag")).response() if has_any(request) else told

    parameters = [
        Parameter("request", Parameter.KEYWORD_ONLY, annotation=Request),
        Parameter("wanted", Parameter.KEYWORD_ONLY, annotation=MediaType),
        Parameter(
            "asked", Parameter.KEYWORD_ONLY, annotation=Annotated[question.parameters, Query()]
        ),
    ]
    if question.subject is not None:
        parameters.append(
            Parameter(
                question.subject,
                Parameter.KEYWORD_ONLY,
                annotation=Annotated[question.subject_type, Path()],
            )
        )
    get.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # what FastAPI reads
    routes.add_api_route(
        question.path,
        get,
        name=question.path,
        summary=question.summary,
        description=question.details,
        openapi_extra=open_to(_ROLES[question.about]),
        response_model=ListAnswer[question.row],  # type: ignore[name-defined]  # a class at run time
        responses={
            **in_either_form(422, 503, *([404] if question.thing else [])),
            **({} if question.beyond_read_models else _UNCHANGED),
        },
    )


@dataclass(frozen=True)
class Reading:
    """Answers questions from certain read models.

    What is asked about no single thing, many ask alike, and it takes long: dashboards. Such an
    answer is made once for all who ask at the same time, and given again as long as its ETag holds.
    Those who put the same question with other parameters wait for their turn.
    """

    read: Read
    tell: Tell
    """Answers what is asked about one thing."""
    record: Record
    """Where it goes who looks at what of persons."""
    together: Together[Written] = field(default_factory=Together)
    turns: InTurn = field(default_factory=partial(InTurn, AT_ONCE))
    kept: Kept = field(default_factory=Kept)

    def answered(
        self, request: Request, wanted: str, question: Question[Any], asked: AsOf, *subject: str
    ) -> Response:
        """The answer as the media type `wanted`, or that it is the one which the client has."""
        check_may_ask(request, question, asked)
        if question.subject is None and asked.known_at is None:
            return self._alike(request, wanted, question, asked)
        url = str(request.url)
        told = self.tell(Asked(question.path, asked, subject, wanted, url, held(request)))
        self.record(request, told.looked_at)
        return told.written.response()

    def _alike(
        self, request: Request, wanted: str, question: Question[Any], asked: AsOf
    ) -> Response:
        url = str(request.url)
        try:
            with self.read(question, asked) as cursor:
                tag = tag_of(cursor, url, question, asked, wanted)
            if tag is not None and has_already(held(request), tag):
                return unchanged(tag).response()
            kept = None if tag is None else self.kept.get(tag)
            make = partial(self._made, url, wanted, question, asked)
            in_turn = partial(self.turns.made, question.path, make)
            written = kept or self.together.made((wanted, url), in_turn)
        except WrongParameter as error:
            raise bad_parameter(error.parameter, str(error)) from None
        self.record(request, looked_at(question, asked))
        return written.response()

    def _made(self, url: str, wanted: str, question: Question[Any], asked: AsOf) -> Written:
        """The answer to a question about no single thing, kept for whoever asks it next."""
        asked = asked.asked_now()
        with self.read(question, asked) as cursor:
            tag = tag_of(cursor, url, question, asked, wanted)
            kept = None if tag is None else self.kept.get(tag)
            if kept is not None:
                return kept
            told = linked(question, asked, question.ask(cursor, asked))
        written = Written.of(response(wanted, told, question.row, headers(tag)))
        if tag is not None:
            self.kept.keep(tag, written)
        return written


def check_may_ask(request: Request, question: Question[Any], asked: AsOf) -> None:
    """Refuse whoever is let in for figures what would tell them of a single thing or person."""
    if singles := singled_out(question, asked):
        need(request, PERSONS, f"{' and '.join(singles)}, which tells of a single one,")
