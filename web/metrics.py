"""GET /metrics: what Prometheus collects; and the two metrics of HTTP itself."""

from __future__ import annotations

from typing import Literal, NamedTuple

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from web.access import OPERATION, open_to

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

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time a finished request."""
        known = method if method in METHODS else "(other)"
        self.requests.labels(known, route, str(status)).inc()
        self.seconds.labels(known, route).observe(seconds)


def router(registry: CollectorRegistry) -> APIRouter:
    """The route for Prometheus."""
    routes = APIRouter(tags=["operation"])

    @routes.get(
        "/metrics",
        summary="Metrics for Prometheus",
        openapi_extra=open_to(OPERATION),
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
