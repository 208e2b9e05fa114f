"""GET /export: the history of a selection as a file for other programs, written as it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from audit.exports.cases import CONVERSATION, NOTIONS
from audit.exports.exporting import FORMATS, begin
from audit.exports.tables import NotInstalled, TooLarge
from domain import EVENT_TYPES
from ledger.datastore import Datastore
from projections.conversations.fold import EPISODE_GAP
from questions.parameters import Identifier, Instant, Moment, now, one_of
from schemas.codec import instant_text
from web.access import PERSONS, open_to
from web.problems import bad_parameter, documented
from web.recording import Record

_LISTED_TYPES: dict[str, Any] = {"items": {"type": "string", "enum": [*EVENT_TYPES]}}
_FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file. Servicetrail-As-Of and Servicetrail-Position say what of; asked "
        "for again with these as `as_of` and `known_at` it is the same.",
        "content": {
            media_type: {
                "schema": {"type": "object"}
                if media_type == "application/json"
                else {"type": "string", "format": "binary"}
            }
            for media_type in sorted({each.media_type for each in FORMATS.values()})
        },
    }
}


def router(reads: Datastore, record: Record, episode_gap: timedelta = EPISODE_GAP) -> APIRouter:
    """The route; who exports goes to `record`. Touchpoints without a case belong together up to
    `episode_gap` apart.
    """
    routes = APIRouter(tags=["audit"])

    @routes.get(
        "/export",
        summary="The history of a selection, for other programs",
        description="Without personal fields. What the formats hold is told in docs/exports.md.",
        openapi_extra=open_to(PERSONS),
        response_class=StreamingResponse,
        responses=_FILES | documented(422, 503),
    )
    def get_export(
        request: Request,
        format_: Annotated[str, Query(alias="format", json_schema_extra=one_of((*FORMATS,)))],
        customer: Annotated[
            list[Identifier] | None, Query(description="Only of these customers")
        ] = None,
        type_: Annotated[
            list[str] | None,
            Query(
                alias="type",
                description="Only events of these types",
                json_schema_extra=_LISTED_TYPES,
            ),
        ] = None,
        channel: Annotated[
            list[Identifier] | None, Query(description="Only events that name these channels")
        ] = None,
        from_: Annotated[
            Instant | None, Query(alias="from", description="Only what happened at or after this")
        ] = None,
        to: Annotated[Instant | None, Query(description="Only what happened before this")] = None,
        as_of: Annotated[
            Instant | None, Query(description="Only what had happened by then. Default: now")
        ] = None,
        known_at: Annotated[
            Moment | None, Query(description="Only what was recorded by then")
        ] = None,
        case: Annotated[
            str,
            Query(description="What a case is in XES", json_schema_extra=one_of((*NOTIONS,))),
        ] = CONVERSATION,
    ) -> StreamingResponse:
        if format_ not in FORMATS:
            raise bad_parameter("format", f"one of {', '.join(FORMATS)}")
        if case not in NOTIONS:
            raise bad_parameter("case", f"one of {', '.join(NOTIONS)}")
        if from_ is not None and to is not None and to < from_:
            raise bad_parameter("to", "must not be before from")
        for each in type_ or ():
            if each not in EVENT_TYPES:
                raise bad_parameter("type", "a type of events, such as promise.made.v1")
        export = begin(
            reads,
            format_,
            as_of=as_of or now(),
            known_at=known_at,
            customers=_chosen(customer),
            types=_chosen(type_),
            channels=_chosen(channel),
            from_=from_,
            to=to,
        )
        export = replace(export, case=case, episode_gap=episode_gap)
        format_of = FORMATS[format_]
        chunks = _begun(export.chunks())
        record(request, export.access())
        return StreamingResponse(
            chunks,
            media_type=format_of.media_type,
            headers={
                "Content-Disposition": f'attachment; filename="export.{format_of.suffix}"',
                "Servicetrail-As-Of": instant_text(export.selection.as_of),
                "Servicetrail-Position": str(export.selection.position),
                "Cache-Control": "no-store",
            },
        )

    return routes


def _begun(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same, after the first piece is there: what goes wrong until then is told as a problem."""
    try:
        first = next(chunks, b"")
    except (TooLarge, NotInstalled) as error:
        raise bad_parameter("format", str(error)) from None
    return chain((first,), chunks)


def _chosen(values: list[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None
