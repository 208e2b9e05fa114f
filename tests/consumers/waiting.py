"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60


def eventually(condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until the condition holds; fail if it takes too long."""
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
