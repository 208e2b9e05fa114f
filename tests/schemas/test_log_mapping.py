"""Logs in XES become events by a mapping, and are the same log again when it is read backwards."""

import gzip
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.exports.markup import quoted
from schemas.containers import UnreadableFile
from schemas.event import Event, Unreadable
from schemas.log_mapping import LogMapping, LogReading, MappingWrong
from schemas.log_rules import Recorded
from schemas.message import Message
from schemas.reading import read
from schemas.xes import Attribute, Attributes, traces

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MAPPING: dict[str, Any] = {
    "source": "tickets",
    "case": "concept:name",
    "trace": [
        {
            "type": "complaint.raised.v1",
            "when": [{"trace": "severity", "is": ["high", "critical"]}],
            "id": {"trace": "concept:name", "prefix": "raised-"},
            "time": {"trace": "opened"},
            "data": {
                "complaint_id": {"trace": "concept:name"},
                "customer_id": {"trace": "customer"},
                "channel": {"value": "mail"},
                "severity": {"trace": "severity"},
                "fault_found": {"trace": "fault"},
                "desired_remedy": {"trace": "due", "as": "date"},
            },
        }
    ],
    "event": [
        {
            "type": "touchpoint.recorded.v1",
            "when": [{"event": "concept:name", "is": ["call"]}],
            "id": {"event": "concept:instance", "as": "id"},
            "time": {"event": "time:timestamp"},
            "data": {
                "touchpoint_id": {"event": "concept:instance", "prefix": "t-", "as": "id"},
                "customer_id": {"trace": "customer"},
                "case_id": {"trace": "concept:name"},
                "channel": {"event": "org:group"},
                "direction": {"value": "inbound"},
                "moment": {"event": "concept:name"},
                "duration_seconds": {"event": "seconds"},
                "concurrency": {"event": "at_once"},
            },
            "always": {"lifecycle:transition": "complete"},
        }
    ],
}

words = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("C", "Z")),
    min_size=1,
    max_size=20,
)
instants = st.datetimes(
    datetime.fromisoformat("1971-01-01"),
    datetime.fromisoformat("2026-01-01"),
    timezones=st.just(UTC),
)


@st.composite
def logs(draw: st.DrawFn) -> list[tuple[Attributes, list[Attributes]]]:
    """Cases with what the mapping asks for, and events with or without what may be missing."""
    cases = []
    for number in range(draw(st.integers(1, 3))):
        trace = {
            "concept:name": Attribute("string", f"{number}-{draw(words)}"),
            "customer": Attribute("string", draw(words)),
            "severity": Attribute("string", draw(st.sampled_from(["high", "critical"]))),
            "opened": Attribute("date", written(draw(instants))),
        }
        if draw(st.booleans()):
            trace["fault"] = Attribute("boolean", draw(st.sampled_from(["true", "false"])))
            trace["due"] = Attribute("date", written(draw(instants)))
        events = []
        for event in range(draw(st.integers(0, 3))):
            said = {
                "concept:name": Attribute("string", "call"),
                "concept:instance": Attribute("id", f"{number}.{event}"),
                "time:timestamp": Attribute("date", written(draw(instants))),
                "org:group": Attribute("string", draw(words)),
                "at_once": Attribute("int", str(draw(st.integers(1, 9)))),
                "lifecycle:transition": Attribute("string", "complete"),
            }
            if draw(st.booleans()):
                seconds = draw(st.floats(0, 1e6))
                said["seconds"] = Attribute("float", str(seconds))
            events.append(said)
        cases.append((trace, events))
    return cases


def written(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def xes(cases: list[tuple[Attributes, list[Attributes]]]) -> bytes:
    def elements(attributes: Attributes) -> str:
        return "".join(
            f"<{each.kind} key={quoted(key)} value={quoted(each.value)}/>"
            for key, each in attributes.items()
        )

    return "".join(
        [
            '<log xes.version="1.0" xmlns="http://www.xes-standard.org/">',
            *(
                f"<trace>{elements(trace)}"
                + "".join(f"<event>{elements(event)}</event>" for event in events)
                + "</trace>"
                for trace, events in cases
            ),
            "</log>",
        ]
    ).encode()


def recorded(event: Event) -> Recorded:
    return Recorded(
        event.type,
        event.source,
        event.id,
        event.occurred_at,
        event.time_assumed,
        event.correlation_id,
        event.data,
    )


def messages(log: bytes, mapping: dict[str, Any] = MAPPING) -> Iterator[Message]:
    reading = LogReading(LogMapping.of_text(json.dumps(mapping)))
    return reading.messages(io.BytesIO(log), "log.xes", NOW)


@given(logs())
def test_any_log_comes_back_as_it_was(cases: list[tuple[Attributes, list[Attributes]]]) -> None:
    mapping = LogMapping.of_text(json.dumps(MAPPING))
    back: dict[str, tuple[Attributes, list[Attributes]]] = {}
    for message in messages(xes(cases)):
        event = read(message, now=NOW)
        shown = mapping.shown(recorded(event))
        assert shown is not None
        trace, events = back.setdefault(shown.case, ({}, []))
        trace |= shown.trace
        events += [] if shown.event is None else [shown.event]
    assert [back[trace["concept:name"].value] for trace, _ in cases] == cases


CALL = {
    "concept:name": Attribute("string", "call"),
    "concept:instance": Attribute("string", "7"),
    "time:timestamp": Attribute("date", "2026-03-02T09:00:00.123+01:00"),
    "org:group": Attribute("string", "phone"),
    "lifecycle:transition": Attribute("string", "complete"),
}
CASE = {"concept:name": Attribute("string", "A"), "customer": Attribute("string", "Ada")}


def test_a_log_is_read_plain_and_compressed_with_its_numbers_as_sequence() -> None:
    log = xes([(CASE, [CALL, CALL | {"concept:instance": Attribute("string", "8")}])])

    plain, compressed = list(messages(log)), list(messages(gzip.compress(log)))

    assert plain == compressed
    events = [read(message, now=NOW) for message in plain]
    assert [(event.id, event.sequence, event.data["touchpoint_id"]) for event in events] == [
        ("7", 1, "t-7"),
        ("8", 2, "t-8"),
    ]
    assert events[0].occurred_at == datetime(2026, 3, 2, 8, tzinfo=UTC) + timedelta(
        milliseconds=123
    )
    assert plain[1].origin == {"file": "log.xes", "trace": 1, "event": 2}


@pytest.mark.parametrize(
    "odd",
    [
        {"concept:name": Attribute("string", "visit")},
        {"lifecycle:transition": Attribute("string", "start")},
    ],
)
def test_an_event_that_no_rule_fits_is_kept_as_rejected(odd: Attributes) -> None:
    (message,) = messages(xes([(CASE, [CALL | odd])]))

    with pytest.raises(Unreadable) as refused:
        read(message, now=NOW)

    assert (refused.value.code, refused.value.path) == ("missing_attribute", "type")
    assert (refused.value.source, refused.value.id) == ("tickets", "trace 1, event 1")


def test_a_value_that_does_not_fit_is_refused_and_not_made_up() -> None:
    (message,) = messages(xes([(CASE, [CALL | {"at_once": Attribute("string", "many")}])]))

    with pytest.raises(Unreadable) as refused:
        read(message, now=NOW)

    assert (refused.value.code, refused.value.path) == ("wrong_type", "data.concurrency")


def test_what_no_rule_names_is_counted() -> None:
    log = xes([(CASE | {"colour": Attribute("string", "red")}, [CALL, CALL])])
    nested = log.replace(b'value="phone"/>', b'value="phone"><int key="floor" value="2"/></string>')
    reading = LogReading(LogMapping.of_text(json.dumps(MAPPING)))

    list(reading.messages(io.BytesIO(nested), "log.xes", NOW))

    assert reading.not_taken == {"trace colour": 1, "event org:group/floor": 2}


def test_an_event_outside_of_a_case_is_not_lost() -> None:
    log = b'<log><event><string key="a" value="b"/></event></log>'
    (alone,) = traces(io.BytesIO(log))

    assert alone.attributes == {}
    assert alone.events == [{"a": Attribute("string", "b")}]


@pytest.mark.parametrize(
    ("log", "says"),
    [
        (b"", "damaged after trace 0"),
        (b"<html/>", "no XES log"),
        (xes([(CASE, [CALL])])[:-20], "damaged after trace 0"),
        (b'<!DOCTYPE log [<!ENTITY a "aa">]><log>&a;</log>', "DTDForbidden"),
        (b"<log>" + b"<string>" * 3_000 + b"</string>" * 3_000 + b"</log>", "more than 100 deep"),
        (b"\x1f\x8b\x08", "compressed file is damaged"),
    ],
)
def test_what_is_no_log_is_said(log: bytes, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        list(messages(log))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"event": []}, "event: .*at least 1 item"),
        ({"colour": "red"}, "colour: "),
        ({"case": "customer_number"}, "takes nothing from customer_number"),
        ({"event": [{**MAPPING["event"][0], "type": "touchpoint.v9"}]}, "no event type"),
        ({"event": [{**MAPPING["event"][0], "type": "customer.erased.v1"}]}, "no event type"),
        ({"event": [{**MAPPING["event"][0], "id": {"value": 1, "event": "a"}}]}, "name one of"),
        (
            {"event": [{**MAPPING["event"][0], "data": {"note": {"trace": "concept:name"}}}]},
            "no field that holds note",
        ),
        ({"trace": MAPPING["event"]}, "knows of no event"),
    ],
)
def test_a_mapping_that_cannot_be_used_says_why(change: dict[str, Any], says: str) -> None:
    with pytest.raises(MappingWrong, match=says):
        LogMapping.of_text(json.dumps(MAPPING | change))


def test_what_another_source_said_is_not_of_the_log() -> None:
    mapping = LogMapping.of_text(json.dumps(MAPPING))
    (event,) = [read(message, now=NOW) for message in messages(xes([(CASE, [CALL])]))]
    told = recorded(event)

    assert mapping.shown(told) is not None
    assert mapping.shown(told._replace(source="shop")) is None
    assert mapping.shown(told._replace(data={**event.data, "direction": "outbound"})) is None
    assert mapping.shown(told._replace(data={**event.data, "touchpoint_id": "7"})) is None


def touchpoint(direction: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "touchpoint.recorded.v1",
        "id": {"event": "number"},
        "time": {"event": "time:timestamp"},
        "correlationid": {"event": "thread"},
        "data": {
            "touchpoint_id": {"event": "thing"},
            "customer_id": {"trace": "customer"},
            "case_id": {"trace": "concept:name"},
            "channel": {"value": "phone"},
            "direction": {"value": direction},
        },
        **more,
    }


OPENED = {"when": [{"event": "kind", "is": ["Opened"]}]}


def test_conditions_and_correlations_come_back_and_nothing_is_made_up() -> None:
    mapping = {
        "source": "desk",
        "case": "concept:name",
        "event": [touchpoint("inbound", **OPENED), touchpoint("outbound")],
    }
    said = {
        "number": Attribute("string", "n1"),
        "time:timestamp": Attribute("date", "2025-05-01T07:30:00.125000Z"),
        "thread": Attribute("string", "c1"),
        "thing": Attribute("string", "z1"),
    }
    events = [
        said | {"kind": Attribute("string", "Opened"), "thing": Attribute("string", "z0")},
        said,
        {"thing": Attribute("string", "z2")},
    ]
    read_backwards = LogMapping.of_text(json.dumps(mapping))

    told = [read(message, now=NOW) for message in messages(xes([(CASE, events)]), mapping)]

    shown = [read_backwards.shown(recorded(event)) for event in told]
    assert [each and each.event for each in shown] == events


def test_what_is_always_the_same_is_known_again_whatever_its_kind() -> None:
    day = {"value": "2026-03-01T10:00:00+01:00"}
    mapping = MAPPING | {"event": [touchpoint("inbound", time=day)]}
    said = {key: Attribute("string", key) for key in ("number", "thread", "thing")}
    (message,) = messages(xes([(CASE, [said])]), mapping)

    shown = LogMapping.of_text(json.dumps(mapping)).shown(recorded(read(message, now=NOW)))

    assert shown is not None
    assert shown.event == said


def test_an_event_of_a_case_without_a_name_is_not_of_the_log() -> None:
    mapping = LogMapping.of_text(json.dumps(MAPPING | {"event": [touchpoint("inbound")]}))
    nameless = {"customer": Attribute("string", "Ada")}
    said = {key: Attribute("string", key) for key in ("number", "thread", "thing")}
    log = xes([(nameless, [said])])
    (message,) = LogReading(mapping).messages(io.BytesIO(log), "log.xes", NOW)

    assert mapping.shown(recorded(read(message, now=NOW))) is None


def test_attributes_of_one_key_are_counted_and_the_last_is_taken() -> None:
    log = xes([(CASE, [CALL])]).replace(
        b'<string key="org:group" value="phone"/>',
        b'<string key="org:group" value="mail"/><string key="org:group" value="phone"/>',
    )
    reading = LogReading(LogMapping.of_text(json.dumps(MAPPING)))

    (message,) = reading.messages(io.BytesIO(log), "log.xes", NOW)

    assert read(message, now=NOW).data["channel"] == "phone"
    assert reading.again == {"event org:group": 1}
    assert not reading.not_taken


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ([touchpoint("inbound", when=[{"event": "kind"}])], "depends on kind"),
        ([touchpoint("inbound", when=[{"event": "kind", "is": ["a", "b"]}])], "depends on kind"),
        ([touchpoint("inbound", **OPENED), touchpoint("inbound")], "take kind into a field"),
    ],
)
def test_a_rule_that_cannot_be_read_backwards_is_refused(rules: list[Any], says: str) -> None:
    with pytest.raises(MappingWrong, match=says):
        LogMapping.of_text(json.dumps(MAPPING | {"event": rules}))
