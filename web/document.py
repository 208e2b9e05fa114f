"""The OpenAPI document: what FastAPI makes of the routes, put right where HTTP knows more."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from web.access import OPEN_PATHS, Admission
from web.problems import documented


def install(app: FastAPI, admission: Admission) -> None:
    """Let `app` give its document. Once callers have to say who they are, it tells how, and which
    roles each route is open to.
    """
    documents: dict[bool, dict[str, Any]] = {}

    def openapi() -> dict[str, Any]:
        closed = admission.closed
        if closed not in documents:
            documents[closed] = _document(app, closed=closed)
        return documents[closed]

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI offers to extend it


def _document(app: FastAPI, *, closed: bool) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for path, operations in document["paths"].items():
        for operation in operations.values():
            security = operation.pop("security", [])
            if closed:
                operation["security"] = security
            if closed and path not in OPEN_PATHS:
                _tell_roles(operation)
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
    if closed:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document


def _tell_roles(operation: dict[str, Any]) -> None:
    """Say in words as well who may, and what others are told."""
    roles = [role for each in operation["security"] for role in each["token"]]
    said = [operation["description"]] if operation.get("description") else []
    operation["description"] = " ".join([*said, f"For the roles: {', '.join(roles)}."])
    refusals = {str(status): told for status, told in documented(401, 403).items()}
    operation["responses"] = refusals | operation["responses"]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What a parameter may be where it is given: a query string has no null, only what it leaves
    out.
    """
    choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if not choices:
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if len(choices) == 1:
        return _without_null(choices[0]) | rest
    return {"anyOf": choices} | rest
