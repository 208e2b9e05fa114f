"""/customers/{customer_id}/erasure and /hold: erasing a person, and what forbids it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from audit.certificate import Certificate, NotErased, certificate
from ledger.access import Access
from ledger.datastore import Datastore
from ledger.erasing import Eraser, NotEverywhere, NotOnHold, OnHold
from ledger.tokens import Role
from questions.parameters import Identifier, Instant, Text
from web.access import KEEPERS, open_to
from web.problems import Problem, documented
from web.recording import Record, decided_by, whoever_calls

Customer = Annotated[Identifier, Path()]
Words = Annotated[Text, Field(min_length=1)]
_SEALED_WITHIN_SECONDS = 3.0
_SECONDS_BETWEEN_LOOKS = 0.1


class ErasureRequest(BaseModel):
    """Why a customer is erased."""

    model_config = ConfigDict(extra="forbid")

    basis: Words = Field(description="The ground for it. No personal data")
    requested_at: Instant | None = Field(default=None, description="When it was asked for")


class HoldRequest(BaseModel):
    """Why a customer's personal data must, or need no longer, be kept."""

    model_config = ConfigDict(extra="forbid")

    reason: Words = Field(description="No personal data")
    by: Identifier = Field(description="Who decided it; whoever calls is recorded as well")


class HoldDone(BaseModel):
    """A hold that was placed or lifted."""

    customer_id: str
    position: int = Field(description="Of the event that records it")


def router(
    eraser: Eraser, record: Record, reads: Datastore, sealing: Callable[[], bool]
) -> APIRouter:
    """The routes by which stewards erase and hold; who takes a certificate goes to `record`,
    `sealing` says whether this program seals.
    """
    routes = APIRouter(tags=["erasing"])

    def certified(customer_id: str) -> Certificate:
        with reads.transaction() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            return certificate(cursor, customer_id)

    @routes.post(
        "/customers/{customer_id:id}/erasure",
        summary="Destroy a customer's personal data",
        openapi_extra=open_to([Role.STEWARD]),
        description="It cannot be undone. Events, figures and proofs stay as they are. Gives the "
        "certificate: `other_ids` are the same person's and not erased with this one; where its "
        "`proof` is null, GET gives it again once the event is sealed.",
        responses=documented(400, 409, 422, 503),
    )
    def post_erasure(request: Request, customer_id: Customer, asked: ErasureRequest) -> Certificate:
        try:
            eraser.erase(
                customer_id,
                basis=asked.basis,
                requested_at=asked.requested_at,
                actor=whoever_calls(request),
            )
        except OnHold as error:
            raise Problem(409, "on-hold", "The customer is on hold", str(error)) from None
        except NotEverywhere as error:
            title = "The customer is erased, but not everywhere"
            raise Problem(409, "not-everywhere", title, str(error)) from None
        deadline = time.monotonic() + _SEALED_WITHIN_SECONDS
        while (made := certified(customer_id)).proof is None and sealing():
            if time.monotonic() > deadline:
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return made

    @routes.get(
        "/customers/{customer_id:id}/erasure",
        summary="The certificate of a customer's erasure",
        openapi_extra=open_to(KEEPERS),
        description="Proven against the newest checkpoint. `servicetrail verify` and the verifier "
        "in evidence check it offline.",
        responses=documented(404, 422, 503),
    )
    def get_erasure(request: Request, customer_id: Customer) -> Certificate:
        try:
            made = certified(customer_id)
        except NotErased as error:
            raise Problem(404, "not-erased", "There is no such erasure", str(error)) from None
        access = Access("evidence_taken", "certificate", "customer", [customer_id], customer_id)
        record(request, access)
        return made

    @routes.post(
        "/customers/{customer_id:id}/hold",
        summary="Forbid erasing a customer",
        openapi_extra=open_to([Role.STEWARD]),
        responses=documented(400, 422, 503),
    )
    def post_hold(request: Request, customer_id: Customer, asked: HoldRequest) -> HoldDone:
        position = eraser.hold(
            customer_id,
            reason=asked.reason,
            who=decided_by(request, asked.by),
            actor=whoever_calls(request),
        )
        return HoldDone(customer_id=customer_id, position=position)

    @routes.post(
        "/customers/{customer_id:id}/hold/lift",
        summary="Allow erasing a customer again",
        openapi_extra=open_to([Role.STEWARD]),
        responses=documented(400, 409, 422, 503),
    )
    def post_lift(request: Request, customer_id: Customer, asked: HoldRequest) -> HoldDone:
        try:
            position = eraser.lift_hold(
                customer_id,
                reason=asked.reason,
                who=decided_by(request, asked.by),
                actor=whoever_calls(request),
            )
        except NotOnHold as error:
            raise Problem(409, "not-on-hold", "The customer is not on hold", str(error)) from None
        return HoldDone(customer_id=customer_id, position=position)

    return routes
