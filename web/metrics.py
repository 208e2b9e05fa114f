"""GET /metrics: what Prometheus collects; and the two metrics of HTTP itself."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Definition(NamedTuple):
    """A metric: its name as Prometheus shows it, its labels, and what it says."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    says: str


HTTP_REQUESTS = Definition(
    "servicetrail_http_requests_total",
    "counter",
    ("method", "route", "status"),
    "HTTP requests that were answered, by the route's pattern.",
)
HTTP_SECONDS = Definition(
    "servicetrail_http_request_seconds",
    "histogram",
    ("method", "route"),
    "Seconds from an HTTP request to the end of its answer.",
)


class HttpMetrics:
    """The metrics of HTTP, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            HTTP_REQUESTS.name, HTTP_REQUESTS.says, HTTP_REQUESTS.labels, registry=registry
        )
        self.seconds = Histogram(
            HTTP_SECONDS.name, HTTP_SECONDS.says, HTTP_SECONDS.labels, registry=registry
        )


class RequestMetrics:
    """Counts and times every request, by the route's pattern: paths and queries name customers."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry) -> None:
        self._app = app
        self._metrics = HttpMetrics(registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        started = time.monotonic()

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "(other)"
            route = getattr(scope.get("route"), "path", "(none)")
            self._metrics.requests.labels(method, route, str(status)).inc()
            self._metrics.seconds.labels(method, route).observe(time.monotonic() - started)


def router(registry: CollectorRegistry) -> APIRouter:
    """The route for Prometheus."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/metrics",
        summary="Metrics for Prometheus",
        response_class=Response,
        responses={
            200: {
                "content": {"text/plain": {"schema": {"type": "string"}}},
                "description": "Prometheus's text format",
            }
        },
    )
    def get_metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
