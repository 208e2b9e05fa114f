"""Messages in files: JSON Lines of structured CloudEvents, and Avro object container files.

Either may be compressed with gzip. What a file is, its first bytes say, not its name. Files are
read as a stream: memory does not grow with them.
"""

import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

from schemas.codec import to_json
from schemas.containers import (
    MAGIC,
    UnreadableFile,
    attribute_texts,
    rows_of,
    write_container,
)
from schemas.message import Message

LONGEST_LINE = 8 * 1024 * 1024
"""Bytes of a line that are kept, well above what a message may have; the rest is passed over."""

_GZIP_MAGIC = b"\x1f\x8b"


class _Ahead(RawIOBase):
    """A stream whose first bytes were looked at already and come again."""

    def __init__(self, first: bytes, stream: BinaryIO) -> None:
        self._first = first
        # What is there is enough: whoever writes into a pipe may take a while for more.
        self._read = getattr(stream, "read1", stream.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._first[: len(buffer)] or self._read(len(buffer))
        self._first = self._first[len(buffer) :]
        buffer[: len(found)] = found
        return len(found)


def _look(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    first = b""
    while len(first) < size and (more := stream.read(size - len(first))):
        first += more
    return first, cast(BinaryIO, BufferedReader(_Ahead(first, stream), 128 * 1024))


def messages_in(path: str, received_at: datetime | None = None) -> Iterator[Message]:
    """The messages of the file at `path`; `-` is standard input. See `messages_from`.

    Raises OSError if the file cannot be opened.
    """
    if path == "-":
        yield from messages_from(sys.stdin.buffer, "-", received_at)
    else:
        with Path(path).open("rb") as stream:
            yield from messages_from(stream, Path(path).name, received_at)


def messages_from(
    stream: BinaryIO, name: str, received_at: datetime | None = None
) -> Iterator[Message]:
    """The messages of an open file, in their order.

    `received_at` (aware; now if not given) stands for the time of events that have none.
    Messages that name no source or id get `file:NAME` and `line N` or `row N`, so that the same
    file read again holds the same events. Raises `UnreadableFile` when the rest of the file cannot
    be read, after the messages that could be.
    """
    received_at = received_at or datetime.now(UTC)
    stream = _plain(stream)
    try:
        first, stream = _look(stream, len(MAGIC))
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"{name}: the compressed file is damaged: {error}") from error
    try:
        if first == MAGIC:
            yield from _rows(stream, name, received_at)
        else:
            yield from _lines(stream, name, received_at)
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}", error.row) from error


@contextmanager
def unzipped(stream: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """The bytes of a file, plain or compressed with gzip. Raises `UnreadableFile` where they are
    damaged.
    """
    try:
        yield _plain(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFile(f"{name}: the compressed file is damaged: {error}") from error
    except UnreadableFile as error:
        raise UnreadableFile(f"{name}: {error}", error.row) from error


def _plain(stream: BinaryIO) -> BinaryIO:
    first, stream = _look(stream, len(_GZIP_MAGIC))
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if first == _GZIP_MAGIC else stream


def _rows(stream: BinaryIO, name: str, received_at: datetime) -> Iterator[Message]:
    for row, (attributes, data) in enumerate(rows_of(stream), start=1):
        yield Message(
            body=data,
            content_type=attributes.get("datacontenttype", ""),
            attributes=attributes,
            default_source=f"file:{name}",
            default_id=f"row {row}",
            default_time=received_at,
            origin={"file": name, "row": row},
        )


def _lines(stream: BinaryIO, name: str, received_at: datetime) -> Iterator[Message]:
    number = 0
    while True:
        try:
            line = stream.readline(LONGEST_LINE)
            if not line:
                return
            number += 1
            cut = not line.endswith(b"\n") and _pass_over_rest(stream)
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableFile(f"damaged after line {number}: {error}", number) from error
        if line.isspace():
            continue
        yield Message(
            body=line if cut else line.strip(),
            content_type="application/cloudevents+json",
            attributes={},
            default_source=f"file:{name}",
            default_id=f"line {number}",
            default_time=received_at,
            origin={"file": name, "line": number} | ({"cut": True} if cut else {}),
        )


def _pass_over_rest(stream: BinaryIO) -> bool:
    """Read to the end of a line that is too long; whether there was any more of it."""
    any_more = False
    while rest := stream.readline(LONGEST_LINE):
        any_more = any_more or not rest.isspace()
        if rest.endswith(b"\n"):
            break
    return any_more


def write_jsonl(stream: BinaryIO, cloudevents: Iterable[Mapping[str, Any]]) -> None:
    """Write structured CloudEvents with JSON data, one a line.

    Each event is its CloudEvents attributes by name (`time` as text or as an aware datetime) and
    `data` as `codec.encode` takes them; fields that are None are left out.
    """
    for cloudevent in cloudevents:
        given = {name: item for name, item in cloudevent["data"].items() if item is not None}
        line = {
            **attribute_texts(cloudevent),
            "datacontenttype": "application/json",
            "data": to_json(cloudevent["type"], given),
        }
        stream.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode())
        stream.write(b"\n")


__all__ = [
    "UnreadableFile",
    "messages_from",
    "messages_in",
    "unzipped",
    "write_container",
    "write_jsonl",
]
