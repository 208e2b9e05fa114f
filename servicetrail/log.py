"""Structured logs on standard error, with nothing of what customers or channels wrote in them."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any

import structlog
from eventsourcing.persistence import PersistenceError
from structlog.typing import EventDict, Processor

# What a log line may say about an event is what identifies it, never what stands in it. Anything
# else under another name is kept only if it is a plain number, truth value or one of these words.
IDENTIFYING = frozenset(
    {
        "event", "level", "timestamp", "logger", "error", "at",
        "source", "id", "event_id", "type", "outcome", "reason", "path",
        "method", "route", "address", "database", "data_dir", "read_model", "version", "signal",
        "brokers", "group", "topic", "topics",
    }
)  # fmt: skip
HARMLESS = (bool, int, float, type(None))
# Their messages describe the database or the machine and quote no event.
TELLING_ERRORS = (PersistenceError, OSError)
# Those of kafka-python, which only consumers/ imports, name brokers, topics and offsets.
TELLING_MODULE = "kafka.errors"


def without_bodies(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Drop every value that might carry what an event says; its name stays, so that the gap is
    seen.
    """
    for name, value in line.items():
        if name.startswith("_") or isinstance(value, HARMLESS):
            continue
        if name not in IDENTIFYING or not isinstance(value, str):
            line[name] = "(withheld)"
    return line


def tell_error(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Turn an exception into its type and the places it passed; its message only where that quotes
    no event.
    """
    given = line.pop("exc_info", None)
    error = sys.exc_info()[1] if given is True else given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        tells = isinstance(error, TELLING_ERRORS) or type(error).__module__ == TELLING_MODULE
        told = f": {error}" if tells else ""
        line["error"] = type(error).__qualname__ + told
        frames = traceback.extract_tb(error.__traceback__)
        line["at"] = " < ".join(
            f"{frame.name} ({frame.filename}:{frame.lineno})" for frame in reversed(frames)
        )
    return line


def configure(log_format: str, level: str) -> None:
    """Send our own log lines and those of libraries to standard error, through one chain."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tell_error,
        without_bodies,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what nobody will see costs nothing
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    # Its clients tell of every attempt to connect; the consumer tells what comes of them.
    logging.getLogger("kafka").setLevel("DEBUG" if level == "debug" else "CRITICAL")
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
