"""Checkpoints, proofs and evidence over HTTP: what an auditor needs, and what witnesses bring."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response

from audit import proofs
from audit.answers import (
    CheckpointTold,
    ConsistencyProof,
    InclusionProof,
    KeyTold,
    checkpoint_told,
    consistency_told,
    inclusion_told,
    keys_told,
)
from audit.evidence import About, write_evidence
from audit.notes import NoteWrong, PublicKey
from ledger.access import Access
from ledger.datastore import Datastore
from questions.question import Rows
from web.access import PERSONS, open_to
from web.problems import Problem, bad_parameter, documented
from web.recording import Record

ZIP, TEXT = "application/zip", "text/plain"
_LARGEST = 2**63 - 1
Count = Annotated[int, Query(ge=1, le=_LARGEST)]
_NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The signed note", "content": {TEXT: {"schema": {"type": "string"}}}}
}
_ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A ZIP archive",
        "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}},
    }
}


def router(reads: Datastore, record: Record, witnesses: Sequence[PublicKey] = ()) -> APIRouter:
    """The routes; who takes evidence goes to `record`, cosignatures of `witnesses` are checked."""
    routes = APIRouter(tags=["audit"])

    @routes.get(
        "/checkpoints",
        summary="Checkpoints, the newest first",
        openapi_extra=open_to(PERSONS),
        responses=documented(422, 503),
    )
    def get_checkpoints(
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=_LARGEST)] = None,
    ) -> Rows[CheckpointTold]:
        with reads.transaction() as cursor:
            found = proofs.listed(cursor, before=before, limit=limit)
        return Rows(rows=[checkpoint_told(each) for each in found])

    @routes.get(
        "/checkpoints/latest",
        summary="The newest checkpoint, as it was signed",
        openapi_extra=open_to(PERSONS),
        response_class=PlainTextResponse,
        responses=_NOTE | documented(404, 503),
    )
    def get_latest() -> str:
        with _told(), reads.transaction() as cursor:
            return str(proofs.newest(cursor).note)

    @routes.get(
        "/checkpoints/keys",
        summary="The public keys that sign checkpoints",
        openapi_extra=open_to(PERSONS),
        responses=documented(503),
    )
    def get_keys() -> Rows[KeyTold]:
        with reads.transaction() as cursor:
            return Rows(rows=keys_told(cursor))

    @routes.get(
        "/checkpoints/{number}",
        summary="A checkpoint, as it was signed",
        openapi_extra=open_to(PERSONS),
        response_class=PlainTextResponse,
        responses=_NOTE | documented(404, 422, 503),
    )
    def get_checkpoint(number: Annotated[int, Path(ge=1, le=_LARGEST)]) -> str:
        with _told(), reads.transaction() as cursor:
            return str(proofs.numbered(cursor, number).note)

    @routes.post(
        "/checkpoints/cosignatures",
        summary="Cosignatures of witnesses",
        openapi_extra=open_to(PERSONS),
        description=(
            "Takes a checkpoint with cosignatures (C2SP tlog-cosignature). Gives for each witness "
            "whether the cosignature was checked; where the key is not known it is only stored."
        ),
        responses=documented(400, 404, 413, 422, 503),
    )
    def post_cosignatures(note: Annotated[str, Body(media_type=TEXT)]) -> dict[str, bool]:
        with _told(), reads.transaction() as cursor:
            try:
                return proofs.cosign(cursor, note, witnesses)
            except NoteWrong as error:
                raise bad_parameter("body", str(error)) from None

    @routes.get(
        "/proofs/inclusion/{position}",
        summary="That an event is in the newest checkpoint",
        openapi_extra=open_to(PERSONS),
        responses=documented(404, 422, 503),
    )
    def get_inclusion(position: Annotated[int, Path(ge=1, le=_LARGEST)]) -> InclusionProof:
        with _told(), reads.transaction() as cursor:
            return inclusion_told(cursor, position)

    @routes.get(
        "/proofs/consistency",
        summary="That the ledger of one checkpoint is the beginning of that of another",
        openapi_extra=open_to(PERSONS),
        responses=documented(404, 422, 503),
    )
    def get_consistency(
        from_: Annotated[int, Query(alias="from", ge=1, le=_LARGEST)], to: Count
    ) -> ConsistencyProof:
        if from_ > to:
            raise bad_parameter("from", "must not be larger than to")
        with _told(), reads.transaction() as cursor:
            return consistency_told(cursor, from_, to)

    @routes.get(
        "/evidence/{kind}/{id:id}",
        summary="Evidence about a customer, a complaint or a promise",
        openapi_extra=open_to(PERSONS),
        description="As of the newest checkpoint, which is hardly older than a second.",
        response_class=Response,
        responses=_ARCHIVE | documented(404, 422, 503),
    )
    def get_evidence(
        request: Request,
        kind: Literal["customer", "complaint", "promise"],
        id: Annotated[str, Path(max_length=200)],  # noqa: A002 - the name in the path
    ) -> Response:
        if "\0" in id:
            raise bad_parameter("id", "an identifier has no NUL character")
        archive = io.BytesIO()
        with _told():
            made = write_evidence(reads, About(kind, id), archive)
        record(request, Access("evidence_taken", None, kind, [id], made.customer_id))
        headers = {"Content-Disposition": f'attachment; filename="{kind}.zip"'}
        return Response(archive.getvalue(), media_type=ZIP, headers=headers)

    return routes


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is not there as a problem."""
    try:
        yield
    except proofs.NothingSealed as error:
        raise Problem(404, "not-sealed", "That is not under a checkpoint", str(error)) from None
