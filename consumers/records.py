"""From a Kafka record to a message, as the CloudEvents binding for Kafka says."""

from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from schemas.message import Message

_PREFIX = "ce_"
_CONTENT_TYPE = "content-type"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
_NO_TIMESTAMP = -1


class Record(Protocol):
    """What is used of a consumed record; kafka-python's `ConsumerRecord` is one.

    `timestamp` is in milliseconds since 1970, `leader_epoch` counts elections of the partition's
    leader until it was written, each -1 for none; `value` is None for a tombstone.
    """

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def leader_epoch(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


def message_of(record: Record, *, received_at: datetime) -> Message:
    """The message in a record, whatever is in it.

    Binary mode has its attributes in headers that start with `ce_`; everything else tells from its
    content type or its bytes what it is. Where the event names no source, id or time, they are
    `kafka:<topic>`, `<partition>-<offset>` and the record's timestamp, or `received_at` (aware) for
    a record without one. Key and headers are carried, to be shown with an input that is kept.
    """
    attributes: dict[str, str] = {}
    content_type = ""
    for name, value in record.headers:
        if value is None:
            continue
        try:  # here and not in a function of its own: this is done nine times for each event
            text = value.decode()
        except UnicodeDecodeError:
            # Half surrogate pairs stand for what is no UTF-8; no identifier or text may have them.
            text = value.decode(errors="surrogateescape")
        attribute = _attribute_in(name)
        if attribute is not None:
            attributes[attribute] = text
        elif name.lower() == _CONTENT_TYPE:
            content_type = text
    if not attributes and not content_type.startswith("application/cloudevents"):
        # Such a header tells of the value only: the value must tell for itself what event it is.
        content_type = ""
    return Message(
        body=record.value or b"",
        content_type=content_type,
        attributes=attributes,
        default_source=f"kafka:{record.topic}",
        default_id=f"{record.partition}-{record.offset}",
        default_time=_instant(record.timestamp, received_at),
        origin={
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
        },
        carried=_Carried(record),
    )


class _Carried(Mapping[str, Any]):
    """Key and headers of a record, as JSON values: made for those few that are kept."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    def __getitem__(self, name: str) -> Any:
        if name == "key":
            return _shown(self._record.key)
        if name == "headers":
            return [[header, _shown(value)] for header, value in self._record.headers]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("key", "headers"))

    def __len__(self) -> int:
        return 2


@lru_cache(maxsize=1_000)
def _attribute_in(header: str) -> str | None:
    """The attribute that a header of this name has, if it has one."""
    return header[len(_PREFIX) :] if header.startswith(_PREFIX) else None


def _instant(timestamp: int, received_at: datetime) -> datetime:
    if timestamp == _NO_TIMESTAMP:
        return received_at
    try:
        return _EPOCH + timedelta(milliseconds=timestamp)
    except OverflowError:  # any 64 bits may stand there; out of range either way
        return _LATEST


def carried_key(message: Message) -> bytes | None:
    """The key of the record that the message was."""
    return _as_it_was(message.carried.get("key"))


def carried_headers(message: Message) -> list[tuple[str, bytes]]:
    """The headers of the record that the message was; those without a value are empty."""
    headers = message.carried.get("headers", ())
    return [(name, _as_it_was(value) or b"") for name, value in headers]


def _as_it_was(shown: str | dict[str, str] | None) -> bytes | None:
    if shown is None:
        return None
    return shown.encode() if isinstance(shown, str) else b64decode(shown["base64"])


def _shown(value: bytes | None) -> str | dict[str, str] | None:
    """Bytes as a JSON value: text where they are text, else {"base64": …}."""
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(value).decode()}
