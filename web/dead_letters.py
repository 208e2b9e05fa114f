"""Dead letters over HTTP: what was not taken, why, and what to do about it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ledger.datastore import Datastore, PgCursor
from ledger.dead_letters import (
    BATCH,
    DeadLetters,
    InputErased,
    NoSuchInput,
    NotOpen,
    Repaired,
    Where,
    head,
    listed,
    shown,
)
from ledger.keys import Keyring
from ledger.reading import consistent
from ledger.redriving import OPEN
from ledger.tokens import Role
from projections.answers import (
    LARGEST_PAGE,
    METRIC_VERSION,
    Answer,
    BadToken,
    cut,
    page,
)
from questions.parameters import Cursor, Instant, Text
from questions.question import ListAnswer
from schemas.message import Message
from web.access import KEEPERS, caller_of, need, open_to
from web.dead_letter_rows import DeadLetter, DeadLetterRow, DiscardedRow, RedrivenRow, State
from web.preferences import MediaType
from web.problems import Problem, bad_parameter
from web.recording import decided_by, whoever_calls
from web.responses import in_either_form, response

_LIST, _REDRIVE = "dead-letters", "dead-letters/redrive"


def _decoded(text: object) -> bytes:
    if not isinstance(text, str):
        raise ValueError("base64 is text")
    return b64decode(text, validate=True)


Base64 = Annotated[bytes, BeforeValidator(_decoded), Field(json_schema_extra={"format": "byte"})]
# Larger ones are not the same number in every JSON program.
KeptId = Annotated[int, Field(ge=1, le=2**53 - 1)]
Name = Annotated[Text, Field(max_length=300)]


class Filter(BaseModel):
    """Which inputs are meant."""

    model_config = ConfigDict(extra="forbid")

    ids: list[KeptId] | None = Field(default=None, max_length=LARGEST_PAGE)
    source: Name | None = None
    reason: Name | None = Field(default=None, description="Code of the reason")
    topic: Name | None = Field(default=None, description="The Kafka topic it came from")
    since: Instant | None = Field(default=None, description="First received at or after this")
    until: Instant | None = Field(default=None, description="First received before this")

    def where(self, states: Sequence[str], position: int | None = None) -> Where:
        """The filter as the ledger knows it."""
        return Where(
            states=states,
            kept_ids=self.ids,
            source=self.source,
            reason=self.reason,
            topic=self.topic,
            from_=self.since,
            to=self.until,
            position=position,
        )


class ListParameters(Filter):
    """Parameters of the list."""

    state: list[State] = Field(
        default=["parked", "conflict", "rejected"],
        description="Default: what somebody still has to look at",
    )
    position: int | None = Field(
        default=None, ge=1, le=2**63 - 1, description="Only what the event at this position was"
    )
    limit: int = Field(default=100, ge=1, le=LARGEST_PAGE, description="How many rows at most")
    cursor: Cursor | None = Field(default=None, description="The `next` of the answer before")


class ShowParameters(BaseModel):
    """Parameters of one input."""

    model_config = ConfigDict(extra="forbid")

    reveal: bool = Field(
        default=False,
        description="Show the input itself, byte for byte; it stays on record who asked",
    )


class Action(Filter):
    """Something to be done: about which inputs, and by whom."""

    all: bool = Field(
        default=False, strict=True, description="Needed where neither ids nor a filter are given"
    )
    by: Name | None = Field(default=None, description="For whom; whoever calls is recorded as well")

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        given = (self.ids, self.source, self.reason, self.topic, self.since, self.until)
        if not self.all and all(each is None for each in given):
            raise ValueError("say which inputs: by ids, by a filter, or all")
        return self


class RedriveRequest(Action):
    """Take inputs again, or a repaired version of one."""

    state: list[Literal["conflict", "rejected"]] = Field(default=["conflict", "rejected"])
    dry_run: bool = Field(default=False, strict=True, description="Only say how they would end")
    limit: int = Field(default=100, ge=1, le=BATCH, description="How many at most, as one")
    cursor: Cursor | None = Field(default=None, description="The `next` of the answer before")
    repaired: str | None = Field(default=None, description="A repaired body, for one id")
    repaired_base64: Base64 | None = Field(default=None, description="The same, of any bytes")
    attributes: dict[Name, str] = Field(
        default={}, description="Repaired CloudEvents attributes; an empty one is taken away"
    )

    @model_validator(mode="after")
    def _repairs_one(self) -> Self:
        if self.repaired is not None and self.repaired_base64 is not None:
            raise ValueError("give the repaired body once")
        if self.repair is not None and (self.ids is None or len(self.ids) != 1):
            raise ValueError("a repair is for one id")
        return self

    @property
    def repair(self) -> Repaired | None:
        """What is repaired, if anything is."""
        body = self.repaired_base64 if self.repaired is None else self.repaired.encode()
        return Repaired(body, self.attributes) if body is not None or self.attributes else None


class DiscardRequest(Action):
    """Put inputs aside for good."""

    state: list[Literal["parked", "conflict", "rejected"]] = Field(
        default=["parked", "conflict", "rejected"]
    )
    because: Text = Field(min_length=1, max_length=1_000, pattern=r"\S", description="Why")


def listing(reads: Datastore, where: Where, *, limit: int, token: str | None = None) -> Answer:
    """A page of the kept inputs that are meant, the latest first. Raises BadToken, ValueError."""
    wanted = page(_LIST, limit, datetime.now(UTC), token)
    before = None if wanted.after is None else _kept_id(wanted.after)
    with consistent(reads) as cursor:
        rows = listed(cursor, where, as_of=wanted.as_of, limit=limit + 1, before=before)
        rows, next_ = cut(_LIST, wanted, rows, ["kept_id"])
        return _answer(cursor, rows, wanted.as_of, next_)


def one(reads: Datastore, keyring: Keyring, kept_id: int) -> Answer:
    """Everything that is known of one kept input. Raises NoSuchInput."""
    with consistent(reads) as cursor:
        row = shown(cursor, keyring, kept_id)
        if row is None:
            raise NoSuchInput(kept_id)
        return _answer(cursor, [row], datetime.now(UTC))


def answered(
    reads: Datastore, rows: Sequence[Mapping[str, Any]], next_: str | None = None
) -> Answer:
    """What was done about inputs, as an answer."""
    with consistent(reads) as cursor:
        return _answer(cursor, [dict(row) for row in rows], datetime.now(UTC), next_)


def revealed(message: Message) -> dict[str, Any]:
    """A message, byte for byte, in values that JSON has."""
    try:
        body = message.body.decode()
    except UnicodeDecodeError:
        body = None
    return {
        "body": body,
        "body_base64": b64encode(message.body).decode(),
        # A header that is no UTF-8 stands there with half surrogate pairs, which JSON has not.
        "attributes": {_text(name): _text(value) for name, value in message.attributes.items()},
        "headers": message.carried.get("headers"),
        "default_source": _text(message.default_source),
        "default_id": _text(message.default_id),
        "default_time": message.default_time,
    }


def router(reads: Datastore, dead_letters: DeadLetters) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["dead letters"])

    @routes.get(
        "/dead-letters",
        summary="What was not taken, and why",
        openapi_extra=open_to(KEEPERS),
        response_model=ListAnswer[DeadLetterRow],
        responses=in_either_form(422, 503),
    )
    def get_list(wanted: MediaType, asked: Annotated[ListParameters, Query()]) -> Response:
        where = asked.where(asked.state, asked.position)
        with _told():
            told = listing(reads, where, limit=asked.limit, token=asked.cursor)
        return response(wanted, told, DeadLetterRow)

    @routes.get(
        "/dead-letters/{kept_id}",
        summary="One input, and everything that happened to it",
        description="Stewards may let it be revealed.",
        openapi_extra=open_to(KEEPERS),
        response_model=ListAnswer[DeadLetter],
        responses=in_either_form(403, 404, 410, 422, 503),
    )
    def get_one(
        request: Request,
        wanted: MediaType,
        kept_id: Annotated[KeptId, Path()],
        asked: Annotated[ShowParameters, Query()],
    ) -> Response:
        if asked.reveal:
            _check_may_reveal(request)
        with _told():
            message = (
                dead_letters.reveal(
                    kept_id, who=decided_by(request, None), actor=whoever_calls(request)
                )
                if asked.reveal
                else None
            )
            told = one(reads, dead_letters.keyring, kept_id)
        if message is not None:
            told.rows[0]["revealed"] = revealed(message)
        return response(wanted, told, DeadLetter)

    @routes.post(
        "/dead-letters/redrive",
        summary="Take inputs again",
        openapi_extra=open_to([Role.STEWARD]),
        description=(
            "Takes rejected and conflicting inputs through the door again, the oldest first, by "
            "today's schemas and rules, in one transaction of at most `limit`. With `repaired`, "
            "takes a repaired version of one (of a parked one too). Go on with `next` as `cursor`."
        ),
        response_model=ListAnswer[RedrivenRow],
        responses=in_either_form(400, 404, 409, 410, 413, 422, 503),
    )
    def post_redrive(request: Request, media_type: MediaType, asked: RedriveRequest) -> Response:
        who, actor = decided_by(request, asked.by), whoever_calls(request)
        with _told():
            if asked.repair is not None and asked.ids is not None:
                done = dead_letters.repair(
                    asked.ids[0], asked.repair, who=who, dry_run=asked.dry_run, actor=actor
                )
                return response(media_type, answered(reads, [done._asdict()]), RedrivenRow)
            wanted = page(_REDRIVE, asked.limit, datetime.now(UTC), asked.cursor)
            after = 0 if wanted.after is None else _kept_id(wanted.after)
            # One more than is taken tells whether there is a next page.
            found = dead_letters.matching(
                asked.where(asked.state), after=after, limit=asked.limit + 1
            )
            kept_ids = next(found, [])
            taken = dead_letters.redrive(
                kept_ids[: asked.limit], who=who, dry_run=asked.dry_run, actor=actor
            )
            ids = [{"kept_id": kept_id} for kept_id in kept_ids]
            _, next_ = cut(_REDRIVE, wanted, ids, ["kept_id"])
            told = answered(reads, [each._asdict() for each in taken], next_)
        return response(media_type, told, RedrivenRow)

    @routes.post(
        "/dead-letters/discard",
        summary="Put inputs aside for good",
        openapi_extra=open_to([Role.STEWARD]),
        description=(
            "At most 1,000, the oldest first, in one transaction; they stay on record, and what "
            "waited behind them goes on."
        ),
        response_model=ListAnswer[DiscardedRow],
        responses=in_either_form(400, 404, 409, 413, 422, 503),
    )
    def post_discard(request: Request, wanted: MediaType, asked: DiscardRequest) -> Response:
        with _told():
            found = dead_letters.matching(asked.where(asked.state), among=OPEN, limit=LARGEST_PAGE)
            kept_ids = next(found, [])
            dead_letters.discard(
                kept_ids,
                who=decided_by(request, asked.by),
                reason=asked.because,
                actor=whoever_calls(request),
            )
            rows = [{"kept_id": kept_id, "state": "discarded"} for kept_id in kept_ids]
            return response(wanted, answered(reads, rows), DiscardedRow)

    return routes


@contextmanager
def _told() -> Iterator[None]:
    """Tell what cannot be done as a problem."""
    try:
        yield
    except NoSuchInput as error:
        raise Problem(404, "no-such-input", "There is no such input", str(error)) from None
    except InputErased as error:
        raise Problem(410, "erased", "The customer was erased", str(error)) from None
    except NotOpen as error:
        raise Problem(409, "not-open", "That cannot be done any more", str(error)) from None
    except BadToken as error:
        raise bad_parameter("cursor", str(error)) from None


def _kept_id(after: Sequence[Any]) -> int:
    match after:
        case [int(kept_id)]:
            return kept_id
    raise BadToken("this is not a token of a former answer")


def _answer(
    cursor: PgCursor, rows: list[dict[str, Any]], as_of: datetime, next_: str | None = None
) -> Answer:
    position, known_at = head(cursor)
    return Answer(position, as_of, known_at, METRIC_VERSION, rows, next_)


def _check_may_reveal(request: Request) -> None:
    """Show what an input says to nobody of whom it is not known who they are."""
    if caller_of(request) is None:
        raise Problem(
            403,
            "not-revealed",
            "Inputs are shown to those with an access token only",
            "make one with servicetrail token create, or set SERVICETRAIL_ACCESS_TOKEN; or use "
            "servicetrail dead-letters show --reveal",
        )
    need(request, [Role.STEWARD])


def _text(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
