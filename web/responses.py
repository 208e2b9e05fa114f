"""List answers as responses, in JSON or CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from pydantic import BaseModel

from projections.answers import Answer
from questions.answers import csv_text, json_text, plain
from questions.question import columns
from web.preferences import CSV, JSON
from web.problems import documented


def in_either_form(*problems: int) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says about a route that answers with rows, with its `problems`."""
    csv_too = {"content": {CSV: {"schema": {"type": "string"}}}}
    return {200: csv_too, **documented(406, *problems)}


def response(
    media_type: str,
    told: Answer,
    row: type[BaseModel],
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer, whose rows `row` describes. In CSV what is not a row stands in headers."""
    headers = {"Vary": "Accept", **(headers or {})}
    if media_type == JSON:
        return Response(json_text(told), media_type=JSON, headers=headers)
    answer = plain(told)
    more = {
        "Servicetrail-Position": str(answer["position"]),
        "Servicetrail-As-Of": answer["as_of"],
    }
    if answer["next"]:
        more["Servicetrail-Next"] = answer["next"]
    text = csv_text(answer["rows"], columns(row))
    return Response(text, media_type=CSV, headers={**headers, **more})
