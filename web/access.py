"""Who calls, and what they may: tokens, and the roles that each route is open to."""

from __future__ import annotations

import hmac
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Protocol

from cachetools import TTLCache
from eventsourcing.persistence import PersistenceError
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ledger.tokens import Role, Token, Tokens
from schemas.codec import instant_text
from web.nearby import why_not_nearby
from web.problems import Problem, answer, database_away, provider_away

OPEN_PATHS = frozenset({"/health"})
EVERY_ROLE = tuple(Role)
FIGURES = (Role.DASHBOARD, Role.AUDITOR)
PERSONS = (Role.AUDITOR,)
KEEPERS = (Role.AUDITOR, Role.STEWARD)
OPERATION = (Role.DASHBOARD, Role.AUDITOR, Role.STEWARD)

REMEMBERED_SECONDS = 1.0
"""How long a caller is remembered: so soon at the latest does a token that is revoked not count."""
_REMEMBERED = 10_000


class NotAdmitted(Exception):
    """The caller is not let in; the text says why, and what to do."""


class ProviderAway(Exception):
    """The identity provider's keys cannot be had now, and the one needed is not known before."""


@dataclass(frozen=True)
class Caller:
    """Who calls. `who` is the name that they go by, `token_id` that of a token of ours; `sources`
    are those that they may publish as, `until` (aware) is when they are not let in any more.
    """

    who: str
    roles: frozenset[Role]
    sources: tuple[str, ...] = ()
    token_id: str | None = None
    until: datetime | None = None


OPERATOR = Caller("operator", frozenset(Role), ("*",))
"""Whoever has the token of the settings."""


class Vouches(Protocol):
    """An identity provider, see `web.identity.Provider`."""

    def caller(self, token: str) -> Caller:
        """Who has the token. Raises NotAdmitted and ProviderAway."""


class Admission:
    """Tells who calls. Used by the event loop's thread.

    As long as nothing says who may call (no `operator_token`, no `provider`, and never a token
    made), everybody may who is on this machine: development.
    """

    def __init__(
        self, tokens: Tokens, operator_token: str | None, provider: Vouches | None = None
    ) -> None:
        self._tokens = tokens
        self._provider = provider
        self._operator = None if operator_token is None else _digest(operator_token)
        self.closed = operator_token is not None or provider is not None
        """Whether callers have to say who they are, as far as was looked."""
        self._remembered: TTLCache[bytes, Caller | None] = TTLCache(
            _REMEMBERED, REMEMBERED_SECONDS, timer=time.monotonic
        )

    def is_closed(self) -> bool:
        """Whether callers have to say who they are. Once it is so it stays so."""
        self.closed = self.closed or self._tokens.any()
        return self.closed

    async def caller(self, secret: str | None) -> Caller | None:
        """Who has this token; None: nobody has to say. Raises NotAdmitted and
        ProviderAway.
        """
        digest = _digest(secret or "")
        try:
            caller = self._remembered[digest]
        except KeyError:
            caller = await run_in_threadpool(self._found, secret, digest)
            self._remembered[digest] = caller
        if caller is not None and caller.until is not None and caller.until <= datetime.now(UTC):
            raise NotAdmitted(f"the token expired at {instant_text(caller.until)}; get another one")
        return caller

    def _found(self, secret: str | None, digest: bytes) -> Caller | None:
        if self._operator is not None and hmac.compare_digest(digest, self._operator):
            return OPERATOR
        if not self.is_closed():
            return None
        if not secret:
            raise NotAdmitted("send the header Authorization: Bearer TOKEN")
        if self._provider is not None and secret.count(".") == 2:
            return self._provider.caller(secret)
        token = self._tokens.of(secret)
        if token is None:
            raise NotAdmitted("nobody has this token; a steward makes one: servicetrail token")
        return _holder(token)


class Door:
    """Lets in those whom `admission` knows, before anything of the request is read.

    Who it is stands in the request's state: `caller_of` tells.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            headers = Headers(scope=scope)
            secret = _secret(headers)
            try:
                caller = await self._admission.caller(secret)
            except NotAdmitted as error:
                await answer(_refused(str(error), given=secret is not None))(scope, receive, send)
                return
            except PersistenceError:
                await answer(database_away())(scope, receive, send)
                return
            except ProviderAway:
                await answer(provider_away())(scope, receive, send)
                return
            if caller is None and (why := why_not_nearby(headers)) is not None:
                await answer(_not_nearby(why))(scope, receive, send)
                return
            scope.setdefault("state", {}).update(caller=caller, secret=secret)
        await self._app(scope, receive, send)


def open_to(roles: Iterable[Role]) -> dict[str, Any]:
    """For a route, as `openapi_extra`: to whom it is open. What the document says of a route is
    what `check_role` goes by.
    """
    return {"security": [{"token": [role.value]} for role in roles]}


def roles_of(route: Any) -> frozenset[Role]:
    """To whom a route is open; nobody but the operator where it does not say."""
    told = (getattr(route, "openapi_extra", None) or {}).get("security", ())
    return frozenset(Role(role) for each in told for role in each["token"])


async def check_role(request: Request) -> None:
    """Refuse callers to whom the route is not open. For every route, the paths left open aside."""
    route = request.scope["route"]
    if route.path not in OPEN_PATHS:
        need(request, roles_of(route))


def need(request: Request, roles: Iterable[Role], what: str = "this") -> None:
    """Refuse a caller who has none of the roles that `what` is for."""
    caller = caller_of(request)
    needed = frozenset(roles)
    if caller is None or caller is OPERATOR or caller.roles & needed:
        return
    named = " or ".join(sorted(needed)) or "operator"
    raise Problem(
        403,
        "role-missing",
        "Your role does not include this",
        f"{what} is for the role {named}; {caller.who} has {_listed(sorted(caller.roles))}",
        headers={"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
        needed=sorted(needed),
    )


def caller_of(request: Request) -> Caller | None:
    """Who calls; None in development, where nobody has to say."""
    caller: Caller | None = request.state.caller
    return caller


def _secret(headers: Headers) -> str | None:
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _digest(secret: str) -> bytes:
    return sha256(secret.encode(errors="replace")).digest()


def _holder(token: Token) -> Caller:
    if token.revoked_at is not None:
        raise NotAdmitted(
            f"the token was revoked at {instant_text(token.revoked_at)}; get another one"
        )
    return Caller(
        token.name, frozenset({token.role}), token.sources, token.token_id, token.expires_at
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _refused(detail: str, *, given: bool) -> Problem:
    challenge = 'Bearer error="invalid_token"' if given else "Bearer"
    return Problem(
        401,
        "no-access",
        "The access token is missing or wrong",
        detail,
        headers={"WWW-Authenticate": challenge},
    )


def _not_nearby(why: str) -> Problem:
    return Problem(
        403,
        "not-nearby",
        "Without access tokens only programs on this machine are answered",
        f"{why}; to let others in, make a token: servicetrail token create",
    )
