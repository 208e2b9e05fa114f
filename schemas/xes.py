"""Logs in XES (IEEE 1849-2016), read as a stream, one case after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from schemas.containers import UnreadableFile

_KINDS = frozenset({"string", "date", "int", "float", "boolean", "id"})
_DEEPEST = 100


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


def traces(stream: BinaryIO, again: Counter[str] | None = None) -> Iterator[Trace]:
    """The cases of a log in their order; an event outside of any is a case without attributes.

    What an attribute holds within itself has a key of both, such as `cost/currency`. Of several
    with one key the last counts, and `again` counts the others, by `trace` or `event` and the key.
    Raises `UnreadableFile` for what is not XML, for elements within each other more than 100 deep,
    and for XML with a document type, which no log needs.
    """
    again = Counter() if again is None else again
    number = 0
    depth = 0
    root: Any = None
    try:
        for what, element in iterparse(stream, events=("start", "end"), forbid_dtd=True):
            if what == "start":
                root = element if root is None else root
                depth += 1
                if depth > _DEEPEST:
                    raise UnreadableFile(
                        f"after trace {number}, elements are within each other more than "
                        f"{_DEEPEST} deep",
                        number,
                    )
                continue
            depth -= 1
            if depth != 1:
                continue
            name = _name(element)
            if name in ("trace", "event"):
                number += 1
                yield (
                    _trace(number, element, again)
                    if name == "trace"
                    else Trace(number, {}, [_attributes(element, again)])
                )
            root.clear()
    except (ParseError, DefusedXmlException) as error:
        raise UnreadableFile(f"damaged after trace {number}: {error}", number) from error
    if root is None or _name(root) != "log":
        raise UnreadableFile("this is no XES log")


def _trace(number: int, element: Any, again: Counter[str]) -> Trace:
    events = [_attributes(child, again) for child in element if _name(child) == "event"]
    return Trace(number, _attributes(element, again), events)


def _attributes(element: Any, again: Counter[str]) -> Attributes:
    found: Attributes = {}
    for kind, key, value in _within(element, ""):
        if key in found:
            again[f"{_name(element)} {key}"] += 1
        found[key] = Attribute(kind, value)
    return found


def _within(element: Any, prefix: str) -> Iterator[tuple[str, str, str]]:
    """Element, key and value of each attribute, and of those within it."""
    for child in element:
        name = _name(child)
        if name == "event":
            continue
        key = prefix + child.get("key", name)
        if name in _KINDS:
            yield name, key, child.get("value", "")
        yield from _within(child, f"{key}/")


def _name(element: Any) -> str:
    name: str = element.tag.rpartition("}")[2]
    return name
