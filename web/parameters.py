"""No parameter is ignored: one that a route does not know, or takes once only, is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

from fastapi import Request

from web.problems import repeated_parameters, unknown_parameters


async def only_known(request: Request) -> None:
    """Refuse a GET with a parameter that the document does not have at its route, or that is given
    several times and is no list there.

    Raises Problem with status 422, which names the parameter that may have been meant.
    """
    given = Counter(name for name, _ in request.query_params.multi_items())
    if request.method != "GET" or not given:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]
    named = operation.get("parameters", ())
    known = {each["name"]: each["schema"] for each in named if each["in"] == "query"}
    unknown = [name for name in given if name not in known]
    if unknown:
        raise unknown_parameters(unknown, known)
    repeated = [name for name, times in given.items() if times > 1 and not _list(known[name])]
    if repeated:
        raise repeated_parameters(repeated)


def _list(schema: dict[str, Any]) -> bool:
    return any(each.get("type") == "array" for each in schema.get("anyOf", [schema]))
