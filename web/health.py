"""GET /health and GET /status: whether everything runs, and how far the read models are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, NamedTuple, TypeAlias

from eventsourcing.persistence import PersistenceError
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from audit.proofs import reached
from ledger.account import account
from ledger.datastore import Datastore
from ledger.reading import last_position
from projections.answers import answer, snapshot
from projections.registry import read_models
from web.access import OPERATION, open_to
from web.problems import documented

ProjectorState: TypeAlias = Literal["running", "failing", "stopped"]
SealerState: TypeAlias = Literal["running", "stopped"]
ConsumerState: TypeAlias = Literal["joining", "reading", "waiting", "stopped"]


class Working(NamedTuple):
    """What the parts of the program are doing that nobody asks for.

    `consumer` is None where nothing is consumed, `sealer` where nothing is sealed. `why` has a
    sentence for each part that does not work, made for everybody's eyes.
    """

    projector: ProjectorState = "running"
    consumer: ConsumerState | None = None
    sealer: SealerState | None = None
    why: tuple[str, ...] = ()


class Health(BaseModel):
    """Whether the program can do its work now."""

    status: Literal["up", "down"]
    database: Literal["up", "down"]
    projector: ProjectorState = Field(
        description="Failing: it tries the same batch again and again, as with a full disk"
    )
    consumer: ConsumerState | None = Field(
        description="Joining: the brokers are away, or share out the partitions; waiting: for the "
        "database or the schema registry; null where Kafka is not consumed"
    )
    sealer: SealerState | None = Field(description="Null where this program does not seal")
    why: list[str] = Field(description="What does not work, in words")
    last_position: int | None = Field(description="Of the last event in the ledger")
    position: int | None = Field(description="Up to which the read models hold every event")
    behind: int | None = Field(description="How many events the read models lack")


class SourceAccount(BaseModel):
    """What was received from one source, and what became of it."""

    source: str
    received: int
    appended: int
    duplicate: int
    conflict: int
    parked: int
    rejected: int


class Status(BaseModel):
    """Where ledger and read models stand, and the account of every source."""

    position: int = Field(description="Up to which the read models hold every event")
    as_of: datetime
    known_at: datetime | None = Field(description="When the event at `position` was recorded")
    last_position: int = Field(description="Of the last event in the ledger")
    behind: int = Field(description="How many events the read models lack")
    sealed_position: int = Field(description="Of the last event under a checkpoint")
    sealed_at: datetime | None = Field(description="When the newest checkpoint was signed")
    not_sealed: int = Field(description="How many events are under no checkpoint yet")
    rows: list[SourceAccount] = Field(
        description="received = appended + duplicate + conflict + parked + rejected"
    )


def standing(reads: Datastore) -> Status:
    """Where everything stands, seen in one snapshot. Raises the errors of `persistence`."""
    names = [model.name for model in read_models()]
    with snapshot(reads) as cursor:
        read = answer(cursor, names, datetime.now(UTC), [])
        last = last_position(cursor)
        sealed = reached(cursor)
        lines = account(cursor)
    return Status(
        position=read.position,
        as_of=read.as_of,
        known_at=read.known_at,
        last_position=last,
        behind=last - read.position,
        sealed_position=sealed.position,
        sealed_at=sealed.sealed_at,
        not_sealed=max(0, last - sealed.position),
        rows=[SourceAccount(**line._asdict()) for line in lines],
    )


def router(reads: Datastore, working: Callable[[], Working]) -> APIRouter:
    """The routes for those who keep the program running."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/status",
        summary="Where ledger and read models stand",
        openapi_extra=open_to(OPERATION),
        responses=documented(503),
    )
    def get_status() -> Status:
        return standing(reads)

    @routes.get(
        "/health",
        summary="Whether everything runs",
        response_model=Health,
        responses={503: {"model": Health, "description": "Something does not run"}},
    )
    def get_health() -> JSONResponse:
        try:
            names = [model.name for model in read_models()]
            with snapshot(reads) as cursor:
                position = answer(cursor, names, datetime.now(UTC), []).position
                last = last_position(cursor)
        except PersistenceError:
            database, position, last = False, None, None
        else:
            database = True
        works = working()
        stopped = "stopped" in (works.consumer, works.sealer)
        down = works.projector != "running" or stopped or not database
        why = works.why if database else ("the database cannot be asked", *works.why)
        health = Health(
            status="down" if down else "up",
            database="up" if database else "down",
            projector=works.projector,
            consumer=works.consumer,
            sealer=works.sealer,
            why=list(why),
            last_position=last,
            position=position,
            behind=None if last is None or position is None else last - position,
        )
        return JSONResponse(health.model_dump(), 200 if health.status == "up" else 503)

    return routes
