"""A database that is away, topics that change, faults of ours: nothing is lost or held up."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Event
from uuid import uuid4

import psycopg2
import pytest
from kafka import KafkaProducer
from kafka.structs import TopicPartition

from consumers.brokers import ApacheKafka, EmbeddedBroker
from consumers.brokers.process import Broker
from consumers.cluster import Cluster
from consumers.consuming import Consuming
from consumers.partitions import Partitions
from consumers.watching import lags
from ledger import kept
from ledger.rejected import rejected_lately
from tests.conftest import Cluster as Databases
from tests.consumers.channel import Channel
from tests.consumers.events import touchpoint
from tests.consumers.process import ConsumerProcess
from tests.consumers.running import QUICK, Ledger, consuming
from tests.consumers.waiting import eventually


def test_a_kept_record_shows_all_that_it_was(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("kept")
    channel.send(topic, b"{", [("trace", b"abc"), ("trace", b"\xff")], key=b"somebody@example.org")
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["rejected"] == 1)
    [[kept_id, origin]] = ledger.query("SELECT kept_id, origin FROM intake.kept")
    assert (origin["topic"], origin["partition"], origin["offset"]) == (topic, 0, 0)
    assert "somebody" not in str(origin)
    with ledger.datastore.transaction() as cursor:
        [message] = kept.messages(cursor, ledger.keyring, [kept_id]).values()
    assert message.body == b"{"
    assert message.carried == {
        "key": "somebody@example.org",
        "headers": [["trace", "abc"], ["trace", {"base64": "/w=="}]],
    }


class Failing:
    """A registry with a fault: it can be asked, but not for everything."""

    def schema_for(self, schema_id: int) -> str | None:
        raise ZeroDivisionError(schema_id)


def test_what_the_program_fails_on_is_set_aside(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("failing")
    for number in range(50):
        event = touchpoint(f"T-{number}", "C-1")
        body = event.confluent(1) if number in (17, 18, 40) else event.single_object
        channel.send(topic, body, event.headers("application/avro"))
    channel.flush()
    with consuming(ledger, channel.bootstrap_servers, topic, registry=Failing()):
        eventually(lambda: ledger.received()["received"] == 50)
    assert ledger.received() == {"received": 50, "appended": 47, "rejected": 3}
    kept_records = ledger.query("SELECT reason, origin->'offset' FROM intake.kept ORDER BY 2")
    assert kept_records == [("program_failed", offset) for offset in (17, 18, 40)]


@contextmanager
def away(databases: Databases, ledger: Ledger) -> Iterator[None]:
    """The database takes no connections."""
    [[name]] = ledger.query("SELECT current_database()")
    databases.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        databases.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        yield
    finally:
        databases.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_a_database_that_is_away_is_waited_for_in_the_group(
    channel: Channel, ledger: Ledger, cluster: Databases
) -> None:
    topic = channel.topic("away")
    events = [touchpoint(f"T-{number}", "C-1") for number in range(30)]
    # Whoever does not poll for so long is put out of the group.
    options = {**QUICK, "max_poll_interval_ms": 3_000}
    with consuming(ledger, channel.bootstrap_servers, topic, options=options) as running:
        channel.publish(topic, events[:10])
        eventually(lambda: ledger.count() == 10)
        claims = ledger.query("SELECT claim FROM ledger.tracking")
        with away(cluster, ledger):
            channel.publish(topic, events[10:])
            eventually(lambda: running.consumer.state == "waiting")
            eventually(lambda: sum(running.consumer.lags.values()) > 0, 20)
            beyond = time.monotonic() + 5
            eventually(lambda: time.monotonic() > beyond)
        eventually(lambda: ledger.count() == 30)
        assert ledger.query("SELECT claim FROM ledger.tracking") == claims
        assert running.consumer.state == "reading"
    assert ledger.received() == {"received": 30, "appended": 30}


def test_a_start_without_the_database_succeeds_once_it_is_there(
    channel: Channel, ledger: Ledger, cluster: Databases
) -> None:
    topic = channel.topic("late")
    channel.publish(topic, [touchpoint("T-1", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, topic) as running:
        with away(cluster, ledger):
            eventually(lambda: running.consumer.state == "waiting")
        eventually(lambda: ledger.count() == 1)


def test_it_stops_in_time_while_the_database_is_away(
    channel: Channel, ledger: Ledger, cluster: Databases
) -> None:
    topic = channel.topic("stop")
    with ConsumerProcess(ledger.url, channel.bootstrap_servers, topic, options=QUICK) as process:
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        eventually(lambda: ledger.count() == 1)
        with away(cluster, ledger):
            channel.publish(topic, [touchpoint("T-2", "C-1")])
            assert process.stop(10) == 0
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 2)


def test_it_stops_in_time_in_the_midst_of_a_batch(channel: Channel, ledger: Ledger) -> None:
    """Which waits for somebody else's lock, for longer than anybody waits for the end."""
    topic = channel.topic("locked")
    with ConsumerProcess(ledger.url, channel.bootstrap_servers, topic, options=QUICK) as process:
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        eventually(lambda: ledger.count() == 1)
        with closing(psycopg2.connect(ledger.url)) as other, other.cursor() as cursor:
            cursor.execute("SELECT FROM ledger.tracking FOR UPDATE")
            channel.publish(topic, [touchpoint("T-2", "C-1")])
            eventually(lambda: ledger.query("SELECT FROM pg_locks WHERE NOT granted"))
            assert process.stop(10) == 0
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 2)
    assert ledger.received() == {"received": 2, "appended": 2}


def test_who_still_works_on_a_partition_does_not_hold_up_the_others(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("held", partitions=2)
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.positions(topic) == {0: 0, 1: 0})
    with closing(psycopg2.connect(ledger.url)) as other, other.cursor() as cursor:
        cursor.execute(
            "SELECT FROM ledger.tracking WHERE starts_with(application_name, %s) FOR UPDATE",
            [f"kafka:{topic}/0@"],
        )
        with consuming(ledger, channel.bootstrap_servers, topic):
            for number in range(10):
                event = touchpoint(f"T-{number}", "C-1")
                channel.send(topic, event.structured, key=event.key, partition=number % 2)
            channel.flush()
            eventually(lambda: ledger.positions(topic) == {0: 0, 1: 5}, 20)
            other.rollback()
            eventually(lambda: ledger.count() == 10)


def test_a_log_that_was_cut_off_is_read_again(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    """It ends before what was read, and nobody knows where it was cut off."""
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker lets anybody wait beyond the end")
    topic = channel.topic("cut")
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 5)
    ledger.query("UPDATE ledger.tracking SET notification_id = 50, leader_epoch = NULL RETURNING 1")
    channel.publish(topic, [touchpoint("T-9", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.positions(topic) == {0: 6})
    assert ledger.count() == 6
    assert ledger.received() == {"received": 11, "appended": 6, "duplicate": 5}


def test_where_a_log_was_cut_off_is_where_everybody_reads_on(
    channel: Channel, ledger: Ledger
) -> None:
    topic = channel.topic("divergent")
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    how = Consuming(channel.bootstrap_servers, [topic], group=topic, options=QUICK)
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.positions(topic) == {0: 5})
    first = TopicPartition(topic, 0)
    with closing(how.client()) as kafka:
        partitions = Partitions(kafka, how.cluster, ledger.datastore, Event())
        kafka.subscribe(topics=[topic], listener=partitions)

        def settled() -> bool:
            kafka.poll(100)
            partitions.settle()
            return first in partitions.claims

        eventually(settled)
        partitions.refused([first], {first: 3})
        eventually(settled)
        assert kafka.position(first) == 3
    assert ledger.positions(topic) == {0: 3}


def test_records_that_were_deleted_unread_are_passed_over(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("retention")
    events = [touchpoint(f"T-{number}", "C-1") for number in range(30)]
    channel.publish(topic, events[:10])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 10)
    channel.publish(topic, events[10:20])
    if not channel.delete_records(topic, 15):
        pytest.skip("this broker deletes no records")
    channel.publish(topic, events[20:])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.positions(topic) == {0: 30})
    assert ledger.count() == 25


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    channel: Channel, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    """Though it was filled beyond what was read while nobody looked."""
    topic = channel.topic("anew")
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 5)
    channel.recreate(topic)
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5, 15)])
    assert "another topic of this name" not in caplog.text
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 15)
    assert "another topic of this name was read before" in caplog.text


def test_what_a_topic_of_the_same_name_rejected_counts_no_more(
    channel: Channel, ledger: Ledger
) -> None:
    """Its offsets come again, and mean other records."""
    topic = channel.topic("rejected-anew")

    def rejected(position: int) -> int:
        with ledger.datastore.transaction() as cursor:
            return rejected_lately(cursor, topic, 0, position, 10).records

    def publish_broken(count: int) -> None:
        for number in range(count):
            channel.send(topic, b"{" * (number + 1))
        channel.flush()

    publish_broken(3)
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.positions(topic) == {0: 3})
    assert rejected(3) == 3
    channel.recreate(topic)
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 5)
        assert rejected(5) == 0
        channel.send(topic, b"[")
        channel.flush()
        eventually(lambda: rejected(6) == 1)
    with consuming(ledger, channel.bootstrap_servers, topic) as again:
        eventually(lambda: again.consumer.state == "reading")
        assert rejected(6) == 1


def test_a_topic_made_anew_under_a_reader_is_read_from_its_beginning(
    channel: Channel, ledger: Ledger
) -> None:
    """Though its offsets have passed the old one's before the group could notice."""
    topic = channel.topic("anew-reading")
    events = [touchpoint(f"T-{number}", "C-1") for number in range(25)]
    options = {"metadata_max_age_ms": 5_000}
    with consuming(ledger, channel.bootstrap_servers, topic, options=options):
        channel.publish(topic, events[:5])
        eventually(lambda: ledger.count() == 5)
        channel.recreate(topic)
        channel.publish(topic, events[5:])
        eventually(lambda: ledger.count() == 25)


def test_only_committed_transactions_are_taken(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    if not isinstance(broker, ApacheKafka):
        pytest.skip("the embedded broker does not hide aborted transactions")
    topic = channel.topic("transactions")
    producer = KafkaProducer(
        bootstrap_servers=channel.bootstrap_servers, transactional_id=str(uuid4())
    )
    with closing(producer):
        producer.init_transactions()
        for number in range(6):
            producer.begin_transaction()
            producer.send(topic, touchpoint(f"T-{number}", "C-1").structured)
            producer.flush(30)  # an abort would drop what was not sent yet
            if number % 2:
                producer.abort_transaction()
            else:
                producer.commit_transaction()
    with consuming(ledger, channel.bootstrap_servers, topic) as running:
        eventually(lambda: ledger.count() == 3)
        # The log ends with what nobody may read, and that is no lag.
        eventually(lambda: ledger.positions(topic) == {0: 12})
        eventually(lambda: running.consumer.lags == {(topic, 0): 0})
    [seen] = lags(Consuming(channel.bootstrap_servers, [topic]), ledger.datastore)
    assert (seen.position, seen.end, seen.lag) == (12, 12, 0)
    assert ledger.received() == {"received": 3, "appended": 3}
    channel.publish(topic, [touchpoint("T-9", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 4)
    assert ledger.received() == {"received": 4, "appended": 4}


def test_patterns_and_topics_that_come_later(channel: Channel, ledger: Ledger) -> None:
    first = channel.topic("retail.touchpoints")
    channel.publish(first, [touchpoint("T-1", "C-1")])
    pattern = f"^{channel.prefix}-[a-z]+[.]touchpoints"
    with consuming(ledger, channel.bootstrap_servers, pattern):
        eventually(lambda: ledger.count() == 1)
        later, other = channel.topic("travel.touchpoints"), channel.topic("travel.other")
        channel.publish(other, [touchpoint("T-3", "C-1")])
        channel.publish(later, [touchpoint("T-2", "C-1")])
        eventually(lambda: ledger.count() == 2)


def test_a_static_member_comes_back_to_its_partitions(
    broker: Broker, channel: Channel, ledger: Ledger
) -> None:
    """Without waiting for the session of the one that was killed."""
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker lets nobody join for half of a session")
    topic = channel.topic("static")
    options = {**QUICK, "session_timeout_ms": 60_000}
    how = {"instance": "consumer-1", "options": options}
    with ConsumerProcess(ledger.url, channel.bootstrap_servers, topic, **how) as process:
        channel.publish(topic, [touchpoint("T-1", "C-1")])
        eventually(lambda: ledger.count() == 1)
        process.kill()
    channel.publish(topic, [touchpoint("T-2", "C-1")])
    with consuming(ledger, channel.bootstrap_servers, topic, **how):
        eventually(lambda: ledger.count() == 2, 20)


def test_topics_are_made_once(channel: Channel) -> None:
    name = f"{channel.prefix}-made"
    cluster = Cluster(channel.bootstrap_servers)
    assert cluster.create_topics([name], partitions=3) == [name]
    assert cluster.create_topics([name], partitions=5) == []
    with channel.admin() as admin:
        [topic] = admin.describe_topics([name])
    assert len(topic["partitions"]) == 3


def test_the_lag_is_known(channel: Channel, ledger: Ledger) -> None:
    topic = channel.topic("lag")
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    with consuming(ledger, channel.bootstrap_servers, topic, group=f"{topic}-group") as running:
        eventually(lambda: running.consumer.lags == {(topic, 0): 0})
        eventually(lambda: channel.committed(f"{topic}-group", topic) == 5)


def test_kafka_is_told_of_a_position_that_it_does_not_know(
    channel: Channel, ledger: Ledger
) -> None:
    """Though nothing is published any more."""
    topic = channel.topic("quiet")
    channel.publish(topic, [touchpoint(f"T-{number}", "C-1") for number in range(5)])
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 5)
    channel.commit_offset(topic, topic, 2)
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: channel.committed(topic, topic) == 5)


@pytest.mark.parametrize(
    "name", ["group_id", "enable_auto_commit", "isolation_level", "no_such_option"]
)
def test_options_that_are_not_there_to_be_set(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Consuming("127.0.0.1:9092", ["touchpoints"], options={name: 1})


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(ValueError, match="regular expression"):
        Consuming("127.0.0.1:9092", ["^("])
