"""Ids in paths, whatever characters they have; HEAD beside every GET, and what OPTIONS tells.

A slash that belongs to an id is written %2F. Servers hand on a path that is decoded already, in
which such a slash looks like one between segments: the customer `A/timeline` could not be told from
the timeline of `A`. So routes are found by a path in which %2F, and %25 with it, is still encoded.
"""

from __future__ import annotations

import re
from contextlib import suppress
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = re.compile(r"(%2F|%25)", re.IGNORECASE)


class _Id(Convertor[str]):
    """An id in a path. Slashes that nobody encoded belong to it too where no other route fits."""

    regex = ".*"

    def convert(self, value: str) -> str:
        return value.replace("%2F", "/").replace("%25", "%")

    def to_string(self, value: str) -> str:
        return value.replace("%", "%25").replace("/", "%2F")


register_url_convertor("id", _Id())


class EncodedSlashes:
    """Keeps %2F and %25 in the path by which a route is found; `{…:id}` decodes them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        raw = scope.get("raw_path") or b""
        if b"%2" in raw:
            parts = _KEPT.split(raw.decode("ascii", errors="replace"))
            decoded = (part.upper() if _KEPT.fullmatch(part) else unquote(part) for part in parts)
            scope["path"] = "".join(decoded)
        await self._app(scope, receive, send)


class _Told(Exception):
    """All that is told to HEAD has been sent."""


class Head:
    """Answers HEAD with what GET would say, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def headers_only(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                await send({"type": "http.response.body", "body": b""})
                raise _Told  # a stream would go on

        asked = {**scope, "method": "GET"}
        with suppress(_Told):
            await self._app(asked, receive, headers_only)
        scope.update(asked, method="HEAD")


def allowed(request: Request) -> str:
    """The methods that the path of a request has, as the header Allow names them."""

    def answers(method: str) -> bool:
        asked = {**request.scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)

    methods = [each for each in ("GET", "POST", "PUT", "PATCH", "DELETE") if answers(each)]
    return ", ".join([*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"])
