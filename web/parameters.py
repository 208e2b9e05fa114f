"""No parameter is ignored: one that a route does not know is refused."""

from __future__ import annotations

from fastapi import Request

from web.problems import unknown_parameters


async def only_known(request: Request) -> None:
    """Refuse a GET with a parameter that the document does not have at its route.

    Raises Problem with status 422, which names the parameter that may have been meant.
    """
    given = list(dict.fromkeys(request.query_params))
    if request.method != "GET" or not given:
        return
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]
    named = operation.get("parameters", ())
    known = [parameter["name"] for parameter in named if parameter["in"] == "query"]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise unknown_parameters(unknown, known)
