"""POST /events: events in, one receipt each out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ledger.candidates import Receipt
from ledger.kept import shown
from ledger.tokens import Role, may_publish_as
from schemas.message import Message
from schemas.reading import source_of
from web import cloudevents
from web.access import Caller, caller_of, open_to
from web.committer import Closed, GroupCommitter, QueueFull
from web.problems import Problem, documented

TAKEN = frozenset({"appended", "duplicate", "parked"})
# Rejections that HTTP has a status of its own for; every other one is 422.
STATUS_OF_REASON = {"too_large": 413, "unsupported_content_type": 415}

_EXAMPLE_EVENT = {
    "specversion": "1.0",
    "id": "4711",
    "source": "https://shop.example/orders",
    "type": "promise.made.v1",
    "time": "2026-03-02T10:15:00+01:00",
    "subject": "C-1001",
    "datacontenttype": "application/json",
    "data": {
        "promise_id": "P-9",
        "customer_id": "C-1001",
        "statement": "Delivered by Friday noon",
        "channel": "shop",
        "due_at": "2026-03-06T12:00:00+01:00",
    },
}
_EXAMPLE_RECEIPT = {
    "source": "https://shop.example/orders",
    "id": "4711",
    "outcome": "appended",
    "position": 18,
    "reason": None,
    "message": None,
    "path": None,
}


class ReceiptOut(BaseModel):
    """What became of one event."""

    source: str = Field(description="The event's source; empty if it had none")
    id: str = Field(description="The event's id; empty if it had none")
    outcome: Literal["appended", "duplicate", "conflict", "parked", "rejected"]
    position: int | None = Field(description="Where the event stands in the ledger, if it does")
    reason: str | None = Field(
        description="Code of the reason, for programs; see the reference of outcomes"
    )
    message: str | None = Field(description="The reason in words, and what to do")
    path: str | None = Field(description="The field at fault")


class Receipts(BaseModel):
    """One receipt for each event, in the order sent."""

    receipts: list[ReceiptOut] = Field(examples=[[_EXAMPLE_RECEIPT]])


def router(committer: GroupCommitter, *, max_events: int) -> APIRouter:
    """The route by which events come in."""
    routes = APIRouter(tags=["events"])

    @routes.post(
        "/events",
        status_code=202,
        response_model=Receipts,
        summary="Send events",
        description=(
            "Takes CloudEvents 1.0 over HTTP in binary (`ce-` headers), structured or batched "
            "content mode. Every event gets a receipt. 202: all were taken (`appended`, "
            "`duplicate`, or `parked`: kept, and settled by itself once the event it waits for "
            "arrives). 207: some were taken, some `rejected` or in `conflict`. Sending an event "
            "again is always safe. Channels publish for their own sources only; an event "
            "that names none speaks as the first one of its token."
        ),
        responses={
            207: {"model": Receipts, "description": "Some were taken and some were not"},
            **documented(400, 401, 413, 415, 422, 503),
        },
        openapi_extra={"requestBody": _REQUEST_BODY, **open_to([Role.CHANNEL])},
    )
    async def post_events(request: Request) -> JSONResponse:
        body = await request.body()
        caller = caller_of(request)
        messages = await run_in_threadpool(
            cloudevents.messages,
            body,
            request.headers.get("content-type", ""),
            request.headers.raw,
            address=request.client.host if request.client else "unknown",
            now=datetime.now(UTC),
            most=max_events,
            source=None if caller is None else _own_source(caller),
        )
        if caller is not None and "*" not in caller.sources:
            await run_in_threadpool(_check_sources, messages, caller)
        if not messages:
            return _answer([])
        try:
            receipts = committer.submit(messages)
        except (QueueFull, Closed):
            raise Problem(
                503,
                "too-many-waiting",
                "Too many events wait for the database",
                "nothing was recorded by this request; send it again in a while",
                headers={"Retry-After": "1"},
            ) from None
        answered = await asyncio.wrap_future(receipts)
        return _answer(answered)

    return routes


def _own_source(caller: Caller) -> str | None:
    """As which source a caller speaks who names none: the first that they have, if it is one."""
    return next((each for each in caller.sources if not each.endswith("*")), None)


def _check_sources(messages: Sequence[Message], caller: Caller) -> None:
    """Refuse all of them if one speaks as a source that is not the caller's."""
    for index, message in enumerate(messages):
        source = source_of(message)
        # Without any source it is rejected, by whomever it comes.
        if source and not may_publish_as(caller.sources, source):
            raise Problem(
                403,
                "not-your-source",
                "This source is not yours",
                f"event {index + 1} speaks as {shown(source)}; {caller.who} may publish as "
                f"{', '.join(caller.sources) or 'no source at all'}; nothing was taken",
                source=shown(source),
                index=index,
            )


def _answer(receipts: Sequence[Receipt]) -> JSONResponse:
    told = [receipt._asdict() for receipt in receipts]
    refused = [receipt for receipt in receipts if receipt.outcome not in TAKEN]
    if not refused:
        return JSONResponse({"receipts": told}, 202)
    if len(refused) < len(receipts):
        return JSONResponse({"receipts": told}, 207)
    statuses = {STATUS_OF_REASON.get(receipt.reason or "", 422) for receipt in refused}
    raise Problem(
        statuses.pop() if len(statuses) == 1 else 422,
        "not-taken",
        "The event was not taken" if len(refused) == 1 else "None of the events was taken",
        refused[0].message or "see the receipts",
        receipts=told,
    )


_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        cloudevents.STRUCTURED: {"schema": {"type": "object"}, "example": _EXAMPLE_EVENT},
        cloudevents.BATCH: {
            "schema": {"type": "array", "items": {"type": "object"}},
            "example": [_EXAMPLE_EVENT],
        },
        "application/json": {
            "schema": {
                "type": "object",
                "description": "The data alone; the attributes are `ce-` headers",
            },
            "example": _EXAMPLE_EVENT["data"],
        },
        "application/avro": {
            "schema": {
                "type": "string",
                "format": "binary",
                (
                    "description"
                ): "The data alone, in any of the Avro framings; the attributes are `ce-` headers",
            }
        },
    },
}
