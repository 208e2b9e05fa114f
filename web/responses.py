"""List answers as responses: JSON, or CSV for those who accept nothing but that."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from projections.answers import Answer
from questions.answers import csv_text, plain
from questions.question import columns

JSON, CSV = "application/json", "text/csv"
CSV_TOO = {"content": {CSV: {"schema": {"type": "string"}}}}
"""What the OpenAPI document says of a route that answers in CSV as well."""


def media_type(request: Request) -> str:
    """What the client wants."""
    accepted = request.headers.get("accept", "")
    return CSV if CSV in accepted and JSON not in accepted else JSON


def response(
    request: Request,
    told: Answer,
    row: type[BaseModel],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer, whose rows `row` describes. In CSV what is not a row stands in headers."""
    answer = plain(told)
    if media_type(request) == JSON:
        return JSONResponse(answer, headers=headers)
    more = {
        "Servicetrail-Position": str(answer["position"]),
        "Servicetrail-As-Of": answer["as_of"],
    }
    if answer["next"]:
        more["Servicetrail-Next"] = answer["next"]
    text = csv_text(answer["rows"], columns(row))
    return Response(text, media_type=CSV, headers={**(headers or {}), **more})
