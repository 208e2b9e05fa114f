"""The routes that answer from the read models: one for each question."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from inspect import Parameter, Signature
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from ledger.datastore import Datastore, PgCursor
from projections.answers import WrongParameter
from projections.rebuilding import Models
from questions.asking import reading
from questions.explaining import linked
from questions.parameters import AsOf
from questions.question import ListAnswer, Question
from questions.registry import QUESTIONS
from schemas.codec import instant_text
from web.preferences import MediaType
from web.problems import Problem, bad_parameter
from web.responses import in_either_form, response
from web.validators import has_already, tag_of

Read = Callable[..., AbstractContextManager[PgCursor]]
"""`questions.asking.reading` of certain read models."""


def router(reads: Datastore, models: Models) -> APIRouter:
    """The routes that answer from the read models in `reads`, which are built as `models` are."""
    routes = APIRouter(tags=["read models"])
    for question in QUESTIONS:
        _add(routes, partial(reading, reads, models), question)
    return routes


def _add(routes: APIRouter, read: Read, question: Question[Any]) -> None:
    """A route with its answer documented; what it returns is a response already."""

    def get(request: Request, wanted: str, asked: AsOf, **subject: str) -> Response:
        return _answered(request, wanted, read, question, asked, *subject.values())

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
        response_model=ListAnswer[question.row],  # type: ignore[name-defined]  # a class at run time
        responses={
            **in_either_form(422, 503, *([404] if question.thing else [])),
            304: {"description": "Unchanged since the answer whose ETag If-None-Match names"},
        },
    )


def _answered(
    request: Request,
    wanted: str,
    read: Read,
    question: Question[Any],
    asked: AsOf,
    *subject: str,
) -> Response:
    """The answer as the media type `wanted`, or that it is the one which the client has."""
    try:
        with read(question, asked, *subject) as cursor:
            tag = tag_of(cursor, request, asked, wanted)
            headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
            if has_already(request, tag):
                return Response(status_code=304, headers=headers)
            told = question.ask(cursor, *subject, asked)
    except WrongParameter as error:
        raise bad_parameter(error.parameter, str(error)) from None
    if question.thing is not None and not told.rows:
        raise Problem(
            404,
            f"no-such-{question.thing}",
            f"There is no such {question.thing}",
            f"there is no {question.thing} of this id as of {instant_text(told.as_of)}, as far as "
            f"the events up to position {told.position} say",
            position=told.position,
        )
    return response(wanted, linked(question, asked, told), question.row, headers)
