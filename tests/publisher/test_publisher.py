"""What `publish` took arrives, whatever is killed or away; and what it did not take, it says."""

import gc
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from kafka.partitioner import DefaultPartitioner

from consumers.brokers import EmbeddedBroker, LocalBroker
from consumers.brokers.process import Broker, free_port
from consumers.producing import Record
from servicetrail.publisher import (
    OutboxFull,
    OutboxInUse,
    Publisher,
    PublisherClosed,
    Unreadable,
)
from servicetrail.publisher.outbox import Outbox
from tests.consumers.channel import Channel
from tests.consumers.waiting import eventually
from tests.intake.door import Door
from tests.publisher.busy import CUSTOMERS, publish, touchpoint
from tests.publisher.topics import Topics, first_seen

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60
KILLS = 8
LEAKING = pytest.mark.filterwarnings(
    # kafka-python drops the sockets of its failed attempts to connect without closing them.
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)
NOBODY = f"127.0.0.1:{free_port()}"


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


def by_turns(count: int) -> dict[str, list[str]]:
    """The ids of each customer's events as `busy` publishes them."""
    return {
        f"C-{customer}": [f"e-{number}" for number in range(customer, count, CUSTOMERS)]
        for customer in range(CUSTOMERS)
    }


def test_an_event_arrives_under_its_customers_key_as_it_was_given(
    topics: Topics, outbox: Path
) -> None:
    amends = {
        "complaint_id": "K-1", "customer_id": "C-1", "amends_id": "A-1", "kind": "refund",
        "value": Decimal("12.50"), "currency": "EUR",
    }  # fmt: skip
    at = datetime(2026, 3, 2, 14, tzinfo=timezone(timedelta(hours=2)))
    with Publisher(
        topics.bootstrap_servers, outbox, source="crm", topics=topics.by_family
    ) as publisher:
        publisher.publish("complaint.amends_offered.v1", amends, id="1", time=at)
        publisher.publish("touchpoint.recorded.v1", touchpoint(1), id="2", source="chat")
        assert publisher.flush(PATIENCE_SECONDS) == 0
        assert publisher.waiting == 0
        assert publisher.last_failure is None
    [complaint], [contact] = (
        topics.records(topics.by_family[each]) for each in ("complaint", "touchpoint")
    )
    assert (complaint.key, contact.key) == (b"C-1", b"C-1")
    offered, recorded = topics.events()
    assert (offered.source, offered.id, offered.time_assumed) == ("crm", "1", False)
    assert offered.occurred_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert offered.data["value"] == Decimal("12.50")
    assert (recorded.source, recorded.time_assumed) == ("chat", True)
    assert recorded.personal == {"note": "visitor 1"}


def test_what_the_intake_would_reject_is_not_published(outbox: Path) -> None:
    with Publisher(NOBODY, outbox, source="crm") as publisher:
        for data, time, code, path in (
            ({**touchpoint(1), "direction": "sideways"}, None, "unknown_symbol", "data.direction"),
            ({"touchpoint_id": "T-1"}, None, "missing_field", "data.customer_id"),
            (touchpoint(1), datetime(2026, 3, 2), "bad_time", "time"),  # noqa: DTZ001
            (touchpoint(1), "2999-01-01T00:00:00Z", "time_out_of_range", "time"),
        ):
            with pytest.raises(Unreadable) as refused:
                publisher.publish("touchpoint.recorded.v1", data, id="1", time=time)
            assert (refused.value.code, refused.value.path) == (code, path)
        with pytest.raises(Unreadable, match="no event type of this name"):
            publisher.publish("touchpoint.noted.v1", touchpoint(1), id="1")
        with pytest.raises(TypeError, match="type object"):
            publisher.publish("touchpoint.recorded.v1", {"channel": object()}, id="1")
        assert publisher.waiting == 0
        publisher.close(timeout=0)
    with Publisher(NOBODY, outbox) as publisher:
        with pytest.raises(Unreadable, match="an event has a source"):
            publisher.publish("touchpoint.recorded.v1", touchpoint(1), id="1")
        publisher.close(timeout=0)


def test_with_brokers_away_events_wait_up_to_the_capacity(outbox: Path) -> None:
    publisher = Publisher(NOBODY, outbox, source="crm", capacity=3)
    for _ in publish(publisher, range(3)):
        pass
    with pytest.raises(OutboxFull, match="3 events wait"):
        publisher.publish("touchpoint.recorded.v1", touchpoint(3), id="e-3")
    assert publisher.flush(timeout=0.1) == 3
    eventually(lambda: publisher.last_failure)
    assert f"no broker answers at {NOBODY}" in str(publisher.last_failure)
    publisher.close(timeout=0)
    publisher.close()
    with pytest.raises(PublisherClosed):
        publisher.publish("touchpoint.recorded.v1", touchpoint(4), id="e-4")


def test_two_publishers_cannot_share_an_outbox(outbox: Path) -> None:
    publisher = Publisher(NOBODY, outbox)
    with pytest.raises(OutboxInUse, match="an outbox of its own"):
        Publisher(NOBODY, outbox)
    publisher.close(timeout=0)


def test_options_and_families_that_do_not_exist_are_told_at_once(outbox: Path) -> None:
    for options, why in (({"no_such": 1}, "no option no_such"), ({"acks": 1}, "acks is set")):
        with pytest.raises(ValueError, match=why):
            Publisher(NOBODY, outbox, kafka=options)
    with pytest.raises(ValueError, match="no family letters"):
        Publisher(NOBODY, outbox, topics={"letters": "mail"})
    Publisher(NOBODY, outbox).close(timeout=0)


def test_events_wait_for_a_topic_to_be_made(topics: Topics, outbox: Path) -> None:
    missing = {family: f"{name}-late" for family, name in topics.by_family.items()}
    late = Topics(topics.bootstrap_servers, missing)
    with Publisher(topics.bootstrap_servers, outbox, source="crm", topics=missing) as publisher:
        for _ in publish(publisher, range(10)):
            pass
        eventually(lambda: publisher.last_failure)
        assert f"no topic {missing['touchpoint']}" in str(publisher.last_failure)
        late.make()
        assert publisher.flush(PATIENCE_SECONDS) == 0
    assert len(late.records()) == 10


def test_publishing_the_same_again_sends_nothing_and_a_correction_is_sent(
    topics: Topics, outbox: Path
) -> None:
    for round_ in range(2):
        with Publisher(topics.bootstrap_servers, outbox, topics=topics.by_family) as publisher:
            for _ in publish(publisher, range(20)):
                pass
            if round_:
                corrected = {**touchpoint(3), "channel": "phone"}
                publisher.publish(
                    "touchpoint.recorded.v1", corrected, id="e-3", source="busy.example"
                )
    assert len(topics.records()) == 21


def test_threads_share_a_publisher(topics: Topics, outbox: Path) -> None:
    with Publisher(topics.bootstrap_servers, outbox, topics=topics.by_family) as publisher:
        threads = [
            Thread(
                target=lambda numbers: list(publish(publisher, numbers)), args=[range(n, n + 100)]
            )
            for n in range(0, 400, 100)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert publisher.flush(PATIENCE_SECONDS) == 0
    assert {event.id for event in topics.events()} == {f"e-{number}" for number in range(400)}
    assert len(topics.records()) == 400


def test_a_record_that_brokers_find_too_large_stops_nobody_else(
    topics: Topics, outbox: Path
) -> None:
    small = {"max_request_size": 50_000}
    with Publisher(
        topics.bootstrap_servers, outbox, source="crm", topics=topics.by_family, kafka=small
    ) as publisher:
        large = {**touchpoint(0), "note": "x" * 60_000}
        publisher.publish("touchpoint.recorded.v1", large, id="large")
        publisher.publish("touchpoint.recorded.v1", touchpoint(1), id="small")
        assert publisher.flush(PATIENCE_SECONDS) == 0
        [refused] = publisher.refused
        assert (refused.source, refused.id) == ("crm", "large")
        assert "MessageSizeTooLarge" in refused.reason
    with Publisher(
        topics.bootstrap_servers, outbox, source="crm", topics=topics.by_family
    ) as publisher:
        publisher.publish(
            "touchpoint.recorded.v1", {**touchpoint(0), "note": "x" * 60_000}, id="large"
        )
        assert publisher.flush(PATIENCE_SECONDS) == 0
        assert publisher.refused == []
    assert sorted(event.id for event in topics.events()) == ["large", "small"]


def test_whatever_goes_wrong_in_delivery_it_is_told_and_tried_again(
    topics: Topics, outbox: Path
) -> None:
    """Here an option's function has a fault, which nobody thought of."""
    failing, calls = Event(), []
    failing.set()

    class Failing(DefaultPartitioner):
        def partition(self, *args: Any, **kwargs: Any) -> Any:
            calls.append(args)
            if failing.is_set():
                raise ZeroDivisionError("ring Ada Lovelace")
            return super().partition(*args, **kwargs)

    with Publisher(
        topics.bootstrap_servers,
        outbox,
        topics=topics.by_family,
        kafka={"partitioner": Failing()},
    ) as publisher:
        for _ in publish(publisher, range(3)):
            pass
        eventually(lambda: len(calls) > 1)
        assert str(publisher.last_failure).startswith("unexpected ZeroDivisionError in ")
        assert "Lovelace" not in str(publisher.last_failure)
        failing.clear()
        assert publisher.flush(PATIENCE_SECONDS) == 0
        assert publisher.last_failure is None
    assert {event.id for event in topics.events()} == {"e-0", "e-1", "e-2"}


def test_an_outbox_that_cannot_be_written_for_a_while_sends_nothing_twice(
    topics: Topics, outbox: Path
) -> None:
    """Records are acknowledged while somebody else keeps the file, or the disk is full."""
    late = Topics(
        topics.bootstrap_servers, {k: f"{name}-late" for k, name in topics.by_family.items()}
    )
    with (
        Publisher(topics.bootstrap_servers, outbox, topics=late.by_family) as publisher,
        closing(sqlite3.connect(outbox, isolation_level=None)) as somebody,
    ):
        for _ in publish(publisher, range(20)):
            pass
        somebody.execute("BEGIN IMMEDIATE")
        late.make()
        eventually(lambda: "database is locked" in (publisher.last_failure or ""))
        somebody.execute("ROLLBACK")
        assert publisher.flush(PATIENCE_SECONDS) == 0
    assert len(late.records()) == 20


def test_what_waited_for_long_is_sent_with_todays_timestamp_unless_that_is_its_time(
    broker: Broker, channel: Channel, outbox: Path
) -> None:
    """Otherwise brokers that compare timestamps with their clock would block it for ever."""
    if isinstance(broker, EmbeddedBroker):
        pytest.skip("the embedded broker does not compare timestamps")
    topic = channel.topic_with("strict", {"message.timestamp.before.max.ms": 3_600_000})
    headers = [("ce_source", b"crm"), ("ce_id", b"1")]
    timed = [*headers, ("ce_time", b"2026-03-02T12:00:00Z")]
    now = int(datetime.now(UTC).timestamp() * 1_000)
    with closing(Outbox(outbox, capacity=5)) as box:
        for value, own, at in ((b"a", timed, 1_000), (b"b", headers, 1_000), (b"c", headers, now)):
            box.put([Record(topic, b"C-1", value, own, at)])
    with Publisher(channel.bootstrap_servers, outbox) as publisher:
        assert publisher.flush(PATIENCE_SECONDS) == 0
        [refused] = publisher.refused
        assert "InvalidTimestamp" in refused.reason
    taken = Topics(channel.bootstrap_servers, {"touchpoint": topic}, partitions=1).records()
    assert [record.value for record in taken] == [b"a", b"c"]
    assert all(record.timestamp >= now for record in taken)


def test_a_topic_that_is_missing_holds_up_its_own_events_only(
    topics: Topics, channel: Channel, outbox: Path
) -> None:
    missing = f"{channel.prefix}-later"
    families = {**topics.by_family, "complaint": missing}
    data = {"complaint_id": "K-1", "customer_id": "C-1", "channel": "mail"}
    with Publisher(
        topics.bootstrap_servers, outbox, source="busy.example", topics=families
    ) as publisher:
        publisher.publish("complaint.raised.v1", data, id="raised")
        for _ in publish(publisher, range(2)):
            eventually(lambda: publisher.waiting == 1)
            eventually(lambda: publisher.last_failure)
        assert f"the brokers have no topic {missing}" in str(publisher.last_failure)
        assert channel.topic("later") == missing
        assert publisher.flush(PATIENCE_SECONDS) == 0
        assert publisher.last_failure is None


def test_killed_at_random_moments_it_loses_nothing_and_the_ledger_has_it_once_in_order(
    topics: Topics, outbox: Path, door: Door
) -> None:
    seed = Random().randrange(10_000)
    print(f"seed {seed}")  # noqa: T201 - to repeat what failed
    chance = Random(seed)
    told = -1
    for _ in range(KILLS):
        # Anew from a few before the last one of which it is known, as a channel system would.
        first = max(0, told + 1 - chance.randrange(10))
        with busy(topics, outbox, first, 10_000) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 400)):
                told = max(told, int(process.stdout.readline()))
            process.kill()
            told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
    count = told + 2  # one may have been put of which we were not told
    with Publisher(topics.bootstrap_servers, outbox, topics=topics.by_family) as publisher:
        for _ in publish(publisher, range(told + 1, count)):
            pass
        assert publisher.flush(PATIENCE_SECONDS) == 0
    assert first_seen(topics.events()) == by_turns(count)
    door.take(*topics.messages())
    [line] = door.account().values()
    assert (line.appended, line.conflict, line.parked, line.rejected) == (count, 0, 0, 0)
    assert line.duplicate == len(topics.records()) - count


def busy(topics: Topics, outbox: Path, first: int, count: int) -> "subprocess.Popen[str]":
    families = json.dumps(topics.by_family)
    return subprocess.Popen(
        [sys.executable, "-m", "tests.publisher.busy", topics.bootstrap_servers, outbox, families,
         str(first), str(count)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@LEAKING
def test_brokers_that_go_away_and_come_back_get_everything_once_in_order(
    own_broker: LocalBroker, outbox: Path
) -> None:
    topics = Topics.made(own_broker.bootstrap_servers, "away")
    keeps = type(own_broker).__name__ == "ApacheKafka"
    with Publisher(topics.bootstrap_servers, outbox, topics=topics.by_family) as publisher:
        for number in publish(publisher, range(900)):
            if number == 300:
                assert publisher.flush(PATIENCE_SECONDS) == 0
                own_broker.kill()
            elif number == 600:
                own_broker.start()
                topics.make()
        assert publisher.flush(PATIENCE_SECONDS) == 0
    gc.collect()
    seen = first_seen(topics.events())
    expected = by_turns(900)
    if not keeps:  # the embedded broker starts again empty
        expected = {
            key: [id_ for id_ in ids if int(id_[2:]) > 300] for key, ids in expected.items()
        }
    assert seen == expected
    assert len(topics.records()) == sum(map(len, expected.values()))


@LEAKING
def test_a_publisher_may_be_opened_before_there_is_any_broker(
    own_broker: LocalBroker, outbox: Path
) -> None:
    own_broker.stop()
    with Publisher(own_broker.bootstrap_servers, outbox, source="crm") as publisher:
        for _ in publish(publisher, range(5)):
            pass
        eventually(lambda: publisher.last_failure)
        own_broker.start()
        Topics(own_broker.bootstrap_servers, {"touchpoint": "touchpoints"}).make()
        assert publisher.flush(PATIENCE_SECONDS) == 0
    assert len(Topics(own_broker.bootstrap_servers, {"touchpoint": "touchpoints"}).records()) == 5
