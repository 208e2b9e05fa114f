"""The routes that answer from the read models: one for each question."""

from __future__ import annotations

from inspect import Parameter, Signature
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from ledger.datastore import Datastore
from projections.answers import WrongParameter, snapshot
from questions.answers import csv_text, plain
from questions.parameters import AsOf, Identifier
from questions.question import ListAnswer, Question
from questions.registry import QUESTIONS
from web.problems import Problem, bad_parameter, documented


def router(reads: Datastore) -> APIRouter:
    """The routes that answer from the read models in `reads`."""
    routes = APIRouter(tags=["read models"])
    for question in QUESTIONS:
        _add(routes, reads, question)
    return routes


def _add(routes: APIRouter, reads: Datastore, question: Question[Any]) -> None:
    """A route with its answer documented; what it returns is a response already."""

    def get(request: Request, asked: AsOf, **subject: str) -> Response:
        return _answered(request, reads, question, asked, *subject.values())

    parameters = [
        Parameter("request", Parameter.KEYWORD_ONLY, annotation=Request),
        Parameter(
            "asked", Parameter.KEYWORD_ONLY, annotation=Annotated[question.parameters, Query()]
        ),
    ]
    if question.subject is not None:
        identifier = Annotated[Identifier, Path()]
        parameters.append(
            Parameter(question.subject, Parameter.KEYWORD_ONLY, annotation=identifier)
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
            200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
            **documented(422, 503, *([404] if question.thing else [])),
        },
    )


def _answered(
    request: Request, reads: Datastore, question: Question[Any], asked: AsOf, *subject: str
) -> Response:
    """The answer as JSON, or as CSV for those who accept nothing but that."""
    try:
        with snapshot(reads) as cursor:
            told = question.ask(cursor, *subject, asked)
    except WrongParameter as error:
        raise bad_parameter(error.parameter, str(error)) from None
    answer = plain(told)
    if question.thing is not None and not told.rows:
        raise Problem(
            404,
            f"no-such-{question.thing}",
            f"There is no such {question.thing}",
            f"there is no {question.thing} of this id as of {answer['as_of']}, as far as the "
            f"events up to position {told.position} say",
            position=told.position,
        )
    accepted = request.headers.get("accept", "")
    if "text/csv" not in accepted or "application/json" in accepted:
        return JSONResponse(answer)
    headers = {
        "Servicetrail-Position": str(answer["position"]),
        "Servicetrail-As-Of": answer["as_of"],
    }
    if answer["next"]:
        headers["Servicetrail-Next"] = answer["next"]
    text = csv_text(answer["rows"], question.row.model_fields)
    return Response(text, media_type="text/csv", headers=headers)
