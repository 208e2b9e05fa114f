"""The OpenAPI document: what FastAPI makes of the routes, put right where HTTP knows more."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi


def install(app: FastAPI, *, token: bool) -> None:
    """Let `app` give its document; with `token`, everything but `/health` asks for one."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, token=token)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI offers to extend it


def _document(app: FastAPI, *, token: bool) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _without_null(parameter["schema"])
    if token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        document["paths"]["/health"]["get"]["security"] = []
    return document


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
