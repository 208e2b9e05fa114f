"""A real city's service history, through the whole trail: what independent software found in it."""

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ledger.datastore import Datastore
from projections import queries
from samples import boston311
from tests.conftest import Cluster
from tests.trail.trail import Trail

DATA = Path(__file__).parents[1] / "samples" / "data"
FILES = {
    "boston311_2015_2024": boston311.SAMPLE,
    "boston311_tiny100": DATA / "boston311_tiny100" / "boston311_100.csv.gz",
}
VERDICTS = {
    "kept": "kept",
    "broken": "kept_late",  # the reference's word for: closed, but after the due time
    "overdue_open": "overdue",
    "pending": "pending",
}
ROUNDING = 0.0018  # seconds: the reference gives hours with six decimals


class City(NamedTuple):
    """One of the two files, appended and projected, and what is known about it from elsewhere."""

    datastore: Datastore
    outcomes: Counter[str]
    as_of: datetime
    reference: dict[str, Any]
    expected: list[dict[str, str]]

    def ask(self, query: Any, *arguments: Any, **parameters: Any) -> queries.Answer:
        with queries.snapshot(self.datastore) as cursor:
            answer: queries.Answer = query(cursor, *arguments, as_of=self.as_of, **parameters)
        return answer

    def all_promises(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        token: str | None = None
        while True:
            answer = self.ask(queries.promises, limit=queries.LARGEST_PAGE, token=token)
            rows += answer.rows
            if (token := answer.next) is None:
                return rows


@pytest.fixture(scope="module", params=sorted(FILES))
def city(
    request: pytest.FixtureRequest, cluster: Cluster, migrated_template: str
) -> Iterator[City]:
    folder = DATA / request.param
    reference = json.loads((folder / "reference.json").read_text())
    with gzip.open(folder / "expected_rows.csv.gz", "rt", encoding="utf-8", newline="") as file:
        expected = list(csv.DictReader(file))
    as_of = datetime.fromisoformat(reference["as_of"] + "+00:00")
    with (
        cluster.database(migrated_template) as name,
        closing(Datastore(cluster.program_url(name))) as datastore,
    ):
        outcomes = Trail(datastore).publish(boston311.events(FILES[request.param]))
        yield City(datastore, outcomes, as_of, reference, expected)


def test_every_case_has_the_hours_and_the_verdict_that_the_reference_found(city: City) -> None:
    assert list(city.outcomes) == ["appended"]
    verdicts = {row["customer_id"]: row["verdict"] for row in city.all_promises()}
    with city.datastore.transaction() as cursor:
        cursor.execute(
            "SELECT customer_id, channel, extract(epoch FROM ended_at - started_at)::float8"
            " FROM read.intervals WHERE metric = 'first_response'"
        )
        waits = {customer: (channel, seconds) for customer, channel, seconds in cursor}
    assert len(waits) == len(city.expected)
    for row in city.expected:
        customer = f"boston-case-{row['id']}"
        channel, seconds = waits[customer]
        assert channel == row["channel"]
        if row["response_h"]:
            assert seconds == pytest.approx(float(row["response_h"]) * 3600, abs=ROUNDING)
        else:
            assert seconds is None
        assert verdicts.get(customer) == VERDICTS.get(row["verdict"]), customer


def test_every_channel_has_the_figures_of_the_reference(city: City) -> None:
    rows = {row["channel"]: row for row in city.ask(queries.channels).rows}
    assert rows.keys() == city.reference["by_channel"].keys()
    for channel, figures in city.reference["by_channel"].items():
        row = rows[channel]
        assert row["conversations"] == row["customers"] == figures["cases"]
        assert (row["answered"], row["waiting"]) == (figures["closed"], figures["still_open"])
        assert row["promises_due"] == figures["promises"]
        assert row["kept"] == figures["kept"]
        assert row["kept_late"] == figures["broken_closed_late"]
        assert row["overdue"] == figures["overdue_still_open"]
        assert row["pending"] == figures["pending"]
        assert (row["broken"], row["withdrawn"]) == (0, 0)
        assert row["keep_rate"] == pytest.approx(
            figures["on_time_share_counting_overdue_open_as_broken"], abs=1e-6
        )
        hours = figures["response_h"]
        for name, quantile in (("median", "median"), ("p90", "p90")):
            assert row[f"first_response_{name}_seconds"] == pytest.approx(
                hours[quantile] * 3600, abs=ROUNDING
            )
        assert row["resolution_median_seconds"] == row["first_response_median_seconds"]


def test_late_promises_are_as_late_as_the_reference_says(city: City) -> None:
    late = sorted(
        row["late_seconds"] for row in city.all_promises() if row["verdict"] == "kept_late"
    )
    middle = late[len(late) // 2] if len(late) % 2 else sum(late[len(late) // 2 - 1 :][:2]) / 2
    expected_hours = city.reference["overall"]["median_hours_late_when_broken"]
    assert middle == pytest.approx(expected_hours * 3600, abs=ROUNDING)


@pytest.mark.parametrize("city", ["boston311_2015_2024"], indirect=True)
def test_the_figures_of_the_demonstration(city: City) -> None:
    rows = city.ask(queries.channels).rows
    totals = {
        name: sum(row[name] for row in rows) for name in ("promises_due", "kept", "kept_late")
    }
    assert totals == {"promises_due": 4_284, "kept": 3_809, "kept_late": 475}
    app = next(row for row in rows if row["channel"] == "Citizens Connect App")
    assert round(app["keep_rate"], 4) == 0.8974
    assert len(city.expected) - totals["promises_due"] == 711
