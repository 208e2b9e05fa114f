"""Whether an input that could not be read names a customer somewhere."""

import binascii
import json
import re
from collections.abc import Iterator

from schemas.message import Message

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def names_customer(message: Message, customer_id: str) -> bool:
    """Whether the id stands in the message as a word of its own, or as a text in Avro.

    In its body, its attributes and what it carried: in UTF-8, 16 or 32, as JSON escapes it, or in
    Base64. An id that is an ordinary word may be found where something else is meant.
    """
    written = {customer_id, json.dumps(customer_id)[1:-1], customer_id.replace("/", "\\/")}
    words = re.compile(
        b"|".join(rb"(?<![\w-])" + re.escape(each.encode()) + rb"(?![\w-])" for each in written)
    )
    in_avro = _avro_text(customer_id)
    return any(words.search(place) or in_avro in place for place in _places(message))


def _places(message: Message) -> Iterator[bytes]:
    yield json.dumps([dict(message.attributes), dict(message.carried)], ensure_ascii=False).encode(
        errors="replace"
    )
    yield message.body
    if b"\0" in message.body:  # two or four bytes to a character
        yield message.body.replace(b"\0", b"")
    for match in _BASE64.finditer(message.body):
        run = match[0].translate(_URL_SAFE)
        yield binascii.a2b_base64(run[: len(run) // 4 * 4])


def _avro_text(text: str) -> bytes:
    """A text as Avro writes it: its length in zigzag, seven bits to a byte, and its bytes."""
    data = text.encode()
    length, written = 2 * len(data), bytearray()
    while length > 0x7F:
        written.append(length & 0x7F | 0x80)
        length >>= 7
    written.append(length)
    return bytes(written) + data
