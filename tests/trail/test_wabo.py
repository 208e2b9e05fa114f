"""The log of a Dutch municipality, through the whole trail: its events per case and per channel."""

import csv
import gzip
import json
from collections import Counter

import pytest

from ledger.datastore import Datastore
from projections import queries
from tests.samples import wabo
from tests.trail.trail import NOW, Trail


def test_the_read_models_hold_the_log_case_by_case_and_channel_by_channel(
    datastore: Datastore,
) -> None:
    folder = wabo.shared_log()
    reference = json.loads((folder / "reference.json").read_text())
    with gzip.open(folder / "receipt.csv.gz", "rt", encoding="utf-8", newline="") as file:
        events_of_case = Counter(row["case:concept:name"] for row in csv.DictReader(file))

    outcomes = Trail(datastore).publish(wabo.events(folder / "receipt.csv.gz"))

    assert outcomes == {"appended": reference["events"]}
    with queries.snapshot(datastore) as cursor:
        rows = {row["channel"]: row for row in queries.channels(cursor, as_of=NOW).rows}
        cursor.execute("SELECT case_id, count(*) FROM touchpoints GROUP BY case_id")
        touchpoints_of_case = dict(cursor.fetchall())
        cursor.execute("SELECT customer_id, count(*) FROM timeline GROUP BY customer_id")
        timeline_of_case = dict(cursor.fetchall())
    assert touchpoints_of_case == timeline_of_case == events_of_case
    assert len(events_of_case) == reference["cases"]
    assert rows.keys() == reference["by_channel"].keys()
    for channel, figures in reference["by_channel"].items():
        row = rows[channel]
        assert row["touchpoints_in"] + row["touchpoints_out"] == figures["events"]
        assert row["conversations"] == row["customers"] == figures["cases"]
        assert row["first_response_median_seconds"] == pytest.approx(
            figures["median_h_first_to_second_event"] * 3600, abs=0.0018
        )
