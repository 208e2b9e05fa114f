"""GET /events/{source}/{id}: what became of what was published under a name; and its schema."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from ledger.access import Access
from ledger.datastore import Datastore
from ledger.reading import consistent
from projections.timeline.event import event_named, schema_text
from questions.event import TOLD_AS_IT_IS, EventParameters, EventRow
from questions.parameters import Identifier
from questions.question import ListAnswer
from web.access import EVERY_ROLE, PERSONS, open_to
from web.preferences import MediaType
from web.problems import Problem, documented
from web.recording import Record
from web.responses import in_either_form, response


def router(reads: Datastore, record: Record) -> APIRouter:
    """The routes about single events not found by position; who looks goes to `record`."""
    routes = APIRouter(tags=["read models"])

    @routes.get(
        "/events/{source:id}/{id:id}",
        summary="What became of what was published under a source and an id",
        description=(
            "Percent-encode both, slashes as %2F: each is one segment of the path. What was "
            "rejected, parked or in conflict is told as well, with its inputs. " + TOLD_AS_IT_IS
        ),
        openapi_extra=open_to(PERSONS),
        response_model=ListAnswer[EventRow],
        responses=in_either_form(404, 422, 503),
    )
    def get_event(
        request: Request,
        wanted: MediaType,
        asked: Annotated[EventParameters, Query()],
        source: Annotated[Identifier, Path()],
        id: Annotated[Identifier, Path()],  # noqa: A002 - the attribute's name
    ) -> Response:
        with consistent(reads) as cursor:
            told = event_named(cursor, source, id, as_of=asked.as_of)
        if not told.rows:
            raise Problem(
                404,
                "no-such-event",
                "There is no such event",
                "nothing was received under this source and id; both are percent-encoded in the "
                "path, slashes as %2F",
                position=told.position,
            )
        customer_id = told.rows[0]["customer_id"]
        access = Access("read", "event", "event", [f"{source} {id}"], customer_id)
        record(request, access)
        return response(wanted, told, EventRow)

    @routes.get(
        "/schemas/{fingerprint}",
        summary="The Avro schema that events were written with",
        openapi_extra=open_to(EVERY_ROLE),
        responses={
            200: {"content": {"application/json": {"schema": {"type": "object"}}}},
            **documented(404, 422, 503),
        },
    )
    def get_schema(
        fingerprint: Annotated[
            str,
            Path(
                pattern="^[0-9a-f]{16}$",
                description="CRC-64-AVRO, 16 hex digits, as events show it",
            ),
        ],
    ) -> Response:
        with consistent(reads) as cursor:
            text = schema_text(cursor, bytes.fromhex(fingerprint))
        if text is None:
            raise Problem(
                404,
                "no-such-schema",
                "There is no such schema",
                "no event of this ledger was written with a schema of this fingerprint",
            )
        return Response(json.dumps(json.loads(text), indent=2), media_type="application/json")

    return routes
