"""The log of a Dutch municipality goes in from its XES file, and comes out as it was."""

import gzip
import itertools
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import r4pm
from defusedxml.ElementTree import parse
from r4pm import bindings

from ledger.datastore import Datastore
from schemas.log_mapping import LogMapping, LogReading
from tests.exports.telling import exported
from tests.exports.xes_rules import follow_the_schema
from tests.intake.door import Door
from tests.samples import wabo

MAPPING = Path(__file__).parents[2] / "samples" / "wabo" / "mapping.json"
BATCH = 2_000

Row = tuple[tuple[str, str, object], ...]


def test_every_case_and_event_comes_out_with_its_attributes_and_times(
    datastore: Datastore, tmp_path: Path
) -> None:
    original = wabo.shared_log() / "receipt.xes.gz"
    mapping = LogMapping.of_text(MAPPING.read_bytes())
    reading = LogReading(mapping)
    with original.open("rb") as stream:
        messages = reading.messages(stream, original.name)
        outcomes: Counter[str] = Counter()
        while batch := list(itertools.islice(messages, BATCH)):
            outcomes.update(Door(datastore).outcomes(*batch))
    assert outcomes == {"appended": 8_577 + 1_434 + 1_329}
    assert not reading.not_taken

    manifest = exported(datastore, "xes", tmp_path / "wabo.xes", mapping=mapping)

    assert manifest["events"] == outcomes.total()
    assert manifest["left_out_by_type"] == {}
    with gzip.open(original) as stream:
        before = cases_of(parse(stream).getroot())
    after = cases_of(follow_the_schema(tmp_path / "wabo.xes"))
    assert len(before) == 1_434
    assert sum(len(events) for _, events in before.values()) == 8_577
    for case, (attributes, events) in before.items():
        assert after[case] == (attributes, events), case
    assert after.keys() == before.keys()
    assert variants(tmp_path / "wabo.xes") == variants(original)


def cases_of(log: Any) -> dict[str, tuple[Row, list[Row]]]:
    """What a log says of each case, and of its events in their order, by the case's name."""
    cases = {}
    for trace in (each for each in log if each.tag.endswith("trace")):
        events = [row(each) for each in trace if each.tag.endswith("event")]
        about = row(each for each in trace if not each.tag.endswith("event"))
        (name,) = (value for _, key, value in about if key == "concept:name")
        cases[str(name)] = about, events
    return cases


def row(attributes: Any) -> Row:
    """Element, key and value of each attribute, by key; instants as such."""
    found = []
    for each in attributes:
        tag, value = each.tag.rpartition("}")[2], each.get("value")
        instant = datetime.fromisoformat(value).astimezone(UTC) if tag == "date" else value
        found.append((tag, each.get("key"), instant))
    return tuple(sorted(found, key=lambda each: each[1]))


def variants(path: Path) -> Counter[tuple[str, ...]]:
    """How many cases went which way, as another program reads it."""
    log = bindings.log_to_activity_projection(log=r4pm.import_item("EventLog", str(path)))
    return Counter(
        {tuple(each["activities"]): each["count"] for each in bindings.get_variants(log)}
    )
