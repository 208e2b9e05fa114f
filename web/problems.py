"""Problem details (RFC 9457): how every error of the API is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from eventsourcing.persistence import DataError, PersistenceError, ProgrammingError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from schemas.avro_data import RegistryUnavailable
from web.paths import allowed

MEDIA_TYPE = "application/problem+json"


class ProblemDetails(BaseModel):
    """What an error answer says. `type` is stable and made for programs, `detail` for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:servicetrail:problem:bad-parameter"])
    title: str = Field(examples=["A parameter cannot be understood"])
    status: int = Field(examples=[422])
    detail: str = Field(
        examples=["as_of: must be an RFC 3339 instant such as 2026-03-01T09:00:00Z"]
    )


class Problem(Exception):
    """An answer that is an error. `code` ends its `type`; `more` are further members."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.body = {
            "type": f"urn:servicetrail:problem:{code}",
            "title": title,
            "status": status,
            "detail": detail,
            **more,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _problem_of, (self.status, self.headers, self.body)


def _problem_of(status: int, headers: dict[str, str], body: dict[str, Any]) -> Problem:
    """A problem that was sent by another process."""
    more = {name: value for name, value in body.items() if name not in ProblemDetails.model_fields}
    code = body["type"].rpartition(":")[2]
    return Problem(status, code, body["title"], body["detail"], headers=headers, **more)


def bad_parameter(name: str, expected: str) -> Problem:
    """A parameter that cannot be understood: which one and what it must be."""
    return _bad_parameters([{"name": name, "expected": expected}])


def database_away() -> Problem:
    """The database cannot be reached now; the same request may be sent again."""
    return Problem(
        503,
        "database-away",
        "The database cannot be reached",
        "nothing was recorded by this request; send it again in a while",
        headers={"Retry-After": "5"},
    )


def provider_away() -> Problem:
    """The identity provider does not answer now; the same request may be sent again."""
    return Problem(
        503,
        "provider-away",
        "The identity provider cannot be asked for its keys",
        "without them no token of it can be checked; send the request again in a while",
        headers={"Retry-After": "5"},
    )


def registry_away() -> Problem:
    """The schema registry does not answer now; the same request may be sent again."""
    return Problem(
        503,
        "registry-away",
        "The schema registry cannot be asked",
        "the data name their schema by a registry's number; nothing was recorded by this request; "
        "send it again in a while",
        headers={"Retry-After": "5"},
    )


def install(app: FastAPI) -> None:
    """Tell every error of `app` as problem details."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(PersistenceError, _persistence)
    app.add_exception_handler(DataError, _data)
    app.add_exception_handler(ProgrammingError, _mistaken)
    app.add_exception_handler(RegistryUnavailable, _registry)
    app.add_exception_handler(Exception, _unexpected)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says about the error answers of a route."""
    descriptions = {
        400: "The request cannot be read",
        401: "The access token is missing or wrong",
        403: "The caller's role does not include this, or nobody may do it over HTTP",
        404: "There is no such thing",
        406: "The answer is not available in the form that Accept asks for",
        409: "Something was done about it already",
        410: "The customer was erased, and nobody can read it any more",
        413: "The request or its only event is too large",
        415: "The content type is none that events come in",
        422: "A parameter cannot be understood",
        503: "The database or the registry cannot be reached, or too many events wait",
    }
    return {
        status: {
            "description": descriptions[status],
            "content": {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}},
        }
        for status in statuses
    }


def _bad_parameters(parameters: list[dict[str, str]]) -> Problem:
    detail = "; ".join(f"{each['name']}: {each['expected']}" for each in parameters)
    title = "A parameter cannot be understood"
    return Problem(422, "bad-parameter", title, detail, parameters=parameters)


def answer(problem: Problem) -> JSONResponse:
    """The problem as a response."""
    return JSONResponse(
        problem.body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


async def _problem(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return answer(error)


def unknown_parameters(names: Iterable[str], known: Collection[str]) -> Problem:
    """Parameters that are not among those `known`: which ones, and what may have been meant."""
    return _bad_parameters([{"name": name, "expected": _not_known(name, known)} for name in names])


def repeated_parameters(names: Iterable[str]) -> Problem:
    """Parameters that were given several times, where only one value counts: which ones."""
    return _bad_parameters([{"name": name, "expected": "give it once"} for name in names])


def _not_known(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name, known, n=1)
    if meant:
        return f"there is no such parameter; did you mean {meant[0]}?"
    return f"there is no such parameter; there is {', '.join(known) or 'none'}"


def parameters_at_fault(errors: Iterable[Mapping[str, Any]]) -> Problem:
    """What pydantic found wrong with parameters: which ones, and what they must be."""
    return _bad_parameters(
        [
            {
                # Of a list it is the list that has a name, not its third element.
                "name": next((part for part in each["loc"][::-1] if isinstance(part, str)), "body"),
                "expected": each["msg"].removeprefix("Value error, "),
            }
            for each in errors
        ]
    )


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return answer(parameters_at_fault(error.errors()))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _no_such_method(request)
    codes = {400: "unreadable", 404: "no-such-route"}
    code = codes.get(error.status_code, "refused")
    return answer(
        Problem(
            error.status_code,
            code,
            str(error.detail),
            f"{request.method} {request.url.path}: see /openapi.json for what there is",
            headers=dict(error.headers or {}),
        )
    )


def _no_such_method(request: Request) -> Response:
    """What may be asked of the path instead; that is all that OPTIONS wants to know."""
    methods = allowed(request)
    headers = {"Allow": methods}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=headers)
    detail = f"{request.method} {request.url.path}: there is {methods}"
    title = "There is no such method here"
    return answer(Problem(405, "no-such-method", title, detail, headers=headers))


async def _persistence(_request: Request, _error: Exception) -> JSONResponse:
    return answer(database_away())


async def _data(_request: Request, _error: Exception) -> JSONResponse:
    # Sending it again would not help: the database is there, and refuses a value.
    detail = "the database cannot take a value of this request: see /openapi.json for its ranges"
    return answer(Problem(422, "bad-value", "A value cannot be used", detail))


async def _mistaken(_request: Request, error: Exception) -> Response:
    # A statement that cannot be run is our fault and no reason to wait: logged, with status 500.
    raise error


async def _registry(_request: Request, _error: Exception) -> JSONResponse:
    return answer(registry_away())


async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
    return answer(
        Problem(
            500, "fault", "A fault of the program", "it was logged; the request may be repeated"
        )
    )
