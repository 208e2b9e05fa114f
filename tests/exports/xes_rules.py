"""What the XML Schema of IEEE 1849-2016 demands of a log, as rules of our own."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from defusedxml.ElementTree import parse

_NCNAME = re.compile(r"[A-Za-z_][\w.-]*")
_NAME = re.compile(r"[A-Za-z_:][\w.:-]*")
_DATE_TIME = re.compile(r"-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_VALUES = {
    "string": lambda _: True,
    "id": lambda _: True,
    "date": lambda text: bool(_DATE_TIME.fullmatch(text) and datetime.fromisoformat(text)),
    "int": lambda text: -(2**63) <= int(text) < 2**63,
    "float": lambda text: text in ("INF", "-INF", "NaN") or isinstance(float(text), float),
    "boolean": lambda text: text in ("true", "false", "1", "0"),
}
_OF_LOG = ("extension", "global", "classifier", *_VALUES, "trace", "event")


def follow_the_schema(path: Path) -> Any:
    """The log at `path`, which is as the schema demands: else an AssertionError says where not."""
    log = parse(path).getroot()
    assert log.tag == "log"
    float(log.get("xes.version"))
    assert set(log.keys()) <= {"xes.version", "xes.features"}
    in_order(log, _OF_LOG)
    for child in log:
        match child.tag:
            case "extension":
                assert sorted(child.keys()) == ["name", "prefix", "uri"]
                assert _NCNAME.fullmatch(child.get("name"))
                assert _NCNAME.fullmatch(child.get("prefix"))
            case "classifier":
                assert set(child.keys()) <= {"name", "scope", "keys"}
                assert _NCNAME.fullmatch(child.get("name"))
                assert " ".join(child.get("keys").split()) == child.get("keys")
            case "trace":
                in_order(child, (*_VALUES, "event"))
                for part in child:
                    attributes(part) if part.tag == "event" else attribute(part)
            case "global" | "event":
                attributes(child)
            case _:
                attribute(child)
    what_is_global_is_everywhere(log)
    return log


def in_order(element: Any, tags: tuple[str, ...]) -> None:
    """The attributes of a kind may be mixed; everything else comes in this order."""
    places = [tags.index("string" if child.tag in _VALUES else child.tag) for child in element]
    assert places == sorted(places), element.tag


def attributes(element: Any) -> None:
    for child in element:
        attribute(child)
    keys = [child.get("key") for child in element]
    assert len(set(keys)) == len(keys), keys


def attribute(element: Any) -> None:
    assert sorted(element.keys()) == ["key", "value"]
    assert _NAME.fullmatch(element.get("key")), element.get("key")
    assert _VALUES[element.tag](element.get("value")), element.attrib
    assert len(element) == 0


def what_is_global_is_everywhere(log: Any) -> None:
    for declared in log.findall("global"):
        keys = {each.get("key") for each in declared}
        path = {"trace": "trace", "event": "trace/event"}[declared.get("scope")]
        for element in log.findall(path):
            assert keys <= {each.get("key") for each in element}
    declared = {each.get("prefix") for each in log.findall("extension")}
    used = {each.get("key") for each in log.iter() if ":" in (each.get("key") or "")}
    assert {key.partition(":")[0] for key in used} <= declared
