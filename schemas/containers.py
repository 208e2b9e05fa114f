"""Avro object container files: rows of one schema, in blocks that can be checked one by one."""

import bz2
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any, BinaryIO

from fastavro import parse_schema, schemaless_reader, writer
from fastavro.schema import to_parsing_canonical_form

from schemas import cloudevent_avro
from schemas.catalogue import SHIPPED, Schema, fingerprint_of_text
from schemas.codec import instant_text, single_object
from schemas.datum import read_long
from schemas.problem import Problem

MAGIC = b"Obj\x01"
LARGEST_HEADER = 1024 * 1024
LARGEST_BLOCK = 64 * 1024 * 1024

Row = tuple[dict[str, str], bytes]
"""CloudEvents attributes (none for rows without an envelope) and the data."""


class UnreadableFile(Exception):
    """The file cannot be read, or not further. `row` is the last row or line that could be."""

    def __init__(self, message: str, row: int = 0) -> None:
        super().__init__(message)
        self.row = row


class _Damaged(Exception):
    pass


def rows_of(stream: BinaryIO) -> Iterator[Row]:
    """The rows of an object container file, one block in memory at a time.

    The rows are CloudEvents, or data of one of our schemas; those come out in Avro single-object
    encoding. Raises `UnreadableFile` when the rest cannot be read, after what could be.
    """
    row = 0
    try:
        schema, decompress, sync = _header(stream)
        read_row = _row_reader(schema)
        while (count := _long(stream, at_end_of_file=True)) is not None:
            block = decompress(_exactly(stream, _size(stream)))
            whole = _exactly(stream, len(sync)) == sync
            at = 0
            for _ in range(count):
                attributes, data, at = read_row(block, at)
                yield attributes, data
                row += 1
            if not whole or at != len(block):
                raise _Damaged("a block does not end where it should")
    except (_Damaged, Problem, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise UnreadableFile(f"damaged after row {row}: {error}", row) from error


def _header(stream: BinaryIO) -> tuple[str, Callable[[bytes], bytes], bytes]:
    """The schema's text, how blocks are decompressed, and the marker at the end of every block."""
    if _exactly(stream, len(MAGIC)) != MAGIC:
        raise _Damaged("this is not an Avro object container file")
    meta: dict[str, bytes] = {}
    size = 0
    while count := _long(stream):
        if count < 0:
            _long(stream)
        for _ in range(abs(count)):
            name = _exactly(stream, _size(stream, LARGEST_HEADER)).decode(errors="replace")
            meta[name] = _exactly(stream, _size(stream, LARGEST_HEADER))
            size += len(name) + len(meta[name])
            if size > LARGEST_HEADER:
                raise _Damaged("the header is too large")
    codec = meta.get("avro.codec", b"null").decode(errors="replace")
    if codec not in _DECOMPRESS:
        raise _Damaged(f"compressed by {codec[:40]!r}; write it with deflate, or uncompressed")
    text = meta.get("avro.schema", b"").decode(errors="replace")
    return text, _DECOMPRESS[codec], _exactly(stream, 16)


def _row_reader(text: str) -> Callable[[bytes, int], tuple[dict[str, str], bytes, int]]:
    try:
        fingerprint = fingerprint_of_text(text)
    except Exception as error:  # fastavro has no common base of what it raises here
        raise _Damaged("the header holds no Avro schema") from error
    if fingerprint in cloudevent_avro.FINGERPRINTS:
        return cloudevent_avro.read_cloudevent
    schema = SHIPPED.by_fingerprint.get(fingerprint)
    if schema is None:
        raise _Damaged(
            f"the schema (fingerprint {fingerprint.hex()}) is neither that of CloudEvents "
            "nor one of the published event schemas"
        )
    return _datum_reader(schema)


def _datum_reader(schema: Schema) -> Callable[[bytes, int], tuple[dict[str, str], bytes, int]]:
    # Without logical types even a row with an impossible date has an end.
    plain = parse_schema(json.loads(to_parsing_canonical_form(json.loads(schema.text))))

    def read(block: bytes, at: int) -> tuple[dict[str, str], bytes, int]:
        stream = BytesIO(block)
        stream.seek(at)
        try:
            schemaless_reader(stream, plain, None)
        except Exception as error:  # whatever fastavro meets in damaged bytes
            raise _Damaged("the data do not fit the schema") from error
        end = stream.tell()
        return {}, schema.header + block[at:end], end

    return read


def _inflate(block: bytes) -> bytes:
    return _bounded(zlib.decompressobj(-zlib.MAX_WBITS), block)


def _bounded(decompressor: Any, block: bytes) -> bytes:
    plain: bytes = decompressor.decompress(block, LARGEST_BLOCK + 1)
    if len(plain) > LARGEST_BLOCK or not decompressor.eof:
        raise _Damaged("a block is too large, or ends too early")
    return plain


_DECOMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "null": lambda block: block,
    "deflate": _inflate,
    "bzip2": lambda block: _bounded(bz2.BZ2Decompressor(), block),
    "xz": lambda block: _bounded(lzma.LZMADecompressor(), block),
}


def _exactly(stream: BinaryIO, size: int) -> bytes:
    found = stream.read(size)
    if len(found) != size:
        raise _Damaged("the file ends too early")
    return found


def _size(stream: BinaryIO, largest: int = LARGEST_BLOCK) -> int:
    size = _long(stream)
    if size is None or not 0 <= size <= largest:
        raise _Damaged("a size that cannot be")
    return size


def _long(stream: BinaryIO, *, at_end_of_file: bool = False) -> int | None:
    """A zig-zag integer; None at the end of the file if that is a good place to end."""
    digits = b""
    while not digits or digits[-1] > 0x7F:
        byte = stream.read(1)
        if not byte:
            if at_end_of_file and not digits:
                return None
            raise _Damaged("the file ends too early")
        digits += byte
        if len(digits) > 10:
            raise _Damaged("a number that cannot be")
    return read_long(digits, 0)[0]


def write_container(stream: BinaryIO, cloudevents: Iterable[Mapping[str, Any]]) -> None:
    """Write an object container file of CloudEvents whose data are Avro.

    Each event is its CloudEvents attributes by name (`time` as text or as an aware datetime) and
    `data` as `codec.encode` takes them. Events are written as they come, a block at a time.
    """
    schema = parse_schema(json.loads(cloudevent_avro.SCHEMA))
    writer(stream, schema, map(_record, cloudevents), codec="deflate")


def _record(cloudevent: Mapping[str, Any]) -> dict[str, Any]:
    attributes = {**attribute_texts(cloudevent), "datacontenttype": "application/avro"}
    return {"attribute": attributes, "data": single_object(cloudevent["type"], cloudevent["data"])}


def attribute_texts(cloudevent: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of an event as text, without those that are None and without the data."""
    texts = {"specversion": "1.0"}
    for name, value in cloudevent.items():
        if name != "data" and value is not None:
            texts[name] = (
                instant_text(value) if name == "time" and not isinstance(value, str) else str(value)
            )
    return texts
