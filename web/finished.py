"""Tells of every request once it is finished."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Tell = Callable[[str, str, int, float], None]
"""Gets method, route, status and seconds. The route is its pattern: paths name customers."""


class Finished:
    """Calls `tell` after each request; one that fails before its answer counts as status 500."""

    def __init__(self, app: ASGIApp, tell: Tell) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.monotonic()

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            self._tell(scope["method"], route, status, time.monotonic() - started)
