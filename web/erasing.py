"""POST /customers/{customer_id}/erasure and /hold: erasing a person, and what forbids it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from ledger.erasing import Eraser, Erasure, NotOnHold, OnHold
from questions.parameters import Identifier, Instant, Text
from web.problems import Problem, documented

Customer = Annotated[Identifier, Path()]
Words = Annotated[Text, Field(min_length=1)]


class ErasureRequest(BaseModel):
    """Why a customer is erased."""

    model_config = ConfigDict(extra="forbid")

    basis: Words = Field(description="The ground for it. No personal data")
    requested_at: Instant | None = Field(default=None, description="When it was asked for")


class ErasureDone(BaseModel):
    """What an erasure did."""

    customer_id: str
    basis: str
    requested_at: datetime | None
    erased_at: datetime
    position: int = Field(description="Of the event that records it")
    event_id: str
    personal_events: int = Field(description="Events whose personal part nobody can read any more")
    inputs: list[int] = Field(description="Kept inputs that nobody can read any more")
    reduced: list[int] = Field(description="Inputs that wait on without their personal part")


class HoldRequest(BaseModel):
    """Why a customer's personal data must, or need no longer, be kept."""

    model_config = ConfigDict(extra="forbid")

    reason: Words = Field(description="No personal data")
    by: Identifier = Field(description="Who decided it")


class HoldDone(BaseModel):
    """A hold that was placed or lifted."""

    customer_id: str
    position: int = Field(description="Of the event that records it")


def router(eraser: Eraser) -> APIRouter:
    """The routes by which stewards erase and hold."""
    routes = APIRouter(tags=["erasing"])

    @routes.post(
        "/customers/{customer_id:id}/erasure",
        summary="Destroy a customer's personal data",
        description="It cannot be undone. Events, figures and proofs stay as they are.",
        responses=documented(400, 409, 422, 503),
    )
    def post_erasure(customer_id: Customer, asked: ErasureRequest) -> ErasureDone:
        try:
            done = eraser.erase(customer_id, basis=asked.basis, requested_at=asked.requested_at)
        except OnHold as error:
            raise Problem(409, "on-hold", "The customer is on hold", str(error)) from None
        return _done(done)

    @routes.post(
        "/customers/{customer_id:id}/hold",
        summary="Forbid erasing a customer",
        responses=documented(400, 422, 503),
    )
    def post_hold(customer_id: Customer, asked: HoldRequest) -> HoldDone:
        position = eraser.hold(customer_id, reason=asked.reason, who=asked.by)
        return HoldDone(customer_id=customer_id, position=position)

    @routes.post(
        "/customers/{customer_id:id}/hold/lift",
        summary="Allow erasing a customer again",
        responses=documented(400, 409, 422, 503),
    )
    def post_lift(customer_id: Customer, asked: HoldRequest) -> HoldDone:
        try:
            position = eraser.lift_hold(customer_id, reason=asked.reason, who=asked.by)
        except NotOnHold as error:
            raise Problem(409, "not-on-hold", "The customer is not on hold", str(error)) from None
        return HoldDone(customer_id=customer_id, position=position)

    return routes


def _done(erasure: Erasure) -> ErasureDone:
    return ErasureDone(**erasure._asdict())
