"""The events of evidence, read from the lines of their file."""

from __future__ import annotations

import hashlib
import itertools
import json
import multiprocessing
import os
import re
import struct
from binascii import a2b_base64, unhexlify
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

from audit.standalone.proofs import Wrong, chain, leaf_hash

_PARALLEL_FROM_BYTES = 8_000_000
_CHUNK_BYTES = 1_000_000
_CAN_FORK = "fork" in multiprocessing.get_all_start_methods()
# All instants are in UTC: two that do not say so are subtracted faster.
_BEGINNING = datetime(2000, 1, 1)  # noqa: DTZ001
_ONE_MICROSECOND = timedelta(microseconds=1)

_NUMBER, _TEXT, _INSTANT = rb"(-?\d+)", rb'"([^"]*)"', rb'"([^"]*)Z"'
_NUMBER_OR_NULL, _TEXT_OR_NULL = rb"(-?\d+|null)", rb'("[^"]*"|null)'
_COLUMNS = {
    "position": _NUMBER,
    "originator_version": _NUMBER,
    "occurred_at": _INSTANT,
    "recorded_at": _INSTANT,
    "event_id": _TEXT,
    "shard": _NUMBER,
    "time_assumed": rb"(true|false)",
    "originator_id": _TEXT,
    "type": _TEXT,
    "source": _TEXT,
    "id": _TEXT,
    "fingerprint": _TEXT,
    "facts": _TEXT,
    "customer_id": _TEXT_OR_NULL,
    "correlation_id": _TEXT_OR_NULL,
    "causation_id": _TEXT_OR_NULL,
    "sequence": _NUMBER_OR_NULL,
    "personal": _TEXT_OR_NULL,
}
_MEMBERS = b",".join(b'"%s":%s' % (name.encode(), form) for name, form in _COLUMNS.items())
_LINE = re.compile(rb"^\{" + _MEMBERS + rb"\}\n", re.MULTILINE)
"""A line in which nothing is escaped, as nearly all are."""


@dataclass
class Events:
    """What is needed of events besides their contents, column by column.

    `subjects`, `things` and `schemas` are all that there are, whichever event has them. `head` is
    that of the chain over all of them.
    """

    positions: List[int] = field(default_factory=list)
    leaves: List[bytes] = field(default_factory=list)
    versions: List[int] = field(default_factory=list)
    recorded_at: List[int] = field(default_factory=list)
    subjects: Set[str] = field(default_factory=set)
    things: Set[str] = field(default_factory=set)
    schemas: Set[str] = field(default_factory=set)
    head: bytes = bytes(32)

    def __len__(self) -> int:
        return len(self.positions)


def events_of(lines: bytes) -> Events:
    """The events of some whole lines of the file. Raises Wrong."""
    try:
        rows = [_columns(*line) for line in _written(lines)]
        leaves = [leaf_hash(*row) for row in rows]
        things, schemas = {row[7] for row in rows}, {row[11] for row in rows}
        customers = {row[13] for row in rows}
        return Events(
            [row[0] for row in rows],
            leaves,
            [row[1] for row in rows],
            [row[3] for row in rows],
            {"policies" if each is None else f"customer:{each.decode()}" for each in customers},
            {each.decode() for each in things},
            {each.hex() for each in schemas},
        )
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise Wrong(f"an event cannot be read: {type(error).__name__} {error}") from None
    except struct.error as error:
        raise Wrong(f"an event has a value that is too large: {error}") from None


def line_of(row: Dict[str, Any]) -> bytes:
    """The line of an event from its columns by name. Raises ValueError."""
    if row.keys() != _COLUMNS.keys():
        raise ValueError("the columns of an event are not those that they must be")
    return _canonical({name: row[name] for name in _COLUMNS}) + b"\n"


def _canonical(row: Dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


def _written(lines: bytes) -> Sequence[Tuple[bytes, ...]]:
    """The columns of each line, as they are written. Raises ValueError."""
    lines.decode()
    if not lines.endswith(b"\n"):
        raise ValueError("the last line does not end")
    if b"\\" in lines:
        return [_with_escapes(line) for line in lines[:-1].split(b"\n")]
    found = _LINE.findall(lines)
    if len(found) != lines.count(b"\n"):
        raise ValueError("a line is not written as it must be")
    return found


def _with_escapes(line: bytes) -> Tuple[bytes, ...]:
    row = json.loads(line)
    if list(row) != list(_COLUMNS) or _canonical(row) != line:
        raise ValueError("a line is not written as it must be")
    return tuple(_as_written(row[name], form) for name, form in _COLUMNS.items())


def _as_written(value: Any, form: bytes) -> bytes:
    """A value as `_LINE` finds it, without escapes. Raises ValueError."""
    if isinstance(value, str):
        if form == _TEXT:
            return value.encode()
        if form == _TEXT_OR_NULL:
            return b'"' + value.encode() + b'"'
        if form == _INSTANT and value.endswith("Z"):
            return value[:-1].encode()
    else:
        told = json.dumps(value).encode()
        if re.fullmatch(form, told):
            return told
    raise ValueError("a value is not of the type that it must be of")


def _columns(
    position: bytes, version: bytes, occurred_at: bytes, recorded_at: bytes, event_id: bytes,
    shard: bytes, time_assumed: bytes, originator_id: bytes, type_: bytes, source: bytes,
    id_: bytes, fingerprint: bytes, facts: bytes, customer_id: bytes, correlation_id: bytes,
    causation_id: bytes, sequence: bytes, personal: bytes,
) -> Tuple[Any, ...]:  # fmt: skip
    """The columns as `leaf_hash` takes them."""
    return (
        int(position), int(version), _instant(occurred_at), _instant(recorded_at),
        unhexlify(event_id), int(shard), time_assumed == b"true",
        originator_id, type_, source, id_, unhexlify(fingerprint), _decoded(facts),
        None if customer_id == b"null" else customer_id[1:-1],
        None if correlation_id == b"null" else correlation_id[1:-1],
        None if causation_id == b"null" else causation_id[1:-1],
        None if sequence == b"null" else int(sequence),
        None if personal == b"null" else _decoded(personal[1:-1]),
    )  # fmt: skip


def _instant(text: bytes) -> int:
    """Microseconds since 2000 of an instant in UTC, written without its Z."""
    return (datetime.fromisoformat(text.decode()) - _BEGINNING) // _ONE_MICROSECOND


def _decoded(text: bytes) -> bytes:
    """The bytes of base64, without anything in between."""
    value = a2b_base64(text)
    if len(text) != (len(value) + 2) // 3 * 4:
        raise ValueError("what should be base64 is none")
    return value


def read_events(file: IO[bytes]) -> Tuple[Events, str]:
    """The events of a file, and its SHA-256 in hexadecimal. Raises Wrong.

    A large one is read by as many processes as there are processors.
    """
    digest = hashlib.sha256()
    first = list(_chunks(file, digest, _PARALLEL_FROM_BYTES))
    events = Events()
    if sum(map(len, first)) < _PARALLEL_FROM_BYTES or not _CAN_FORK:
        for part in map(events_of, itertools.chain(first, _chunks(file, digest))):
            _extend(events, part)
    else:
        with multiprocessing.get_context("fork").Pool(os.cpu_count() or 1) as pool:
            for part in pool.imap(events_of, itertools.chain(first, _chunks(file, digest))):
                _extend(events, part)
    return events, digest.hexdigest()


def _extend(events: Events, others: Events) -> None:
    events.positions.extend(others.positions)
    events.leaves.extend(others.leaves)
    events.versions.extend(others.versions)
    events.recorded_at.extend(others.recorded_at)
    events.subjects.update(others.subjects)
    events.things.update(others.things)
    events.schemas.update(others.schemas)
    events.head = chain(events.head, others.leaves)  # while other processes read what comes next


def _chunks(file: IO[bytes], digest: Any, most: Optional[int] = None) -> Iterator[bytes]:
    """Whole lines of the file, about `most` bytes of them; they go into the digest as well."""
    size = 0
    while most is None or size < most:
        chunk = file.read(_CHUNK_BYTES)
        chunk += file.readline()
        if not chunk:
            return
        digest.update(chunk)
        size += len(chunk)
        yield chunk
