"""Who may call: everyone with the access token, once one is set."""

from __future__ import annotations

import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from web.problems import Problem, answer

OPEN_PATHS = frozenset({"/health"})


class BearerToken:
    """Refuses requests that do not carry the token, before anything of them is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] == "http" and scope["path"] not in OPEN_PATHS:
            scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
            given = f"{scheme.lower()} {token.strip()}".encode()
            if not hmac.compare_digest(given, self._expected):
                await answer(_REFUSED)(scope, receive, send)
                return
        await self._app(scope, receive, send)


_REFUSED = Problem(
    401,
    "no-access",
    "The access token is missing or wrong",
    "send the header Authorization: Bearer TOKEN",
    headers={"WWW-Authenticate": "Bearer"},
)
