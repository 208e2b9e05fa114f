"""GET and POST /tokens: access tokens made, listed and revoked by stewards."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from ledger.tokens import NoSuchToken, RevokedAlready, Role, Token, Tokens, TokenWrong
from questions.parameters import Identifier, Instant
from questions.question import Rows
from web.access import open_to
from web.problems import Problem, bad_parameter, documented
from web.recording import whoever_calls

_STEWARDS = open_to([Role.STEWARD])


class TokenRequest(BaseModel):
    """Who is to have a token, and as what."""

    model_config = ConfigDict(extra="forbid")

    name: Identifier = Field(description="Who has it: a system, or a person")
    role: Role
    sources: list[Identifier] = Field(
        default=[],
        max_length=100,
        description="Of a channel: what it may publish as; https://shop.example/* stands for "
        "everything that begins like it. What names no source counts as the first one",
    )
    expires_at: Instant | None = Field(default=None, description="When it ends. Default: never")


class TokenTold(BaseModel):
    """What is kept of a token."""

    token_id: str
    name: str
    role: Role
    sources: list[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None


class TokenMade(TokenTold):
    """A token that was just made."""

    token: str = Field(description="The token itself: nobody can be told it again")


def router(tokens: Tokens) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["access"])

    @routes.get(
        "/tokens",
        summary="Every access token that was ever made, the newest first",
        openapi_extra=_STEWARDS,
        responses=documented(503),
    )
    def get_tokens() -> Rows[TokenTold]:
        return Rows(rows=[told(each) for each in tokens.listed()])

    @routes.post(
        "/tokens",
        status_code=201,
        summary="Make an access token",
        openapi_extra=_STEWARDS,
        responses=documented(400, 422, 503),
    )
    def post_token(request: Request, asked: TokenRequest) -> TokenMade:
        try:
            secret, made = tokens.create(
                asked.name,
                asked.role,
                actor=whoever_calls(request),
                sources=asked.sources,
                expires_at=asked.expires_at,
            )
        except TokenWrong as error:
            raise bad_parameter("body", str(error)) from None
        return TokenMade(token=secret, **told(made).model_dump())

    @routes.post(
        "/tokens/{token_id}/revocation",
        summary="Let an access token count no more",
        description="It counts no more within a second, and streams that it opened end.",
        openapi_extra=_STEWARDS,
        responses=documented(404, 409, 422, 503),
    )
    def post_revocation(
        request: Request, token_id: Annotated[str, Path(pattern="^[0-9a-f]{10}$")]
    ) -> TokenTold:
        try:
            return told(tokens.revoke(token_id, actor=whoever_calls(request)))
        except NoSuchToken as error:
            raise Problem(404, "no-such-token", "There is no such token", str(error)) from None
        except RevokedAlready as error:
            raise Problem(409, "revoked", "The token was revoked already", str(error)) from None

    return routes


def told(token: Token) -> TokenTold:
    """A token as answers have it."""
    known: dict[str, Any] = token._asdict()
    return TokenTold(**known | {"sources": list(token.sources)})
