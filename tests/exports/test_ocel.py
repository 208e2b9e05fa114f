"""Object-centric logs: as the specification demands, and read by a program that is not ours."""

import json
from pathlib import Path
from typing import Any

import pytest
import r4pm

from domain import EVENT_TYPES, is_of_nobody
from ledger.datastore import Datastore
from tests.exports.ocel_rules import (
    Log,
    follow_the_rules,
    from_json,
    from_sqlite,
    from_xml,
    meant,
    unique,
)
from tests.exports.telling import HISTORY, exported
from tests.projections.history import at, happened, inbound, tell
from tests.projections.test_timeline import EXAMPLES, example

BEGINNING = "1970-01-01T00:00:00.000000Z"
CHANGES_HANDS = happened(
    "complaint.raised.v1", "2026-04-01 09:00", complaint_id="K-2", channel="phone", repeat_of="K-1"
)


def exported_log(datastore: Datastore, directory: Path, **selected: Any) -> Log:
    """The log of a selection, which is the same in all three forms."""
    for form in ("json", "xml", "sqlite"):
        exported(datastore, f"ocel-{form}", directory / f"log.{form}", **selected)
    log = follow_the_rules(from_json(directory / "log.json"))
    assert from_xml(directory / "log.xml") == log
    assert from_sqlite(directory / "log.sqlite") == log
    return log


def test_a_promise_and_a_complaint_change_and_are_related(
    datastore: Datastore, tmp_path: Path
) -> None:
    tell(datastore, [*HISTORY, CHANGES_HANDS])

    log = exported_log(datastore, tmp_path)

    assert sorted(log.objects) == [
        "channel:-phone",
        "channel:mail",
        "channel:phone",
        "complaint:K-1",
        "complaint:K-2",
        "conversation:case:Ada:case-7",
        "conversation:episode:T-3",
        "customer:Ada",
        "customer:Bob",
        "employee:007",
        "employee:E-7",
        "employee:E-8",
        "promise:P-1",
    ]
    type_, promise, relations = log.objects["promise:P-1"]
    assert type_ == "promise"
    assert {change for change in promise if change[0] in ("due_at", "verdict")} == {
        ("due_at", "2026-03-02T09:31:00.000000Z", at("2026-03-06 17:00")),
        ("due_at", "2026-03-05T10:00:00.000000Z", at("2026-03-09 17:00")),
        ("verdict", "2026-03-09T16:00:00.000000Z", "kept"),
    }
    assert ("aspect", BEGINNING, "serviced") in promise
    assert relations == {
        ("customer:Ada", "made to"),
        ("conversation:case:Ada:case-7", "made in"),
    }
    _, complaint, relations = log.objects["complaint:K-1"]
    assert {change for change in complaint if change[0] in ("state", "outcome")} == {
        ("state", "2026-03-10T08:00:00.000000Z", "open"),
        ("state", "2026-03-12T08:00:00.000000Z", "closed"),
        ("outcome", "2026-03-12T08:00:00.000000Z", "upheld"),
    }
    assert relations == {
        ("customer:Ada", "raised by"),
        ("promise:P-1", "because of"),
        ("conversation:case:Ada:case-7", "arose in"),
    }
    assert ("complaint:K-1", "repeats") in log.objects["complaint:K-2"][2]
    assert ("tier", "2026-03-01T08:00:00.000000Z", "most_growable") in log.objects["customer:Ada"][
        1
    ]
    handed_over = next(e for e in log.events.values() if e[0] == "complaint.handed_over")
    assert handed_over[3] == {
        ("customer:Ada", "customer"),
        ("complaint:K-1", "complaint"),
        ("employee:E-7", "from"),
        ("employee:E-8", "to"),
    }


def test_every_type_of_event_follows_the_rules(datastore: Datastore, tmp_path: Path) -> None:
    tell(datastore, [example(type_, data) for type_, data in EXAMPLES.items()])

    log = exported_log(datastore, tmp_path)

    assert {event[0] for event in log.events.values()} == set(log.event_types)
    assert len(log.event_types) == sum(not is_of_nobody(type_) for type_ in EVENT_TYPES)


@pytest.mark.parametrize("form", ["json", "xml", "sqlite"])
def test_another_program_reads_the_same(datastore: Datastore, tmp_path: Path, form: str) -> None:
    tell(datastore, [*HISTORY, CHANGES_HANDS])
    expected = exported_log(datastore, tmp_path)

    item = r4pm.import_item("OCEL", str(tmp_path / f"log.{form}"))
    r4pm.export_item(item, str(tmp_path / "theirs.json"))

    theirs = json.loads((tmp_path / "theirs.json").read_text())
    assert log_of(theirs, expected) == instants(expected)


def log_of(said: dict[str, Any], expected: Log) -> Any:
    """What the other program read: events and objects."""
    return (
        unique(
            (
                each["id"],
                (
                    each["type"],
                    meant("time", each["time"]),
                    {
                        a["name"]: meant(expected.event_types[each["type"]][a["name"]], a["value"])
                        for a in each["attributes"]
                        if a["value"] is not None
                    },
                    {(r["objectId"], r["qualifier"]) for r in each["relationships"]},
                ),
            )
            for each in said["events"]
        ),
        unique(
            (
                each["id"],
                (
                    each["type"],
                    {
                        (
                            a["name"],
                            meant("time", a["time"]),
                            meant(expected.object_types[each["type"]][a["name"]], a["value"]),
                        )
                        for a in each["attributes"]
                    },
                    {(r["objectId"], r["qualifier"]) for r in each["relationships"]},
                ),
            )
            for each in said["objects"]
        ),
    )


def instants(log: Log) -> Any:
    """Events and objects of a log, with its times as instants."""
    return (
        {
            id_: (type_, meant("time", time), attributes, relations)
            for id_, (type_, time, attributes, relations) in log.events.items()
        },
        {
            id_: (
                type_,
                {(name, meant("time", time), value) for name, time, value in changes},
                relations,
            )
            for id_, (type_, changes, relations) in log.objects.items()
        },
    )


def test_what_is_not_selected_leaves_nothing_dangling(datastore: Datastore, tmp_path: Path) -> None:
    merged = happened("customer.merged.v1", "2026-04-01 09:00", merged_customer_id="Bob")
    tell(datastore, [*HISTORY, CHANGES_HANDS, merged])
    (tmp_path / "one").mkdir()

    whole = exported_log(datastore, tmp_path)
    part = exported_log(
        datastore, tmp_path / "one", types=("complaint.raised.v1", "customer.merged.v1")
    )

    assert ("customer:Bob", "same person as") in whole.objects["customer:Ada"][2]
    assert sorted(part.objects) == [
        "channel:-phone",
        "channel:phone",
        "complaint:K-1",
        "complaint:K-2",
        "customer:Ada",
        "promise:P-1",
    ]
    assert ("state", "2026-03-12T08:00:00.000000Z", "closed") in part.objects["complaint:K-1"][1]


def test_nothing_of_later_is_told(datastore: Datastore, tmp_path: Path) -> None:
    """A promise that is kept before it is made, as far as is known: nothing is made up of it."""
    odd = happened("promise.kept.v1", "2026-03-01 09:00", promise_id="P-1")
    tell(datastore, [*HISTORY, odd, inbound("2026-03-02 09:00", "T-9", case_id="a:b")])

    log = exported_log(datastore, tmp_path, as_of=at("2026-03-02 09:30"))

    assert log.objects["promise:P-1"][1:] == (frozenset(), frozenset())
    assert ("case_id", BEGINNING, "a:b") in log.objects["conversation:case:Ada:a:b"][1]


def test_the_same_selection_is_the_same_file(datastore: Datastore, tmp_path: Path) -> None:
    tell(datastore, HISTORY)
    for form in ("json", "xml", "sqlite"):
        first = exported(datastore, f"ocel-{form}", tmp_path / f"1.{form}")
        again = exported(datastore, f"ocel-{form}", tmp_path / f"2.{form}")
        assert again["sha256"] == first["sha256"], form
        assert first["left_out_by_type"] == {"channel.costed.v1": 1}
        assert first["events"] == len(HISTORY) - 1
