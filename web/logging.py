"""One log line for each request: its route and outcome, never what it carried or whom it asked
about.
"""

from __future__ import annotations

import structlog

log = structlog.get_logger(__name__)


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Log a finished request."""
    log.debug(
        "request",
        method=method,
        route=route,
        status=status,
        milliseconds=round(seconds * 1000, 1),
    )
