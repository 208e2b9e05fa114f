"""Logs in XES: as the standard's schema demands, and read by a program that is not ours."""

from pathlib import Path

import pytest
import r4pm
from r4pm import bindings

from domain import EVENT_TYPES, is_of_nobody
from ledger.datastore import Datastore
from projections import queries
from tests.exports.telling import AS_OF, HISTORY, exported
from tests.exports.xes_rules import follow_the_schema
from tests.projections.history import at, corrected, happened, inbound, project, tell
from tests.projections.test_timeline import EXAMPLES, example


def log_of(path: Path) -> dict[str, list[dict[str, str]]]:
    """The events of each case by its name, as attributes by key."""
    return {
        trace.find("string[@key='concept:name']").get("value"): [
            {each.get("key"): each.get("value") for each in event}
            for event in trace.findall("event")
        ]
        for trace in follow_the_schema(path).findall("trace")
    }


def test_a_complaint_is_a_case_with_all_that_was_done_because_of_it(
    datastore: Datastore, tmp_path: Path
) -> None:
    because = happened(
        "promise.made.v1", "2026-03-10 09:00", promise_id="P-2", statement="we call back",
        channel="phone", due_at="2026-03-11 17:00", complaint_id="K-1",
    )  # fmt: skip
    kept = happened("promise.kept.v1", "2026-03-11 16:00", promise_id="P-2")
    tell(datastore, [*HISTORY, kept, because])

    manifest = exported(datastore, "xes", tmp_path / "log.xes", case="complaint")

    cases = log_of(tmp_path / "log.xes")
    assert [event["concept:name"] for event in cases["K-1"]] == [
        "complaint.raised",
        "promise.made",
        "complaint.handed_over",
        "promise.kept",
        "complaint.closed",
    ]
    assert cases.keys() == {"K-1"}
    assert manifest["case"] == "complaint"
    assert manifest["events"] + sum(manifest["left_out_by_type"].values()) == len(HISTORY) + 2
    assert manifest["left_out_by_type"]["touchpoint.recorded.v1"] == 3


def test_a_customer_is_a_case_with_both_times_to_the_microsecond(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, HISTORY)

    manifest = exported(datastore, "xes", tmp_path / "log.xes", case="customer")

    cases = log_of(tmp_path / "log.xes")
    assert {name: len(events) for name, events in cases.items()} == {"Ada": 9, "Bob": 1}
    (call,) = cases["Bob"]
    assert call["time:timestamp"] == "2026-03-20T09:00:00.123456Z"
    assert "recorded_at" in call
    assert cases["Ada"][1]["org:resource"] == "007"
    assert manifest["left_out_by_type"] == {"channel.costed.v1": 1}


def test_conversations_are_those_of_the_read_model(datastore: Datastore, tmp_path: Path) -> None:
    """Episodes, cases, a touchpoint corrected into another case, and one to another time."""
    project(
        datastore,
        [
            inbound("2026-01-01 09:00", "T-1"),
            inbound("2026-01-07 09:00", "T-2"),
            inbound("2026-02-01 09:00", "T-3"),
            inbound("2026-02-02 09:00", "T-4", case_id="A"),
            inbound("2026-02-03 09:00", "T-5", case_id="B"),
            corrected("2026-02-04 09:00", "T-5", case_id="A"),
            inbound("2026-02-05 09:00", "T-6", customer_id="Bob", case_id="A"),
            corrected("2026-02-06 09:00", "T-3", occurred_at="2026-01-08 09:00"),
            corrected("2026-07-06 09:00", "T-1", case_id="too late to count"),
        ],
    )
    with queries.snapshot(datastore) as cursor:
        cursor.execute(
            "SELECT conversation_id FROM conversations WHERE visible_from <= %(at)s"
            " AND visible_to > %(at)s",
            {"at": AS_OF},
        )
        known = {conversation for (conversation,) in cursor}

    exported(datastore, "xes", tmp_path / "log.xes", case="conversation")

    cases = log_of(tmp_path / "log.xes")
    assert cases.keys() == known == {"episode:T-1", "case:Ada:A", "case:Bob:A"}
    things = {name: [each["touchpoint_id"] for each in events] for name, events in cases.items()}
    assert things["episode:T-1"] == ["T-1", "T-2", "T-3", "T-3"]
    assert things["case:Ada:A"] == ["T-4", "T-5", "T-5"]


@pytest.mark.parametrize("case", ["customer", "conversation", "complaint"])
def test_every_type_of_event_follows_the_schema(
    datastore: Datastore, tmp_path: Path, case: str
) -> None:
    tell(datastore, [example(type_, data) for type_, data in EXAMPLES.items()])
    manifest = exported(datastore, "xes", tmp_path / "log.xes", case=case)

    follow_the_schema(tmp_path / "log.xes")

    counted = manifest["events_by_type"].keys() | manifest["left_out_by_type"].keys()
    assert counted >= {type_ for type_ in EVENT_TYPES if not is_of_nobody(type_)}


def test_another_program_reads_the_same_cases_and_events(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, HISTORY)
    exported(datastore, "xes", tmp_path / "log.xes", case="customer")

    log = r4pm.import_item("EventLog", str(tmp_path / "log.xes"))
    projection = bindings.log_to_activity_projection(log=log)

    assert bindings.get_num_cases(projection) == 2


def test_what_no_xml_can_hold_is_told_as_such(datastore: Datastore, tmp_path: Path) -> None:
    odd = "<&\"'> one\nline\tmore, a bell \x07, \N{SMILING FACE WITH SUNGLASSES}"
    tell(datastore, [happened("customer.lapsed.v1", "2026-03-01 09:00", reason=odd)])

    exported(datastore, "xes", tmp_path / "log.xes", case="customer")

    ((lapsed,),) = log_of(tmp_path / "log.xes").values()
    assert lapsed["reason"] == odd.replace("\x07", "\N{REPLACEMENT CHARACTER}")


def test_a_window_does_not_change_which_conversation_it_is(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, [inbound("2026-01-01 09:00", "T-1"), inbound("2026-01-07 09:00", "T-2")])

    exported(
        datastore, "xes", tmp_path / "log.xes", case="conversation", from_=at("2026-01-02 00:00")
    )

    assert {name: len(found) for name, found in log_of(tmp_path / "log.xes").items()} == {
        "episode:T-1": 1
    }
