"""What a client would rather have (RFC 9110, section 12): Accept and Accept-Encoding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeAlias

from fastapi import Depends, Request
from starlette.datastructures import MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Message, Receive, Scope, Send

from web.problems import Problem

JSON, CSV = "application/json", "text/csv"
_WEIGHT = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def weights(header: str) -> dict[str, float]:
    """The values of a header in lower case, each with its weight from 0 (not wanted) to 1.

    Parameters beside the weight do not matter here. A value whose weight cannot be read does not
    count; of one that is named twice the larger weight does.
    """
    found: dict[str, float] = {}
    for each in header.lower().split(","):
        value, *parameters = (part.strip() for part in each.split(";"))
        named = dict(part.replace(" ", "").partition("=")[::2] for part in parameters)
        weight = named.get("q", "1")
        if value and _WEIGHT.fullmatch(weight):
            found[value] = max(found.get(value, 0.0), float(weight))
    return found


def preferred(accepted: str, offered: Sequence[str]) -> str | None:
    """Which of the media types offered a client wants most by its Accept; None: none of them.

    Where it wants several alike, those that it names come first, and then those offered first.
    """
    wanted = weights(accepted)
    if not wanted:
        return offered[0]

    def weight(media_type: str) -> float:
        family = f"{media_type.partition('/')[0]}/*"
        ranges = (media_type, family, "*/*")  # the most specific one decides
        return next((wanted[each] for each in ranges if each in wanted), 0.0)

    best = max(offered, key=lambda each: (weight(each), each in wanted))
    return best if weight(best) else None


async def media_type(request: Request) -> str:
    """JSON or CSV, as the client would rather have it; JSON for one that does not say.

    Raises Problem with status 406, before anything is done, for one that wants neither.
    """
    accepted = ", ".join(request.headers.getlist("accept"))
    found = preferred(accepted, (JSON, CSV))
    if found is None:
        raise Problem(
            406,
            "not-acceptable",
            "The answer is not available in that form",
            f"Accept: {accepted}: there is {JSON} and {CSV}",
            available=[JSON, CSV],
        )
    return found


MediaType: TypeAlias = Annotated[str, Depends(media_type)]
"""The parameter of a route that answers with rows: in which form the client wants them."""


class Compression(GZipMiddleware):
    """Answers in gzip for those who accept it, but for streams and archives.

    Entity tags stay as they are: they are weak, so that both forms may share one.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""

        async def varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                given = ",".join([*headers.getlist("vary"), "Accept-Encoding"])
                headers["vary"] = ", ".join(_each_once(given.split(",")))
            await send(message)

        if scope["type"] == "http":
            asked = MutableHeaders(scope=scope)
            wanted = weights(", ".join(asked.getlist("accept-encoding")))
            # Starlette looks for the word alone, which stands in "gzip;q=0" as well, not in "*".
            del asked["accept-encoding"]
            if wanted.get("gzip", wanted.get("*")):
                asked["accept-encoding"] = "gzip"
        await super().__call__(scope, receive, varied)


def _each_once(names: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(name.strip() for name in names)
