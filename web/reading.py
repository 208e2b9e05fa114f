"""The routes that answer from the read models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ledger.datastore import Datastore, PgCursor
from projections.answers import LARGEST_PAGE, Answer, BadToken, snapshot
from projections.channels.queries import channels
from projections.complaints.queries import complaint, complaints
from projections.conversations.fold import FIRST_RESPONSE, METRICS
from projections.conversations.queries import (
    DIMENSIONS,
    UnknownDimension,
    UnknownMetric,
    response_times,
)
from projections.promises.queries import VERDICTS, UnknownVerdict, promises
from projections.timeline.queries import timeline
from web.answers import csv_text, plain
from web.parameters import identifier, instant, moment
from web.problems import Problem, bad_parameter, documented
from web.rows import (
    ChannelRow,
    ComplaintHistory,
    ComplaintRow,
    ListAnswer,
    PromiseRow,
    ResponseTimeRow,
    RowModel,
    TimelineRow,
)

_INSTANT_EXAMPLES = ["2026-03-01T09:00:00Z"]
Instant = Annotated[datetime, BeforeValidator(instant), Field(examples=_INSTANT_EXAMPLES)]
Identifier = Annotated[str, AfterValidator(identifier), Field(min_length=1, max_length=200)]


class AsOf(BaseModel):
    """Parameters of every question. Those that a route does not know are refused, not ignored."""

    model_config = ConfigDict(extra="forbid")

    as_of: Instant | None = Field(
        default=None, description="Nothing that happened later counts. Default: now"
    )


class Window(AsOf):
    """Parameters of questions about a stretch of time."""

    from_: Instant | None = Field(
        default=None, alias="from", description="Only what happened at or after this"
    )
    to: Instant | None = Field(default=None, description="Only what happened before this")


class Paging(BaseModel):
    """Parameters of lists that come in pages."""

    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE, description="How many rows at most")
    cursor: str | None = Field(default=None, description="The `next` of the answer before")


class TimelineParameters(AsOf, Paging):
    """Parameters of a timeline."""

    known_at: Annotated[datetime | int, BeforeValidator(moment)] | None = Field(
        default=None,
        description="Only what was recorded by then: an instant, or a position of the ledger",
        examples=_INSTANT_EXAMPLES,
    )


class ResponseTimeParameters(Window):
    """Parameters of response times."""

    metric: str = Field(default=FIRST_RESPONSE, json_schema_extra={"enum": [*METRICS]})
    by: list[str] = Field(
        default=["channel"],
        description="What to group by; give it several times for several",
        json_schema_extra={"items": {"type": "string", "enum": [*DIMENSIONS]}},
    )
    channel: Identifier | None = Field(default=None, description="Only waits on this channel")


class PromiseParameters(Window, Paging):
    """Parameters of the list of promises."""

    channel: Identifier | None = Field(default=None, description="Only those made there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    verdict: str | None = Field(default=None, json_schema_extra={"enum": [*VERDICTS]})


class ComplaintParameters(Window, Paging):
    """Parameters of the list of complaints."""

    channel: Identifier | None = Field(default=None, description="Only those raised there")
    customer_id: Identifier | None = Field(default=None, description="Only this customer's")
    severity: Identifier | None = Field(default=None, description="low, normal, high or critical")
    open: bool | None = Field(default=None, description="Only open ones, or only closed ones")


def router(reads: Datastore) -> APIRouter:
    """The routes that answer from the read models in `reads`."""
    routes = APIRouter(tags=["read models"])

    def get(path: str, summary: str, row: type[RowModel], *errors: int) -> Callable[..., Any]:
        """A route with its answer documented; what it returns is a response already."""
        return routes.get(
            path,
            summary=summary,
            response_model=ListAnswer[row],  # type: ignore[valid-type]  # a class at run time
            responses={
                200: {"content": {"text/csv": {"schema": {"type": "string"}}}},
                **documented(422, 503, *errors),
            },
        )

    @get("/customers/{customer_id:path}/timeline", "What happened with a customer", TimelineRow)
    def get_timeline(
        request: Request,
        customer_id: Annotated[Identifier, Path()],
        asked: Annotated[TimelineParameters, Query()],
    ) -> Response:
        with _asking(reads) as cursor:
            told = timeline(
                cursor,
                customer_id,
                as_of=_as_of(asked),
                known_at=asked.known_at,
                limit=asked.limit,
                token=asked.cursor,
            )
        return _response(request, told, TimelineRow)

    @get("/channels", "How channels compare", ChannelRow)
    def get_channels(request: Request, asked: Annotated[Window, Query()]) -> Response:
        with _asking(reads) as cursor:
            told = channels(cursor, as_of=_as_of(asked), from_=asked.from_, to=asked.to)
        return _response(request, told, ChannelRow)

    @get("/response-times", "How long customers waited", ResponseTimeRow)
    def get_response_times(
        request: Request, asked: Annotated[ResponseTimeParameters, Query()]
    ) -> Response:
        with _asking(reads) as cursor:
            told = response_times(
                cursor,
                as_of=_as_of(asked),
                metric=asked.metric,
                by=asked.by,
                from_=asked.from_,
                to=asked.to,
                channel=asked.channel,
            )
        return _response(request, told, ResponseTimeRow)

    @get("/promises", "What became of promises", PromiseRow)
    def get_promises(request: Request, asked: Annotated[PromiseParameters, Query()]) -> Response:
        with _asking(reads) as cursor:
            told = promises(
                cursor,
                as_of=_as_of(asked),
                from_=asked.from_,
                to=asked.to,
                channel=asked.channel,
                customer_id=asked.customer_id,
                verdict=asked.verdict,
                limit=asked.limit,
                token=asked.cursor,
            )
        return _response(request, told, PromiseRow)

    @get("/complaints", "What happened to complaints", ComplaintRow)
    def get_complaints(
        request: Request, asked: Annotated[ComplaintParameters, Query()]
    ) -> Response:
        with _asking(reads) as cursor:
            told = complaints(
                cursor,
                as_of=_as_of(asked),
                from_=asked.from_,
                to=asked.to,
                channel=asked.channel,
                customer_id=asked.customer_id,
                severity=asked.severity,
                open_=asked.open,
                limit=asked.limit,
                token=asked.cursor,
            )
        return _response(request, told, ComplaintRow)

    @get("/complaints/{complaint_id:path}", "One complaint, step by step", ComplaintHistory, 404)
    def get_complaint(
        request: Request,
        complaint_id: Annotated[Identifier, Path()],
        asked: Annotated[AsOf, Query()],
    ) -> Response:
        with _asking(reads) as cursor:
            told = complaint(cursor, complaint_id, as_of=_as_of(asked))
        if not told.rows:
            raise Problem(
                404,
                "no-such-complaint",
                "There is no such complaint",
                f"no complaint of this id was raised by {plain(told)['as_of']}, as far as the "
                f"events up to position {told.position} say",
                position=told.position,
            )
        return _response(request, told, ComplaintHistory)

    return routes


@contextmanager
def _asking(reads: Datastore) -> Iterator[PgCursor]:
    """A snapshot to ask in; what a question finds wrong with its parameters is told as such."""
    names = {BadToken: "cursor", UnknownMetric: "metric", UnknownDimension: "by"}
    names[UnknownVerdict] = "verdict"
    try:
        with snapshot(reads) as cursor:
            yield cursor
    except tuple(names) as error:
        raise bad_parameter(names[type(error)], str(error)) from None


def _as_of(asked: AsOf) -> datetime:
    return asked.as_of or datetime.now(UTC)


def _response(request: Request, told: Answer, row: type[RowModel]) -> Response:
    """The answer as JSON, or as CSV for those who accept nothing but that."""
    answer = plain(told)
    accepted = request.headers.get("accept", "")
    if "text/csv" not in accepted or "application/json" in accepted:
        return JSONResponse(answer)
    headers = {
        "Servicetrail-Position": str(answer["position"]),
        "Servicetrail-As-Of": answer["as_of"],
    }
    if answer["next"]:
        headers["Servicetrail-Next"] = answer["next"]
    text = csv_text(answer["rows"], row.model_fields)
    return Response(text, media_type="text/csv", headers=headers)
