"""How a program that is asked to stop does so."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def signals_unwind() -> Iterator[None]:
    """SIGTERM ends what is going on the way Ctrl-C does: by KeyboardInterrupt, so that everything
    is closed.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
