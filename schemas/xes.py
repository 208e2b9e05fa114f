"""Logs in XES (IEEE 1849-2016), read as a stream, one case after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from schemas.containers import UnreadableFile

_KINDS = frozenset({"string", "date", "int", "float", "boolean", "id"})


class Attribute(NamedTuple):
    """What a log says of a case or an event: `kind` is the element's name, such as `date`."""

    kind: str
    value: str


Attributes = dict[str, Attribute]


class Trace(NamedTuple):
    """A case of a log: the number-th one, from 1 on."""

    number: int
    attributes: Attributes
    events: list[Attributes]


def traces(stream: BinaryIO) -> Iterator[Trace]:
    """The cases of a log in their order; an event outside of any is a case without attributes.

    What an attribute holds within itself has a key of both, such as `cost/currency`. Raises
    `UnreadableFile` for what is not XML, and for XML with a document type, which no log needs.
    """
    number = 0
    depth = 0
    root: Any = None
    try:
        for what, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
            if what == "start":
                root = element if root is None else root
                depth += 1
                continue
            depth -= 1
            if depth != 1:
                continue
            name = _name(element)
            if name in ("trace", "event"):
                number += 1
                yield (
                    _trace(number, element)
                    if name == "trace"
                    else Trace(number, {}, [_attributes(element)])
                )
            root.clear()
    except (ParseError, DefusedXmlException) as error:
        raise UnreadableFile(f"damaged after trace {number}: {error}", number) from error
    if root is None or _name(root) != "log":
        raise UnreadableFile("this is no XES log")


def _trace(number: int, element: Any) -> Trace:
    events = [_attributes(child) for child in element if _name(child) == "event"]
    return Trace(number, _attributes(element), events)


def _attributes(element: Any, prefix: str = "") -> Attributes:
    found: Attributes = {}
    for child in element:
        name = _name(child)
        key = prefix + child.get("key", name)
        if name in _KINDS:
            found[key] = Attribute(name, child.get("value", ""))
        if name != "event":
            found |= _attributes(child, f"{key}/")
    return found


def _name(element: Any) -> str:
    name: str = element.tag.rpartition("}")[2]
    return name
