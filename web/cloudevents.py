"""CloudEvents over HTTP: requests in binary, structured and batched content mode become messages.

What is told apart here is only how a request is packed. Whether an event is right in itself is
judged behind the intake's door, so that whatever can be told from its neighbours gets a receipt of
its own and is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from urllib.parse import unquote_to_bytes

from schemas.message import Message
from web.limits import too_large
from web.problems import Problem

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
BINARY = ("application/json", "application/avro")
ACCEPTED = (STRUCTURED, BATCH, *BINARY)

# Only where elements end is looked for here: integers stay as they are written, because CPython
# refuses to convert those of thousands of digits, and the one element would spoil the whole batch.
_DECODER = json.JSONDecoder(parse_int=str)
_SPACE = re.compile(r"[ \t\r\n]*")
_QUOTED = re.compile(r'^"(.*)"$', re.DOTALL)


def messages(
    body: bytes,
    content_type: str,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    address: str,
    now: datetime,
    most: int,
    source: str | None = None,
) -> list[Message]:
    """The messages of one request; raises Problem when they cannot be told from each other.

    `headers` are names and values as they came; `address` is the sender's; `now` an aware UTC
    instant, the time of receipt; `most` is how many events one request may bring; `source` is who
    speaks where an event does not say.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == BATCH:
        batch = [
            _message(element, STRUCTURED, {}, address, now, {"index": index}, source)
            for index, element in enumerate(islice(elements(body), most + 1))
        ]
        if len(batch) > most:
            raise too_large(f"a batch may bring at most {most:,} events; send it in parts")
        return batch
    if media_type == STRUCTURED:
        return [_message(body, STRUCTURED, {}, address, now, {}, source)]
    if media_type in BINARY:
        return [_message(body, media_type, attributes(headers), address, now, {}, source)]
    raise Problem(
        415,
        "unsupported-content-type",
        "The content type is none that events come in",
        f"Content-Type must be one of {', '.join(ACCEPTED)}",
    )


def attributes(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The CloudEvents attributes in `ce-` headers, decoded as the HTTP protocol binding says
    (section 3.1.3.2).
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if not name.startswith("ce-"):
            continue
        attribute = name.removeprefix("ce-")
        if attribute in found:
            raise _unreadable(f"the header {name} is there twice")
        try:
            found[attribute] = _header_value(raw_value)
        except UnicodeDecodeError:
            raise _unreadable(f"the header {name} is not percent-encoded UTF-8") from None
    return found


def elements(body: bytes) -> Iterator[bytes]:
    """The elements of a JSON array, each byte for byte as it was sent; raises Problem when it is no
    JSON array.
    """
    try:
        text = body.decode()
        at = _skip(text, 0)
        if text[at : at + 1] != "[":
            raise _unreadable("a batch must be a JSON array of CloudEvents")
        at = _skip(text, at + 1)
        ended = text[at : at + 1] == "]"
        while not ended:
            start = at
            _, at = _DECODER.raw_decode(text, start)
            yield text[start:at].encode()
            at = _skip(text, at)
            ended = text[at : at + 1] == "]"
            if not ended:
                if text[at : at + 1] != ",":
                    raise _unreadable(
                        f"a comma or the end of the array is missing at character {at}"
                    )
                at = _skip(text, at + 1)
        if _skip(text, at + 1) != len(text):
            raise _unreadable(f"something follows the array at character {at + 1}")
    except UnicodeDecodeError:
        raise _unreadable("a batch must be JSON in UTF-8") from None
    except json.JSONDecodeError as error:
        raise _unreadable(
            f"the JSON of the batch breaks at character {error.pos}: {error.msg}"
        ) from None
    except RecursionError:
        raise _unreadable("the JSON of the batch is nested too deeply") from None


def _message(
    body: bytes,
    content_type: str,
    found: dict[str, str],
    address: str,
    now: datetime,
    origin: dict[str, int],
    source: str | None,
) -> Message:
    return Message(
        body=body,
        content_type=content_type,
        attributes=found,
        # Whoever speaks HTTP can name its events; one without a name is rejected, and kept.
        default_source=source or "",
        default_id="",
        default_time=now,
        origin={"http": address, **origin},
    )


def _header_value(raw: bytes) -> str:
    text = raw.decode("latin-1").strip(" \t")
    quoted = _QUOTED.match(text)
    if quoted:
        text = re.sub(r"\\(.)", r"\1", quoted[1])
    return unquote_to_bytes(text.encode("latin-1")).decode()


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None
    return space.end()


def _unreadable(detail: str) -> Problem:
    return Problem(400, "unreadable", "The request cannot be read", detail)
