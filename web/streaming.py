"""GET /stream: figures as they change, as server-sent events (the WHATWG HTML standard, 9.2)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, get_origin

from eventsourcing.persistence import PersistenceError
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from ledger.access import Access
from ledger.datastore import Datastore
from projections.answers import WrongParameter, answer, last_changes, snapshot
from projections.registry import read_models
from questions.answers import plain
from questions.explaining import linked
from questions.looking import looked_at
from questions.parameters import AsOf
from questions.question import Question
from questions.registry import QUESTIONS
from web.access import FIGURES, PERSONS, Admission, NotAdmitted, ProviderAway, need, open_to
from web.problems import (
    Problem,
    bad_parameter,
    documented,
    parameters_at_fault,
    unknown_parameters,
)
from web.reading import check_may_ask
from web.recording import Record

_LOOK_SECONDS = 0.25
_SILENCE_SECONDS = 15.0
_MODELS = [model.name for model in read_models()]
_FIXED = tuple(AsOf.model_fields)
"""Parameters that live figures do not take."""

LIVE: dict[str, Question[Any]] = {
    question.command: question
    for question in QUESTIONS
    if question.command is not None and question.subject is None
}
"""The questions whose answers can be followed: those that are not about one thing."""


class Live:
    """Tells any number of clients how far the read models are, by one look for all of them.

    Nobody looks while nobody listens. `most`: clients at once. Used by the event loop's thread, but
    for `close`.
    """

    def __init__(self, reads: Datastore, *, most: int = 200) -> None:
        self.reads = reads
        self.most = most
        self.clients = 0
        self.standing: dict[str, Any] | None = None
        self._last_change = 0
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.closed = False

    async def after(self, position: int | None, *, looks: bool) -> dict[str, Any] | None:
        """Where the read models stand, as soon as they have gone on from `position` over an event
        that can change an answer (`looks`: over any, for answers about access); None if nothing
        changes for long, or when it is closed.
        """
        self._loop = asyncio.get_running_loop()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

        def is_new() -> bool:
            if self.standing is None or position is None:
                return self.standing is not None or self.closed
            reached = self.standing["position"]
            changed = reached if looks else self._last_change
            return not changed <= position <= reached or self.closed

        async with self._changed:
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await self._changed.wait_for(is_new)
            except TimeoutError:
                return None
        return None if self.closed else self.standing

    def close(self) -> None:
        """End all streams. May be called from any thread."""
        self.closed = True
        if self._loop is not None and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._tell(), self._loop)

    async def _look(self) -> None:
        while self.clients and not self.closed:
            try:
                self.standing, self._last_change = await run_in_threadpool(self._standing)
            except PersistenceError:
                self.standing = self.standing  # the database comes back; nothing moved meanwhile
            await self._tell()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _standing(self) -> tuple[dict[str, Any], int]:
        with snapshot(self.reads) as cursor:
            told = plain(answer(cursor, _MODELS, datetime.now(UTC), []))
            position = told["position"]
            last_change = last_changes(cursor).get(position, 0)
        return {"position": position, "known_at": told["known_at"]}, last_change


def router(live: Live, admission: Admission, record: Record) -> APIRouter:
    """The route that streams."""
    routes = APIRouter(tags=["read models"])

    @routes.get(
        "/stream",
        summary="Live figures, as server-sent events",
        description=(
            "Event `position` with `position` and `known_at` whenever the read models have "
            "moved on over more than who looked (with `question=access-log`: over that, too), at "
            "most four times a second; with `question`, also `answer`, as its route gives it, "
            "whenever its rows have changed. The id of an event is the position: a client that "
            "comes back with `Last-Event-ID` hears from there on. Further parameters are those of "
            "the question, but for `as_of`, `known_at` and `read`. Lists of persons are for the "
            "role auditor; a stream ends when its token does."
        ),
        openapi_extra=open_to(FIGURES),
        response_class=StreamingResponse,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
            **documented(422, 503),
        },
    )
    async def get_stream(
        request: Request,
        question: str | None = Query(
            default=None,
            description="Whose answers to follow",
            json_schema_extra={"enum": sorted(LIVE)},
        ),
    ) -> StreamingResponse:
        given = {name: request.query_params.getlist(name) for name in request.query_params}
        given.pop("question", None)
        followed = None if question is None else _Followed(live.reads, question, given)
        if followed is not None:
            if followed.question.about != "figures":
                need(request, PERSONS)
            check_may_ask(request, followed.question, followed.asked())
            await run_in_threadpool(record, request, followed.looked_at())
        if question is None and given:
            raise bad_parameter(next(iter(given)), "goes with a question")
        if live.clients >= live.most:
            raise Problem(
                503,
                "too-many-streams",
                "Too many clients follow the figures",
                f"{live.most} do already; ask the question itself from time to time instead",
                headers={"Retry-After": "60"},
            )
        return StreamingResponse(
            _events(live, followed, _seen(request), partial(_ended, admission, request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _seen(request: Request) -> int | None:
    last = request.headers.get("last-event-id", "")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None


async def _ended(admission: Admission, request: Request) -> bool:
    """Whether whoever listens would not be let in any more."""
    try:
        await admission.caller(request.state.secret)
    except NotAdmitted:
        return True
    except (PersistenceError, ProviderAway):
        return False  # as long as nobody can be asked, nothing is told either
    return False


async def _events(
    live: Live,
    followed: _Followed | None,
    seen: int | None,
    ended: Callable[[], Awaitable[bool]],
) -> AsyncIterator[str]:
    looks = followed is not None and followed.question.about == "access"
    live.clients += 1
    try:
        while not live.closed:
            standing = await live.after(seen, looks=looks)
            if await ended():
                return
            if standing is None:
                yield ": nothing new\n\n"
                continue
            seen = standing["position"]
            yield _event("position", seen, standing)
            told = None if followed is None else await run_in_threadpool(followed.changed)
            if told is not None:
                yield _event("answer", seen, told)
    finally:
        live.clients -= 1


def _event(name: str, position: int, data: Any) -> str:
    return f"id: {position}\nevent: {name}\ndata: {json.dumps(data)}\n\n"


class _Followed:
    """A question that is asked again and again, and what it said last."""

    def __init__(self, reads: Datastore, name: str, given: dict[str, list[str]]) -> None:
        if name not in LIVE:
            raise bad_parameter("question", f"must be one of {', '.join(sorted(LIVE))}")
        for fixed in _FIXED:
            if fixed in given:
                raise bad_parameter(fixed, "live figures are as of now")
        self._reads = reads
        self.question = LIVE[name]
        self._given = {
            field: values if self._is_list(field) else values[-1] for field, values in given.items()
        }
        self.asked()
        self._rows: list[dict[str, Any]] | None = None

    def changed(self) -> dict[str, Any] | None:
        """The answer as of now, if its rows are others than before."""
        try:
            asked = self.asked()
            with snapshot(self._reads) as cursor:
                told = self.question.ask(cursor, asked)
        except (WrongParameter, PersistenceError):
            return None
        if told.rows == self._rows:
            return None
        self._rows = told.rows
        return plain(linked(self.question, asked, told))

    def looked_at(self) -> Access | None:
        """What whoever follows it sees of persons."""
        return looked_at(self.question, self.asked())

    def asked(self) -> AsOf:
        """What is asked, as of now. Raises Problem."""
        fields = self.question.parameters.model_fields
        known = [field.alias or name for name, field in fields.items() if name not in _FIXED]
        if unknown := self._given.keys() - known:
            raise unknown_parameters(sorted(unknown), known)
        try:
            asked: AsOf = self.question.parameters.model_validate(self._given)
        except ValidationError as error:
            raise parameters_at_fault(error.errors()) from None
        return asked

    def _is_list(self, name: str) -> bool:
        fields = self.question.parameters.model_fields
        return name in fields and get_origin(fields[name].annotation) is list
