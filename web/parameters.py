"""No parameter is ignored: one that a route does not know, or takes once only, is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from web.problems import repeated_parameters, unknown_parameters


class OnlyKnown:
    """Refuses a GET with a parameter that the document does not have at its route, or that is given
    several times and is no list there. A dependency of every route of one application.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Any]] = {}

    async def __call__(self, request: Request) -> None:
        """Raises Problem with status 422, which names the parameter that may have been meant."""
        given = Counter(name for name, _ in request.query_params.multi_items())
        if request.method != "GET" or not given:
            return
        known = self._of(request.scope["route"])
        unknown = [name for name in given if name not in known]
        if unknown:
            raise unknown_parameters(unknown, known)
        repeated = [name for name, times in given.items() if times > 1 and not _list(known[name])]
        if repeated:
            raise repeated_parameters(repeated)

    def _of(self, route: APIRoute) -> dict[str, Any]:
        """The schema of each parameter in the route's own part of the document: making all of the
        document takes half a second, in which nobody else is answered.
        """
        path = route.path_format
        if path not in self._known:
            document = get_openapi(title="", version="", routes=[route])
            named = document["paths"][path]["get"].get("parameters", ())
            self._known[path] = {
                each["name"]: each["schema"] for each in named if each["in"] == "query"
            }
        return self._known[path]


def _list(schema: dict[str, Any]) -> bool:
    return any(each.get("type") == "array" for each in schema.get("anyOf", [schema]))
