"""Whatever fails on the way: at the end the ledger holds what was published, once, in order."""

import itertools
import random
import signal
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from threading import Thread
from threading import enumerate as enumerate_threads

import psycopg2
import pytest

from consumers import consumer
from consumers.brokers import ApacheKafka, LocalBroker
from consumers.taking import Taken
from tests.conftest import Cluster
from tests.consumers.channel import Channel
from tests.consumers.events import Published, touchpoint
from tests.consumers.process import ConsumerProcess
from tests.consumers.running import QUICK, Ledger, consuming
from tests.consumers.waiting import eventually

# kafka-python drops the sockets of its failed attempts to connect without closing them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
SEED = 20260302
CUSTOMERS = 40


def history(count: int) -> list[Published]:
    """That many letters of a few customers, in the order in which they are published."""
    rng = random.Random(SEED)
    return [
        touchpoint(f"T-{number}", f"C-{rng.randrange(CUSTOMERS)}", id=f"e-{number}")
        for number in range(count)
    ]


def by_customer(events: Iterable[Published]) -> dict[str, list[str]]:
    ids: dict[str, list[str]] = defaultdict(list)
    for event in events:
        ids[event.data["customer_id"]].append(event.id)
    return dict(ids)


class Publishing:
    """Publishes events in the background, a few at a time."""

    def __init__(self, channel: Channel, topic: str, events: list[Published]) -> None:
        self._thread = Thread(target=self._publish, args=(channel, topic, events))
        self._thread.start()

    def _publish(self, channel: Channel, topic: str, events: list[Published]) -> None:
        for start in range(0, len(events), 100):
            channel.publish(topic, events[start : start + 100])

    def finish(self) -> None:
        self._thread.join()


def test_a_zombie_writes_nothing(channel: Channel, ledger: Ledger) -> None:
    events = history(3000)
    topic = channel.topic("zombie")
    channel.publish(topic, events)
    # Single events: it is frozen in the middle of a batch, or with one in hand.
    how = {"batch_events": 50, "options": QUICK}
    with ConsumerProcess(ledger.url, channel.bootstrap_servers, topic, **how) as zombie:
        eventually(lambda: ledger.count() > 300)
        zombie.signal(signal.SIGSTOP)
        [[stopped_claim]] = ledger.query("SELECT claim FROM ledger.tracking")
        with consuming(ledger, channel.bootstrap_servers, topic, batch_events=100) as successor:
            eventually(lambda: ledger.count() == 3000)
            assert ledger.query("SELECT claim FROM ledger.tracking") == [(stopped_claim + 1,)]
            zombie.signal(signal.SIGCONT)
            more = history(3400)[3000:]
            channel.publish(topic, more)
            eventually(lambda: ledger.count() == 3400)
            assert sum(len(taken.records) for taken in successor.taken) > 0
            assert zombie.running
    assert ledger.by_customer() == by_customer([*events, *more])
    assert ledger.received() == {"received": 3400, "appended": 3400}


def test_a_zombie_with_a_batch_in_hand_writes_nothing(channel: Channel, ledger: Ledger) -> None:
    """It is frozen between moving its position and committing what it read."""
    events = history(100)
    topic = channel.topic("in-hand")
    channel.publish(topic, events[:50])
    with ConsumerProcess(ledger.url, channel.bootstrap_servers, topic, options=QUICK) as zombie:
        eventually(lambda: ledger.count() == 50)
        with ledger.datastore.transaction() as cursor:
            cursor.execute("SELECT 1 FROM ledger.tracking FOR UPDATE")
            channel.publish(topic, events[50:])
            waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            eventually(lambda: ledger.query(f"{waiting} AND datname = current_database()"))
            zombie.signal(signal.SIGSTOP)
        with consuming(ledger, channel.bootstrap_servers, topic) as successor:
            eventually(lambda: ledger.count() == 100)
            eventually(lambda: sum(len(taken.records) for taken in successor.taken) == 50)
            zombie.signal(signal.SIGCONT)
            [[old_claim]] = ledger.query("SELECT claim FROM ledger.tracking")
        # Only now may it have the partition again, and reads on where its successor was.
        eventually(lambda: ledger.query("SELECT claim FROM ledger.tracking") > [(old_claim,)])
        assert zombie.running
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": 100, "appended": 100}


def test_consumers_join_and_leave(channel: Channel, ledger: Ledger) -> None:
    upcoming = iter(history(100_000))
    events: list[Published] = []
    topic = channel.topic("shared", partitions=4)

    def publish() -> None:
        eventually(lambda: ledger.count() + 100 > len(events))
        some = list(itertools.islice(upcoming, 50))
        channel.publish(topic, some)
        events.extend(some)

    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=10) as first:
        publish()
        eventually(lambda: first.taken)
        with consuming(ledger, channel.bootstrap_servers, topic, batch_events=10) as second:
            while not second.taken:
                publish()
            publish()
        already = len(first.taken)
        while len(first.taken) < already + 20:
            publish()
        eventually(lambda: ledger.count() == len(events))
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": len(events), "appended": len(events)}


def test_offsets_set_back_to_the_beginning(channel: Channel, ledger: Ledger) -> None:
    events = history(1000)
    topic = channel.topic("again", partitions=2)
    channel.publish(topic, events)
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.count() == 1000)
    ledger.query("UPDATE ledger.tracking SET notification_id = 0 RETURNING 1")
    with consuming(ledger, channel.bootstrap_servers, topic):
        eventually(lambda: ledger.received()["received"] == 2000)
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": 2000, "appended": 1000, "duplicate": 1000}


def test_what_kafka_was_told_does_not_matter(channel: Channel, ledger: Ledger) -> None:
    """Kafka's own offsets are set back, and far ahead: the database's are the truth."""
    topic = channel.topic("told")
    channel.publish(topic, history(100))
    group = f"{topic}-group"
    with consuming(ledger, channel.bootstrap_servers, topic, group=group):
        eventually(lambda: ledger.count() == 100)
    for offset in (0, 100_000):
        channel.commit_offset(group, topic, offset)
        channel.publish(topic, history(ledger.count() + 10)[ledger.count() :])
        with consuming(ledger, channel.bootstrap_servers, topic, group=group):
            goal = 110 if offset == 0 else 120
            eventually(lambda goal=goal: ledger.count() == goal)
    assert ledger.received() == {"received": 120, "appended": 120}


def test_a_consumers_connections_are_cut(
    channel: Channel, ledger: Ledger, cluster: Cluster
) -> None:
    events = history(3000)
    topic = channel.topic("cut", partitions=2)
    publishing = Publishing(channel, topic, events)
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=50):
        for goal in range(300, 2700, 300):
            eventually(lambda goal=goal: ledger.count() >= goal)
            # They are gone when it returns: `ledger.count` takes one of the same pool.
            cluster.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname LIKE 'servicetrail_test_%' AND pid <> pg_backend_pid()"
            )
        publishing.finish()
        eventually(lambda: ledger.count() == 3000)
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received() == {"received": 3000, "appended": 3000}


def test_it_stops_in_time_while_the_brokers_hang(own_broker: LocalBroker, ledger: Ledger) -> None:
    """In the midst of asking them for a partition that it tries to claim."""
    with Channel(own_broker.bootstrap_servers, "hung") as channel:
        topic = channel.topic("touchpoints")
        with consuming(ledger, channel.bootstrap_servers, topic):
            eventually(lambda: ledger.positions(topic) == {0: 0})
        with closing(psycopg2.connect(ledger.url)) as other, other.cursor() as cursor:
            cursor.execute("SELECT FROM ledger.tracking FOR UPDATE")
            with consuming(ledger, channel.bootstrap_servers, topic) as running:
                eventually(lambda: running.consumer.state == "waiting")
                with own_broker.frozen():
                    eventually(lambda: "asking" in {thread.name for thread in enumerate_threads()})
                    began = time.monotonic()
                    running.stop()
                    assert time.monotonic() - began < 8


def test_the_broker_is_restarted(own_broker: LocalBroker, ledger: Ledger) -> None:
    events = history(2000)
    with Channel(own_broker.bootstrap_servers, "restarted") as channel:
        topic = channel.topic("touchpoints", partitions=2)
        channel.publish(topic, events[:1000])
        with consuming(ledger, own_broker.bootstrap_servers, topic, batch_events=100):
            eventually(lambda: ledger.count() > 200)
            own_broker.kill()
            own_broker.start()
            channel.reopened()
            if isinstance(own_broker, ApacheKafka):
                channel.publish(topic, events[1000:])
            else:  # it has forgotten everything: the topic is a new one, and everything comes again
                channel.topic("touchpoints", partitions=2)
                channel.publish(topic, events)
            eventually(lambda: ledger.count() == 2000)
    assert ledger.by_customer() == by_customer(events)
    assert ledger.received()["appended"] == 2000


def test_what_was_fetched_of_a_topic_before_it_was_made_anew_is_not_taken_for_the_new_one(
    channel: Channel,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of one partition nothing was taken yet, but all of it has come."""
    monkeypatch.setattr(consumer, "_REPORT_SECONDS", 0)  # it looks for new logs after each batch
    caplog.set_level("WARNING", logger="kafka.cluster")
    topic = channel.topic("fetched", partitions=2)

    def publish(events: list[Published]) -> None:
        for number, event in enumerate(events):
            channel.send(topic, event.structured, key=event.key, partition=number % 2)
        channel.flush()

    def make_anew(_: Taken) -> None:
        if "topic_id changed" not in caplog.text:
            channel.recreate(topic, partitions=2)
            channel.reopened()
            publish(new)
            eventually(lambda: "topic_id changed" in caplog.text)  # the consumer's client knows

    old = [touchpoint(f"T-{number}", "C-1", id=f"old-{number}") for number in range(20)]
    new = [touchpoint(f"T-{number}", "C-1", id=f"new-{number}") for number in range(20, 60)]
    count_new = "SELECT count(*) FROM ledger.events WHERE starts_with(id, 'new-')"
    publish(old)
    with consuming(ledger, channel.bootstrap_servers, topic, batch_events=5, on_taken=make_anew):
        eventually(lambda: ledger.query(count_new) == [(len(new),)])
    assert ledger.received()["received"] == ledger.count()
