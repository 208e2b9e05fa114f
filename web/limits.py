"""How large a request may be."""

from __future__ import annotations

from contextlib import suppress

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.problems import Problem, answer


class TooLarge(Exception):
    """The request brings more than may come at once."""


class RequestLimit:
    """Refuses a request with status 413 as soon as it is known to have more than `max_bytes`."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._refused = answer(too_large(f"a request may have at most {max_bytes:,} bytes"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "")
        received = int(announced) if announced.isdecimal() else 0
        if received > self._max_bytes:
            await self._refused(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise TooLarge
            return message

        async def unless_refused(message: Message) -> None:
            if received <= self._max_bytes:
                await send(message)

        with suppress(TooLarge):
            await self._app(scope, counted, unless_refused)
        if received > self._max_bytes:
            await self._refused(scope, receive, send)


def too_large(detail: str) -> Problem:
    """The request brings more than may come at once."""
    return Problem(413, "too-large", "The request is too large", detail)
